"""The stream around hls4ml's top function: windows of raw integers in, logits out, 64 bits a beat.

Lanes are those of a fabric's frames (`docs/fabric.md`) without header and status: a DMA transfer is T
vectors, the answer one vector of logits with TLAST.
"""

from __future__ import annotations

from hls.csim.project import PROJECT, Project
from pyorch.contract.fabric import BEAT_BITS, beats_of, input_lane, output_lane
from pyorch.contract.fixed import FixedFormat

TOP = f"{PROJECT}_stream"

_TEXT = """// {top}: T vectors in, one answer out (UG1399: interfaces axis, ap_ctrl_none).
#include "{top}.h"

void {top}(hls::stream<beat_t> &s_axis, hls::stream<beat_t> &m_axis) {{
    #pragma HLS INTERFACE axis port=s_axis
    #pragma HLS INTERFACE axis port=m_axis
    #pragma HLS INTERFACE ap_ctrl_none port=return
    input_t features[{length} * {features}];
    result_t logits[{outputs}];
    #pragma HLS ARRAY_RESHAPE variable=features complete dim=0
    #pragma HLS ARRAY_PARTITION variable=logits complete dim=0

    for (int beat = 0; beat < {length} * {beats_in}; beat++) {{
        #pragma HLS PIPELINE II=1
        const ap_uint<{bits}> word = s_axis.read().data;
        for (int lane = 0; lane < {lanes_in}; lane++) {{
            #pragma HLS UNROLL
            const int feature = beat % {beats_in} * {lanes_in} + lane;
            if (feature < {features})
                features[beat / {beats_in} * {features} + feature].range(input_t::width - 1, 0) =
                    word.range({lane_in} * lane + input_t::width - 1, {lane_in} * lane);
        }}
    }}

    {project}(features, logits);

    for (int beat = 0; beat < {beats_out}; beat++) {{
        #pragma HLS PIPELINE II=1
        beat_t answer;
        answer.data = 0;
        for (int lane = 0; lane < {lanes_out}; lane++) {{
            #pragma HLS UNROLL
            const int output = beat * {lanes_out} + lane;
            if (output < {outputs}) {{
                ap_int<result_t::width> raw;
                raw.range(result_t::width - 1, 0) = logits[output].range(result_t::width - 1, 0);
                const ap_int<{lane_out}> wide = raw;
                answer.data.range({lane_out} * lane + {lane_out} - 1, {lane_out} * lane) = wide;
            }}
        }}
        answer.keep = -1;
        answer.strb = -1;
        answer.last = beat == {beats_out} - 1;
        m_axis.write(answer);
    }}
}}
"""
_HEADER = """#ifndef {guard}
#define {guard}

#include "ap_axi_sdata.h"
#include "hls_stream.h"
#include "{project}.h"

typedef ap_axiu<{bits}, 0, 0, 0> beat_t;

void {top}(hls::stream<beat_t> &s_axis, hls::stream<beat_t> &m_axis);

#endif
"""


def stream_sources(project: Project) -> dict[str, str]:
    """Name → text of the files beside hls4ml's own in ``firmware``."""
    spec = project.bundle.spec
    wire, logits = spec.input, _logits(project)
    lane_in, lane_out = input_lane(wire), output_lane(logits)
    values = {
        "top": TOP,
        "guard": f"{TOP.upper()}_H_",
        "project": PROJECT,
        "bits": BEAT_BITS,
        "length": project.length,
        "features": spec.features,
        "outputs": len(spec.outputs),
        "beats_in": beats_of(spec.features, lane_in),
        "beats_out": beats_of(len(spec.outputs), lane_out),
        "lane_in": lane_in,
        "lane_out": lane_out,
        "lanes_in": BEAT_BITS // lane_in,
        "lanes_out": BEAT_BITS // lane_out,
    }
    return {f"{TOP}.cpp": _TEXT.format(**values), f"{TOP}.h": _HEADER.format(**values)}


def _logits(project: Project) -> FixedFormat:
    return project.bundle.spec.logits
