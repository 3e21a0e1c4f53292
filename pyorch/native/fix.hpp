// FIX 4.4 MassQuote and QuoteCancel from prepared fragments; pyorch.trading.fix.codec defines the bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "quoting.hpp"

namespace pyorch {

// Multiples of a decimal step: `units` of the last of `places` decimal places.
struct Decimals {
    std::int64_t units = 1;
    int places = 0;
};

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
            entries_.push_back("299=" + std::to_string(option) + "\00155=" + id.symbols[option] + "\001132=");
            longest = std::max(longest, entries_.back().size());
        }
        // Every number has at most 20 characters and a point.
        body_.resize(512 + header_.size() + account_.size() + set_.size() + maximum_entries * (longest + 128));
        message_bytes_ = body_.size() + 64;
    }

    // Upper bound of the bytes of one message.
    std::size_t message_bytes() const { return message_bytes_; }

    // Encodes sent[0..count), count <= 16, at `out` (message_bytes() long); returns how many bytes.
    std::size_t mass_quote(std::int64_t sequence, std::int64_t local_ns, const Sent* sent, std::size_t count, char* out) {
        char* p = opening('i', sequence, local_ns);
        p = text(p, set_);
        p = number(p, static_cast<std::int64_t>(count));
        p = text(p, "\001295=", 5);
        p = number(p, static_cast<std::int64_t>(count));
        *p++ = '\001';
        for (std::size_t i = 0; i < count; ++i) {
            p = text(p, entries_[sent[i].option]);
            p = decimal(p, sent[i].quote.bid_ticks, price_);
            p = text(p, "\001133=", 5);
            p = decimal(p, sent[i].quote.ask_ticks, price_);
            p = text(p, "\001134=", 5);
            p = decimal(p, sent[i].quote.bid_lots, size_);
            p = text(p, "\001135=", 5);
            p = decimal(p, sent[i].quote.ask_lots, size_);
            *p++ = '\001';
        }
        return finish(p, out);
    }

    std::size_t cancel_all(std::int64_t sequence, std::int64_t local_ns, char* out) {
        return finish(text(opening('Z', sequence, local_ns), "298=4\001", 6), out);
    }

   protected:
    static char* text(char* p, const char* s, std::size_t n) {
        std::memcpy(p, s, n);
        return p + n;
    }
    static char* text(char* p, const std::string& s) { return text(p, s.data(), s.size()); }
    static char* number(char* p, std::int64_t value) {
        char digits[20];
        int n = 0;
        do {
            digits[n++] = static_cast<char>('0' + value % 10);
            value /= 10;
        } while (value > 0);
        while (n > 0) *p++ = digits[--n];
        return p;
    }
    static char* padded(char* p, std::int64_t value, int width) {
        for (int i = width - 1; i >= 0; --i, value /= 10) p[i] = static_cast<char>('0' + value % 10);
        return p + width;
    }
    // At least places + 1 digits, the point before the last `places`; divisions by the constant 10 only.
    static char* decimal(char* p, std::int64_t multiple, const Decimals& decimals) {
        std::uint64_t value = static_cast<std::uint64_t>(multiple * decimals.units);
        char digits[24];
        int n = 0;
        do {
            if (n == decimals.places && n > 0) digits[n++] = '.';
            digits[n++] = static_cast<char>('0' + value % 10);
            value /= 10;
        } while (value > 0 || n <= decimals.places);
        while (n > 0) *p++ = digits[--n];
        return p;
    }

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
            padded(date_, year_of_era + era * 400 + (month <= 2), 4);
            padded(date_ + 4, month, 2);
            padded(date_ + 6, of_year - (153 * shifted + 2) / 5 + 1, 2);
        }
        const std::int64_t of_day = milliseconds - day * 86'400'000;
        p = text(p, date_, 8);
        *p++ = '-';
        p = padded(p, of_day / 3'600'000, 2);
        *p++ = ':';
        p = padded(p, of_day / 60'000 % 60, 2);
        *p++ = ':';
        p = padded(p, of_day / 1000 % 60, 2);
        *p++ = '.';
        return padded(p, of_day % 1000, 3);
    }

    // MsgType and the header's fields; the last one's end is the next one's to write.
    char* head(const char* kind, std::int64_t sequence, std::int64_t local_ns) {
        char* p = text(text(body_.data(), "35=", 3), kind, std::strlen(kind));
        p = number(text(p, header_), sequence);
        return sending_time(text(p, "\00152=", 4), local_ns);
    }

    char* opening(char kind, std::int64_t sequence, std::int64_t local_ns) {
        const char type[] = {kind, '\0'};
        char* p = head(type, sequence, local_ns);
        p = number(text(p, "\001117=", 5), sequence);
        return text(p, account_);
    }

    std::size_t finish(const char* end, char* out) {
        const auto length = static_cast<std::size_t>(end - body_.data());
        char* p = number(text(out, "8=FIX.4.4\0019=", 12), static_cast<std::int64_t>(length));
        *p++ = '\001';
        p = text(p, body_.data(), length);
        unsigned sum = 0;
        for (const char* c = out; c < p; ++c) sum += static_cast<unsigned char>(*c);
        p = padded(text(p, "10=", 3), sum & 0xFF, 3);
        *p++ = '\001';
        return static_cast<std::size_t>(p - out);
    }

    Decimals price_, size_;
    std::string header_, account_, set_;
    std::vector<std::string> entries_;
    std::vector<char> body_;
    std::size_t message_bytes_ = 0;
    std::int64_t day_ = 0;
    bool date_known_ = false;
    char date_[8] = {};
};

}  // namespace pyorch
