// Two options at once, on every machine (SSE2, NEON), and the choice among the kernels.
#define LANES 2
#include <string_view>

#include "quote_columns_kernel.hpp"

namespace pyorch {

#if defined(__x86_64__)
extern const QuoteKernels quote_columns_avx2, quote_columns_avx512;
#endif

namespace {
const QuoteKernels generic{"generic", run_integers, run_sums, run_quotes};
}

const QuoteKernels* quote_kernels(const char* name) {
    const std::string_view wanted = name == nullptr ? "" : name;
#if defined(__x86_64__)
    const std::string_view widest = chain_kernel_name();
    if (widest == "avx512" && (wanted.empty() || wanted == "avx512")) return &quote_columns_avx512;
    if (widest != "generic" && (wanted.empty() || wanted == "avx2")) return &quote_columns_avx2;
#endif
    return wanted.empty() || wanted == "generic" ? &generic : nullptr;
}

}  // namespace pyorch
