// LSTM kernels for AVX-512 with VNNI.
#include "lstm_kernels.hpp"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>

#include <cstring>

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

template <int size, Form form>
void block(const Matrix& matrix, const Activations& values, const char* weights, const std::int32_t* start,
           std::int32_t* out) {
    __m512i low[size], high[form == Form::split ? size : 1];
#pragma GCC unroll 32
    for (int v = 0; v < size; ++v) low[v] = _mm512_setzero_si512();
    if constexpr (form == Form::split) {
#pragma GCC unroll 32
        for (int v = 0; v < size; ++v) high[v] = _mm512_setzero_si512();
    }
    for (int g = 0; g < matrix.groups; ++g, weights += size * 64) {
        if constexpr (form == Form::words) {
            const __m512i value = broadcast(values.words + 2 * g);
#pragma GCC unroll 32
            for (int v = 0; v < size; ++v) {
                low[v] = _mm512_dpwssd_epi32(low[v], value, _mm512_load_si512(weights + v * 64));
            }
        } else {
            const __m512i value = broadcast(values.low + 4 * g);
            if constexpr (form == Form::split) {
                const __m512i upper = broadcast(values.high + 4 * g);
#pragma GCC unroll 32
                for (int v = 0; v < size; ++v) {
                    const __m512i weight = _mm512_load_si512(weights + v * 64);
                    low[v] = _mm512_dpbusd_epi32(low[v], value, weight);
                    high[v] = _mm512_dpbusd_epi32(high[v], upper, weight);
                }
            } else {
#pragma GCC unroll 32
                for (int v = 0; v < size; ++v) {
                    low[v] = _mm512_dpbusd_epi32(low[v], value, _mm512_load_si512(weights + v * 64));
                }
            }
        }
    }
    if constexpr (form == Form::split) {
#pragma GCC unroll 32
        for (int v = 0; v < size; ++v) low[v] = _mm512_add_epi32(low[v], _mm512_slli_epi32(high[v], 8));
    }
    store(low, matrix.shift, start, out);
}

template <int size, Form form>
void dispatch(int wanted, const Matrix& matrix, const Activations& values, const char* weights,
              const std::int32_t* start, std::int32_t* out) {
    if constexpr (size == 1) {
        block<1, form>(matrix, values, weights, start, out);
    } else if (wanted == size) {
        block<size, form>(matrix, values, weights, start, out);
    } else {
        dispatch<size - 1, form>(wanted, matrix, values, weights, start, out);
    }
}

template <int largest, Form form>
void blocks(const Matrix& matrix, const Activations& values, const std::int32_t* start, std::int32_t* out) {
    const Blocks split = blocks_of(matrix.vectors, largest);
    const char* weights = static_cast<const char*>(matrix.data);
    for (int b = 0; b < split.count; ++b) {
        const int size = split.size + (b < split.longer);
        dispatch<largest, form>(size, matrix, values, weights, start, out);
        weights += static_cast<std::int64_t>(size) * matrix.groups * 64;
        start += size * lanes;
        out += size * lanes;
    }
}

void product(const Matrix& matrix, const Activations& values, const std::int32_t* start, std::int32_t* out) {
    if (!matrix.bytes) {
        blocks<largest_block, Form::words>(matrix, values, start, out);
    } else if (matrix.split) {
        blocks<largest_split, Form::split>(matrix, values, start, out);
    } else {
        blocks<largest_block, Form::bytes>(matrix, values, start, out);
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
        const auto gate = [&](int block) { return _mm512_loadu_si512(gates + block * units + u); };
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

void tail(const Tail& tail, const std::int32_t* gates, std::int32_t* cell, std::int32_t* hidden,
          const Activations& packed) {
    if (tail.truncate) {
        tail_of<true>(tail, gates, cell, hidden, packed);
    } else {
        tail_of<false>(tail, gates, cell, hidden, packed);
    }
}

void pack(const Packing& packing, int count, const std::int32_t* values, const Activations& packed) {
    for (int at = 0; at < count; at += lanes) {
        const int left = count - at;
        const __mmask16 mask = left >= lanes ? 0xFFFF : static_cast<__mmask16>((1 << left) - 1);
        pack_vector(packing, _mm512_maskz_loadu_epi32(mask, values + at), at, packed);
    }
}

constexpr Kernels kernels{"avx512vnni", lanes, 4, 2, largest_block, largest_split, product, tail, pack};

}  // namespace

const Kernels* avx512vnni_kernels() { return &kernels; }

}  // namespace pyorch
#else
namespace pyorch {
const Kernels* avx512vnni_kernels() { return nullptr; }
}  // namespace pyorch
#endif
