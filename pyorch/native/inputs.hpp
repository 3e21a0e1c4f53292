// Inputs that no tape determines; pyorch.trading.inputs says what each kind means.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pyorch {

enum class InputKind : std::uint32_t {
    acknowledged = 1, rejected, filled, cancelled, protection, disconnected, connected, own_order, sequence, position,
    order_rejected, request, acceptance,
    kill = 16, rearm, pause, resume, model_off, model_on, widen, size_cap, limit, reset_protection,
    journal_full = 32, journal_ready, engine, deadline_miss
};

enum LimitName : std::size_t { limit_position, limit_delta, limit_gamma, limit_vega, limit_notional, limit_names };

// The most that an operator may order, and that a venue may book.
inline constexpr std::int64_t maximum_widening_bp100 = 1'000'000, maximum_lots = 1'000'000'000,
                              maximum_limit = std::int64_t{1} << 60;

struct Input {
    std::int64_t local_ns, sequence, value, price_ticks, row;
    InputKind kind;
    std::uint32_t venue, option, side;
    std::int32_t lots;
    std::uint32_t text;
};
static_assert(sizeof(Input) == 64);

// Whether an input names a venue of so many, an option of so many.
inline bool input_is_about(const Input& in, std::size_t venues, std::size_t options) {
    const InputKind kind = in.kind;
    const bool has_venue = kind <= InputKind::connected || kind == InputKind::sequence;
    const bool has_option = kind == InputKind::rejected || kind == InputKind::filled || kind == InputKind::own_order ||
                            kind == InputKind::position;
    return !((has_venue && in.venue >= venues) || (has_option && in.option >= options) ||
             (kind == InputKind::limit && in.option >= limit_names) || in.side > 1);
}

}  // namespace pyorch
