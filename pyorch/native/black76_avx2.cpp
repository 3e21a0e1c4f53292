// Four options at once; compiled with AVX2 on x86, empty elsewhere.
#if defined(__AVX2__)
#define LANES 4
#include "black76_kernel.hpp"

namespace pyorch {
void chain_avx2(const ChainTask& task) { run_chain(task); }
}  // namespace pyorch
#endif
