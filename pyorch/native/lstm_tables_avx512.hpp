// Looking tables up with AVX-512: for the kernels alone, compiled with their instruction set, inlined everywhere.
#pragma once

#include <immintrin.h>

#include "lstm_tables.hpp"

#define PYORCH_INLINE [[gnu::always_inline]] inline

namespace pyorch {
namespace {

PYORCH_INLINE __m512i all(const Constant& constant) { return _mm512_load_si512(constant.lanes); }
PYORCH_INLINE void add_where(__m512i& value, __mmask32 where, const Constant& constant) {
    asm("vpaddw %2, %0, %0%{%1%}" : "+v"(value) : "Yk"(where), "m"(*reinterpret_cast<const __m512i*>(constant.lanes)));
}

// Entry `index` of 64 * chunks words, by permutes of 64 and blends on the higher bits.
template <int chunks>
PYORCH_INLINE __m512i permuted(const void* entries, __m512i index) {
    if constexpr (chunks == 1) {
        const auto* vector = static_cast<const __m512i*>(entries);
        return _mm512_permutex2var_epi16(_mm512_load_si512(vector), index, _mm512_load_si512(vector + 1));
    } else {
        const __m512i low = permuted<chunks / 2>(entries, index);
        const __m512i high = permuted<chunks / 2>(static_cast<const __m512i*>(entries) + chunks, index);
        return _mm512_mask_mov_epi16(low, _mm512_test_epi16_mask(index, _mm512_set1_epi16(32 * chunks)), high);
    }
}

template <LookUp look_up>
PYORCH_INLINE __m512i looked_up(const SymmetricTable& table, __m512i value) {
    const __m512i sign = _mm512_srai_epi16(value, 15);
    const __m512i side = _mm512_xor_si512(value, sign);
    if constexpr (look_up == LookUp::lines) {
        const __m512i segment = _mm512_srli_epi16(side, 9);
        const __m512i step = _mm512_and_si512(_mm512_srli_epi16(side, 6), _mm512_set1_epi16(7));
        const __m512i line = permuted<1>(table.lines, segment);
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

}  // namespace
}  // namespace pyorch
