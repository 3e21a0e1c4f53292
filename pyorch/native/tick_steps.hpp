// One market event after another through book, features, engine and quoting path: what a tick loop and a desk share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <stdexcept>

#include "event.hpp"
#include "features.hpp"
#include "quoting_path.hpp"
#include "tick_engine.hpp"

namespace pyorch {

class TickSteps {
   public:
    // The stream and the engine must outlive it.
    TickSteps(const QuotingSettings& settings, FeatureStream& stream, TickEngine& engine)
        : path(settings), stream_(stream), engine_(engine) {
        if (settings.features != stream.size() || settings.features != engine.features() ||
            settings.outputs != engine.outputs())
            throw std::invalid_argument("settings, feature stream and engine differ in features or outputs");
    }

    QuotingPath path;

    // False: the engine did not answer and must not be asked again.
    bool on_event(const Event& event, std::int64_t row) {
        if (!message_open_) {
            message_open_ = true;
            message_start_ = clock_cycles();
        }
        if (event.flags & flag_last) message_open_ = false;
        if (path.decisions) path.decisions->feed(event);  // the card computes while the loop does
        if (event.kind == Kind::surface) path.surface(event.price_ticks, event.quantity_lots, event.local_ns);
        if (event.kind == Kind::trade && event.instrument == 0) path.trade(event.price_ticks, event.local_ns);
        const bool was_active = stream_.active();
        const bool due = stream_.apply(event);
        if (was_active && !stream_.active()) path.invalidate(row, event.local_ns, event.sequence);
        if (!due) return true;
        const std::uint64_t after_book = clock_cycles();
        stream_.compute();
        const std::uint64_t after_features = clock_cycles();
        if ((stream_.segment_start() && !engine_.reset()) || !engine_.step(stream_.features())) return false;
        const std::uint64_t after_engine = clock_cycles();
        path.tick({row, event.local_ns, event.sequence, stream_.mid_half_ticks(), stream_.features(), engine_.logits(),
                   engine_.scores(), true, engine_.answer()},
                  {message_start_, after_book, after_features, after_engine});
        engine_.prepare();  // what can be known before the next tick, once this one's bytes are out
        path.prepare();
        if (path.decisions) path.decisions->prepare();
        return true;
    }

   private:
    FeatureStream& stream_;
    TickEngine& engine_;
    bool message_open_ = false;
    std::uint64_t message_start_ = 0;
};

// A desk's steps, taken by the caller's thread: rows of the market up to a time or to the first message.
class DeskSteps {
   public:
    DeskSteps(const QuotingSettings& settings, FeatureStream& stream, TickEngine& engine, std::span<const Event> events)
        : steps_(settings, stream, engine), events_(events) {}

    // Takes rows received before `until_ns` and numbered below `until_row`; with `stop`, no further than the
    // row that made the path write a message, nor than it can note what it found by itself.
    void advance(std::int64_t until_ns, std::size_t until_row, bool stop) {
        const QuotingOutput& output = steps_.path.output();
        const std::int64_t before = output.messages();
        const std::size_t end = std::min(until_row, events_.size());
        while (row_ < end && events_[row_].local_ns < until_ns &&
               !(stop && (output.messages() != before || steps_.path.noted_full()))) {
            if (!steps_.on_event(events_[row_], static_cast<std::int64_t>(row_))) {
                engine_failed_ = true;
                return;
            }
            ++row_;
        }
    }
    void take(const Input& input) { steps_.path.take(input); }
    QuotingPath& path() { return steps_.path; }
    std::size_t row() const { return row_; }
    bool done() const { return row_ == events_.size(); }
    bool engine_failed() const { return engine_failed_; }

   private:
    TickSteps steps_;
    std::span<const Event> events_;
    std::size_t row_ = 0;
    bool engine_failed_ = false;
};

}  // namespace pyorch
