// Python bindings of pyorch.inference's native stages.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_inference(nb::module_& module) { (void)module; }
