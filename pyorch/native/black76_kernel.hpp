// The kernel's text: included by one translation unit for each instruction set, with LANES defined.
#pragma once

#include <cmath>
#include <cstring>

#include "black76.hpp"
#include "elementary.hpp"

namespace pyorch {
namespace {

inline Reals load(const double* at) {
    Reals x;
    std::memcpy(&x, at, sizeof x);
    return x;
}

inline void run_chain(const ChainTask& task) {
    const double root = std::sqrt(task.years), days = 365.0;
    const double root_days = root * days, twice = 2.0 * days * task.years;
    const Reals none = {};
    for (std::size_t i = 0; i < task.count; i += LANES) {
        const Reals x = load(task.log_moneyness + i), ratio = load(task.ratio + i), sigma = load(task.volatility + i);
        const Reals deviation = sigma * root;
        const Reals d1 = 0.5 * deviation - x / deviation;
        const Reals d2 = d1 - deviation;
        const Reals density = inverse_sqrt_2pi * exponential(-0.5 * d1 * d1);
        const Reals tail1 = density * mills_ratio(absolute(d1));  // Φ(−|d1|)
        const Reals tail2 = density * mills_ratio(absolute(d2));  // ratio · Φ(−|d2|)
        const Reals above1 = select(d1 > 0, 1.0 - tail1, tail1);
        const Reals below1 = select(d1 > 0, tail1, 1.0 - tail1);
        const Reals below2 = select(d2 > 0, tail2, ratio - tail2);
        // Out of the money: a call above the forward (there d2 < 0), a put below it.
        Reals outside = select(x > 0, above1 - tail2, below2 - tail1);
        outside = select(outside > 0, outside, none);
        const Reals call = select(x > 0, outside, outside + (1.0 - ratio));
        const Reals put = select(x > 0, outside + (ratio - 1.0), outside);
        const Reals call_adjusted = above1 - call, put_adjusted = -below1 - put;
        const Reals vega = density * root, bend = d2 / sigma;
        double* out = task.rows + i;
        const auto store = [&](ChainRow row, Reals value) {
            std::memcpy(out + static_cast<std::size_t>(row) * task.stride, &value, sizeof value);
        };
        store(call_value, call);
        store(put_value, put);
        store(call_delta, above1);
        store(put_delta, -below1);
        store(call_premium_adjusted_delta, call_adjusted);
        store(put_premium_adjusted_delta, put_adjusted);
        store(call_coin_delta, call_adjusted / task.forward);
        store(put_coin_delta, put_adjusted / task.forward);
        store(gamma_row, density / deviation / task.forward);
        store(vega_row, vega);
        store(theta_row, -(0.5 * density * sigma) / root_days);
        store(vanna_row, -density * bend);
        store(volga_row, vega * d1 * bend);
        store(charm_row, density * d2 / twice);
    }
}

}  // namespace
}  // namespace pyorch
