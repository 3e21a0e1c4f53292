// Logarithm, exponential and Mills ratio of IEEE operations alone; pyorch.trading.elementary defines them.
// The same text serves one double and vectors of them: `Real` is double or a vector of LANES doubles.
//
// Everything lies in an unnamed namespace: each translation unit has its own copy, compiled for its own
// instruction set, and none is picked for another.
#pragma once

#include <bit>
#include <cstdint>

namespace pyorch {
namespace {

#ifdef LANES
typedef double Reals __attribute__((vector_size(8 * LANES)));
typedef std::int64_t Words __attribute__((vector_size(8 * LANES)));
inline Words bits_of(Reals x) { return (Words)x; }
inline Reals from_bits(Words x) { return (Reals)x; }
inline Reals select(Words mask, Reals yes, Reals no) { return mask ? yes : no; }
inline Reals to_real(Words x) { return __builtin_convertvector(x, Reals); }
#endif
inline std::int64_t bits_of(double x) { return std::bit_cast<std::int64_t>(x); }
inline double from_bits(std::int64_t x) { return std::bit_cast<double>(x); }
inline double select(bool mask, double yes, double no) { return mask ? yes : no; }
inline double to_real(std::int64_t x) { return static_cast<double>(x); }

constexpr double inverse_sqrt_2pi = 0.3989422804014327, sqrt_half = 0.7071067811865476;
constexpr double ln2_high = 0.6931467056274414, ln2_low = 4.7493250390316726e-07, log2_e = 1.4426950408889634;
constexpr double rounder = 6755399441055744.0, exp_minimum = -690.0, mills_centre = 4.0;

constexpr double exp_terms[] = {1.0, 1.0, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040, 1.0 / 40320,
                                1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
constexpr double log_terms[] = {1.0,      1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11,
                                1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23};
constexpr double mills_terms[] = {
    1.8932190633084853, -1.523770910819983, 0.9704095548676185, -0.46754096299837045,
    0.15139176231101523, -0.01890045086073445, -0.008722295247696894, 0.004087855669592027,
    0.00033424436090694754, -0.000579269227909388, -4.781815834111735e-06, 8.809542096224811e-05,
    1.7911870822522725e-06, -1.4842471487746988e-05, -1.5664275229520689e-06,
    2.567381170594176e-06, 6.634658051244073e-07, -3.9896597010923747e-07,
    -1.9738931713497465e-07, 4.366327169416851e-08, 4.023625296905201e-08,
    -1.0471399141324068e-09, -4.225794749133924e-09, -3.744020186309987e-10};

template <int N, typename Real>
inline Real polynomial(const double (&terms)[N], Real t) {
    static_assert(N % 2 == 0);
    const Real u = t * t, none = t - t;
    Real even = none + terms[N - 2], odd = none + terms[N - 1];
#pragma GCC unroll 16
    for (int k = N - 4; k >= 0; k -= 2) {
        even = even * u + terms[k];
        odd = odd * u + terms[k + 1];
    }
    return even + t * odd;
}

template <typename Real>
inline Real absolute(Real x) {
    return from_bits(bits_of(x) & 0x7fff'ffff'ffff'ffff);
}

template <typename Real>
inline Real exponential(Real x) {
    const Real given = select(x > exp_minimum, x, (x - x) + exp_minimum);
    const Real shifted = given * log2_e + rounder;
    const Real whole = shifted - rounder;
    const Real r = (given - whole * ln2_high) - whole * ln2_low;
    return polynomial(exp_terms, r) * from_bits((bits_of(shifted) - std::bit_cast<std::int64_t>(rounder) + 1023) << 52);
}

template <typename Real>
inline Real logarithm(Real x) {
    const auto exponent = (bits_of(x) - std::bit_cast<std::int64_t>(sqrt_half)) >> 52;
    const Real mantissa = from_bits(bits_of(x) - (exponent << 52));
    const Real s = (mantissa - 1.0) / (mantissa + 1.0);
    const Real series = 2.0 * s * polynomial(log_terms, s * s);
    const Real k = to_real(exponent);
    return k * ln2_high + (series + k * ln2_low);
}

template <typename Real>
inline Real mills_ratio(Real x) {
    const Real t = (x - mills_centre) / (x + mills_centre);
    return polynomial(mills_terms, t) / (x + mills_centre);
}

}  // namespace
}  // namespace pyorch
