// LSTM kernels for AVX-512 with VNNI.
#include "lstm_kernels.hpp"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>

#include <cstring>
#include <utility>

namespace pyorch {
namespace {

constexpr int lanes = 16;
constexpr int largest_block = 26;  // of 32 registers: 26 sums, an activation, and what the compiler needs
constexpr int largest_split = 13;

inline __m512i broadcast(const void* source) {
    std::int32_t four;
    std::memcpy(&four, source, sizeof four);
    return _mm512_set1_epi32(four);
}

template <int size>
inline void store(const __m512i (&sum)[size], int shift, const std::int32_t* start, std::int32_t* out) {
    const __m128i count = _mm_cvtsi32_si128(shift);
#pragma GCC unroll 32
    for (int v = 0; v < size; ++v) {
        const __m512i begin = _mm512_loadu_si512(start + v * lanes);
        _mm512_storeu_si512(out + v * lanes, _mm512_add_epi32(begin, _mm512_sll_epi32(sum[v], count)));
    }
}

enum class Form { bytes, split, words };

// The dot products as instructions: through intrinsics GCC 12 copies every sum to another register and back,
// which halves the speed.
inline void add_bytes(__m512i& sum, __m512i values, const __m512i& weights) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(values), "m"(weights));
}
inline void add_bytes_in_register(__m512i& sum, __m512i values, __m512i weights) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(values), "v"(weights));
}
inline void add_words(__m512i& sum, __m512i values, const __m512i& weights) {
    asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(values), "m"(weights));
}

// One group of inputs into the sums of a block.
template <int size, Form form>
inline void add_group(const Activations& values, int g, const char* weights, __m512i (&low)[size],
                      __m512i (&high)[size]) {
    const auto* weight = reinterpret_cast<const __m512i*>(weights);
    if constexpr (form == Form::words) {
        const __m512i value = broadcast(values.words + 2 * g);
#pragma GCC unroll 32
        for (int v = 0; v < size; ++v) add_words(low[v], value, weight[v]);
    } else if constexpr (form == Form::split) {
        const __m512i value = broadcast(values.low + 4 * g), upper = broadcast(values.high + 4 * g);
#pragma GCC unroll 32
        for (int v = 0; v < size; ++v) {
            const __m512i both = _mm512_load_si512(weight + v);
            add_bytes_in_register(low[v], value, both);
            add_bytes_in_register(high[v], upper, both);
        }
    } else {
        const __m512i value = broadcast(values.low + 4 * g);
#pragma GCC unroll 32
        for (int v = 0; v < size; ++v) add_bytes(low[v], value, weight[v]);
    }
}

template <int size>
inline void clear(__m512i (&sums)[size]) {
#pragma GCC unroll 32
    for (int v = 0; v < size; ++v) sums[v] = _mm512_setzero_si512();
}

template <int size>
inline void add(__m512i (&sums)[size], const __m512i (&others)[size], int up) {
#pragma GCC unroll 32
    for (int v = 0; v < size; ++v) sums[v] = _mm512_add_epi32(sums[v], _mm512_slli_epi32(others[v], up));
}

template <int size, Form form>
void block(const Matrix& matrix, const Activations& values, const char* weights, const std::int32_t* start,
           std::int32_t* out) {
    constexpr int planes = form == Form::split ? 2 : 1;
    // few sums are a chain of latencies: even and odd groups then have sums of their own
    constexpr bool two_chains = 2 * size * planes <= 24;
    constexpr int stride = size * 64;
    __m512i low[size], high[size], odd_low[size], odd_high[size];
    clear(low);
    clear(high);
    clear(odd_low);
    clear(odd_high);
    int g = 0;
    if constexpr (two_chains) {
        for (; g + 1 < matrix.groups; g += 2) {
            add_group<size, form>(values, g, weights, low, high);
            add_group<size, form>(values, g + 1, weights + stride, odd_low, odd_high);
            weights += 2 * stride;
        }
    }
    for (; g < matrix.groups; ++g, weights += stride) add_group<size, form>(values, g, weights, low, high);
    if constexpr (two_chains) {
        add(low, odd_low, 0);
        if constexpr (form == Form::split) add(high, odd_high, 0);
    }
    if constexpr (form == Form::split) add(low, high, 8);
    store(low, matrix.shift, start, out);
}

using Block = void (*)(const Matrix&, const Activations&, const char*, const std::int32_t*, std::int32_t*);

