// LSTM kernels for AVX-512 with VNNI.
#include "lstm_kernels.hpp"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>

#include "lstm_products_avx512.hpp"
#include "lstm_tables_avx512.hpp"

namespace pyorch {
namespace {

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

// Two vectors of sums to words that index a table, in the order of the pack; then one of such words.
PYORCH_INLINE __m512i widened(__m512i words, int up) {
    if (up == 0) return words;
    words = _mm512_max_epi16(words, _mm512_set1_epi16(static_cast<short>(-(32768 >> up))));
    words = _mm512_min_epi16(words, _mm512_set1_epi16(static_cast<short>(32767 >> up)));
    return _mm512_sll_epi16(words, _mm_cvtsi32_si128(up));
}
PYORCH_INLINE __m512i to_words(const WordScale& scale, __m512i low, __m512i high) {
    const __m128i drop = _mm_cvtsi32_si128(scale.drop);
    return widened(_mm512_packs_epi32(_mm512_sra_epi32(low, drop), _mm512_sra_epi32(high, drop)), scale.up);
}
PYORCH_INLINE __m512i to_words(const WordScale& scale, __m512i words) {
    return widened(_mm512_sra_epi16(words, _mm_cvtsi32_si128(scale.drop)), scale.up);
}

// The tail on words, 32 units at once. Packing two vectors to words interleaves them in groups of four, and
// unpacking undoes just that, so c and h stay in order in memory.
template <LookUp look_up>
void compact_tail(const Tail& tail, const std::int32_t* gates, std::int32_t* cell, std::int32_t* hidden,
                  const Activations& packed) {
    const CompactTail& compact = tail.compact;
    const int units = tail.units;
    const SymmetricTable &gate = *compact.gate, &candidate = *compact.candidate;
    for (int u = 0; u < units; u += 2 * lanes) {
        const auto words = [&](int block, const WordScale& scale) __attribute__((always_inline)) {
            return to_words(scale, _mm512_loadu_si512(sums_of(tail, gates, block, u)),
                            _mm512_loadu_si512(sums_of(tail, gates, block, u + lanes)));
        };
        const __m512i i = looked_up<look_up>(gate, words(0, compact.gate_scale));
        const __m512i g = _mm512_sll_epi16(looked_up<look_up>(candidate, words(2, compact.candidate_scale)),
                                           _mm_cvtsi32_si128(compact.candidate_up));
        const __m512i f = _mm512_sll_epi16(looked_up<look_up>(gate, words(1, compact.gate_scale)),
                                           _mm_cvtsi32_si128(compact.forget_up));
        const __m512i o = _mm512_sll_epi16(looked_up<look_up>(gate, words(3, compact.gate_scale)),
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
        const __m512i squash = to_words(compact.squash_scale, _mm512_packs_epi32(first, second));
        const __m512i t = looked_up<look_up>(candidate, squash);
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
        switch (tail.compact.look_up) {
            case LookUp::permute_2: return compact_tail<LookUp::permute_2>(tail, gates, cell, hidden, packed);
            case LookUp::permute_8: return compact_tail<LookUp::permute_8>(tail, gates, cell, hidden, packed);
            default: return compact_tail<LookUp::lines>(tail, gates, cell, hidden, packed);
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

constexpr Kernels kernels{"avx512vnni", lanes, 4, 2, largest_block, largest_split, product, tail, convert_dense, pack, stream,
                          product_of_rows};

}  // namespace

const Kernels* avx512vnni_kernels() { return &kernels; }

}  // namespace pyorch
#else
namespace pyorch {
const Kernels* avx512vnni_kernels() { return nullptr; }
}  // namespace pyorch
#endif
