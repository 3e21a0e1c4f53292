// Two options at once, on every machine (SSE2, NEON), and the choice among the kernels.
#define LANES 2
#include <string_view>

#include "black76_kernel.hpp"

namespace pyorch {

#if defined(__x86_64__)
void chain_avx2(const ChainTask& task);
void chain_avx512(const ChainTask& task);
#endif

namespace {
void chain_generic(const ChainTask& task) { run_chain(task); }

struct Named {
    const char* name;
    ChainKernel kernel;
};

Named find(std::string_view name) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
    if (wide && (name.empty() || name == "avx512")) return {"avx512", chain_avx512};
    if (__builtin_cpu_supports("avx2") && (name.empty() || name == "avx2")) return {"avx2", chain_avx2};
#endif
    if (name.empty() || name == "generic") return {"generic", chain_generic};
    return {nullptr, nullptr};
}
}  // namespace

void linear_chain(const LinearTask& task) {
    const double discount = exponential(-task.rate * task.years), scale = discount * task.forward;
    const double daily = task.rate / 365.0;
    const auto row = [&](ChainRow one) { return task.rows + static_cast<std::size_t>(one) * task.stride; };
    const auto out = [&](LinearRow one) { return task.out + static_cast<std::size_t>(one) * task.stride; };
    const double* const fraction = row(task.put ? put_value : call_value);
    const double* const delta = row(task.put ? put_delta : call_delta);
    for (std::size_t i = 0; i < task.count; ++i) {
        const double value = fraction[i] * scale;
        out(value_usd)[i] = value;
        out(linear_delta)[i] = delta[i] * discount;
        out(linear_gamma)[i] = row(gamma_row)[i] * discount;
        out(vega_usd)[i] = row(vega_row)[i] * scale;
        out(theta_usd)[i] = row(theta_row)[i] * scale + daily * value;
        out(linear_vanna)[i] = row(vanna_row)[i] * discount;
        out(volga_usd)[i] = row(volga_row)[i] * scale;
        out(linear_charm)[i] = row(charm_row)[i] * discount + daily * (delta[i] * discount);
        out(rho_usd)[i] = -task.years * value;
    }
}

ChainKernel chain_kernel(const char* name) { return find(name == nullptr ? "" : name).kernel; }
const char* chain_kernel_name() { return find("").name; }

}  // namespace pyorch
