// Python binding of the encoder of orders; the quoting path uses the encoders without it.
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string_view>
#include <utility>
#include <vector>

#include "fix_orders.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using I = std::int64_t;
using Pair = std::pair<I, int>;

struct Templates {
    pyorch::FixOrderEncoder encoder;
    std::size_t options;

    explicit Templates(const pyorch::FixIdentity& id) : encoder(id), options(id.symbols.size()) {}
    static nb::bytes bytes(std::string_view message) { return nb::bytes(message.data(), message.size()); }
    std::size_t checked(std::size_t option) const {
        if (option >= options) throw nb::index_error("option");
        return option;
    }
};

}  // namespace

void bind_fix(nb::module_& m) {
    nb::class_<Templates>(m, "FixOrderTemplates",
                          "FIX 4.4 orders and quotes on request as bytes; pyorch.trading.fix.codec defines them.")
        .def(
            "__init__",
            [](Templates* self, std::string sender, std::string target, std::string account,
               std::vector<std::string> symbols, Pair price, Pair size) {
                new (self) Templates({std::move(sender), std::move(target), std::move(account), "", std::move(symbols),
                                      {price.first, price.second}, {size.first, size.second}});
            },
            "sender"_a, "target"_a, "account"_a, "symbols"_a, "price"_a, "size"_a)
        .def("order",
             [](Templates& t, I sequence, I local_ns, std::size_t option, int side, I price, I lots, bool rests, I minimum) {
                 return t.bytes(t.encoder.order(sequence, local_ns, t.checked(option), side, price, lots, rests, minimum));
             },
             "sequence"_a, "local_ns"_a, "option"_a, "side"_a, "price"_a, "lots"_a, "rests"_a, "minimum"_a = 0)
        .def("replace",
             [](Templates& t, I sequence, I local_ns, std::size_t option, int side, I of, I price, I lots) {
                 return t.bytes(t.encoder.replace(sequence, local_ns, t.checked(option), side, of, price, lots));
             },
             "sequence"_a, "local_ns"_a, "option"_a, "side"_a, "of"_a, "price"_a, "lots"_a)
        .def("take_back",
             [](Templates& t, I sequence, I local_ns, std::size_t option, int side, I of) {
                 return t.bytes(t.encoder.take_back(sequence, local_ns, t.checked(option), side, of));
             },
             "sequence"_a, "local_ns"_a, "option"_a, "side"_a, "of"_a)
        .def("quote",
             [](Templates& t, I sequence, I local_ns, I request, std::size_t option, int side, I price, I lots, I until_ns) {
                 return t.bytes(t.encoder.quote(sequence, local_ns, request, t.checked(option), side, price, lots, until_ns));
             },
             "sequence"_a, "local_ns"_a, "request"_a, "option"_a, "side"_a, "price"_a, "lots"_a, "until_ns"_a)
        .def("mass_status",
             [](Templates& t, I sequence, I local_ns) {
                 return t.bytes(t.encoder.mass_status(sequence, local_ns));
             },
             "sequence"_a, "local_ns"_a);
}
