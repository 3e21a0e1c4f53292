// The fused tick of a small model for AVX-512 with VNNI: see lstm_fused.hpp for the order of its data.
#include "lstm_fused.hpp"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <algorithm>

#include "lstm_fused_tail.hpp"

namespace pyorch {
namespace {

// Products with h: four bytes or two words a lane.
template <bool bytes>
PYORCH_INLINE void add_hidden(__m512i& sum, __m512i values, const void* weights) {
    if constexpr (bytes) {
        add_bytes(sum, values, weights);
    } else {
        add_words(sum, values, weights);
    }
}
template <bool bytes>
PYORCH_INLINE __m512i hidden_product(__m512i values, const void* weights) {
    if constexpr (!bytes) return _mm512_madd_epi16(values, vector_at(weights));
    __m512i sum = _mm512_setzero_si512();
    add_bytes(sum, values, weights);
    return sum;
}
template <bool bytes>
PYORCH_INLINE const char* hidden_at(const FusedLane& lane, int group) {
    return reinterpret_cast<const char*>(bytes ? static_cast<const void*>(lane.bytes) : lane.hidden) + 4 * group;
}
template <bool bytes>
constexpr int hidden_groups = fused_units / (bytes ? 4 : 2);

PYORCH_INLINE void pack_sixteen(const FusedModel& model, __m512i values, std::uint8_t* input) {
    const __m128i flip = _mm_load_si128(reinterpret_cast<const __m128i*>(model.input_flip.lanes));
    const __m128i flipped = _mm_xor_si128(_mm512_cvtepi32_epi8(values), flip);
    _mm_store_si128(reinterpret_cast<__m128i*>(input), flipped);
}

// `standard`: sixteen features, known when compiled.
template <bool standard>
PYORCH_INLINE void pack_of(const FusedModel& model, const std::int32_t* features, std::uint8_t* input) {
    const int count = standard ? standard_features : model.features;
    int at = 0;
    for (; at + 16 <= count; at += 16) pack_sixteen(model, _mm512_loadu_si512(features + at), input + at);
    if (at < count) {
        const auto mask = static_cast<__mmask16>((1 << (count - at)) - 1);
        pack_sixteen(model, _mm512_maskz_loadu_epi32(mask, features + at), input + at);
    }
}

PYORCH_INLINE void load_ready(const FusedLane& lane, __m512i (&sums)[vectors]) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sums[v] = vector_at(lane.ready + 16 * v);
}
PYORCH_INLINE void store_sums(const __m512i (&sums)[vectors], std::int32_t* out) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) _mm512_store_si512(out + 16 * v, sums[v]);
}

// x·W onto R·h + b.
template <bool standard>
PYORCH_INLINE void add_input(const FusedModel& model, const std::uint8_t* input, __m512i (&sums)[vectors]) {
    const std::int8_t* weights = model.kernel;
    const int count = standard ? standard_features / 4 : model.groups;
#pragma GCC unroll 4
    for (int g = 0; g < count; ++g, weights += 64 * vectors) {
        const __m512i value = broadcast(input + 4 * g);
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) add_bytes(sums[v], value, weights + 64 * v);
    }
}

struct Answer {
    std::int64_t* logits;
    std::int64_t* scores;
};

