// The tables of gates and candidate as AVX-512 kernels look them up without a gather: 32 values at once, from
// registers. Plain data.
#pragma once

#include <cstdint>

#include "lstm_model.hpp"

namespace pyorch {

// A constant in every lane: an operand in memory needs no instruction of its own, where a broadcast does.
struct alignas(64) Constant {
    std::int32_t lanes[16];

    static Constant of(int value) {
        Constant constant;
        for (std::int32_t& lane : constant.lanes) lane = value;
        return constant;
    }
    static Constant words(int value) {
        return of(static_cast<std::int32_t>(static_cast<std::uint32_t>(value & 0xFFFF) * 0x10001u));
    }
};

// One of the two tables. `words` of 16 bits index its range from end to end; f(-x) = complement - f(x).
// Permutes: entry u is f of the bin u to the left of zero; to the right stands min(complement - entry, maximum).
// Lines: bins in 64 segments of eight, 1/8 of an LSB a unit: base + slope*k (+ bump where bit 15 - k of the line is
// set) lies in the entry to the right of zero, whose mirror image is the complement. Every entry is checked.
struct SymmetricTable {
    alignas(64) std::int16_t bases[64];   // lines
    alignas(64) std::uint16_t lines[64];  // slope in the low byte
    Constant bump{}, addend{};            // lines; in words, as all that follow
    Constant shift{};                     // permutes: from the word to the bin
    Constant complement{}, maximum{};
    alignas(64) std::int16_t entries[512];  // permutes
};

enum class LookUp { permute_2, permute_8, lines };

// The fraction of a word whose 16 bits are the range of a table.
constexpr int word_fraction(bool sigmoid) { return sigmoid ? 12 : 13; }  // [-8, 8) and [-4, 4)

// Both tables of a layer, and how to look both up: lines where both have 1,024 entries and lie on them, permutes where they
// are small or merely symmetric. False: at least one is not symmetric, or too large.
bool place_tables(const LayerModel& layer, SymmetricTable& gate, SymmetricTable& candidate, LookUp& look_up);

}  // namespace pyorch
