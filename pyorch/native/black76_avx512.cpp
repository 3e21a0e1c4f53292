// Eight options at once; compiled with AVX-512 on x86, empty elsewhere.
#if defined(__AVX512F__)
#define LANES 8
#include "black76_kernel.hpp"

namespace pyorch {
void chain_avx512(const ChainTask& task) { run_chain(task); }
}  // namespace pyorch
#endif
