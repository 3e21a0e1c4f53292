// Streaming features; defined by their NumPy twin, pyorch/features/batch.py, and equal to it bit for bit.
//
// What each feature is stands in pyorch/features/definitions.py. An event costs its book change; a tick
// costs one walk over the deepest level asked for, and a few operations a feature. Nothing is allocated
// after construction.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "book.hpp"
#include "feature_arithmetic.hpp"

namespace pyorch {

struct FeatureSpec {
    std::string kind;
    std::map<std::string, std::int64_t> parameters;
    std::int64_t offset = 0;
    std::int64_t multiplier = 1;
    int shift = 0;
};

class FeatureStream {
public:
    // minimum, maximum: range of the schema's format. Throws std::invalid_argument for an unknown kind or
    // a missing parameter; ranges are checked by pyorch.features.definitions.check_schema.
    FeatureStream(const std::vector<FeatureSpec>& specs, FeatureArithmetic arithmetic, std::int64_t minimum,
                  std::int64_t maximum, int instruments, int book_capacity = Book::default_capacity)
        : arithmetic_(std::move(arithmetic)), minimum_(minimum), maximum_(maximum),
          books_(static_cast<std::size_t>(instruments), Book(book_capacity)) {
        if (specs.empty() || instruments < 1 || instruments > 2) throw std::invalid_argument("features and 1 or 2 instruments are needed");
        for (const auto& spec : specs) add_feature(spec);
        features_.resize(specs.size());
        raw_.resize(specs.size());
        for (auto& side : totals_) side.assign(static_cast<std::size_t>(deepest_) + 1, 0);
    }

    // True where the event made a tick: features() and raw() are those of the tick.
    bool on_event(const Event& event) {
        const bool due = apply(event);
        if (due) compute();
        return due;
    }

    // The first half of on_event: books and what follows from them. True where a tick is due: the caller
    // calls compute() before the next event.
    bool apply(const Event& event) {
        now_ns_ = std::max(now_ns_, event.local_ns);
        segment_start_ = false;
        const bool last = event.flags & flag_last;
        switch (event.kind) {
            case Kind::depth:
            case Kind::snapshot:
                if (event.instrument >= books_.size()) return false;
                books_[event.instrument].apply(event);
                if (!last) return false;
                on_book(event.instrument);
                break;
            case Kind::reset:
                if (event.instrument >= books_.size()) return false;
                books_[event.instrument].apply(event);
                on_book(event.instrument);
                return false;
            case Kind::trade:
                if (event.instrument == 0 && active_) on_trade(event);
                break;
            case Kind::surface:
                if (event.instrument == 0 && active_) on_surface(event);
                return false;
            case Kind::timer: break;
            default: return false;
        }
        return last && event.instrument == 0 && active_;
    }

    // The second half: what changes with time, and the normalisation.
    void compute() {
        for (auto& one : averages_)
            if (one.running) one.value.advance(now_ns_ >> one.bits, one.shift);
        for (std::size_t k = 0; k < ops_.size(); ++k) {
            const Op& op = ops_[k];
            time_value(op, raw_[k]);
            const std::int64_t half = op.shift > 0 ? std::int64_t{1} << (op.shift - 1) : 0;
            const std::int64_t scaled = ((raw_[k] - op.offset) * op.multiplier + half) >> op.shift;
            features_[k] = static_cast<std::int32_t>(std::clamp(scaled, minimum_, maximum_));
        }
    }

    const std::int32_t* features() const { return features_.data(); }
    const std::int64_t* raw() const { return raw_.data(); }
    int size() const { return static_cast<int>(features_.size()); }
    int instruments() const { return static_cast<int>(books_.size()); }
    const Book& book(int instrument) const { return books_[static_cast<std::size_t>(instrument)]; }
    // The tick of the last event is the first of its segment: carried model state begins anew.
    bool segment_start() const { return segment_start_; }
    // The book of instrument 0 is valid and two-sided.
    bool active() const { return active_; }
    std::int64_t now_ns() const { return now_ns_; }
    std::int64_t mid_half_ticks() const { return best_.bid + best_.ask; }
    // Micro-price in 1/256 half-tick.
    std::int64_t micro() const { return 256 * mid_half_ticks() + micro_offset_; }

private:
    enum class Code { micro_offset, spread, imbalance, density, order_flow, trade_flow, trade_intensity, aggressor_ratio,
                      volatility, momentum, ema_difference, mid_age, basis_momentum,
                      surface_change, surface_age };
    enum class Source { order_flow, trade_flow, bought, sold, trades, squares, atm, skew };
    struct Op {
        Code code;
        std::int64_t depth = 0, side = 0, knee = 0;
        std::size_t first = 0, second = 0;  // windows or averages
        std::int64_t offset = 0, multiplier = 1;
        int shift = 0;
    };
    struct SourceWindow {
        Source source;
        int bits;
        WindowSum sum;
    };
    struct Average {
        bool basis;
        int bits, shift;
        std::int64_t scale_0, scale_1;
        bool running;
        EdgeAverage value;
    };
    struct Best {
        std::int64_t bid, bid_lots, ask, ask_lots;
    };

