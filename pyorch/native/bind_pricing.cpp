// Python bindings of pyorch.trading's pricing.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "implied.hpp"
#include "pricing.hpp"
#include "quoting_path.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using pyorch::OptionValue;
using pyorch::Pricer;
using pyorch::Surface;

namespace {

using Doubles = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Flags = nb::ndarray<const bool, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Rows = nb::ndarray<nb::numpy, double, nb::ndim<2>>;
using Row = nb::ndarray<nb::numpy, double, nb::ndim<1>>;

double* owned(std::size_t count, nb::capsule& owner) {
    double* data = new double[count];
    owner = nb::capsule(data, [](void* p) noexcept { delete[] static_cast<double*>(p); });
    return data;
}

// The chain's rows, [chain_rows][padded], and the padded count.
std::pair<std::vector<double>, std::size_t> chain_of(const Doubles& log_moneyness, const Doubles& ratio,
                                                     const Doubles& volatility, double years, double forward,
                                                     const std::string& kernel) {
    const std::size_t n = ratio.size();
    if (log_moneyness.size() != n || volatility.size() != n) throw nb::value_error("one of each for every strike");
    if (n == 0 || !(years > 0) || !(forward > 0)) throw nb::value_error("strikes, years and forward above 0");
    const pyorch::ChainKernel run = pyorch::chain_kernel(kernel.c_str());
    if (run == nullptr) throw nb::value_error(("no kernel " + kernel + " on this processor").c_str());
    const std::size_t padded = (n + pyorch::chain_block - 1) / pyorch::chain_block * pyorch::chain_block;
    std::vector<double> in(3 * padded), out(pyorch::chain_rows * padded);
    const Doubles* const given[] = {&log_moneyness, &ratio, &volatility};
    for (std::size_t k = 0; k < 3; ++k)
        for (std::size_t i = 0; i < padded; ++i) in[k * padded + i] = given[k]->data()[std::min(i, n - 1)];
    run({in.data(), in.data() + padded, in.data() + 2 * padded, padded, years, forward, out.data(), padded});
    return {std::move(out), padded};
}

// The first n of each row.
Rows narrowed(const std::vector<double>& rows, std::size_t count, std::size_t padded, std::size_t n) {
    nb::capsule owner;
    double* const data = owned(count * n, owner);
    for (std::size_t row = 0; row < count; ++row) std::copy_n(&rows[row * padded], n, data + row * n);
    return Rows(data, {count, n}, owner);
}

Rows black76(Doubles log_moneyness, Doubles ratio, Doubles volatility, double years, double forward,
             const std::string& kernel) {
    const auto [rows, padded] = chain_of(log_moneyness, ratio, volatility, years, forward, kernel);
    return narrowed(rows, pyorch::chain_rows, padded, ratio.size());
}

Rows linear(Doubles log_moneyness, Doubles ratio, Doubles volatility, double years, double forward, double rate, bool put,
            const std::string& kernel) {
    if (!(rate >= 0)) throw nb::value_error("a rate of 0 or more");
    const auto [rows, padded] = chain_of(log_moneyness, ratio, volatility, years, forward, kernel);
    std::vector<double> out(pyorch::linear_rows * padded);
    pyorch::linear_chain({rows.data(), padded, padded, put, forward, years, rate, out.data()});
    return narrowed(out, pyorch::linear_rows, padded, ratio.size());
}

Row implied(Doubles value, Doubles log_moneyness, Doubles ratio, double years, Flags put) {
    const std::size_t n = value.size();
    if (log_moneyness.size() != n || ratio.size() != n || put.size() != n)
        throw nb::value_error("one of each for every option");
    nb::capsule owner;
    double* const data = owned(n, owner);
    for (std::size_t i = 0; i < n; ++i)
        data[i] = pyorch::implied_volatility(value.data()[i], log_moneyness.data()[i], ratio.data()[i], years,
                                             put.data()[i]);
    return Row(data, {n}, owner);
}

Rows values(const Pricer& pricer) {
    constexpr std::size_t fields = sizeof(OptionValue) / sizeof(double);
    nb::capsule owner;
    double* const data = owned(pricer.options() * fields, owner);
    for (std::size_t option = 0; option < pricer.options(); ++option) {
        const OptionValue v = pricer.value(option);
        const double row[fields] = {v.value_btc, v.volatility, v.delta, v.gamma, v.vega, v.theta,
                                    v.premium_adjusted_delta, v.coin_delta, v.vanna, v.volga, v.charm};
        std::copy_n(row, fields, data + option * fields);
    }
    return Rows(data, {pricer.options(), fields}, owner);
}

}  // namespace

void bind_pricing(nb::module_& module) {
    module.def("black76", &black76, "log_moneyness"_a, "ratio"_a, "volatility"_a, "years"_a, "forward"_a,
               "kernel"_a = "", "The rows of pyorch.trading.black76.Chain, [rows, n].");
    module.def("linear", &linear, "log_moneyness"_a, "ratio"_a, "volatility"_a, "years"_a, "forward"_a, "rate"_a, "put"_a,
               "kernel"_a = "", "The rows of pyorch.trading.black76.LinearOption, [rows, n].");
    module.def("implied_volatility", &implied, "value"_a, "log_moneyness"_a, "ratio"_a, "years"_a, "put"_a,
               "Volatilities [n] of pyorch.trading.implied; NaN where there is none.");
    module.def("pricing_kernel", &pyorch::chain_kernel_name, "The widest kernel that this processor runs.");
    nb::class_<Surface>(module, "Surface", "The definition is pyorch.trading.surface.")
        .def(nb::init<Surface::ParametersPpm, std::vector<std::int64_t>, std::int64_t>(), "parameters_ppm"_a,
             "expiries_s"_a, "as_of_ns"_a = 0)
        .def("apply", &Surface::apply, "atm_ppm"_a, "skew_ppm"_a, "local_ns"_a, "minutes"_a, "Take in a SURFACE row.")
        .def("stale", &Surface::stale, "local_ns"_a, "maximum_age_ns"_a)
        .def_prop_ro("atm_ppm", &Surface::atm_ppm)
        .def_prop_ro("skew_ppm", &Surface::skew_ppm)
        .def_prop_ro("version", &Surface::version)
        .def_prop_ro("refused", &Surface::refused);
    nb::class_<Pricer>(module, "Pricer", "Values and Greeks of a universe: the definition is pyorch.trading.pricing.")
        .def("__init__",
             [](Pricer* self, const pyorch::QuotingSettings& s, const std::string& kernel) {
                 new (self) Pricer(s.strikes_usd, s.expiries_s, s.rights, s.half_tick_usd, kernel);
             },
             "settings"_a, "kernel"_a = "")
        .def("price",
             [](Pricer& pricer, const Surface& surface, std::int64_t forward_half_ticks, std::int64_t minutes) {
                 if (surface.expiries() != pricer.expiries()) throw nb::value_error("a slice for each expiry");
                 pricer.price(surface, forward_half_ticks, minutes);
             },
             "surface"_a, "forward_half_ticks"_a, "minutes"_a, "All options anew.")
        .def("values", &values, "[options, fields of pyorch.trading.pricing.OptionValue].");
}
