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

inline __m512i convert(__m512i value, int addend, __m512i drop, int minimum, int maximum) {
    value = _mm512_add_epi32(value, _mm512_set1_epi32(addend));
    value = _mm512_srav_epi32(value, drop);
    value = _mm512_max_epi32(value, _mm512_set1_epi32(minimum));
    return _mm512_min_epi32(value, _mm512_set1_epi32(maximum));
}

inline __m512i convert(__m512i value, int addend, int drop, int minimum, int maximum) {
    return convert(value, addend, _mm512_set1_epi32(drop), minimum, maximum);
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

// A scale with its counts in vectors: a shift by a vector of counts is one micro-operation, by a register two.
struct Scale {
    __m512i drop, up, lowest, highest;
    bool widens;

    PYORCH_INLINE explicit Scale(const WordScale& scale, bool of_words = false)
        : drop(of_words ? words(scale.drop) : _mm512_set1_epi32(scale.drop)), up(words(scale.up)),
          lowest(words(-(32768 >> scale.up))), highest(words(32767 >> scale.up)), widens(scale.up > 0) {}
    PYORCH_INLINE static __m512i words(int value) { return _mm512_set1_epi16(static_cast<short>(value)); }
    PYORCH_INLINE __m512i widened(__m512i value) const {
        if (!widens) return value;
        return _mm512_sllv_epi16(_mm512_min_epi16(_mm512_max_epi16(value, lowest), highest), up);
    }
    // Two vectors of sums to words that index a table, in the order of the pack.
    PYORCH_INLINE __m512i packed(__m512i low, __m512i high) const {
        return _mm512_packs_epi32(_mm512_srav_epi32(low, drop), _mm512_srav_epi32(high, drop));
    }
    PYORCH_INLINE __m512i of(__m512i low, __m512i high) const { return widened(packed(low, high)); }
    PYORCH_INLINE __m512i of(__m512i value) const { return widened(_mm512_srav_epi16(value, drop)); }
};

// The tail on words, 32 units at once. Packing two vectors to words interleaves them in groups of four, and unpacking undoes
// just that, so c and h stay in order in memory; words and bytes that are not unpacked are put in order in fours.
//
// From c to h is one chain of latencies; the look-ups of the next 32 units stand in its gaps, because the processor does not
// look far enough ahead to put them there, least of all when a neighbour has half of what it looks at.
template <LookUp look_up, bool plain>
struct CompactKernel {
    const Tail& tail;
    const std::int32_t* gates;
    std::int32_t *cell, *hidden;
    const Activations& packed;
    const Scale gate_scale{tail.compact.gate_scale}, candidate_scale{tail.compact.candidate_scale};
    const Scale squash_scale{tail.compact.squash_scale, true};
    const __m512i forget_up = Scale::words(tail.compact.forget_up), candidate_up = Scale::words(tail.compact.candidate_up);
    const __m512i output_up = Scale::words(tail.compact.output_up), output_round = Scale::words(tail.compact.output_round);
    const __m512i cell_addend = _mm512_set1_epi32(tail.cell_addend), cell_drop = _mm512_set1_epi32(tail.cell_drop);
    const __m512i hidden_minimum = Scale::words(tail.hidden_minimum), hidden_maximum = Scale::words(tail.hidden_maximum);

    struct Gates {
        __m512i i, f, g, o;
    };
    // The sums of 32 units: those of a gate lie `step` behind those of the one before.
    struct Sums {
        const std::int32_t *low, *high;
        int low_step, high_step;
    };

    PYORCH_INLINE Sums sums(int u) const {
        const int left = tail.units - tail.whole, high = u + lanes;
        const std::int32_t* rest = gates + 4 * tail.whole;
        return {u < tail.whole ? gates + 4 * u : rest, high < tail.whole ? gates + 4 * high : rest,
                u < tail.whole ? lanes : left, high < tail.whole ? lanes : left};
    }
    PYORCH_INLINE __m512i words(int block, const Sums& of, const Scale& scale) const {
        const __m512i low = _mm512_loadu_si512(of.low + block * of.low_step);
        const __m512i high = _mm512_loadu_si512(of.high + block * of.high_step);
        return plain ? scale.packed(low, high) : scale.of(low, high);
    }
    PYORCH_INLINE __m512i up(__m512i value, __m512i count) const { return plain ? value : _mm512_sllv_epi16(value, count); }
    PYORCH_INLINE __m512i gate(int block, const Sums& of) const {
        return looked_up<look_up>(*tail.compact.gate, words(block, of, gate_scale));
    }
    PYORCH_INLINE __m512i i(const Sums& of) const { return gate(0, of); }
    PYORCH_INLINE __m512i f(const Sums& of) const { return up(gate(1, of), forget_up); }
    PYORCH_INLINE __m512i o(const Sums& of) const { return _mm512_sllv_epi16(gate(3, of), output_up); }
    PYORCH_INLINE __m512i g(const Sums& of) const {
        return up(looked_up<look_up>(*tail.compact.candidate, words(2, of, candidate_scale)), candidate_up);
    }
    // f*c + i*g before c's clamps.
    PYORCH_INLINE __m512i kept(__m512i gate_pairs, __m512i value_pairs) const {
        __m512i sum = cell_addend;
        asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(gate_pairs), "v"(value_pairs));
        return _mm512_srav_epi32(sum, cell_drop);
    }
    PYORCH_INLINE __m512i clamped_cell(__m512i value) const {
        return _mm512_min_epi32(_mm512_max_epi32(value, _mm512_set1_epi32(tail.cell_minimum)),
                                _mm512_set1_epi32(tail.cell_maximum));
    }
    PYORCH_INLINE __m512i product(__m512i left, __m512i right) const {
        return convert(_mm512_madd_epi16(left, right), tail.hidden_addend, tail.hidden_drop, tail.hidden_minimum,
                       tail.hidden_maximum);
    }
    // (o * t * 2**output_up + 2**14) >> 15: the rounding of h; what is cut off first lies below the rounding bit
    PYORCH_INLINE __m512i rounded(__m512i o, __m512i t) const {
        if (tail.compact.output_high) return _mm512_mulhrs_epi16(_mm512_mulhi_epi16(o, t), output_round);
        return _mm512_mulhrs_epi16(o, t);
    }
    PYORCH_INLINE __m512i cells(int u) const {
        if constexpr (plain) {
            const __m512i inner = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
            return _mm512_permutexvar_epi64(inner, _mm512_loadu_si512(reinterpret_cast<const std::int16_t*>(cell) + u));
        }
        return _mm512_packs_epi32(_mm512_loadu_si512(cell + u), _mm512_loadu_si512(cell + u + lanes));
    }
    PYORCH_INLINE __m512i store_cells(int u, __m512i first, __m512i second) const {
        if constexpr (plain) {
            const __m512i both = _mm512_packs_epi32(first, second);
            const __m512i outer = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
            _mm512_storeu_si512(reinterpret_cast<std::int16_t*>(cell) + u, _mm512_permutexvar_epi64(outer, both));
            return _mm512_adds_epi16(both, both);
        } else {
            first = clamped_cell(first);
            second = clamped_cell(second);
            _mm512_storeu_si512(cell + u, first);
            _mm512_storeu_si512(cell + u + lanes, second);
            return squash_scale.of(_mm512_packs_epi32(first, second));
        }
    }
    PYORCH_INLINE void store_hidden(int u, __m512i o, __m512i t) const {
        if constexpr (plain) {
            const __m256i inner = _mm512_cvtsepi16_epi8(rounded(o, t));  // saturates as h does
            const __m256i bytes = _mm256_permutevar8x32_epi32(inner, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(packed.low + u), _mm256_xor_si256(bytes, _mm256_set1_epi8(-128)));
            return;
        }
        __m512i low, high;
        if (tail.compact.rounding_multiply) {
            const __m512i h = _mm512_min_epi16(_mm512_max_epi16(rounded(o, t), hidden_minimum), hidden_maximum);
            const __m512i sign = _mm512_srai_epi16(h, 15);
            low = _mm512_unpacklo_epi16(h, sign);
            high = _mm512_unpackhi_epi16(h, sign);
        } else {
            const __m512i zero = _mm512_setzero_si512();
            low = product(_mm512_unpacklo_epi16(o, zero), _mm512_unpacklo_epi16(t, zero));
            high = product(_mm512_unpackhi_epi16(o, zero), _mm512_unpackhi_epi16(t, zero));
        }
        _mm512_storeu_si512(hidden + u, low);
        _mm512_storeu_si512(hidden + u + lanes, high);
        pack_vector(tail.packing, low, u, packed);
        pack_vector(tail.packing, high, u + lanes, packed);
    }

    // c and h of the units from u on, and the gates of those behind them.
    template <bool more>
    PYORCH_INLINE Gates thirty_two(int u, const Gates& now) const {
        Gates next{};
        Sums of{};
        if constexpr (more) of = sums(u + 2 * lanes);
        const __m512i c = cells(u);
        const __m512i first = kept(_mm512_unpacklo_epi16(now.i, now.f), _mm512_unpacklo_epi16(now.g, c));
        const __m512i second = kept(_mm512_unpackhi_epi16(now.i, now.f), _mm512_unpackhi_epi16(now.g, c));
        if constexpr (more) next.i = i(of);
        const __m512i squash = store_cells(u, first, second);
        if constexpr (more) next.g = g(of);
        const __m512i t = looked_up<look_up>(*tail.compact.candidate, squash);
        if constexpr (more) next.f = f(of);
        store_hidden(u, now.o, t);
        if constexpr (more) next.o = o(of);
        return next;
    }

    void all_units() const {
        const Sums of = sums(0);
        Gates now{i(of), f(of), g(of), o(of)};
        int u = 0;
        for (; u + 2 * lanes < tail.units; u += 2 * lanes) now = thirty_two<true>(u, now);
        thirty_two<false>(u, now);
    }
};

template <LookUp look_up>
void compact_tail(const Tail& tail, const std::int32_t* gates, std::int32_t* cell, std::int32_t* hidden,
                  const Activations& packed) {
    if (tail.compact.plain) return CompactKernel<look_up, true>{tail, gates, cell, hidden, packed}.all_units();
    CompactKernel<look_up, false>{tail, gates, cell, hidden, packed}.all_units();
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

// What no kernel that reads its weights for every tick can beat: one dot-product instruction for every 64 bytes of them,
// sixteen sums, nothing else.
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