// Logits, and the table entries that the scores take.
//
// A 128-bit lane of a sum holds one output's products with four groups of h; vector v of a block of four has the
// outputs v, v + 4, v + 8, v + 12. So a quarter of h serves all lanes, and one transposing addition ends the sums.
template <bool bytes, bool standard>
PYORCH_INLINE void dense_of(const FusedModel& model, const FusedLane& lane, std::uint32_t* indices, const Answer& out) {
    const char* weights = static_cast<const char*>(model.dense);
    __m512i sums[4];
#pragma GCC unroll 4
    for (int quarter = 0; quarter < hidden_groups<bytes> / 4; ++quarter) {
        const __m512i values = _mm512_broadcast_i32x4(
            _mm_load_si128(reinterpret_cast<const __m128i*>(hidden_at<bytes>(lane, 4 * quarter))));
#pragma GCC unroll 4
        for (int v = 0; v < 4; ++v) {
            if (quarter == 0) {
                sums[v] = hidden_product<bytes>(values, weights + 64 * v);
            } else {
                add_hidden<bytes>(sums[v], values, weights + 64 * (4 * quarter + v));
            }
        }
    }
    const __m512i even = _mm512_add_epi32(_mm512_unpacklo_epi32(sums[0], sums[1]), _mm512_unpackhi_epi32(sums[0], sums[1]));
    const __m512i odd = _mm512_add_epi32(_mm512_unpacklo_epi32(sums[2], sums[3]), _mm512_unpackhi_epi32(sums[2], sums[3]));
    __m512i logits = _mm512_add_epi32(_mm512_unpacklo_epi64(even, odd), _mm512_unpackhi_epi64(even, odd));
    logits = _mm512_srav_epi32(_mm512_add_epi32(logits, all(model.dense_bias)), all(model.logit_drop));
    logits = _mm512_min_epi32(_mm512_max_epi32(logits, all(model.logit_minimum)), all(model.logit_maximum));
    const __m512i next = _mm512_permutexvar_epi32(all(model.rotation), logits);
    const __m512i after = _mm512_permutexvar_epi32(all(model.rotation), next);
    __m512i below = _mm512_sub_epi32(_mm512_max_epi32(_mm512_max_epi32(logits, next), after), logits);
    below = _mm512_srav_epi32(below, all(model.exp_shift));
    __m512i index = _mm512_srav_epi32(logits, all(model.sigmoid_shift));
    if constexpr (!standard) {
        below = _mm512_min_epi32(below, all(model.exp_last));
        index = _mm512_add_epi32(index, all(model.sigmoid_middle));
        index = _mm512_min_epi32(_mm512_max_epi32(index, _mm512_setzero_si512()), all(model.sigmoid_last));
    }
    index = _mm512_mask_add_epi32(below, static_cast<__mmask16>(~model.softmax_lanes), index, all(model.sigmoid_first));
    _mm512_store_si512(indices, index);
    const __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(logits));
    const __m512i high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(logits, 1));
    _mm512_storeu_si512(out.logits, low);
    _mm512_storeu_si512(out.logits + 8, high);
    _mm512_storeu_si512(out.scores, low);
    _mm512_storeu_si512(out.scores + 8, high);
    asm volatile("" : "+m"(*reinterpret_cast<std::uint32_t(*)[fused_outputs]>(indices)));
}

// Calibrated shares of n logits, from the entries of the exp table. One division: with m the next integer above
// 2**52 / sum (which the double of 53 bits finds within one), floor(e * m / 2**37) is floor((e << 15) / sum), because the
// error e * 2 / 2**37 stays below 1 / sum: e < 2**16, sum < 2**20.
template <int size>
PYORCH_INLINE void softmax(const FusedModel& model, const std::uint32_t* index, const FusedSegment* segments,
                           std::int64_t* scores, int n = size) {
    std::uint32_t sum = 0, e[size];
#pragma GCC unroll 3
    for (int k = 0; k < n; ++k) sum += e[k] = model.exp_table[index[k]];
    const auto inverse = static_cast<std::uint64_t>(0x1p52 / static_cast<double>(static_cast<std::int32_t>(sum))) + 1;
#pragma GCC unroll 3
    for (int k = 0; k < n; ++k) {
        const std::uint64_t product = e[k] * inverse;
        const FusedSegment& segment = segments[17 * k + (product >> 48)];
        const auto p = static_cast<std::uint32_t>(product >> 37);
        scores[k] = static_cast<std::int32_t>(segment.start + segment.rise * p) >> 11;
    }
}

[[gnu::noinline]] void softmax_of(const FusedModel& model, const Run& run, const Answer& out) {
    const std::int64_t* logits = out.logits + run.first;
    const std::int64_t highest = *std::max_element(logits, logits + run.size);
    std::uint32_t index[fused_outputs];
    for (int k = 0; k < run.size; ++k) {
        const std::int64_t below = (highest - logits[k]) >> model.exp_shift.lanes[0];
        index[k] = static_cast<std::uint32_t>(std::min<std::int64_t>(below, model.exp_last.lanes[0]));
    }
    softmax<fused_outputs>(model, index, model.segments + 17 * run.first, out.scores + run.first, run.size);
}

