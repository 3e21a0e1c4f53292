// Products of weights with one row of activations or many, with AVX-512 VNNI: for lstm_avx512.cpp alone, compiled with its
// instruction set.
#pragma once

#include <immintrin.h>

#include <cstring>
#include <utility>

#include "lstm_kernels.hpp"

namespace pyorch {
namespace {

constexpr int lanes = 16;
constexpr int largest_block = 26;  // of 32 registers: 26 sums, an activation, and what the compiler needs
constexpr int largest_split = 13;
constexpr int tile_rows = 4, widest_tile = 6;  // 24 sums, an activation a row, a weight

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
    const std::int64_t stride = (matrix.backwards ? -1 : 1) * size * 64;
    if (matrix.backwards) weights += static_cast<std::int64_t>(matrix.groups - 1) * size * 64;
    const auto group = [&](int g) { return matrix.backwards ? matrix.groups - 1 - g : g; };
    __m512i low[size], high[size], odd_low[size], odd_high[size];
    clear(low);
    clear(high);
    clear(odd_low);
    clear(odd_high);
    int g = 0;
    if constexpr (two_chains) {
        for (; g + 1 < matrix.groups; g += 2) {
            add_group<size, form>(values, group(g), weights, low, high);
            add_group<size, form>(values, group(g + 1), weights + stride, odd_low, odd_high);
            weights += 2 * stride;
        }
    }
    for (; g < matrix.groups; ++g, weights += stride) add_group<size, form>(values, group(g), weights, low, high);
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
    for (int k = 0; k < split.count; ++k) {
        const int b = matrix.backwards ? split.count - 1 - k : k;
        const int size = split.size + (b < split.longer), first = split.first(b);
        of_size[size - 1](matrix, values, weights + static_cast<std::int64_t>(first) * matrix.groups * 64,
                          start + first * lanes, out + first * lanes);
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

// A tile of the product of many rows: four rows by `width` vectors of columns. A row beyond the last is the last again.
template <int width>
void tile(const Matrix& matrix, int size, const std::uint8_t* values, std::int64_t stride, int rows, const char* weights,
          const std::int32_t* start, std::int32_t* out, std::int64_t columns) {
    const __m128i count = _mm_cvtsi32_si128(matrix.shift);
    for (int r = 0; r < rows; r += tile_rows) {
        __m512i sums[tile_rows][width];
        const std::uint8_t* row[tile_rows];
        std::int32_t* to[tile_rows];
#pragma GCC unroll 4
        for (int k = 0; k < tile_rows; ++k) {
            const int from = r + k < rows ? r + k : rows - 1;
            row[k] = values + from * stride;
            to[k] = out + from * columns;
            clear(sums[k]);
        }
        const char* weight = weights;
        for (int g = 0; g < matrix.groups; ++g, weight += static_cast<std::int64_t>(size) * 64) {
            __m512i four[tile_rows];
#pragma GCC unroll 4
            for (int k = 0; k < tile_rows; ++k) four[k] = broadcast(row[k] + 4 * g);
#pragma GCC unroll 8
            for (int v = 0; v < width; ++v) {
                const __m512i column = _mm512_load_si512(weight + 64 * v);
#pragma GCC unroll 4
                for (int k = 0; k < tile_rows; ++k) add_bytes_in_register(sums[k][v], four[k], column);
            }
        }
#pragma GCC unroll 4
        for (int k = 0; k < tile_rows; ++k) {
#pragma GCC unroll 8
            for (int v = 0; v < width; ++v) {
                const __m512i begin = _mm512_loadu_si512(start + v * lanes);
                _mm512_storeu_si512(to[k] + v * lanes, _mm512_add_epi32(begin, _mm512_sll_epi32(sums[k][v], count)));
            }
        }
    }
}

using Tile = void (*)(const Matrix&, int, const std::uint8_t*, std::int64_t, int, const char*, const std::int32_t*,
                      std::int32_t*, std::int64_t);

template <int... widths>
const Tile* tiles(std::integer_sequence<int, widths...>) {
    static constexpr Tile of_width[] = {tile<widths + 1>...};
    return of_width;
}

void product_of_rows(const Matrix& matrix, const std::uint8_t* values, std::int64_t stride, int rows,
                     const std::int32_t* start, std::int32_t* out, std::int64_t columns) {
    const Tile* of_width = tiles(std::make_integer_sequence<int, widest_tile>{});
    for (int b = 0; b < matrix.blocks.count; ++b) {
        const int size = matrix.blocks.size + (b < matrix.blocks.longer);
        const int first = matrix.blocks.first(b);
        const char* weights = static_cast<const char*>(matrix.data) + static_cast<std::int64_t>(first) * matrix.groups * 64;
        const Blocks split = blocks_of(size, widest_tile);
        for (int t = 0; t < split.count; ++t) {
            const int at = split.first(t);
            of_width[split.size + (t < split.longer) - 1](matrix, size, values, stride, rows, weights + 64 * at,
                                                          start + (first + at) * lanes, out + (first + at) * lanes, columns);
        }
    }
}

}  // namespace
}  // namespace pyorch
