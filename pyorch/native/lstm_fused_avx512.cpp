// The fused tick of a small model for AVX-512 with VNNI: see lstm_fused.hpp for the order of its data.
#include "lstm_fused.hpp"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>

#include <algorithm>
#include <cstring>

namespace pyorch {
namespace {

constexpr int vectors = fused_columns / 16;

#define PYORCH_INLINE [[gnu::always_inline]] inline

PYORCH_INLINE __m512i vector_at(const void* source) { return _mm512_load_si512(source); }
PYORCH_INLINE __m512i all(const Constant& constant) { return _mm512_load_si512(constant.lanes); }
PYORCH_INLINE __m512i clamped(__m512i value, const Constant& minimum, const Constant& maximum) {
    return _mm512_min_epi16(_mm512_max_epi16(value, all(minimum)), all(maximum));
}
PYORCH_INLINE __m512i broadcast(const void* source) {
    std::int32_t four;
    std::memcpy(&four, source, sizeof four);
    return _mm512_set1_epi32(four);
}

// As instructions: through intrinsics GCC 12 copies every sum to another register and back.
PYORCH_INLINE void add_bytes(__m512i& sum, __m512i values, const void* weights) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(values), "m"(*static_cast<const __m512i*>(weights)));
}
PYORCH_INLINE void add_words(__m512i& sum, __m512i values, const void* weights) {
    asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(values), "m"(*static_cast<const __m512i*>(weights)));
}
PYORCH_INLINE __m512i add_pairs(__m512i sum, __m512i left, __m512i right) {
    asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(left), "v"(right));
    return sum;
}
PYORCH_INLINE void add_where(__m512i& value, __mmask32 where, const Constant& constant) {
    asm("vpaddw %2, %0, %0%{%1%}" : "+v"(value) : "Yk"(where), "m"(*reinterpret_cast<const __m512i*>(constant.lanes)));
}

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

PYORCH_INLINE void pack_sixteen(const FusedModel& model, FusedBuffers& buffers, __m512i values, int at) {
    const __m128i flip = _mm_load_si128(reinterpret_cast<const __m128i*>(model.input_flip.lanes));
    const __m128i flipped = _mm_xor_si128(_mm512_cvtepi32_epi8(values), flip);
    _mm_store_si128(reinterpret_cast<__m128i*>(buffers.input + at), flipped);
}

template <int groups>
PYORCH_INLINE void pack_of(const FusedModel& model, FusedBuffers& buffers, const std::int32_t* features) {
    const int count = groups != 0 && groups % 4 == 0 ? 4 * groups : model.features;
    int at = 0;
    for (; at + 16 <= count; at += 16) pack_sixteen(model, buffers, _mm512_loadu_si512(features + at), at);
    if (at < count) {
        const auto mask = static_cast<__mmask16>((1 << (count - at)) - 1);
        pack_sixteen(model, buffers, _mm512_maskz_loadu_epi32(mask, features + at), at);
    }
}

// x·W onto R·h + b. `groups`: known when compiled, or 0.
template <int groups>
PYORCH_INLINE void sums_of(const FusedModel& model, const FusedLane& lane, const FusedBuffers& buffers,
                           __m512i (&sums)[vectors]) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sums[v] = vector_at(lane.ready + 16 * v);
    const std::int8_t* weights = model.kernel;
    const int count = groups != 0 ? groups : model.groups;
#pragma GCC unroll 4
    for (int g = 0; g < count; ++g, weights += 64 * vectors) {
        const __m512i value = broadcast(buffers.input + 4 * g);
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) add_bytes(sums[v], value, weights + 64 * v);
    }
}

