// Who answers, as inputs; pyorch.trading.stated_answer defines it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "inputs.hpp"
#include "tick_engine.hpp"

namespace pyorch {

// Where the path knows from who answered a tick, and whether in time.
enum class AnswerSource : int { engines, noted, inputs };

class StatedAnswer {
   public:
    static std::int64_t value_of(const Answer& answer) {
        return static_cast<std::int64_t>(answer.by) | static_cast<std::int64_t>(answer.assurance) << 8 |
               static_cast<std::int64_t>(answer.inexact) << 16;
    }
    static std::int64_t late_value_of(const Answer& answer) { return std::max<std::int64_t>(answer.ns, 1); }
    static bool valid(std::int64_t value) {
        return value >= 0 && value >> 17 == 0 && (value >> 8 & 255) <= static_cast<int>(Assurance::unverified) &&
               (value & 255) <= static_cast<int>(AnsweredBy::arbiter);
    }

    bool changes(const Answer& answer) const { return value_of(answer) != value_of(stated_); }
    void take(const Input& in) {
        if (in.kind == InputKind::deadline_miss) {
            late_ns_ = static_cast<std::uint32_t>(in.value);
            return;
        }
        stated_.by = static_cast<AnsweredBy>(in.value & 255);
        stated_.assurance = static_cast<Assurance>(in.value >> 8 & 255);
        stated_.inexact = (in.value >> 16) != 0;
    }
    // Of one tick: being late holds for it alone.
    Answer use(std::uint32_t ns) {
        Answer answer = stated_;
        answer.late = late_ns_ != 0;
        answer.ns = answer.late ? late_ns_ : ns;
        late_ns_ = 0;
        return answer;
    }

   private:
    Answer stated_;
    std::uint32_t late_ns_ = 0;
};

}  // namespace pyorch
