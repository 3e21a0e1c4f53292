// FIX 4.4 orders, their replacement and withdrawal, quotes on request and the order mass status request, from
// prepared fragments; pyorch.trading.fix.codec defines the bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fix.hpp"

namespace pyorch {

class FixOrderEncoder : public FixEncoder {
   public:
    explicit FixOrderEncoder(const FixIdentity& id) : FixEncoder(id), account_field_("\0011=" + id.account) {
        for (const std::string& symbol : id.symbols) symbols_.push_back("\00155=" + symbol + "\00154=");
    }

    // NewOrderSingle; `minimum` > 0 is MinQty in lots.
    std::size_t order(std::int64_t sequence, std::int64_t local_ns, std::size_t option, int side, std::int64_t price,
                      std::int64_t lots, bool rests, std::int64_t minimum, char* out) {
        char* p = name(text(head("D", sequence, local_ns), "\00111=", 4), option, sequence);
        p = terms(instrument(text(p, account_field_), option, side), local_ns, price, lots);
        p = text(p, rests ? "\00159=0" : "\00159=3", 5);
        if (minimum > 0) p = decimal(text(p, "\001110=", 5), minimum, size_);
        return close(p, out);
    }

    // OrderCancelReplaceRequest of the order that was sent as message `of`.
    std::size_t replace(std::int64_t sequence, std::int64_t local_ns, std::size_t option, int side, std::int64_t of,
                        std::int64_t price, std::int64_t lots, char* out) {
        char* p = instrument(both_names("G", sequence, local_ns, option, of), option, side);
        return close(text(terms(p, local_ns, price, lots), "\00159=0", 5), out);
    }

    // OrderCancelRequest.
    std::size_t take_back(std::int64_t sequence, std::int64_t local_ns, std::size_t option, int side, std::int64_t of,
                          char* out) {
        char* p = instrument(both_names("F", sequence, local_ns, option, of), option, side);
        return close(sending_time(text(p, "\00160=", 4), local_ns), out);
    }

    // Quote, the answer to request `request`: a bid for side 0, an offer for side 1.
    std::size_t quote(std::int64_t sequence, std::int64_t local_ns, std::int64_t request, std::size_t option, int side,
                      std::int64_t price, std::int64_t lots, std::int64_t until_ns, char* out) {
        char* p = number(text(head("S", sequence, local_ns), "\001131=", 5), request);
        p = number(text(p, "\001117=", 5), sequence);
        const std::string& fragment = symbols_[option];
        p = text(p, fragment.data(), fragment.size() - 4);  // without Side
        p = decimal(text(p, side == 0 ? "\001132=" : "\001133=", 5), price, price_);
        p = decimal(text(p, side == 0 ? "\001134=" : "\001135=", 5), lots, size_);
        return close(sending_time(text(p, "\00162=", 4), until_ns), out);
    }

    // OrderMassStatusRequest for all orders.
    std::size_t mass_status(std::int64_t sequence, std::int64_t local_ns, char* out) {
        char* p = number(text(head("AF", sequence, local_ns), "\001584=", 5), sequence);
        return close(text(p, "\001585=7", 6), out);
    }

   private:
    static char* name(char* p, std::size_t option, std::int64_t sequence) {
        p = number(p, static_cast<std::int64_t>(option));
        *p++ = '-';
        return number(p, sequence);
    }
    char* both_names(const char* kind, std::int64_t sequence, std::int64_t local_ns, std::size_t option,
                     std::int64_t of) {
        char* p = name(text(head(kind, sequence, local_ns), "\00111=", 4), option, sequence);
        return name(text(p, "\00141=", 4), option, of);
    }
    char* instrument(char* p, std::size_t option, int side) { return number(text(p, symbols_[option]), side + 1); }
    char* terms(char* p, std::int64_t local_ns, std::int64_t price, std::int64_t lots) {
        p = sending_time(text(p, "\00160=", 4), local_ns);
        p = decimal(text(p, "\00138=", 4), lots, size_);
        return decimal(text(p, "\00140=2\00144=", 9), price, price_);
    }
    std::size_t close(char* p, char* out) {
        *p++ = '\001';
        return finish(p, out);
    }

    std::string account_field_;
    std::vector<std::string> symbols_;
};

}  // namespace pyorch