// Entry `index` of 64 * chunks words, by permutes of 64 and blends on the higher bits.
template <int chunks>
PYORCH_INLINE __m512i permuted(const std::int16_t* entries, __m512i index) {
    if constexpr (chunks == 1) {
        return _mm512_permutex2var_epi16(_mm512_load_si512(entries), index, _mm512_load_si512(entries + 32));
    } else {
        const __m512i low = permuted<chunks / 2>(entries, index);
        const __m512i high = permuted<chunks / 2>(entries + 32 * chunks, index);
        return _mm512_mask_mov_epi16(low, _mm512_test_epi16_mask(index, _mm512_set1_epi16(32 * chunks)), high);
    }
}

template <LookUp look_up>
PYORCH_INLINE __m512i looked_up(const FusedTable& table, __m512i value) {
    const __m512i sign = _mm512_srai_epi16(value, 15);
    const __m512i side = _mm512_xor_si512(value, sign);
    if constexpr (look_up == LookUp::lines) {
        const __m512i segment = _mm512_srli_epi16(side, 9);
        const __m512i step = _mm512_and_si512(_mm512_srli_epi16(side, 6), _mm512_set1_epi16(7));
        const __m512i line = permuted<1>(reinterpret_cast<const std::int16_t*>(table.lines), segment);
        const __m512i base = permuted<1>(table.bases, segment);
        // the line's low byte times k; the other byte of `step` is zero, so nothing saturates here
        __m512i point = _mm512_add_epi16(base, _mm512_maddubs_epi16(line, step));
        add_where(point, _mm512_movepi16_mask(_mm512_sllv_epi16(line, step)), table.bump);
        return _mm512_srai_epi16(_mm512_add_epi16(_mm512_xor_si512(point, sign), all(table.addend)), 3);
    } else {
        constexpr int chunks = look_up == LookUp::permute_2 ? 2 : 8;
        const __m512i bin = _mm512_srlv_epi16(side, all(table.shift));
        const __m512i left = permuted<chunks>(table.entries, bin);
        const __m512i right = _mm512_min_epi16(_mm512_sub_epi16(all(table.complement), left), all(table.maximum));
        return _mm512_mask_mov_epi16(right, _mm512_movepi16_mask(value), left);
    }
}

// Tables, c and h of 32 units.
template <LookUp look_up, bool bytes, bool plain>
PYORCH_INLINE void tail_of(const FusedModel& model, FusedLane& lane, __m512i (&sums)[vectors]) {
    if constexpr (!plain) {
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) sums[v] = _mm512_srav_epi32(sums[v], all(model.sum_shift));
    }
    __m512i first = looked_up<look_up>(model.gate, _mm512_packs_epi32(sums[0], sums[1]));
    __m512i second = looked_up<look_up>(model.gate, _mm512_packs_epi32(sums[2], sums[3]));
    const __m512i narrow = _mm512_packs_epi32(sums[4], sums[5]);
    __m512i g = looked_up<look_up>(model.candidate, _mm512_adds_epi16(narrow, narrow));
    if constexpr (!plain) {
        first = _mm512_sllv_epi16(first, all(model.forget_up));
        second = _mm512_sllv_epi16(second, all(model.forget_up));
        g = _mm512_sllv_epi16(g, all(model.candidate_up));
    }
    const __m512i c = vector_at(lane.cell);
    const __m512i low = add_pairs(all(model.cell_addend), first, _mm512_unpacklo_epi16(g, c));
    const __m512i high = add_pairs(all(model.cell_addend), second, _mm512_unpackhi_epi16(g, c));
    __m512i kept = _mm512_packs_epi32(_mm512_srav_epi32(low, all(model.cell_drop)),
                                      _mm512_srav_epi32(high, all(model.cell_drop)));
    __m512i squash;
    if constexpr (plain) {
        squash = _mm512_adds_epi16(kept, kept);
    } else {
        kept = clamped(kept, model.cell_minimum, model.cell_maximum);
        squash = _mm512_sllv_epi16(clamped(kept, model.squash_minimum, model.squash_maximum), all(model.squash_up));
    }
    _mm512_store_si512(lane.cell, kept);
    __m512i t = looked_up<look_up>(model.candidate, squash);
    if constexpr (!plain) t = _mm512_sllv_epi16(t, all(model.squashed_up));
    const __m512i gate = looked_up<look_up>(model.gate, _mm512_packs_epi32(sums[6], sums[7]));
    const __m512i o = _mm512_sllv_epi16(gate, all(model.output_up));
    // (o * t + 2**14) >> 15: the rounding of h
    __m512i h = _mm512_mulhrs_epi16(o, t);
    if constexpr (!plain) {
        // what is cut off first lies below the rounding bit
        if (model.output_high) h = _mm512_mulhrs_epi16(_mm512_mulhi_epi16(o, t), all(model.output_round));
        h = clamped(h, model.hidden_minimum, model.hidden_maximum);
    }
    _mm512_store_si512(lane.hidden, h);
    if constexpr (bytes) {
        const __m256i narrowed = _mm512_cvtepi16_epi8(h);
        _mm256_store_si256(reinterpret_cast<__m256i*>(lane.bytes), _mm256_xor_si256(narrowed, _mm256_set1_epi8(-128)));
    }
    // h is read back from memory: GCC would rather cut it up in the register, three shuffles a group
    asm volatile("" : "+m"(lane.hidden), "+m"(lane.bytes));
}