template <Form form, int... sizes>
void blocks(const Matrix& matrix, const Activations& values, const std::int32_t* start, std::int32_t* out,
            std::integer_sequence<int, sizes...>) {
    static constexpr Block of_size[] = {block<sizes + 1, form>...};
    const Blocks split = matrix.blocks;
    const char* weights = static_cast<const char*>(matrix.data);
    for (int b = 0; b < split.count; ++b) {
        const int size = split.size + (b < split.longer);
        of_size[size - 1](matrix, values, weights, start, out);
        weights += static_cast<std::int64_t>(size) * matrix.groups * 64;
        start += size * lanes;
        out += size * lanes;
    }
}

void product(const Matrix& matrix, const Activations& values, const std::int32_t* start, std::int32_t* out) {
    if (!matrix.bytes) {
        blocks<Form::words>(matrix, values, start, out, std::make_integer_sequence<int, largest_block>{});
    } else if (matrix.split) {
        blocks<Form::split>(matrix, values, start, out, std::make_integer_sequence<int, largest_split>{});
    } else {
        blocks<Form::bytes>(matrix, values, start, out, std::make_integer_sequence<int, largest_block>{});
    }
}

template <bool truncate>
inline __m512i look_up(const std::int32_t* table, __m512i value, __m128i shift, __m512i half, __m512i last) {
    if constexpr (truncate) {
        // towards zero: a negative value first gains 2**shift - 1
        const __m512i ones = _mm512_sub_epi32(_mm512_sll_epi32(_mm512_set1_epi32(1), shift), _mm512_set1_epi32(1));
        value = _mm512_add_epi32(value, _mm512_and_si512(_mm512_srai_epi32(value, 31), ones));
    }
    __m512i index = _mm512_add_epi32(_mm512_sra_epi32(value, shift), half);
    index = _mm512_min_epi32(_mm512_max_epi32(index, _mm512_setzero_si512()), last);
    return _mm512_i32gather_epi32(index, table, 4);
}

inline __m512i convert(__m512i value, int addend, int drop, int minimum, int maximum) {
    value = _mm512_add_epi32(value, _mm512_set1_epi32(addend));
    value = _mm512_sra_epi32(value, _mm_cvtsi32_si128(drop));
    value = _mm512_max_epi32(value, _mm512_set1_epi32(minimum));
    return _mm512_min_epi32(value, _mm512_set1_epi32(maximum));
}

inline void pack_vector(const Packing& packing, __m512i value, int at, const Activations& packed) {
    if (packing.bytes) {
        const __m512i low = _mm512_add_epi32(value, _mm512_set1_epi32(packing.low_offset));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(packed.low + at), _mm512_cvtepi32_epi8(low));
        if (packing.split) {
            const __m512i high =
                _mm512_add_epi32(_mm512_srai_epi32(value, 8), _mm512_set1_epi32(packing.high_offset));
            _mm_storeu_si128(reinterpret_cast<__m128i*>(packed.high + at), _mm512_cvtepi32_epi8(high));
        }
    }
    if (packing.words) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(packed.words + at), _mm512_cvtepi32_epi16(value));
    }
}

// The sums of a gate for the units from u on.
inline const std::int32_t* sums_of(const Tail& tail, const std::int32_t* gates, int gate, int u) {
    const int whole = tail.whole;
    return u < whole ? gates + 4 * u + gate * lanes : gates + 4 * whole + gate * (tail.units - whole);
}

template <bool truncate>
inline void tail_of(const Tail& tail, const std::int32_t* gates, std::int32_t* cell, std::int32_t* hidden,
                    const Activations& packed) {
    const int units = tail.units;
    const __m128i gate_shift = _mm_cvtsi32_si128(tail.gate_shift);
    const __m128i candidate_shift = _mm_cvtsi32_si128(tail.candidate_shift);
    const __m128i squash_shift = _mm_cvtsi32_si128(tail.squash_shift);
    const __m512i gate_half = _mm512_set1_epi32(tail.gate_half);
    const __m512i gate_last = _mm512_set1_epi32(2 * tail.gate_half - 1);
    const __m512i candidate_half = _mm512_set1_epi32(tail.candidate_half);
    const __m512i candidate_last = _mm512_set1_epi32(2 * tail.candidate_half - 1);
    for (int u = 0; u < units; u += lanes) {
        const auto gate = [&](int block) { return _mm512_loadu_si512(sums_of(tail, gates, block, u)); };
        const __m512i f = look_up<truncate>(tail.forget_gate, gate(1), gate_shift, gate_half, gate_last);
        const __m512i i = look_up<truncate>(tail.input_gate, gate(0), gate_shift, gate_half, gate_last);
        const __m512i g = look_up<truncate>(tail.candidate, gate(2), candidate_shift, candidate_half, candidate_last);
        const __m512i o = look_up<truncate>(tail.output_gate, gate(3), gate_shift, gate_half, gate_last);
        // word pairs (f, i) and (c, g): one multiply-add is f*c + i*g
        const __m512i c = _mm512_loadu_si512(cell + u);
        const __m512i fi = _mm512_or_si512(_mm512_slli_epi32(f, 16), i);
        const __m512i cg = _mm512_mask_blend_epi16(0xAAAAAAAA, g, _mm512_slli_epi32(c, 16));
        const __m512i kept = convert(_mm512_madd_epi16(fi, cg), tail.cell_addend, tail.cell_drop,
                                     tail.cell_minimum, tail.cell_maximum);
        _mm512_storeu_si512(cell + u, kept);
        const __m512i t = look_up<truncate>(tail.squash, kept, squash_shift, candidate_half, candidate_last);
        // o is not negative, so the upper words of the pairs multiply to zero
        const __m512i h = convert(_mm512_madd_epi16(o, t), tail.hidden_addend, tail.hidden_drop,
                                  tail.hidden_minimum, tail.hidden_maximum);
        _mm512_storeu_si512(hidden + u, h);
        pack_vector(tail.packing, h, u, packed);
    }
}

