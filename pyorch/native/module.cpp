// The native module: one bind_*.cpp a layer of the package.
#include <nanobind/nanobind.h>

namespace nb = nanobind;

void bind_market(nb::module_& module);
void bind_wire(nb::module_& module);
void bind_feed_ring(nb::module_& module);
void bind_features(nb::module_& module);
void bind_inference(nb::module_& module);
void bind_fix(nb::module_& module);
void bind_stages(nb::module_& module);
void bind_trading(nb::module_& module);

NB_MODULE(_native, module) {
    module.doc() = "Native stages of the tick path; each has a Python twin that defines it.";
    bind_market(module);
    bind_wire(module);
    bind_feed_ring(module);
    bind_features(module);
    bind_inference(module);
    bind_fix(module);
    bind_trading(module);
    bind_stages(module);
}
