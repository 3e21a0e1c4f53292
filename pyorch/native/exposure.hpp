// What could still be filled; pyorch.trading.exposure defines it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "quote_columns.hpp"

namespace pyorch {

class Exposures {
   public:
    static constexpr int generations = 4;

    Exposures(std::vector<std::uint32_t> venues, bool acknowledged)
        : venues_(std::move(venues)), acknowledged_(acknowledged), kept_(venues_.size()),
          open_{Integers(size()), Integers(size())}, order_ticks_{Integers(size()), Integers(size())},
          order_lots_{Integers(size()), Integers(size())} {}

    bool acknowledged() const { return acknowledged_; }
    std::size_t size() const { return kept_.size(); }
    std::uint32_t venue(std::size_t option) const { return venues_[option]; }

    // Of quotes alone, then with the order that rests beside them.
    std::int64_t quoted(std::size_t option, int side) const { return open_[at(side)][option]; }
    std::int64_t open(std::size_t option, int side) const {
        return quoted(option, side) + order_lots(option, side);
    }
    std::int64_t order_ticks(std::size_t option, int side) const { return order_ticks_[at(side)][option]; }
    std::int64_t order_lots(std::size_t option, int side) const { return order_lots_[at(side)][option]; }
    // Of all options, bid and ask.
    const std::array<Integers, 2>& quoted() const { return open_; }
    const std::array<Integers, 2>& order_lots() const { return order_lots_; }
    void order(std::size_t option, int side, std::int64_t price_ticks, std::int64_t lots) {
        order_ticks_[at(side)][option] = price_ticks;
        order_lots_[at(side)][option] = lots;
    }

    void place(std::size_t option, std::int64_t sequence, std::int64_t bid_lots, std::int64_t ask_lots) {
        Kept& kept = kept_[option];
        if (!acknowledged_) {
            kept.count = 0;
            open_[0][option] = open_[1][option] = 0;
            if (bid_lots + ask_lots == 0) return;
        }
        if (kept.count == generations) {
            Generation& last = kept.generation[generations - 1];
            last = {sequence, {last.lots[0] + bid_lots, last.lots[1] + ask_lots}};
        } else {
            kept.generation[kept.count++] = {sequence, {bid_lots, ask_lots}};
        }
        open_[0][option] += bid_lots;
        open_[1][option] += ask_lots;
    }

    void taken_in(std::uint32_t venue, std::int64_t sequence) {
        for (std::size_t option = 0; option < kept_.size(); ++option) {
            if (venues_[option] != venue) continue;
            const Kept& kept = kept_[option];
            for (int k = 0; k < kept.count; ++k)
                if (kept.generation[k].sequence == sequence) {
                    drop(option, sequence - 1);
                    break;
                }
        }
    }
    void rejected(std::size_t option, std::int64_t sequence) { drop(option, sequence); }
    void cancelled(std::uint32_t venue, std::int64_t sequence) {
        for (std::size_t option = 0; option < kept_.size(); ++option)
            if (venues_[option] == venue) drop(option, sequence);
    }
    void filled(std::size_t option, std::int64_t sequence, int side, std::int64_t lots) {
        Kept& kept = kept_[option];
        for (int k = 0; k < kept.count; ++k) {
            if (kept.generation[k].sequence < sequence) continue;
            const std::int64_t taken = std::min(lots, kept.generation[k].lots[side]);
            kept.generation[k].lots[side] -= taken;
            open_[at(side)][option] -= taken;
            return;
        }
    }
    void forget() {
        for (std::size_t option = 0; option < kept_.size(); ++option) {
            kept_[option].count = 0;
            open_[0][option] = open_[1][option] = 0;
        }
    }

   private:
    struct Generation {
        std::int64_t sequence = 0;
        std::array<std::int64_t, 2> lots{};
    };
    struct Kept {
        int count = 0;
        std::array<Generation, generations> generation;
    };

    static std::size_t at(int side) { return static_cast<std::size_t>(side); }

    void drop(std::size_t option, std::int64_t up_to) {
        Kept& kept = kept_[option];
        int left = 0;
        for (int k = 0; k < kept.count; ++k) {
            const Generation& generation = kept.generation[k];
            if (generation.sequence > up_to) {
                kept.generation[left++] = generation;
            } else {
                open_[0][option] -= generation.lots[0];
                open_[1][option] -= generation.lots[1];
            }
        }
        kept.count = left;
    }

    std::vector<std::uint32_t> venues_;
    bool acknowledged_;
    std::vector<Kept> kept_;
    std::array<Integers, 2> open_, order_ticks_, order_lots_;  // [bid, ask]; open_: of quotes
};

}  // namespace pyorch
