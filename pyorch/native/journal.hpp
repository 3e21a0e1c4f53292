// The journal's binary records: the layout of pyorch.trading.records (offsets are compared at start).
#pragma once

#include <cstdint>

namespace pyorch {

inline constexpr int maximum_features = 32;
inline constexpr int maximum_outputs = 16;

enum TickFlag : std::uint32_t {
    tick_book_valid = 1, tick_model_valid = 2, tick_warm = 4, tick_priced = 8, tick_quoted = 16,
    tick_cancelled = 32, tick_killed = 64, tick_pending = 128, tick_blocked = 256, tick_surface_stale = 512,
    tick_paused = 1024, tick_frozen = 2048, tick_model_off = 4096, tick_session_down = 8192, tick_journal_full = 16384,
};

struct TickRecord {
    std::int64_t tick, row, local_ns, sequence, forward_half_ticks, minutes;
    std::uint32_t flags, fired, active, surface;
    std::int32_t atm_volatility_ppm, skew_ppm, base_half_spread_bp100;
    std::int32_t extra_down_bp100, extra_up_bp100, size_down_percent, size_up_percent;
    std::int32_t forecast_bp100, inventory_bp100;
    std::uint32_t quotes, refused, fix_bytes, fix_messages;
    std::uint32_t book_ns, features_ns, engine_ns, policy_ns, pricing_ns, encode_ns, total_ns;
    std::int16_t features[maximum_features];
    std::int32_t logits[maximum_outputs], scores[maximum_outputs];
    std::uint8_t answered_by, assurance, late, inexact;
    std::uint32_t answer_ns;
};
static_assert(sizeof(TickRecord) == 344);

struct QuoteRecord {
    std::int64_t tick, local_ns;
    std::uint32_t option, reason;
    std::int32_t bid_ticks, ask_ticks, bid_lots, ask_lots;
    double value_btc, volatility, delta, gamma, vega, theta;
};
static_assert(sizeof(QuoteRecord) == 88);

}  // namespace pyorch
