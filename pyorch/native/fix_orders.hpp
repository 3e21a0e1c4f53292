// FIX 4.4 orders, their replacement and withdrawal, quotes on request and the order mass status request, from
// prepared fragments; pyorch.trading.fix.codec defines the bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fix.hpp"

namespace pyorch {

class FixOrderEncoder : public FixEncoder {
   public:
    explicit FixOrderEncoder(const FixIdentity& id) : FixEncoder(id), account_field_("\0011=" + id.account) {
        for (const std::string& symbol : id.symbols) symbols_.push_back("\00155=" + symbol + "\00154=");
    }

    // NewOrderSingle; `minimum` > 0 is MinQty in lots.
    std::string_view order(std::int64_t sequence, std::int64_t local_ns, std::size_t option, int side, std::int64_t price,
                           std::int64_t lots, bool rests, std::int64_t minimum) {
        char* p = name(put_text(head("D", sequence, local_ns), "\00111="), option, sequence);
        p = terms(instrument(put_text(p, account_field_), option, side), local_ns, price, lots);
        p = put_text(p, rests ? "\00159=0" : "\00159=3");
        if (minimum > 0) p = put_decimal(put_text(p, "\001110="), minimum, size_);
        return close(p);
    }

    // OrderCancelReplaceRequest of the order that was sent as message `of`.
    std::string_view replace(std::int64_t sequence, std::int64_t local_ns, std::size_t option, int side, std::int64_t of,
                             std::int64_t price, std::int64_t lots) {
        char* p = instrument(both_names("G", sequence, local_ns, option, of), option, side);
        return close(put_text(terms(p, local_ns, price, lots), "\00159=0"));
    }

    // OrderCancelRequest.
    std::string_view take_back(std::int64_t sequence, std::int64_t local_ns, std::size_t option, int side, std::int64_t of) {
        char* p = instrument(both_names("F", sequence, local_ns, option, of), option, side);
        return close(sending_time(put_text(p, "\00160="), local_ns));
    }

    // Quote, the answer to request `request`: a bid for side 0, an offer for side 1.
    std::string_view quote(std::int64_t sequence, std::int64_t local_ns, std::int64_t request, std::size_t option, int side,
                           std::int64_t price, std::int64_t lots, std::int64_t until_ns) {
        char* p = put_number(put_text(head("S", sequence, local_ns), "\001131="), request);
        p = put_number(put_text(p, "\001117="), sequence);
        const std::string& fragment = symbols_[option];
        p = put_text(p, fragment.data(), fragment.size() - 4);  // without Side
        p = put_decimal(put_text(p, side == 0 ? "\001132=" : "\001133="), price, price_);
        p = put_decimal(put_text(p, side == 0 ? "\001134=" : "\001135="), lots, size_);
        return close(sending_time(put_text(p, "\00162="), until_ns));
    }

    // OrderMassStatusRequest for all orders.
    std::string_view mass_status(std::int64_t sequence, std::int64_t local_ns) {
        char* p = put_number(put_text(head("AF", sequence, local_ns), "\001584="), sequence);
        return close(put_text(p, "\001585=7"));
    }

   private:
    static char* name(char* p, std::size_t option, std::int64_t sequence) {
        p = put_number(p, static_cast<std::int64_t>(option));
        *p++ = '-';
        return put_number(p, sequence);
    }
    template <std::size_t N>
    char* both_names(const char (&kind)[N], std::int64_t sequence, std::int64_t local_ns, std::size_t option,
                     std::int64_t of) {
        char* p = name(put_text(head(kind, sequence, local_ns), "\00111="), option, sequence);
        return name(put_text(p, "\00141="), option, of);
    }
    char* instrument(char* p, std::size_t option, int side) { return put_number(put_text(p, symbols_[option]), side + 1); }
    char* terms(char* p, std::int64_t local_ns, std::int64_t price, std::int64_t lots) {
        p = sending_time(put_text(p, "\00160="), local_ns);
        p = put_decimal(put_text(p, "\00138="), lots, size_);
        return put_decimal(put_text(p, "\00140=2\00144="), price, price_);
    }
    std::string_view close(char* p) {
        *p++ = '\001';
        return finish(p);
    }

    std::string account_field_;
    std::vector<std::string> symbols_;
};

}  // namespace pyorch
