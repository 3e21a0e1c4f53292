// Black-76 with all Greeks for the strikes of one expiry; pyorch.trading.black76 defines it, bit for bit.
// Plain data here: the kernels are translation units of their own, one an instruction set.
#pragma once

#include <cstddef>

namespace pyorch {

// Rows of the result, in the order of pyorch.trading.black76.Chain.
enum ChainRow : int {
    call_value, put_value, call_delta, put_delta, call_premium_adjusted_delta, put_premium_adjusted_delta,
    call_coin_delta, put_coin_delta, gamma_row, vega_row, theta_row, vanna_row, volga_row, charm_row, chain_rows
};

// Arrays are read and written in whole vectors: their length is a multiple of this many doubles.
inline constexpr std::size_t chain_block = 8;

struct ChainTask {
    const double *log_moneyness, *ratio, *volatility;
    std::size_t count;   // a multiple of chain_block
    double years, forward;
    double* rows;        // [chain_rows][stride]
    std::size_t stride;
};

using ChainKernel = void (*)(const ChainTask&);
// The widest kernel that this processor runs, or the named one ("generic", "avx2", "avx512"); null: it cannot.
ChainKernel chain_kernel(const char* name = nullptr);
const char* chain_kernel_name();

// Rows of a linear option, in the order of pyorch.trading.black76.LinearOption.
enum LinearRow : int {
    value_usd, linear_delta, linear_gamma, vega_usd, theta_usd, linear_vanna, volga_usd, linear_charm, rho_usd, linear_rows
};

// Calls or puts of a chain as linear options, discounted by e^(-rate * years), rate of 0 or more.
struct LinearTask {
    const double* rows;  // of the chain, [chain_rows][stride]
    std::size_t count, stride;
    bool put;
    double forward, years, rate;
    double* out;         // [linear_rows][stride]
};
void linear_chain(const LinearTask& task);

}  // namespace pyorch