// Entry `index` of 64 * chunks words, by permutes of 64 and blends on the higher bits.
template <int chunks>
[[gnu::always_inline]] inline __m512i permuted(const std::int16_t* entries, __m512i index) {
    if constexpr (chunks == 1) {
        return _mm512_permutex2var_epi16(_mm512_load_si512(entries), index, _mm512_load_si512(entries + 32));
    } else {
        const __m512i low = permuted<chunks / 2>(entries, index);
        const __m512i high = permuted<chunks / 2>(entries + 32 * chunks, index);
        return _mm512_mask_mov_epi16(low, _mm512_test_epi16_mask(index, _mm512_set1_epi16(32 * chunks)), high);
    }
}

template <int chunks>
[[gnu::always_inline]] inline __m512i symmetric(const HalfTable& table, __m512i bin) {
    const __m512i sign = _mm512_srai_epi16(bin, 15);
    const __m512i side = _mm512_min_epu16(_mm512_xor_si512(bin, sign), _mm512_set1_epi16(static_cast<short>(table.last)));
    const __m512i left = permuted<chunks>(table.entries, side);
    const __m512i mirrored = _mm512_sub_epi16(_mm512_set1_epi16(static_cast<short>(table.complement)), left);
    const __m512i right = _mm512_min_epi16(mirrored, _mm512_set1_epi16(static_cast<short>(table.maximum)));
    return _mm512_mask_mov_epi16(right, _mm512_movepi16_mask(bin), left);
}

// The tail on words, 32 units at once. Packing two vectors to words interleaves them in groups of four, and
// unpacking undoes just that, so c and h stay in order in memory.
template <int chunks>
void compact_tail(const Tail& tail, const std::int32_t* gates, std::int32_t* cell, std::int32_t* hidden,
                  const Activations& packed) {
    const CompactTail& compact = tail.compact;
    const int units = tail.units;
    const __m128i gate_shift = _mm_cvtsi32_si128(compact.gate.shift);
    const __m128i candidate_shift = _mm_cvtsi32_si128(compact.candidate.shift);
    for (int u = 0; u < units; u += 2 * lanes) {
        const auto bins = [&](int block, __m128i shift) __attribute__((always_inline)) {
            const __m512i low = _mm512_loadu_si512(sums_of(tail, gates, block, u));
            const __m512i high = _mm512_loadu_si512(sums_of(tail, gates, block, u + lanes));
            return _mm512_packs_epi32(_mm512_sra_epi32(low, shift), _mm512_sra_epi32(high, shift));
        };
        const __m512i i = symmetric<chunks>(compact.gate, bins(0, gate_shift));
        const __m512i g = _mm512_sll_epi16(symmetric<chunks>(compact.candidate, bins(2, candidate_shift)),
                                           _mm_cvtsi32_si128(compact.candidate_up));
        const __m512i f = _mm512_sll_epi16(symmetric<chunks>(compact.gate, bins(1, gate_shift)),
                                           _mm_cvtsi32_si128(compact.forget_up));
        const __m512i o = _mm512_sll_epi16(symmetric<chunks>(compact.gate, bins(3, gate_shift)),
                                           _mm_cvtsi32_si128(compact.output_up));
        const __m512i c = _mm512_packs_epi32(_mm512_loadu_si512(cell + u), _mm512_loadu_si512(cell + u + lanes));
        const auto kept = [&](__m512i gate_pairs, __m512i value_pairs) {
            return convert(_mm512_madd_epi16(gate_pairs, value_pairs), tail.cell_addend, tail.cell_drop,
                           tail.cell_minimum, tail.cell_maximum);
        };
        const __m512i first = kept(_mm512_unpacklo_epi16(i, f), _mm512_unpacklo_epi16(g, c));
        const __m512i second = kept(_mm512_unpackhi_epi16(i, f), _mm512_unpackhi_epi16(g, c));
        _mm512_storeu_si512(cell + u, first);
        _mm512_storeu_si512(cell + u + lanes, second);
        const __m512i bin = _mm512_sra_epi16(_mm512_packs_epi32(first, second), _mm_cvtsi32_si128(compact.squash_shift));
        const __m512i t = symmetric<chunks>(compact.candidate, bin);
        __m512i low, high;
        if (compact.rounding_multiply) {
            // (o * t * 2**output_up + 2**14) >> 15: the rounding of h
            __m512i h = _mm512_mulhrs_epi16(o, t);
            h = _mm512_max_epi16(h, _mm512_set1_epi16(static_cast<short>(tail.hidden_minimum)));
            h = _mm512_min_epi16(h, _mm512_set1_epi16(static_cast<short>(tail.hidden_maximum)));
            const __m512i sign = _mm512_srai_epi16(h, 15);
            low = _mm512_unpacklo_epi16(h, sign);
            high = _mm512_unpackhi_epi16(h, sign);
        } else {
            const __m512i zero = _mm512_setzero_si512();
            const auto product = [&](__m512i left, __m512i right) {
                return convert(_mm512_madd_epi16(left, right), tail.hidden_addend, tail.hidden_drop,
                               tail.hidden_minimum, tail.hidden_maximum);
            };
            low = product(_mm512_unpacklo_epi16(o, zero), _mm512_unpacklo_epi16(t, zero));
            high = product(_mm512_unpackhi_epi16(o, zero), _mm512_unpackhi_epi16(t, zero));
        }
        _mm512_storeu_si512(hidden + u, low);
        _mm512_storeu_si512(hidden + u + lanes, high);
        pack_vector(tail.packing, low, u, packed);
        pack_vector(tail.packing, high, u + lanes, packed);
    }
}

