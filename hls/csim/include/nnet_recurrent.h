// LSTM of the numeric contract, in the place of hls4ml's header of the same name.
//
// Differences from the header that hls4ml 1.3.0 ships, each needed by the contract (docs/conversion.md):
//  - the cell state has a type of its own (CONFIG_T::cell_t); hls4ml stores c in the type of h;
//  - both dense calls name the accumulator and the state type (hls4ml names res_T and data_T, and does
//    not compile when they differ: https://github.com/fastmachinelearning/hls4ml/issues/1166);
//  - activations are frozen integer tables or hard lines of the configuration, not libm at start-up;
//  - one conversion each for c and h; activated gates stay in the table's type.
#ifndef NNET_RECURSIVE_H_
#define NNET_RECURSIVE_H_

#include "nnet_common.h"
#include "nnet_dense.h"

namespace nnet {

struct lstm_config {
    static const unsigned n_in = 2;
    static const unsigned n_state = 2;
    static const unsigned n_sequence = 20;
    static const unsigned n_sequence_out = 1;
};

// The bits of a value as a signed integer of W bits (W at least the value's width).
template <int W, class data_T> ap_int<W> raw_bits(data_T value) {
    ap_int<data_T::width> narrow;
    narrow.range(data_T::width - 1, 0) = value.range(data_T::width - 1, 0);
    return narrow;
}

template <class data_T> data_T from_raw_bits(long long raw) {
    data_T value;
    value.range(data_T::width - 1, 0) = ap_int<data_T::width>(raw).range(data_T::width - 1, 0);
    return value;
}

// ACT: index_bits, range_bits, middle, entries().
// middle: floor; otherwise hls4ml's rule, truncation towards zero.
template <class ACT, class table_T, class data_T> table_T table_activation(data_T a) {
    static const int shift = data_T::width - data_T::iwidth + ACT::range_bits - ACT::index_bits;
    static const int down = shift > 0 ? shift : 0;
    static const int up = shift < 0 ? -shift : 0;
    static const int size = 1 << ACT::index_bits;
    static const int width = data_T::width + up + ACT::index_bits + 2;
    const ap_int<width> raw = raw_bits<width>(a);
    ap_int<width> index;
    if (ACT::middle || raw >= 0)
        index = (raw << up) >> down;
    else
        index = -(((-raw) << up) >> down);
    index += size / 2;
    if (index < 0)
        index = 0;
    if (index > size - 1)
        index = size - 1;
    return from_raw_bits<table_T>(ACT::entries()[index.to_int()]);
}

// ACT: slope (a raw integer with slope_fraction fractional bits), sigmoid, line_t (exact), rounded_t (the
// table's binary point and rounding, wide enough never to overflow).
template <class ACT, class table_T, class data_T> table_T hard_activation(data_T a) {
    typename ACT::line_t line = a * from_raw_bits<typename ACT::slope_t>(ACT::slope);
    if (ACT::sigmoid)
        line += typename ACT::line_t(0.5);
    typename ACT::rounded_t rounded = line;
    const typename ACT::rounded_t lowest = ACT::sigmoid ? 0 : -1, highest = 1;
    const typename ACT::rounded_t largest = from_raw_bits<table_T>((1LL << (table_T::width - 1)) - 1);
    const typename ACT::rounded_t smallest = from_raw_bits<table_T>(-(1LL << (table_T::width - 1)));
    if (rounded < lowest)
        rounded = lowest;
    if (rounded < smallest)
        rounded = smallest;
    if (rounded > highest)
        rounded = highest;
    if (rounded > largest)
        rounded = largest;
    return table_T(rounded);
}

// One step: h and c are replaced. Gates in blocks of n_state: i, f, g, o.
template <class data_T, class res_T, typename CONFIG_T>
void lstm_step(data_T data[CONFIG_T::n_in], res_T h[CONFIG_T::n_state],
               typename CONFIG_T::cell_t c[CONFIG_T::n_state],
               typename CONFIG_T::weight_t param[CONFIG_T::n_state * 4 * CONFIG_T::n_in],
               typename CONFIG_T::recurrent_weight_t param_r[CONFIG_T::n_state * 4 * CONFIG_T::n_state],
               typename CONFIG_T::bias_t param_b[CONFIG_T::n_state * 4],
               typename CONFIG_T::recurrent_bias_t param_br[CONFIG_T::n_state * 4]) {
    typedef typename CONFIG_T::accum_t accum_t;
    typedef typename CONFIG_T::table_t table_t;
    typedef typename CONFIG_T::gate gate;
    typedef typename CONFIG_T::activation activation;
    static const unsigned n = CONFIG_T::n_state;

    accum_t from_input[4 * n];
    accum_t from_state[4 * n];
    #pragma HLS ARRAY_PARTITION variable=from_input complete
    #pragma HLS ARRAY_PARTITION variable=from_state complete

    nnet::dense<data_T, accum_t, typename CONFIG_T::mult_config1>(data, from_input, param, param_b);
    nnet::dense<res_T, accum_t, typename CONFIG_T::mult_config2>(h, from_state, param_r, param_br);

    for (unsigned u = 0; u < n; u++) {
        #pragma HLS UNROLL
        const table_t i = gate::template apply<table_t, accum_t>(from_input[u] + from_state[u]);
        const table_t f = gate::template apply<table_t, accum_t>(from_input[n + u] + from_state[n + u]);
        const table_t g = activation::template apply<table_t, accum_t>(from_input[2 * n + u] + from_state[2 * n + u]);
        const table_t o = gate::template apply<table_t, accum_t>(from_input[3 * n + u] + from_state[3 * n + u]);
        c[u] = i * g + f * c[u];
        const table_t squashed = activation::template apply<table_t, typename CONFIG_T::cell_t>(c[u]);
        h[u] = o * squashed;
    }
}

template <class data_T, class res_T, typename CONFIG_T>
void lstm_stack(data_T data[CONFIG_T::n_sequence * CONFIG_T::n_in],
                res_T res[CONFIG_T::n_sequence_out * CONFIG_T::n_state],
                typename CONFIG_T::weight_t param[CONFIG_T::n_state * 4 * CONFIG_T::n_in],
                typename CONFIG_T::recurrent_weight_t param_r[CONFIG_T::n_state * 4 * CONFIG_T::n_state],
                typename CONFIG_T::bias_t param_b[CONFIG_T::n_state * 4],
                typename CONFIG_T::recurrent_bias_t param_br[CONFIG_T::n_state * 4]) {
    res_T h[CONFIG_T::n_state];
    typename CONFIG_T::cell_t c[CONFIG_T::n_state];
    data_T x[CONFIG_T::n_in];
    #pragma HLS ARRAY_PARTITION variable=h complete
    #pragma HLS ARRAY_PARTITION variable=c complete
    #pragma HLS ARRAY_PARTITION variable=x complete

    for (unsigned u = 0; u < CONFIG_T::n_state; u++) {
        #pragma HLS UNROLL
        h[u] = 0;
        c[u] = 0;
    }
    for (unsigned t = 0; t < CONFIG_T::n_sequence; t++) {
        for (unsigned j = 0; j < CONFIG_T::n_in; j++) {
            #pragma HLS UNROLL
            x[j] = data[t * CONFIG_T::n_in + j];
        }
        nnet::lstm_step<data_T, res_T, CONFIG_T>(x, h, c, param, param_r, param_b, param_br);
        if (CONFIG_T::n_sequence_out > 1)
            for (unsigned u = 0; u < CONFIG_T::n_state; u++) {
                #pragma HLS UNROLL
                res[t * CONFIG_T::n_state + u] = h[u];
            }
    }
    if (CONFIG_T::n_sequence_out == 1)
        for (unsigned u = 0; u < CONFIG_T::n_state; u++) {
            #pragma HLS UNROLL
            res[u] = h[u];
        }
}

} // namespace nnet

#endif