template <bool standard>
PYORCH_INLINE void scores_of(const FusedModel& model, const std::uint32_t* indices, const Answer& out) {
    if constexpr (standard) {
        softmax<3>(model, indices, model.segments, out.scores);
#pragma GCC unroll 6
        for (int at = 3; at < 3 + standard_sigmoids; ++at) out.scores[at] = model.sigmoid_table[indices[at]];
        return;
    }
    for (int k = 0; k < model.softmaxes; ++k) softmax_of(model, model.softmax[k], out);
    for (int k = 0; k < model.sigmoid_runs; ++k) {
        const std::int64_t end = model.sigmoid_run[k].first + model.sigmoid_run[k].size;
        for (std::int64_t at = model.sigmoid_run[k].first; at < end; ++at) {
            out.scores[at] = model.sigmoid_table[indices[at]];
        }
    }
}

// R·h + b, scaled to x·W. Two chains: sixteen sums hide the latency of the dot product.
template <bool bytes>
PYORCH_INLINE void recurrent_of(const FusedModel& model, const FusedLane& lane, __m512i (&sums)[vectors]) {
    __m512i even[vectors], odd[vectors];
    const char* weights = static_cast<const char*>(model.recurrent);
#pragma GCC unroll 8
    for (int g = 0; g < hidden_groups<bytes>; g += 2, weights += 2 * 64 * vectors) {
        const __m512i first = broadcast(hidden_at<bytes>(lane, g)), second = broadcast(hidden_at<bytes>(lane, g + 1));
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) {
            if (g == 0) even[v] = vector_at(model.bias + 16 * v);
            add_hidden<bytes>(even[v], first, weights + 64 * v);
        }
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) {
            if (g == 0) {
                odd[v] = hidden_product<bytes>(second, weights + 64 * (vectors + v));
            } else {
                add_hidden<bytes>(odd[v], second, weights + 64 * (vectors + v));
            }
        }
    }
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
        sums[v] = _mm512_srav_epi32(_mm512_add_epi32(even[v], odd[v]), all(model.ready_shift));
    }
}

template <bool standard>
void pack(const FusedModel& model, FusedBuffers& buffers, const std::int32_t* features) {
    pack_of<standard>(model, features, buffers.input[0]);
}

template <LookUp look_up, bool bytes, bool plain, bool standard>
void advance(const FusedModel& model, FusedLane& lane, const FusedBuffers& buffers) {
    __m512i sums[vectors];
    load_ready(lane, sums);
    add_input<standard>(model, buffers.input[0], sums);
    tail_of<look_up, bytes, plain>(model, lane, sums);
}

template <bool bytes, bool standard>
void answer(const FusedModel& model, const FusedLane& lane, FusedBuffers& buffers) {
    dense_of<bytes, standard>(model, lane, buffers.index, {buffers.logits, buffers.scores});
    scores_of<standard>(model, buffers.index, {buffers.logits, buffers.scores});
}

template <LookUp look_up, bool bytes, bool plain, bool standard>
void step(const FusedModel& model, FusedLane& lane, FusedBuffers& buffers, const std::int32_t* features) {
    __m512i sums[vectors];
    pack_of<standard>(model, features, buffers.input[0]);
    load_ready(lane, sums);
    add_input<standard>(model, buffers.input[0], sums);
    tail_of<look_up, bytes, plain>(model, lane, sums);
    dense_of<bytes, standard>(model, lane, buffers.index, {buffers.logits, buffers.scores});
    scores_of<standard>(model, buffers.index, {buffers.logits, buffers.scores});
}

template <bool bytes>
void recurrent(const FusedModel& model, FusedLane& lane) {
    __m512i sums[vectors];
    recurrent_of<bytes>(model, lane, sums);
    store_sums(sums, lane.ready);
}

