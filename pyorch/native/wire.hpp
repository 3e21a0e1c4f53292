// Market events on 64-bit beats (docs/wire_events.md): the encoder, twin of pyorch/market/wire.py, and the decoder, twin of
// pyorch/market/wire_decoder.py, which define them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "event.hpp"

namespace pyorch::wire {

inline constexpr std::uint64_t version = 1;
inline constexpr std::size_t header_beats = 4;  // a DEPTH event has one more
inline constexpr std::size_t frame_beats = 184;
inline constexpr std::int64_t narrow_reach = std::int64_t{1} << 29, wide_reach = std::int64_t{1} << 61;
inline constexpr int delay_bucket_bits = 33;

inline std::int64_t id_before(const Event& row) {
    if (row.kind != Kind::depth) return -1;
    if (row.previous_sequence >= 0) return row.previous_sequence;
    return row.first_sequence >= 0 ? row.first_sequence - 1 : -1;
}

// Appends beats; `ends` is 1 on the last beat of each frame. Allocates only when the vectors must grow.
class Encoder {
public:
    Encoder(unsigned session, std::uint32_t first_number, std::size_t beats_a_frame)
        : session_(session), number_(first_number), beats_a_frame_(beats_a_frame) {
        if (session > 15) throw std::invalid_argument("a session is 0 to 15");
        if (beats_a_frame && (beats_a_frame < 8 || beats_a_frame > frame_beats))
            throw std::invalid_argument("a frame has 8 to 184 beats, or 0 for one event each");
    }

    // Whole messages; the last frame is closed. Returns how many events were made.
    std::size_t encode(std::span<const Event> rows, std::vector<std::uint64_t>& beats, std::vector<std::uint8_t>& ends) {
        const std::uint32_t began = number_;
        length_ = 0;
        for (std::size_t at = 0; at < rows.size();) {
            std::size_t size = 1;
            bool wide = is_wide(rows[at]);
            while (at + size < rows.size() && same_message(rows[at + size - 1], rows[at + size])) wide |= is_wide(rows[at + size++]);
            message(rows.subspan(at, size), wide, beats, ends);
            at += size;
        }
        if (!ends.empty()) ends.back() = 1;
        return number_ - began;
    }

private:
    static bool same_message(const Event& a, const Event& b) {
        return !(a.flags & flag_last) && !(b.flags & flag_first) && a.local_ns == b.local_ns && a.exchange_ns == b.exchange_ns &&
               a.sequence == b.sequence && id_before(a) == id_before(b) && a.kind == b.kind && a.instrument == b.instrument;
    }

    static bool is_wide(const Event& row) {
        const auto q = row.quantity_lots;
        if (q < -wide_reach || q >= wide_reach) throw std::out_of_range("quantity_lots is " + std::to_string(q) + "; the wire carries -2^61 to 2^61 - 1");
        if (row.kind > Kind::surface || row.side > Side::none) throw std::out_of_range("kind or side is none that the wire carries");
        return row.price_ticks != static_cast<std::int32_t>(row.price_ticks) || q < -narrow_reach || q >= narrow_reach;
    }

    void message(std::span<const Event> rows, bool wide, std::vector<std::uint64_t>& beats, std::vector<std::uint8_t>& ends) {
        const std::size_t room = (frame_beats - header_beats - 1) / (wide ? 2 : 1);
        for (std::size_t at = 0; at < rows.size(); at += room)
            event(rows.subspan(at, std::min(room, rows.size() - at)), wide, beats, ends);
    }

