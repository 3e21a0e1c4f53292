// A market event: the 64-byte row of pyorch.contract.events.EVENT_DTYPE.
#pragma once

#include <cstdint>

namespace pyorch {

enum class Kind : std::uint8_t { depth = 0, snapshot = 1, best = 2, trade = 3, timer = 4, mark = 5, reset = 6, surface = 7 };
enum class Side : std::uint8_t { bid = 0, ask = 1, none = 2 };

inline constexpr std::uint8_t flag_last = 1;
inline constexpr std::uint8_t flag_first = 2;

struct Event {
    std::int64_t local_ns;
    std::int64_t exchange_ns;
    std::int64_t first_sequence;
    std::int64_t sequence;
    std::int64_t previous_sequence;
    std::int64_t price_ticks;
    std::int64_t quantity_lots;
    Kind kind;
    Side side;
    std::uint8_t flags;
    std::uint8_t instrument;
    std::uint32_t reserved;
};
static_assert(sizeof(Event) == 64);

}  // namespace pyorch
