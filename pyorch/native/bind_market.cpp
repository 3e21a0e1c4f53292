// Python bindings of pyorch.market's native stages.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_market(nb::module_& module) { (void)module; }
