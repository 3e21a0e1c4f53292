// The tail of the fused tick for AVX-512 with VNNI: tables, c and h of 32 units. For lstm_fused_avx512.cpp alone: compiled
// with its instruction set, inlined everywhere.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "lstm_fused.hpp"
#include "lstm_tables_avx512.hpp"

namespace pyorch {
namespace {

constexpr int vectors = fused_columns / 16;

PYORCH_INLINE __m512i vector_at(const void* source) { return _mm512_load_si512(source); }
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

}  // namespace
}  // namespace pyorch