    void event(std::span<const Event> rows, bool wide, std::vector<std::uint64_t>& beats, std::vector<std::uint8_t>& ends) {
        const Event& head = rows.front();
        const bool depth = head.kind == Kind::depth;
        const std::size_t size = header_beats + depth + rows.size() * (wide ? 2 : 1);
        if (!ends.empty() && (!beats_a_frame_ || (length_ && length_ + size > beats_a_frame_))) {
            ends.back() = 1;
            length_ = 0;
        }
        length_ += size;
        const auto bit = [](bool on, int place) { return static_cast<std::uint64_t>(on) << place; };
        beats.push_back(static_cast<std::uint64_t>(head.kind) | bit(head.flags & flag_first, 4) | bit(rows.back().flags & flag_last, 5) |
                        bit(wide, 6) | std::uint64_t{head.instrument} << 8 | static_cast<std::uint64_t>(rows.size()) << 16 |
                        std::uint64_t{session_} << 24 | version << 28 | std::uint64_t{number_++} << 32);
        for (const std::int64_t word : {head.local_ns, head.exchange_ns, head.sequence}) beats.push_back(static_cast<std::uint64_t>(word));
        if (depth) beats.push_back(static_cast<std::uint64_t>(id_before(head)));
        for (const Event& row : rows) {
            const auto price = static_cast<std::uint64_t>(row.price_ticks), quantity = static_cast<std::uint64_t>(row.quantity_lots);
            const auto side = static_cast<std::uint64_t>(row.side) << 62;
            if (wide) {
                beats.push_back(price);
                beats.push_back((quantity & (~std::uint64_t{0} >> 2)) | side);
            } else beats.push_back((price & 0xFFFFFFFF) | (quantity & 0x3FFFFFFF) << 32 | side);
        }
        ends.resize(beats.size(), 0);
    }

    unsigned session_;
    std::uint32_t number_;
    std::size_t beats_a_frame_, length_ = 0;
};

struct Counts {
    std::int64_t events = 0, duplicates = 0, gaps = 0, lost = 0, sessions = 0, malformed = 0, truncated = 0, stale = 0;
};

// Nothing is allocated after construction.
class Decoder {
public:
    Decoder(int instruments, std::optional<std::int64_t> stale_ns)
        : stale_ns_(stale_ns), delays_(static_cast<std::size_t>(instruments)) {
        if (instruments < 1 || instruments > 256) throw std::invalid_argument("a decoder serves 1 to 256 instruments");
    }

    // Calls take(row, number, stale) for each row that is complete with this beat.
    template <typename Take>
    void beat(std::uint64_t word, bool last, Take&& take) {
        if (dropping_) {
            dropping_ = !last;
            return;
        }
        if (rows_left_ == 0) take_header(word, take);
        else take_row(word, take);
        if (dropping_) dropping_ = !last;
        else if (last && (held_ > 0 || rows_left_ > 0)) {
            ++counts_.truncated;
            if (rows_left_ > 0 && accepted_) reset(row_.instrument, take);
            held_ = rows_left_ = 0;
            has_price_ = false;
        }
    }

    const Counts& counts() const { return counts_; }

private:
    struct Delay {
        bool any = false, has_before = false;
        std::int64_t bucket = 0, current = 0, before = 0;

        std::int64_t late_by(std::int64_t local_ns, std::int64_t exchange_ns) {
            const std::int64_t delay = minus(local_ns, exchange_ns), now = local_ns >> delay_bucket_bits;
            if (!any || now != bucket) {
                has_before = any && now == bucket + 1;
                before = current;
                any = true;
                bucket = now;
                current = delay;
            }
            current = std::min(current, delay);
            return minus(delay, has_before ? std::min(current, before) : current);
        }
    };

    // modulo 2^64, as in hardware
    static std::int64_t minus(std::int64_t a, std::int64_t b) {
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
    }

    template <typename Take>
    void take_header(std::uint64_t word, Take& take) {
        if (held_ == 0 && !plausible(word)) {
            ++counts_.malformed;
            dropping_ = true;
            return;
        }
        header_[static_cast<std::size_t>(held_++)] = word;
        const bool depth = (header_[0] & 15) == static_cast<std::uint64_t>(Kind::depth);
        if (static_cast<std::size_t>(held_) == header_beats + depth) begin(depth, take);
    }

    bool plausible(std::uint64_t word) const {
        return (word >> 28 & 15) == version && !(word & 0x88) && (word >> 16 & 255) && (word >> 8 & 255) < delays_.size();
    }