    void add_feature(const FeatureSpec& spec) {
        const auto parameter = [&](const char* name) {
            const auto found = spec.parameters.find(name);
            if (found == spec.parameters.end()) throw std::invalid_argument(spec.kind + " needs the parameter " + name);
            return found->second;
        };
        const auto bits = [&] { return static_cast<int>(parameter("bucket_bits")); };
        Op op{};
        op.offset = spec.offset;
        op.multiplier = spec.multiplier;
        op.shift = spec.shift;
        const auto& kind = spec.kind;
        if (kind == "micro_offset") op.code = Code::micro_offset;
        else if (kind == "spread") op.code = Code::spread;
        else if (kind == "imbalance" || kind == "density") {
            op.code = kind == "density" ? Code::density : Code::imbalance;
            op.depth = parameter("depth");
            if (op.depth < 1) throw std::invalid_argument("a depth is at least one level");
            deepest_ = std::max(deepest_, static_cast<int>(op.depth));
            if (op.code == Code::density) op.side = parameter("side") & 1;
        } else if (kind == "order_flow" || kind == "trade_flow") {
            op.code = kind == "order_flow" ? Code::order_flow : Code::trade_flow;
            op.knee = parameter("knee");
            op.first = window(op.code == Code::order_flow ? Source::order_flow : Source::trade_flow, bits());
        } else if (kind == "trade_intensity") {
            op.code = Code::trade_intensity;
            op.first = window(Source::trades, bits());
        } else if (kind == "aggressor_ratio") {
            op.code = Code::aggressor_ratio;
            op.first = window(Source::bought, bits());
            op.second = window(Source::sold, bits());
        } else if (kind == "volatility") {
            op.code = Code::volatility;
            op.first = window(Source::squares, bits());
        } else if (kind == "momentum") {
            op.code = Code::momentum;
            op.knee = parameter("knee");
            op.first = average({false, bits(), static_cast<int>(parameter("shift")), 0, 0, false, {}});
        } else if (kind == "ema_difference") {
            op.code = Code::ema_difference;
            op.knee = parameter("knee");
            op.first = average({false, bits(), static_cast<int>(parameter("fast")), 0, 0, false, {}});
            op.second = average({false, bits(), static_cast<int>(parameter("slow")), 0, 0, false, {}});
        } else if (kind == "atm_volatility_change" || kind == "skew_change") {
            op.code = Code::surface_change;
            op.knee = parameter("knee");
            op.first = window(kind == "skew_change" ? Source::skew : Source::atm, bits());
        } else if (kind == "surface_age") op.code = Code::surface_age;
        else if (kind == "mid_age") op.code = Code::mid_age;
        else if (kind == "basis_momentum") {
            op.code = Code::basis_momentum;
            if (books_.size() < 2) throw std::invalid_argument("basis_momentum reads two instruments");
            op.knee = parameter("knee");
            op.first = average({true, bits(), static_cast<int>(parameter("shift")), parameter("scale_0"), parameter("scale_1"), false, {}});
        } else throw std::invalid_argument("no kind of feature is called " + kind);
        ops_.push_back(op);
    }

    std::size_t window(Source source, int bits) {
        for (std::size_t k = 0; k < windows_.size(); ++k)
            if (windows_[k].source == source && windows_[k].bits == bits) return k;
        windows_.push_back({source, bits, {}});
        return windows_.size() - 1;
    }

