// FIX 4.4 MassQuote and QuoteCancel from prepared fragments; pyorch.trading.fix.codec defines the bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "fix_text.hpp"
#include "quoting.hpp"

namespace pyorch {

struct FixIdentity {
    std::string sender, target, account, underlying;
    std::vector<std::string> symbols;
    Decimals price, size;
};

class FixEncoder {
   public:
    static constexpr std::size_t maximum_entries = Quoter::maximum_entries;

    explicit FixEncoder(const FixIdentity& id) : price_(id.price), size_(id.size) {
        if (id.price.places > 9 || id.size.places > 9) throw std::invalid_argument("at most 9 decimal places");
        header_ = "\00149=" + id.sender + "\00156=" + id.target + "\00134=";
        account_ = "\0011=" + id.account + "\001";
        set_ = "301=0\001296=1\001302=1\001311=" + id.underlying + "\001304=";
        std::size_t longest = 0;
        for (std::size_t option = 0; option < id.symbols.size(); ++option) {
            entries_.emplace_back("299=" + std::to_string(option) + "\00155=" + id.symbols[option] + "\001132=");
            longest = std::max(longest, entries_.back().size());
        }
        // Every number has at most 20 characters and a point.
        message_bytes_ = 576 + header_.size() + account_.size() + set_.size() + maximum_entries * (longest + 128);
        buffer_.resize(message_bytes_ + text_slack);
    }

    // Upper bound of the bytes of one message.
    std::size_t message_bytes() const { return message_bytes_; }

    // Encodes sent[0..count), count <= 16. What is returned is valid until the next message.
    std::string_view mass_quote(std::int64_t sequence, std::int64_t local_ns, const Sent* sent, std::size_t count) {
        char* p = opening('i', sequence, local_ns);
        p = put_text(p, set_);
        p = put_number(p, static_cast<std::int64_t>(count));
        p = put_text(p, "\001295=");
        p = put_number(p, static_cast<std::int64_t>(count));
        *p++ = '\001';
        for (std::size_t i = 0; i < count; ++i) {
            const Quote& quote = sent[i].quote;
            p = entries_[sent[i].option].copy(p);
            p = put_decimal(p, quote.bid_ticks, price_);
            p = put_text(p, "\001133=");
            p = put_decimal(p, quote.ask_ticks, price_);
            if (quote.bid_lots != bid_lots_ || quote.ask_lots != ask_lots_) keep_sizes(quote.bid_lots, quote.ask_lots);
            p = TextPiece::copy(p, sizes_, sizes_length_);
        }
        return finish(p);
    }

    std::string_view cancel_all(std::int64_t sequence, std::int64_t local_ns) {
        return finish(put_text(opening('Z', sequence, local_ns), "298=4\001"));
    }

   protected:
    // YYYYMMDD-HH:MM:SS.sss; the date's text is kept for as long as the day lasts.
    char* sending_time(char* p, std::int64_t local_ns) {
        const std::int64_t milliseconds = floor_divide(local_ns, 1'000'000);
        const std::int64_t day = floor_divide(milliseconds, 86'400'000);
        if (day != day_ || !date_known_) {
            day_ = day;
            date_known_ = true;
            // Civil date of a day number (H. Hinnant, "chrono-compatible low-level date algorithms").
            const std::int64_t z = day + 719468, era = floor_divide(z, 146097), of_era = z - era * 146097;
            const std::int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
            const std::int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
            const std::int64_t shifted = (5 * of_year + 2) / 153;
            const std::int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
            put_padded(date_, year_of_era + era * 400 + (month <= 2), 4);
            put_padded(date_ + 4, month, 2);
            put_padded(date_ + 6, of_year - (153 * shifted + 2) / 5 + 1, 2);
        }
        const std::int64_t of_day = milliseconds - day * 86'400'000;
        p = put_text(p, date_, 8);
        *p++ = '-';
        p = put_padded(p, of_day / 3'600'000, 2);
        *p++ = ':';
        p = put_padded(p, of_day / 60'000 % 60, 2);
        *p++ = ':';
        p = put_padded(p, of_day / 1000 % 60, 2);
        *p++ = '.';
        return put_padded(p, of_day % 1000, 3);
    }

    // MsgType and the header's fields; the last one's end is the next one's to write.
    template <std::size_t N>
    char* head(const char (&kind)[N], std::int64_t sequence, std::int64_t local_ns) {
        char* p = put_text(put_text(body(), "35="), kind);
        p = put_number(put_text(p, header_), sequence);
        return sending_time(put_text(p, "\00152="), local_ns);
    }

    char* opening(char kind, std::int64_t sequence, std::int64_t local_ns) {
        char* p = head({kind, '\0'}, sequence, local_ns);
        p = put_number(put_text(p, "\001117="), sequence);
        return put_text(p, account_);
    }

    // Begin and length before what was written from body() on, the checksum behind it.
    std::string_view finish(char* end) {
        char opening[text_block];
        char* p = put_number(put_text(opening, "8=FIX.4.4\0019="), static_cast<std::int64_t>(end - body()));
        *p++ = '\001';
        char* const begin = body() - (p - opening);
        put_text(begin, opening, static_cast<std::size_t>(p - opening));
        const std::uint8_t sum = byte_sum(begin, end);
        end = put_padded(put_text(end, "10="), sum, 3);
        *end++ = '\001';
        return {begin, static_cast<std::size_t>(end - begin)};
    }

    Decimals price_, size_;

   private:
    char* body() { return buffer_.data() + text_block; }

    // The sizes of an entry: mostly those of the one before.
    void keep_sizes(std::int64_t bid_lots, std::int64_t ask_lots) {
        char* p = put_decimal(put_text(sizes_, "\001134="), bid_lots_ = bid_lots, size_);
        p = put_decimal(put_text(p, "\001135="), ask_lots_ = ask_lots, size_);
        *p++ = '\001';
        sizes_length_ = static_cast<std::size_t>(p - sizes_);
    }

    std::string header_, account_, set_;
    std::vector<TextPiece> entries_;
    char sizes_[4 * text_block] = {};
    std::size_t sizes_length_ = 0;
    std::int64_t bid_lots_ = -1, ask_lots_ = -1;
    std::vector<char> buffer_;
    std::size_t message_bytes_ = 0;
    std::int64_t day_ = 0;
    bool date_known_ = false;
    char date_[8] = {};
};

}  // namespace pyorch