void tail(const Tail& tail, const std::int32_t* gates, std::int32_t* cell, std::int32_t* hidden,
          const Activations& packed) {
    if (tail.compact.usable) {
        switch (tail.compact.chunks) {
            case 1: return compact_tail<1>(tail, gates, cell, hidden, packed);
            case 2: return compact_tail<2>(tail, gates, cell, hidden, packed);
            case 4: return compact_tail<4>(tail, gates, cell, hidden, packed);
            default: return compact_tail<8>(tail, gates, cell, hidden, packed);
        }
    }
    if (tail.truncate) {
        tail_of<true>(tail, gates, cell, hidden, packed);
    } else {
        tail_of<false>(tail, gates, cell, hidden, packed);
    }
}

void convert_dense(const Conversion& to, int count, const std::int32_t* sums, std::int32_t* values,
                   std::int64_t* wide) {
    for (int at = 0; at < count; at += lanes) {
        const __m512i value = convert(_mm512_loadu_si512(sums + at), to.addend, to.drop, to.minimum, to.maximum);
        _mm512_storeu_si512(values + at, value);
        _mm512_storeu_si512(wide + at, _mm512_cvtepi32_epi64(_mm512_castsi512_si256(value)));
        _mm512_storeu_si512(wide + at + 8, _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(value, 1)));
    }
}

void pack(const Packing& packing, int count, const std::int32_t* values, const Activations& packed) {
    for (int at = 0; at < count; at += lanes) {
        const int left = count - at;
        const __mmask16 mask = left >= lanes ? 0xFFFF : static_cast<__mmask16>((1 << left) - 1);
        pack_vector(packing, _mm512_maskz_loadu_epi32(mask, values + at), at, packed);
    }
}

// What no kernel can beat: one dot-product instruction for every 64 bytes of weights, sixteen sums, nothing else.
void stream(const char* weights, std::int64_t vectors) {
    __m512i sums[lanes];
    clear(sums);
    const __m512i value = _mm512_set1_epi8(1);
    for (std::int64_t v = 0; v + lanes <= vectors; v += lanes) {
        const auto* weight = reinterpret_cast<const __m512i*>(weights + v * 64);
#pragma GCC unroll 16
        for (int k = 0; k < lanes; ++k) asm volatile("vpdpbusd %2, %1, %0" : "+v"(sums[k]) : "v"(value), "m"(weight[k]));
    }
}

constexpr Kernels kernels{"avx512vnni", lanes, 4, 2, largest_block, largest_split, product, tail, convert_dense, pack, stream};

}  // namespace

const Kernels* avx512vnni_kernels() { return &kernels; }

}  // namespace pyorch
#else
namespace pyorch {
const Kernels* avx512vnni_kernels() { return nullptr; }
}  // namespace pyorch
#endif