// Logits, and the table entries that the scores take.
//
// A 128-bit lane of a sum holds one output's products with four groups of h; vector v of a block of four has the
// outputs v, v + 4, v + 8, v + 12. So a quarter of h serves all lanes, and one transposing addition ends the sums.
template <bool bytes>
PYORCH_INLINE void dense_of(const FusedModel& model, const FusedLane& lane, FusedBuffers& buffers) {
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
    __m512i index = _mm512_add_epi32(_mm512_srav_epi32(logits, all(model.sigmoid_shift)), all(model.sigmoid_middle));
    index = _mm512_min_epi32(_mm512_max_epi32(index, _mm512_setzero_si512()), all(model.sigmoid_last));
    index = _mm512_add_epi32(index, all(model.sigmoid_first));
    const __m512i next = _mm512_permutexvar_epi32(all(model.rotation), logits);
    const __m512i after = _mm512_permutexvar_epi32(all(model.rotation), next);
    const __m512i below = _mm512_sub_epi32(_mm512_max_epi32(_mm512_max_epi32(logits, next), after), logits);
    index = _mm512_mask_min_epi32(index, model.softmax_lanes, _mm512_srav_epi32(below, all(model.exp_shift)),
                                  all(model.exp_last));
    _mm512_store_si512(buffers.index, index);
    const __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(logits));
    const __m512i high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(logits, 1));
    _mm512_store_si512(buffers.logits, low);
    _mm512_store_si512(buffers.logits + 8, high);
    _mm512_store_si512(buffers.scores, low);
    _mm512_store_si512(buffers.scores + 8, high);
    asm volatile("" : "+m"(buffers.index));
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

[[gnu::noinline]] void softmax_of(const FusedModel& model, const Run& run, FusedBuffers& buffers) {
    const std::int64_t* logits = buffers.logits + run.first;
    const std::int64_t highest = *std::max_element(logits, logits + run.size);
    std::uint32_t index[fused_outputs];
    for (int k = 0; k < run.size; ++k) {
        const std::int64_t below = (highest - logits[k]) >> model.exp_shift.lanes[0];
        index[k] = static_cast<std::uint32_t>(std::min<std::int64_t>(below, model.exp_last.lanes[0]));
    }
    softmax<fused_outputs>(model, index, model.segments + 17 * run.first, buffers.scores + run.first, run.size);
}

