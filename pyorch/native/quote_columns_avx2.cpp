// Four options at once; compiled with AVX2 on x86, empty elsewhere.
#if defined(__AVX2__)
#define LANES 4
#include "quote_columns_kernel.hpp"

namespace pyorch {
extern const QuoteKernels quote_columns_avx2;
const QuoteKernels quote_columns_avx2{"avx2", run_integers, run_sums, run_quotes};
}  // namespace pyorch
#endif
