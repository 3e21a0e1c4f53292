// Python bindings of pyorch.trading's native stages.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_trading(nb::module_& module) { (void)module; }
