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

ChainKernel chain_kernel(const char* name) { return find(name == nullptr ? "" : name).kernel; }
const char* chain_kernel_name() { return find("").name; }

}  // namespace pyorch