    std::size_t average(const Average& wanted) {
        for (std::size_t k = 0; k < averages_.size(); ++k) {
            const auto& one = averages_[k];
            if (one.basis == wanted.basis && one.bits == wanted.bits && one.shift == wanted.shift &&
                one.scale_0 == wanted.scale_0 && one.scale_1 == wanted.scale_1) return k;
        }
        averages_.push_back(wanted);
        return averages_.size() - 1;
    }

    void add(Source source, std::int64_t value) {
        for (auto& one : windows_)
            if (one.source == source) one.sum.add(now_ns_ >> one.bits, value);
    }

    static Best best_of(const Book& book) {
        const Level& bid = book.level(Side::bid, 0);
        const Level& ask = book.level(Side::ask, 0);
        return {FeatureArithmetic::price(bid.price_ticks), FeatureArithmetic::quantity(bid.quantity_lots),
                FeatureArithmetic::price(ask.price_ticks), FeatureArithmetic::quantity(ask.quantity_lots)};
    }

    void on_book(int instrument) {
        const Book& book = books_[static_cast<std::size_t>(instrument)];
        const bool quotable = book.valid() && book.two_sided();
        if (instrument == 0) {
            if (quotable) on_own_book(book);
            active_ = quotable;
        } else {
            other_active_ = quotable;
            if (quotable) {
                const Best best = best_of(book);
                other_mid_ = best.bid + best.ask;
            }
        }
        hold_averages();
    }

    void on_own_book(const Book& book) {
        const Best before = best_;
        best_ = best_of(book);
        if (!active_) {
            segment_start_ = true;
            for (auto& one : windows_) one.sum.clear(now_ns_ >> one.bits);
            mid_change_ns_ = surface_ns_ = now_ns_;
            surface_known_ = false;
        } else {
            const auto& [bid, qb, ask, qa] = best_;
            std::int64_t flow = 0;
            if (bid >= before.bid) flow += qb;
            if (bid <= before.bid) flow -= before.bid_lots;
            if (ask <= before.ask) flow -= qa;
            if (ask >= before.ask) flow += before.ask_lots;
            if (flow != 0) add(Source::order_flow, flow);
            const std::int64_t change = bid + ask - before.bid - before.ask;
            if (change != 0) {
                const std::int64_t size = std::clamp(change, -FeatureArithmetic::move_limit, FeatureArithmetic::move_limit);
                add(Source::squares, size * size);
                mid_change_ns_ = now_ns_;
            }
        }
        const std::int64_t spread = std::clamp<std::int64_t>(best_.ask - best_.bid, 1, FeatureArithmetic::spread_limit);
        micro_offset_ = arithmetic_.micro_offset(spread, best_.bid_lots, best_.ask_lots);
        spread_log_ = arithmetic_.log2(spread);
        for (const Side side : {Side::bid, Side::ask}) {
            std::int64_t* const totals = totals_[static_cast<std::size_t>(side)].data();
            const int depth = std::min(book.depth(side), deepest_);
            std::int64_t total = 0;
            for (int k = 0; k < depth; ++k) {
                total += FeatureArithmetic::quantity(book.level(side, k).quantity_lots);
                totals[k + 1] = total;
            }
            for (int k = depth; k < deepest_; ++k) totals[k + 1] = total;
        }
        for (std::size_t k = 0; k < ops_.size(); ++k) book_value(book, ops_[k], raw_[k]);
    }

    void book_value(const Book& book, const Op& op, std::int64_t& raw) const {
        const auto depth = static_cast<std::size_t>(op.depth);
        const auto side = static_cast<std::size_t>(op.side);
        switch (op.code) {
            case Code::micro_offset: raw = micro_offset_; break;
            case Code::spread: raw = spread_log_; break;
            case Code::imbalance: raw = arithmetic_.log2(totals_[0][depth]) - arithmetic_.log2(totals_[1][depth]); break;
            case Code::density: raw = arithmetic_.log2(totals_[side][depth]) - arithmetic_.log2(span(book, op)); break;
            default: break;  // those that change with time are computed at each tick
        }
    }

    // Ticks from the best to the last of op.depth levels, both counted.
    static std::int64_t span(const Book& book, const Op& op) {
        const Side side = op.side == 0 ? Side::bid : Side::ask;
        const int last = std::min(static_cast<int>(op.depth), book.depth(side)) - 1;
        const std::int64_t distance = FeatureArithmetic::price(book.level(side, 0).price_ticks) -
                                      FeatureArithmetic::price(book.level(side, last).price_ticks);
        return (distance < 0 ? -distance : distance) + 1;
    }

