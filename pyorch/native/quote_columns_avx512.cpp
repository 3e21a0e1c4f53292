// Eight options at once; compiled with AVX-512 on x86, empty elsewhere.
#if defined(__AVX512F__)
#define LANES 8
#include "quote_columns_kernel.hpp"

namespace pyorch {
extern const QuoteKernels quote_columns_avx512;
const QuoteKernels quote_columns_avx512{"avx512", run_integers, run_sums, run_quotes};
}  // namespace pyorch
#endif
