"""An hls4ml backend of our own: Vitis with the contract's LSTM.

Every pass, writer and template of hls4ml's Vitis backend is reused; what differs is the configuration of
LSTM layers (types of c and of the tables, frozen tables, hard activations) and the header that reads it.
The shipped backends are not touched, so that one process can compare ours with stock hls4ml.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from hls.csim.workarounds import hls4ml
from pyorch.contract.fixed import FixedFormat, IntArray
from pyorch.contract.model import Activation

NAME = "Pyorch"
HEADER = Path(__file__).parent / "include" / "nnet_recurrent.h"

_CONFIG = """{gate_cpp}
{cell_cpp}
struct config{index} : nnet::lstm_config {{
    typedef {accum_t.name} accum_t;
    typedef {weight_t.name} weight_t;
    typedef {recurrent_weight_t.name} recurrent_weight_t;
    typedef {bias_t.name} bias_t;
    typedef {recurrent_bias_t.name} recurrent_bias_t;
    typedef {table_t.name} table_t;
    typedef {cell_t.name} cell_t;
    typedef {config_mult_t1} mult_config1;
    typedef {config_mult_t2} mult_config2;
    typedef {gate_struct} gate;
    typedef {cell_struct} activation;
    static const unsigned n_in = {n_in};
    static const unsigned n_out = {n_out};
    static const unsigned n_state = {n_state};
    static const unsigned n_sequence = {n_sequence};
    static const unsigned n_sequence_out = {n_sequence_out};
    static const unsigned reuse_factor = {reuse};
}};\n"""

_TABLE = """struct {name} {{
    static const bool hard = false;
    static const int index_bits = {index_bits};
    static const int range_bits = {range_bits};
    static const bool middle = {middle};
    static const int *entries() {{
        static const int values[] = {{{entries}}};
        return values;
    }}
    template <class table_T, class data_T> static table_T apply(data_T a) {{
        return nnet::table_activation<{name}, table_T, data_T>(a);
    }}
}};"""

_HARD = """struct {name} {{
    static const bool hard = true;
    static const long long slope = {slope};
    static const int slope_fraction = {slope_fraction};
    static const bool sigmoid = {sigmoid};
    typedef {slope_t} slope_t;
    typedef {line_t} line_t;
    typedef {rounded_t} rounded_t;
    template <class table_T, class data_T> static table_T apply(data_T a) {{
        return nnet::hard_activation<{name}, table_T, data_T>(a);
    }}
}};"""


def activation_cpp(
    name: str,
    activation: Activation,
    table: FixedFormat,
    entries: IntArray | None,
    arguments: tuple[FixedFormat, ...],
) -> str:
    """The C++ struct of an activation.

    Args:
        table: format of the result.
        entries: the frozen table; None for a hard activation.
        arguments: formats of what it is applied to (the accumulator; for tanh also the cell state).
    """
    if entries is not None:
        return _TABLE.format(
            name=name,
            index_bits=activation.index_bits,
            range_bits=activation.range_bits,
            middle=str(activation.index == "mid").lower(),
            entries=", ".join(str(int(value)) for value in entries),
        )
    slope_bits = activation.slope.bit_length() + 1
    fraction = max(form.fraction for form in arguments) + activation.slope_fraction + 1
    integer = max(form.integer for form in arguments) + slope_bits - activation.slope_fraction + 2
    integer = max(integer, 3)
    rounding = f"AP_{table.rounding.value}"
    return _HARD.format(
        name=name,
        slope=activation.slope,
        slope_fraction=activation.slope_fraction,
        sigmoid=str(activation.function == "sigmoid").lower(),
        slope_t=f"ap_fixed<{slope_bits}, {slope_bits - activation.slope_fraction}>",
        line_t=f"ap_fixed<{integer + fraction}, {integer}>",
        rounded_t=f"ap_fixed<{integer + 1 + table.fraction}, {integer + 1}, {rounding}, AP_WRAP>",
    )


@cache
def register() -> str:
    """Make the backend known to hls4ml (once a process); returns its name."""
    module = hls4ml()
    from hls4ml.backends import VivadoBackend
    from hls4ml.backends.vitis.vitis_backend import VitisBackend
    from hls4ml.backends.vivado.passes.recurrent_templates import RecurrentConfigTemplate
    from hls4ml.model.flow import get_flow, register_flow
    from hls4ml.model.layers import LSTM
    from hls4ml.writer.vitis_writer import VitisWriter

    class ContractLstmTemplate(RecurrentConfigTemplate):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.name = "contract_lstm_config_template"
            self.layer_class = [LSTM]
            self.template = _CONFIG
            self.act_template = ""
            self.recr_act_template = ""

    class PyorchBackend(VitisBackend):  # type: ignore[misc]
        def __init__(self) -> None:
            super(VivadoBackend, self).__init__(name=NAME)
            self._register_layer_attributes()
            self._register_flows()
            self.register_source(HEADER)

        def _init_file_optimizers(self) -> dict[str, Any]:
            return {}

        def _register_flows(self) -> None:
            self.register_template(ContractLstmTemplate)
            requirements = get_flow("vitis:ip").requires.copy()
            templates = register_flow(
                "apply_templates",
                [f"{NAME.lower()}:contract_lstm_config_template"],
                requires=["vivado:init_layers"],
                backend=self.name,
            )
            requirements.insert(requirements.index("vivado:apply_templates") + 1, templates)
            self._default_flow = register_flow("ip", None, requires=requirements, backend=self.name)
            self._writer_flow = register_flow(
                "write",
                ["make_stamp", "vitis:write_hls"],
                requires=[f"{NAME.lower()}:ip"],
                backend=self.name,
            )

    module.writer.register_writer(NAME, VitisWriter)
    module.backends.register_backend(NAME, PyorchBackend)
    return NAME
