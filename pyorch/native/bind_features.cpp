// Python bindings of pyorch.features's native stages.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_features(nb::module_& module) { (void)module; }