// R·h + b stands between the dense layer and the scores, whose chain of latencies (forwarded store, look-up, division,
// look-up) it covers, and stays in registers for the next tick.
template <LookUp look_up, bool bytes, bool plain, bool standard>
void run(const FusedModel& model, FusedLane& lane, FusedBuffers& buffers, const std::int32_t* features, std::int64_t n,
         std::int64_t* logits, std::int64_t* scores) {
    if (n < 1) return;
    const std::int64_t width = model.outputs;
    __m512i sums[vectors];
    load_ready(lane, sums);
    pack_of<standard>(model, features, buffers.input[0]);
    for (std::int64_t t = 0; t < n; ++t) {
        add_input<standard>(model, buffers.input[t & 1], sums);
        if (t + 1 < n) pack_of<standard>(model, features + (t + 1) * model.features, buffers.input[~t & 1]);
        tail_of<look_up, bytes, plain>(model, lane, sums);
        // an answer is written in whole vectors: beyond its row, which the next one overwrites
        const bool inside = (t + 1) * width + fused_outputs <= n * width;
        const Answer out = inside ? Answer{logits + t * width, scores + t * width} : Answer{buffers.logits, buffers.scores};
        dense_of<bytes, standard>(model, lane, buffers.index, out);
        recurrent_of<bytes>(model, lane, sums);
        scores_of<standard>(model, buffers.index, out);
        if (inside) continue;
        std::copy_n(buffers.logits, width, logits + t * width);
        std::copy_n(buffers.scores, width, scores + t * width);
    }
    store_sums(sums, lane.ready);
}

template <bool standard>
void input_part(const FusedModel& model, const FusedLane& lane, FusedBuffers& buffers) {
    __m512i sums[vectors];
    load_ready(lane, sums);
    add_input<standard>(model, buffers.input[0], sums);
    store_sums(sums, buffers.sums);
}

template <LookUp look_up, bool bytes, bool plain>
void tail_part(const FusedModel& model, FusedLane& lane, const FusedBuffers& buffers) {
    __m512i sums[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sums[v] = vector_at(buffers.sums + 16 * v);
    tail_of<look_up, bytes, plain>(model, lane, sums);
}

template <bool bytes, bool standard>
void dense_part(const FusedModel& model, const FusedLane& lane, FusedBuffers& buffers) {
    dense_of<bytes, standard>(model, lane, buffers.index, {buffers.logits, buffers.scores});
}

template <bool standard>
void scores_part(const FusedModel& model, FusedBuffers& buffers) {
    scores_of<standard>(model, buffers.index, {buffers.logits, buffers.scores});
}

template <LookUp look_up, bool bytes, bool plain, bool standard>
constexpr FusedKernels kernels{pack<standard>,
                               advance<look_up, bytes, plain, standard>,
                               answer<bytes, standard>,
                               step<look_up, bytes, plain, standard>,
                               recurrent<bytes>,
                               run<look_up, bytes, plain, standard>,
                               input_part<standard>,
                               tail_part<look_up, bytes, plain>,
                               dense_part<bytes, standard>,
                               scores_part<standard>};

template <LookUp look_up, bool bytes>
const FusedKernels* kernels_of(const FusedModel& model) {
    if (!model.standard) return &kernels<look_up, bytes, false, false>;
    if (look_up == LookUp::lines && model.plain) return &kernels<look_up, bytes, look_up == LookUp::lines, true>;
    return &kernels<look_up, bytes, false, true>;
}

template <LookUp look_up>
const FusedKernels* kernels_of(const FusedModel& model) {
    return model.hidden_bytes ? kernels_of<look_up, true>(model) : kernels_of<look_up, false>(model);
}

}  // namespace

const FusedKernels* fused_kernels(LookUp look_up, const FusedModel& model) {
    switch (look_up) {
        case LookUp::permute_2: return kernels_of<LookUp::permute_2>(model);
        case LookUp::permute_8: return kernels_of<LookUp::permute_8>(model);
        default: return kernels_of<LookUp::lines>(model);
    }
}

}  // namespace pyorch
#else
namespace pyorch {
const FusedKernels* fused_kernels(LookUp, const FusedModel&) { return nullptr; }
}  // namespace pyorch
#endif
