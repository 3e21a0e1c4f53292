// Level-2 order book; defined by its Python twin, pyorch/market/book.py, and equal to it row by row.
//
// Each side is one flat array sorted so that the best level is at the back: changes near the best, which
// are most of them, move few bytes. Capacity is fixed; nothing is allocated after construction.
#pragma once

#include <cstring>
#include <stdexcept>
#include <vector>

#include "event.hpp"

namespace pyorch {

struct Level {
    std::int64_t price_ticks;
    std::int64_t quantity_lots;
};

struct BookCounts {
    std::int64_t messages = 0;   // DEPTH and SNAPSHOT messages that were applied
    std::int64_t gaps = 0;       // DEPTH messages that did not continue the sequence
    std::int64_t crosses = 0;    // messages after which the best bid was not below the best ask
    std::int64_t stale = 0;      // DEPTH messages that the book already contained
    std::int64_t dropped = 0;    // DEPTH messages while there was no valid book
    std::int64_t resets = 0;     // RESET rows
    std::int64_t discarded = 0;  // levels beyond the capacity
};

class Book {
public:
    static constexpr int default_capacity = 8192;

    explicit Book(int capacity = default_capacity) : capacity_(capacity) {
        if (capacity < 1) throw std::invalid_argument("a book needs a capacity of at least one level a side");
        for (auto& side : sides_) side.resize(static_cast<std::size_t>(capacity));
    }

    // One row of this book's instrument.
    void apply(const Event& event) {
        switch (event.kind) {
            case Kind::depth: return apply_depth(event);
            case Kind::snapshot: return apply_snapshot(event);
            case Kind::reset:
                ++counts_.resets;
                open_ = Kind::reset;
                return void_book();
            default: return;  // best quotes, trades and the rest never change the book
        }
    }

    bool valid() const { return valid_; }
    bool two_sided() const { return size_[0] > 0 && size_[1] > 0; }
    std::int64_t sequence() const { return sequence_; }
    int capacity() const { return capacity_; }
    int depth(Side side) const { return size_[index(side)]; }
    const Level& level(Side side, int k) const {  // 0 is the best; k < depth(side)
        const auto s = index(side);
        return sides_[s][static_cast<std::size_t>(size_[s] - 1 - k)];
    }
    const BookCounts& counts() const { return counts_; }

private:
    static std::size_t index(Side side) { return static_cast<std::size_t>(side) & 1; }

    void void_book() {
        size_[0] = size_[1] = 0;
        valid_ = false;
        sequence_ = -1;
    }

    void apply_snapshot(const Event& event) {
        if ((event.flags & flag_first) || open_ != Kind::snapshot) {
            void_book();
            sequence_ = event.sequence;
            open_ = Kind::snapshot;
        }
        if (event.side != Side::none) set(event.side, event.price_ticks, event.quantity_lots);
        if (event.flags & flag_last) {
            open_ = Kind::reset;
            synchronising_ = true;
            valid_ = true;
            finish();
        }
    }

    void apply_depth(const Event& event) {
        if ((event.flags & flag_first) || open_ != Kind::depth) {
            open_ = Kind::depth;
            admitted_ = admit(event);
        }
        if (admitted_ && event.side != Side::none) set(event.side, event.price_ticks, event.quantity_lots);
        if (event.flags & flag_last) {
            open_ = Kind::reset;
            if (admitted_) finish();
            admitted_ = false;
        }
    }

    bool admit(const Event& event) {
        if (!valid_) {
            ++counts_.dropped;
            return false;
        }
        if (event.sequence < 0) return true;  // a stream without sequences
        if (event.sequence <= sequence_) {
            ++counts_.stale;
            return false;
        }
        if (!continues(event.first_sequence, event.previous_sequence)) {
            ++counts_.gaps;
            void_book();
            return false;
        }
        sequence_ = event.sequence;
        synchronising_ = false;
        return true;
    }

    // The first diff after a snapshot may begin before it; every later one continues exactly.
    bool continues(std::int64_t first, std::int64_t previous) const {
        const std::int64_t before = previous >= 0 ? previous : first >= 0 ? first - 1 : -1;
        if (sequence_ < 0 || before < 0) return true;
        return before == sequence_ || (synchronising_ && before < sequence_);
    }

    void finish() {
        ++counts_.messages;
        if (two_sided() && level(Side::bid, 0).price_ticks >= level(Side::ask, 0).price_ticks) {
            ++counts_.crosses;
            void_book();
        }
    }

    void set(Side side, std::int64_t price_ticks, std::int64_t quantity_lots) {
        if (side == Side::bid) set_level<1>(price_ticks, quantity_lots);
        else set_level<-1>(price_ticks, quantity_lots);
    }

    template <int sign>  // 1: bids, highest is best; -1: asks, lowest is best
    void set_level(std::int64_t price_ticks, std::int64_t quantity_lots) {
        Level* const levels = sides_[sign > 0 ? 0 : 1].data();
        int& size = size_[sign > 0 ? 0 : 1];
        const auto better = [](std::int64_t a, std::int64_t b) { return sign > 0 ? a > b : a < b; };
        // First position whose level is not worse: a few steps from the best, then by halves.
        int low = 0, high = size;
        for (int steps = 0; steps < 12 && high > 0; ++steps) {
            if (better(price_ticks, levels[high - 1].price_ticks)) {
                low = high;
                break;
            }
            --high;
        }
        while (low < high) {
            const int middle = low + (high - low) / 2;
            if (better(price_ticks, levels[middle].price_ticks)) low = middle + 1;
            else high = middle;
        }
        const bool found = low < size && levels[low].price_ticks == price_ticks;
        if (quantity_lots <= 0) {
            if (!found) return;
            move(levels + low, levels + low + 1, size - low - 1);
            --size;
        } else if (found) {
            levels[low].quantity_lots = quantity_lots;
        } else if (size < capacity_) {
            move(levels + low + 1, levels + low, size - low);
            levels[low] = {price_ticks, quantity_lots};
            ++size;
        } else {
            ++counts_.discarded;
            if (low == 0) return;  // worse than all that are kept
            move(levels, levels + 1, low - 1);
            levels[low - 1] = {price_ticks, quantity_lots};
        }
    }

    static void move(Level* to, const Level* from, int count) {
        std::memmove(to, from, static_cast<std::size_t>(count) * sizeof(Level));
    }

    std::vector<Level> sides_[2];
    int size_[2] = {0, 0};
    int capacity_;
    std::int64_t sequence_ = -1;
    bool valid_ = false;
    bool synchronising_ = false;
    bool admitted_ = false;
    Kind open_ = Kind::reset;  // kind of the message whose LAST row has not come; reset: none
    BookCounts counts_;
};

}  // namespace pyorch
