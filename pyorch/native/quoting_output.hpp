// Where the quoting path writes: tick and quote records and FIX bytes, in rings that another thread reads.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "exposure.hpp"
#include "fix.hpp"
#include "journal.hpp"
#include "pricing.hpp"
#include "quoting.hpp"
#include "quoting_settings.hpp"
#include "ring.hpp"
#include "venue_session.hpp"

namespace pyorch {

class QuotingOutput {
   public:
    QuotingOutput(const QuotingSettings& s, std::size_t options)
        : options_(options), encoders_(encoders_of(s)), ticks_(s.tick_ring),
          quotes_(std::max(s.quote_ring, 2 * options)), fix_(std::max(s.fix_ring, 2 * room_for_messages())) {}

    std::atomic<bool> abandoned{false};  // nobody reads the rings any more

    // Room for a record; a full ring holds the caller back.
    TickRecord& begin() {
        ticks_.reserve(1, abandoned);
        return ticks_.at(0);
    }
    // Whether the rings surely hold another tick, and a withdrawal before and after it.
    bool has_room() const {
        return ticks_.free() >= 4 && quotes_.free() >= options_ && fix_.free() >= room_for_messages();
    }
    std::int64_t messages() const { return messages_; }

    void cancel_all(TickRecord& record, std::size_t venue, VenueSession& session) {
        session.sent(1, record.local_ns);
        append(record, encoders_[venue].cancel_all(session.sequence, record.local_ns));
        record.flags |= tick_cancelled;
    }

    void mass_quotes(TickRecord& record, const std::vector<Sent>& sent, const Pricer& pricer,
                     const Exposures& exposures, std::vector<VenueSession>& sessions) {
        record.flags |= tick_quoted;
        record.quotes = static_cast<std::uint32_t>(sent.size());
        quotes_.reserve(sent.size(), abandoned);
        for (std::size_t i = 0; i < sent.size(); ++i) {
            const Sent& s = sent[i];
            const OptionValue v = pricer.value(s.option);
            quotes_.at(i) = {record.tick, record.local_ns, s.option, static_cast<std::uint32_t>(s.reason),
                             static_cast<std::int32_t>(s.quote.bid_ticks), static_cast<std::int32_t>(s.quote.ask_ticks),
                             static_cast<std::int32_t>(s.quote.bid_lots), static_cast<std::int32_t>(s.quote.ask_lots),
                             v.value_btc, v.volatility, v.delta, v.gamma, v.vega, v.theta};
        }
        quotes_.advance(sent.size());
        for (std::size_t v = 0; v < sessions.size(); ++v) {
            std::array<Sent, FixEncoder::maximum_entries> part;
            std::size_t count = 0;
            std::int64_t messages = 0;
            const auto flush = [&] {
                if (count == 0) return;
                append(record, encoders_[v].mass_quote(sessions[v].sequence + ++messages, record.local_ns, part.data(),
                                                       count));
                count = 0;
            };
            for (const Sent& one : sent) {
                if (exposures.venue(one.option) != v) continue;
                part[count++] = one;
                if (count == part.size()) flush();
            }
            flush();
            if (messages > 0) sessions[v].sent(messages, record.local_ns);
        }
    }

    // The tick's record last: who sees it sees its quotes and bytes.
    void publish() {
        quotes_.publish();
        fix_.publish();
        ticks_.advance(1);
        ticks_.publish();
    }

    // After a tick: the memory that the next one may write comes near, as much as all options need.
    void prepare() {
        ticks_.fetch(1);
        quotes_.fetch(options_);
        fix_.fetch(options_ * usual_entry_bytes);
    }

    Ring<TickRecord>& tick_ring() { return ticks_; }
    Ring<QuoteRecord>& quote_ring() { return quotes_; }
    Ring<char>& fix_ring() { return fix_; }

   private:
    static std::vector<FixEncoder> encoders_of(const QuotingSettings& s) {
        if (s.targets.empty()) return {FixEncoder(s.fix)};
        std::vector<FixEncoder> encoders;
        for (const std::string& target : s.targets) {
            FixIdentity identity = s.fix;
            identity.target = target;
            encoders.emplace_back(identity);
        }
        return encoders;
    }
    // The most that a tick and the withdrawals around it write.
    std::size_t room_for_messages() const {
        std::size_t longest = 0;
        for (const FixEncoder& encoder : encoders_) longest = std::max(longest, encoder.message_bytes());
        return (options_ / FixEncoder::maximum_entries + 5 * encoders_.size()) * longest;
    }
    void append(TickRecord& record, std::string_view message) {
        fix_.reserve(message.size(), abandoned);
        fix_.write(message.data(), message.size());
        record.fix_bytes += static_cast<std::uint32_t>(message.size());
        ++record.fix_messages;
        ++messages_;
    }

    static constexpr std::size_t usual_entry_bytes = 96;

    std::size_t options_;
    std::vector<FixEncoder> encoders_;
    Ring<TickRecord> ticks_;
    Ring<QuoteRecord> quotes_;
    Ring<char> fix_;
    std::int64_t messages_ = 0;
};

}  // namespace pyorch