    template <typename Take>
    void begin(bool depth, Take& take) {
        const std::uint64_t word = header_[0];
        row_ = {};
        row_.local_ns = static_cast<std::int64_t>(header_[1]);
        row_.exchange_ns = static_cast<std::int64_t>(header_[2]);
        row_.first_sequence = -1;
        row_.sequence = static_cast<std::int64_t>(header_[3]);
        row_.previous_sequence = depth ? static_cast<std::int64_t>(header_[4]) : -1;
        row_.kind = static_cast<Kind>(word & 15);
        row_.instrument = static_cast<std::uint8_t>(word >> 8);
        first_ = word & 16, ends_ = word & 32, wide_ = word & 64;
        rows_left_ = static_cast<int>(word >> 16 & 255);
        number_ = static_cast<std::uint32_t>(word >> 32);
        held_ = 0;
        accepted_ = admit(static_cast<int>(word >> 24 & 15), take);
        stale_ = accepted_ && late();
    }

    template <typename Take>
    bool admit(int session, Take& take) {
        const std::uint32_t ahead = session_ < 0 ? 0 : number_ - expected_;
        const bool anew = session != session_;
        if (anew) ++counts_.sessions;
        else if (ahead >> 31) {
            ++counts_.duplicates;
            return false;
        } else if (ahead) {
            ++counts_.gaps;
            counts_.lost = (counts_.lost + ahead) & 0xFFFFFFFF;
        }
        if (anew || ahead)
            for (std::size_t k = 0; k < delays_.size(); ++k) reset(static_cast<std::uint8_t>(k), take);
        session_ = session;
        expected_ = number_ + 1;
        ++counts_.events;
        return true;
    }

    bool late() {
        if (!stale_ns_ || row_.exchange_ns < 0) return false;
        const bool is = delays_[row_.instrument].late_by(row_.local_ns, row_.exchange_ns) > *stale_ns_;
        counts_.stale += is;
        return is;
    }

    template <typename Take>
    void take_row(std::uint64_t word, Take& take) {
        if (wide_ && !has_price_) {
            row_.price_ticks = static_cast<std::int64_t>(word);
            has_price_ = true;
            return;
        }
        if (wide_) row_.quantity_lots = static_cast<std::int64_t>(word << 2) >> 2;
        else {
            row_.price_ticks = static_cast<std::int32_t>(word);
            row_.quantity_lots = static_cast<std::int64_t>(word << 2) >> 34;
        }
        has_price_ = false;
        --rows_left_;
        if (!accepted_) return;
        if (word >> 62 == 3) {
            ++counts_.malformed;
            reset(row_.instrument, take);
            dropping_ = true;
            rows_left_ = 0;
            return;
        }
        row_.side = static_cast<Side>(word >> 62);
        row_.flags = static_cast<std::uint8_t>((first_ ? flag_first : 0) | (ends_ && rows_left_ == 0 ? flag_last : 0));
        first_ = false;
        take(row_, number_, stale_);
    }

    template <typename Take>
    void reset(std::uint8_t instrument, Take& take) const {
        Event row{};
        row.local_ns = row_.local_ns;
        row.exchange_ns = row.first_sequence = row.sequence = row.previous_sequence = -1;
        row.kind = Kind::reset;
        row.side = Side::none;
        row.flags = flag_first | flag_last;
        row.instrument = instrument;
        take(row, number_, false);
    }

    std::optional<std::int64_t> stale_ns_;
    std::vector<Delay> delays_;
    Counts counts_;
    std::array<std::uint64_t, header_beats + 1> header_{};
    int held_ = 0, rows_left_ = 0, session_ = -1;
    std::uint32_t expected_ = 0, number_ = 0;
    bool dropping_ = false, accepted_ = false, stale_ = false, first_ = false, ends_ = false, wide_ = false, has_price_ = false;
    Event row_{};
};

}  // namespace pyorch::wire
