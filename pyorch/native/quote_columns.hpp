// Integers, worst cases and quotes of all options at once, a column an array: plain data and the choice of a kernel.
// What these kernels compute is defined by the scalar code beside them (`integers_of`, `make_quote`, `RiskGate::judge`);
// what they cannot carry exactly they say, and the scalar code does it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pyorch {

// Columns are read and written in whole vectors, up to this many doubles.
inline constexpr std::size_t column_block = 8;

// One value an option, and room for whole vectors behind the last; what lies there is 0 or a copy.
template <typename T>
class Column {
   public:
    explicit Column(std::size_t options) : items_(options + 2 * column_block), options_(options) {}
    explicit Column(const std::vector<T>& values) : Column(values.size()) {
        std::copy(values.begin(), values.end(), items_.begin());
    }
    std::size_t size() const { return options_; }
    T* data() { return items_.data(); }
    const T* data() const { return items_.data(); }
    T& operator[](std::size_t option) { return items_[option]; }
    const T& operator[](std::size_t option) const { return items_[option]; }
    std::vector<T> values() const { return {items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(options_)}; }

   private:
    std::vector<T> items_;
    std::size_t options_;
};

using Integers = Column<std::int64_t>;

// Of one lot of each option: its value in 1e-9 BTC, downward and upward, and delta, gamma, vega in the integers of
// pyorch.trading.risk.Greeks.
struct LotIntegers {
    explicit LotIntegers(std::size_t options)
        : below(options), above(options), greeks{Integers(options), Integers(options), Integers(options)} {}
    Column<double> below, above;  // whole numbers
    std::array<Integers, 3> greeks;
    bool exact = false;           // all small enough for the kernels
};

// Rows of a chain (black76.hpp) to the columns of an expiry's options, which lie strike by strike, call before put.
struct IntegerTask {
    const double* rows;  // [chain_rows][stride]
    std::size_t count, stride;
    int rights;
    double forward;
    double *below, *above;
    std::int64_t* greeks[3];
};

// What could be bought and sold of each option, by quotes and by orders beside them.
struct SumTask {
    std::size_t options;
    const std::int64_t *greeks[3], *positions, *lots[2], *orders[2];
    std::int64_t position_limit;
};
struct Sums {
    std::array<std::array<std::int64_t, 2>, 3> worst{};  // [delta, gamma, vega][below, above]
    std::int64_t lots = 0, held = 0;                     // all lots; positions times delta
    bool over = false;                                   // a quoted side would lead beyond the position limit
};

// Quotes around values, and the quotes that are shown.
struct QuoteTask {
    std::size_t options;
    const double *below, *above;
    const std::int64_t *delta, *own_nano, *quotable;     // quotable: -1, or 0 where nothing is quoted
    const std::int64_t *extra[2], *lots[2];              // [bid, ask] of the protection: 1e-9 BTC, lots
    bool any_extra;
    const std::int64_t *shown_ticks[2], *shown_lots[2], *orders[2];
    const double* around;                                // what the collar is around, where it has moved by `around_bp100`
    const std::int64_t* around_delta;
    double around_bp100, underlying_bp100;
    double tick, coarse_tick, coarse_factor, coarse_from, base, collar;  // whole numbers of 1e-9 BTC
    std::int64_t *ticks[2];                              // out: of the new quote
    std::int64_t* look;                                  // out: as below
};
inline constexpr std::int64_t look_nothing = 0,  // the shown quote may stay and is the new one
    look_changed = 1,                            // the shown quote may stay until the new one, of `ticks`, replaces it
    look_unknown = -1;                           // not said: not within what the kernel carries, or the shown may not stay

struct QuoteKernels {
    const char* name;
    // False: a value was too large, the columns are not to be used.
    bool (*integers)(const IntegerTask&);
    Sums (*sums)(const SumTask&);
    void (*quotes)(const QuoteTask&);
};
// The widest kernels that this processor runs, or the named ones ("generic", "avx2", "avx512"); null: it cannot.
const QuoteKernels* quote_kernels(const char* name = nullptr);

// Inputs of QuoteTask's quotients and sums must lie within, so that every number in them is exact in a double.
inline constexpr std::int64_t columns_reach = std::int64_t{1} << 44;

}  // namespace pyorch