PYORCH_INLINE void scores_of(const FusedModel& model, FusedBuffers& buffers) {
    for (int k = 0; k < model.softmaxes; ++k) {
        const Run run = model.softmax[k];
        if (run.size == 3) {
            softmax<3>(model, buffers.index + run.first, model.segments + 17 * run.first, buffers.scores + run.first);
        } else {
            softmax_of(model, run, buffers);
        }
    }
    for (int k = 0; k < model.sigmoid_runs; ++k) {
        const std::int64_t end = model.sigmoid_run[k].first + model.sigmoid_run[k].size;
#pragma GCC unroll 2
        for (std::int64_t at = model.sigmoid_run[k].first; at < end; ++at) {
            buffers.scores[at] = model.sigmoid_table[buffers.index[at]];
        }
    }
}

// R·h + b, scaled to x·W. Two chains: sixteen sums hide the latency of the dot product.
template <bool bytes>
PYORCH_INLINE void recurrent_of(const FusedModel& model, FusedLane& lane) {
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
        const __m512i sum = _mm512_add_epi32(even[v], odd[v]);
        _mm512_store_si512(lane.ready + 16 * v, _mm512_srav_epi32(sum, all(model.ready_shift)));
    }
}

template <int groups>
void pack(const FusedModel& model, FusedBuffers& buffers, const std::int32_t* features) {
    pack_of<groups>(model, buffers, features);
}

template <LookUp look_up, bool bytes, bool plain, int groups>
void advance(const FusedModel& model, FusedLane& lane, const FusedBuffers& buffers) {
    __m512i sums[vectors];
    sums_of<groups>(model, lane, buffers, sums);
    tail_of<look_up, bytes, plain>(model, lane, sums);
}

template <bool bytes>
void answer(const FusedModel& model, const FusedLane& lane, FusedBuffers& buffers) {
    dense_of<bytes>(model, lane, buffers);
    scores_of(model, buffers);
}

template <LookUp look_up, bool bytes, bool plain, int groups>
void step(const FusedModel& model, FusedLane& lane, FusedBuffers& buffers, const std::int32_t* features) {
    pack_of<groups>(model, buffers, features);
    __m512i sums[vectors];
    sums_of<groups>(model, lane, buffers, sums);
    tail_of<look_up, bytes, plain>(model, lane, sums);
    dense_of<bytes>(model, lane, buffers);
    scores_of(model, buffers);
}

template <bool bytes>
void recurrent(const FusedModel& model, FusedLane& lane) {
    recurrent_of<bytes>(model, lane);
}

template <int groups>
void input_part(const FusedModel& model, const FusedLane& lane, FusedBuffers& buffers) {
    __m512i sums[vectors];
    sums_of<groups>(model, lane, buffers, sums);
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) _mm512_store_si512(buffers.sums + 16 * v, sums[v]);
}

template <LookUp look_up, bool bytes, bool plain>
void tail_part(const FusedModel& model, FusedLane& lane, const FusedBuffers& buffers) {
    __m512i sums[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sums[v] = vector_at(buffers.sums + 16 * v);
    tail_of<look_up, bytes, plain>(model, lane, sums);
}

template <bool bytes>
void dense_part(const FusedModel& model, const FusedLane& lane, FusedBuffers& buffers) {
    dense_of<bytes>(model, lane, buffers);
}

void scores_part(const FusedModel& model, FusedBuffers& buffers) { scores_of(model, buffers); }

template <LookUp look_up, bool bytes, bool plain, int groups>
constexpr FusedKernels kernels{pack<groups>,
                               advance<look_up, bytes, plain, groups>,
                               answer<bytes>,
                               step<look_up, bytes, plain, groups>,
                               recurrent<bytes>,
                               input_part<groups>,
                               tail_part<look_up, bytes, plain>,
                               dense_part<bytes>,
                               scores_part};

// Sixteen features and plain formats, the shape of the presets, are known when compiled.
template <LookUp look_up, bool bytes>
const FusedKernels* kernels_of(const FusedModel& model) {
    if (model.features != 16) return &kernels<look_up, bytes, false, 0>;
    if (look_up == LookUp::lines && model.plain) return &kernels<look_up, bytes, look_up == LookUp::lines, 4>;
    return &kernels<look_up, bytes, false, 4>;
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