    void on_trade(const Event& event) {
        const std::int64_t lots = FeatureArithmetic::quantity(event.quantity_lots);
        add(Source::trades, 1);
        if (event.side == Side::bid) {
            add(Source::bought, lots);
            add(Source::trade_flow, lots);
        } else if (event.side == Side::ask) {
            add(Source::sold, lots);
            add(Source::trade_flow, -lots);
        }
    }

    void on_surface(const Event& event) {
        const std::int64_t atm = FeatureArithmetic::surface(event.price_ticks);
        const std::int64_t skew = FeatureArithmetic::surface(event.quantity_lots);
        if (surface_known_) {
            add(Source::atm, atm - atm_);
            add(Source::skew, skew - skew_);
        }
        atm_ = atm;
        skew_ = skew;
        surface_known_ = true;
        surface_ns_ = now_ns_;
    }

    // The averaged values may have changed: what held until now counts for the edges since.
    void hold_averages() {
        for (auto& one : averages_) {
            const std::int64_t bucket = now_ns_ >> one.bits;
            if (!active_ || (one.basis && !other_active_)) {
                one.running = false;
                continue;
            }
            const std::int64_t value = one.basis ? basis(one) : micro();
            if (one.running) {
                one.value.advance(bucket, one.shift);
                one.value.hold(value);
            } else {
                one.value.begin(bucket, value);
                one.running = true;
            }
        }
    }

    std::int64_t basis(const Average& one) const {
        return std::clamp(one.scale_0 * mid_half_ticks() - one.scale_1 * other_mid_, -FeatureArithmetic::basis_limit,
                          FeatureArithmetic::basis_limit);
    }

    std::int64_t sum(std::size_t window) {
        auto& one = windows_[window];
        return one.sum.at(now_ns_ >> one.bits);
    }

    void time_value(const Op& op, std::int64_t& raw) {
        constexpr int fraction = FeatureArithmetic::average_fraction;
        switch (op.code) {
            case Code::order_flow:
            case Code::surface_change:
            case Code::trade_flow: raw = arithmetic_.soft_log(sum(op.first), op.knee); break;
            case Code::trade_intensity:
            case Code::volatility: raw = arithmetic_.log2(1 + sum(op.first)); break;
            case Code::aggressor_ratio: raw = arithmetic_.log2(1 + sum(op.first)) - arithmetic_.log2(1 + sum(op.second)); break;
            case Code::momentum:
                raw = arithmetic_.soft_log(micro() - (averages_[op.first].value.average() >> fraction), op.knee);
                break;
            case Code::ema_difference:
                raw = arithmetic_.soft_log((averages_[op.first].value.average() - averages_[op.second].value.average()) >> fraction, op.knee);
                break;
            case Code::mid_age: raw = arithmetic_.log2(1 + ((now_ns_ - mid_change_ns_) >> 20)); break;
            case Code::surface_age: raw = arithmetic_.log2(1 + ((now_ns_ - surface_ns_) >> 20)); break;
            case Code::basis_momentum: {
                const auto& one = averages_[op.first];
                raw = one.running ? arithmetic_.soft_log(one.value.held() - (one.value.average() >> fraction), op.knee) : 0;
                break;
            }
            default: break;  // book values stand in raw_ since the last book message
        }
    }

    FeatureArithmetic arithmetic_;
    std::int64_t minimum_, maximum_;
    std::vector<Book> books_;
    std::vector<Op> ops_;
    std::vector<SourceWindow> windows_;
    std::vector<Average> averages_;
    int deepest_ = 1;
    std::vector<std::int64_t> totals_[2];  // lots of the best levels, by their number
    Best best_{};
    std::int64_t micro_offset_ = 0, spread_log_ = 0, other_mid_ = 0;
    std::int64_t now_ns_ = std::numeric_limits<std::int64_t>::min();
    std::int64_t mid_change_ns_ = 0, surface_ns_ = 0, atm_ = 0, skew_ = 0;
    bool active_ = false, other_active_ = false, segment_start_ = false, surface_known_ = false;
    std::vector<std::int64_t> raw_;
    std::vector<std::int32_t> features_;
};

}  // namespace pyorch
