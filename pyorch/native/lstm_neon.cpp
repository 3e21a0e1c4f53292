// LSTM kernels for aarch64: words by smlal. There is no gather, so the engine's scalar tail is used.
#include "lstm_kernels.hpp"

#if defined(__aarch64__)
#include <arm_neon.h>

namespace pyorch {
namespace {

constexpr int lanes = 8;
constexpr int largest_block = 8;  // two registers a vector: 16 sums of 32 registers

template <int size>
void block(const Matrix& matrix, const Activations& values, const std::int16_t* weights,
           const std::int32_t* start, std::int32_t* out) {
    int32x4_t even[size], odd[size];
#pragma GCC unroll 8
    for (int v = 0; v < size; ++v) even[v] = odd[v] = vdupq_n_s32(0);
    for (int k = 0; k < matrix.groups; ++k, weights += size * lanes) {
        const int16x4_t value = vdup_n_s16(values.words[k]);
#pragma GCC unroll 8
        for (int v = 0; v < size; ++v) {
            const int16x8_t weight = vld1q_s16(weights + v * lanes);
            even[v] = vmlal_s16(even[v], vget_low_s16(weight), value);
            odd[v] = vmlal_s16(odd[v], vget_high_s16(weight), value);
        }
    }
    const int32x4_t shift = vdupq_n_s32(matrix.shift);
#pragma GCC unroll 8
    for (int v = 0; v < size; ++v) {
        const std::int32_t* begin = start + v * lanes;
        vst1q_s32(out + v * lanes, vaddq_s32(vld1q_s32(begin), vshlq_s32(even[v], shift)));
        vst1q_s32(out + v * lanes + 4, vaddq_s32(vld1q_s32(begin + 4), vshlq_s32(odd[v], shift)));
    }
}

template <int size>
void dispatch(int wanted, const Matrix& matrix, const Activations& values, const std::int16_t* weights,
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
    const auto* weights = static_cast<const std::int16_t*>(matrix.data);
    for (int b = 0; b < split.count; ++b) {
        const int size = split.size + (b < split.longer);
        dispatch<largest_block>(size, matrix, values, weights, start, out);
        weights += static_cast<std::int64_t>(size) * matrix.groups * lanes;
        start += size * lanes;
        out += size * lanes;
    }
}

void pack(const Packing&, int count, const std::int32_t* values, const Activations& packed) {
    for (int k = 0; k < count; ++k) packed.words[k] = static_cast<std::int16_t>(values[k]);
}

constexpr Kernels kernels{"neon", lanes, 0, 1, largest_block, 0, product, nullptr, nullptr, pack};

}  // namespace

const Kernels* neon_kernels() { return &kernels; }

}  // namespace pyorch
#else
namespace pyorch {
const Kernels* neon_kernels() { return nullptr; }
}  // namespace pyorch
#endif
