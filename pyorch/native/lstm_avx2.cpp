// LSTM kernels for AVX2: words only (vpmaddwd); its byte product saturates.
#include "lstm_kernels.hpp"

#if defined(__AVX2__)
#include <immintrin.h>

#include <cstring>

namespace pyorch {
namespace {

constexpr int lanes = 8;
constexpr int largest_block = 13;  // of 16 registers: 13 sums, an activation, a product

template <int size>
void block(const Matrix& matrix, const Activations& values, const char* weights, const std::int32_t* start,
           std::int32_t* out) {
    __m256i sum[size];
#pragma GCC unroll 16
    for (int v = 0; v < size; ++v) sum[v] = _mm256_setzero_si256();
    for (int g = 0; g < matrix.groups; ++g, weights += size * 32) {
        std::int32_t two;
        std::memcpy(&two, values.words + 2 * g, sizeof two);
        const __m256i value = _mm256_set1_epi32(two);
#pragma GCC unroll 16
        for (int v = 0; v < size; ++v) {
            const __m256i weight = _mm256_load_si256(reinterpret_cast<const __m256i*>(weights + v * 32));
            sum[v] = _mm256_add_epi32(sum[v], _mm256_madd_epi16(value, weight));
        }
    }
    const __m128i count = _mm_cvtsi32_si128(matrix.shift);
#pragma GCC unroll 16
    for (int v = 0; v < size; ++v) {
        const __m256i begin = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(start + v * lanes));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + v * lanes),
                            _mm256_add_epi32(begin, _mm256_sll_epi32(sum[v], count)));
    }
}

template <int size>
void dispatch(int wanted, const Matrix& matrix, const Activations& values, const char* weights,
              const std::int32_t* start, std::int32_t* out) {
    if constexpr (size == 1) {
        block<1>(matrix, values, weights, start, out);
    } else if (wanted == size) {
        block<size>(matrix, values, weights, start, out);
    } else {
        dispatch<size - 1>(wanted, matrix, values, weights, start, out);
    }
}

void product(const Matrix& matrix, const Activations& values, const std::int32_t* start, std::int32_t* out) {
    const Blocks split = matrix.blocks;
    const char* weights = static_cast<const char*>(matrix.data);
    for (int b = 0; b < split.count; ++b) {
        const int size = split.size + (b < split.longer);
        dispatch<largest_block>(size, matrix, values, weights, start, out);
        weights += static_cast<std::int64_t>(size) * matrix.groups * 32;
        start += size * lanes;
        out += size * lanes;
    }
}

template <bool truncate>
inline __m256i look_up(const std::int32_t* table, __m256i value, int shift, int half) {
    if constexpr (truncate) {
        // towards zero: a negative value first gains 2**shift - 1
        value = _mm256_add_epi32(
            value, _mm256_and_si256(_mm256_srai_epi32(value, 31), _mm256_set1_epi32((1 << shift) - 1)));
    }
    __m256i index = _mm256_sra_epi32(value, _mm_cvtsi32_si128(shift));
    index = _mm256_max_epi32(_mm256_add_epi32(index, _mm256_set1_epi32(half)), _mm256_setzero_si256());
    return _mm256_i32gather_epi32(table, _mm256_min_epi32(index, _mm256_set1_epi32(2 * half - 1)), 4);
}

inline __m256i convert(__m256i value, int addend, int drop, int minimum, int maximum) {
    value = _mm256_sra_epi32(_mm256_add_epi32(value, _mm256_set1_epi32(addend)), _mm_cvtsi32_si128(drop));
    value = _mm256_max_epi32(value, _mm256_set1_epi32(minimum));
    return _mm256_min_epi32(value, _mm256_set1_epi32(maximum));
}

inline void pack_vector(__m256i value, int at, const Activations& packed) {
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(value, value), 0x08);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(packed.words + at), _mm256_castsi256_si128(words));
}

template <bool truncate>
inline void tail_of(const Tail& tail, const std::int32_t* gates, std::int32_t* cell, std::int32_t* hidden,
                    const Activations& packed) {
    const int units = tail.units, whole = tail.whole;
    for (int u = 0; u < units; u += lanes) {
        const auto gate = [&](int block) {
            const std::int32_t* from = u < whole ? gates + 4 * u + block * lanes : gates + 4 * whole + block * (units - whole);
            return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
        };
        const __m256i f = look_up<truncate>(tail.forget_gate, gate(1), tail.gate_shift, tail.gate_half);
        const __m256i i = look_up<truncate>(tail.input_gate, gate(0), tail.gate_shift, tail.gate_half);
        const __m256i g = look_up<truncate>(tail.candidate, gate(2), tail.candidate_shift, tail.candidate_half);
        const __m256i o = look_up<truncate>(tail.output_gate, gate(3), tail.gate_shift, tail.gate_half);
        // word pairs (f, i) and (c, g): one multiply-add is f*c + i*g
        const __m256i c = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(cell + u));
        const __m256i fi = _mm256_or_si256(_mm256_slli_epi32(f, 16), i);
        const __m256i cg = _mm256_blend_epi16(g, _mm256_slli_epi32(c, 16), 0xAA);
        const __m256i kept = convert(_mm256_madd_epi16(fi, cg), tail.cell_addend, tail.cell_drop,
                                     tail.cell_minimum, tail.cell_maximum);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(cell + u), kept);
        const __m256i t = look_up<truncate>(tail.squash, kept, tail.squash_shift, tail.candidate_half);
        // o is not negative, so the upper words of the pairs multiply to zero
        const __m256i h = convert(_mm256_madd_epi16(o, t), tail.hidden_addend, tail.hidden_drop,
                                  tail.hidden_minimum, tail.hidden_maximum);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(hidden + u), h);
        pack_vector(h, u, packed);
    }
}

void tail(const Tail& tail, const std::int32_t* gates, std::int32_t* cell, std::int32_t* hidden,
          const Activations& packed) {
    if (tail.truncate) {
        tail_of<true>(tail, gates, cell, hidden, packed);
    } else {
        tail_of<false>(tail, gates, cell, hidden, packed);
    }
}

void pack(const Packing&, int count, const std::int32_t* values, const Activations& packed) {
    for (int k = 0; k < count; ++k) packed.words[k] = static_cast<std::int16_t>(values[k]);
}

constexpr Kernels kernels{"avx2", lanes, 0, 2, largest_block, 0, product, tail, nullptr, pack};

}  // namespace

const Kernels* avx2_kernels() { return &kernels; }

}  // namespace pyorch
#else
namespace pyorch {
const Kernels* avx2_kernels() { return nullptr; }
}  // namespace pyorch
#endif
