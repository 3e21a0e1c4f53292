#include "lstm_tables.hpp"

#include <algorithm>
#include <cstdlib>

namespace pyorch {
namespace {

constexpr int segments = 64, bins_a_segment = 8;

std::int64_t largest_of(const std::vector<std::int64_t>& values) {
    std::int64_t largest = 0;
    for (const std::int64_t value : values) largest = std::max(largest, std::abs(value));
    return largest;
}

// The table's value of every bin of a word's range, end to end, by what the kernel does with bases and lines.
int on_line(const SymmetricTable& table, int addend, int bump, int word) {
    const int sign = word < 0 ? -1 : 0, side = (word ^ sign) >> 6;
    const int segment = side / bins_a_segment, step = side % bins_a_segment;
    const int line = table.lines[segment];
    const bool up = (line >> (15 - step)) & 1;
    const int point = table.bases[segment] + (line & 255) * step + (up ? bump : 0);
    return ((point ^ sign) + addend) >> 3;
}

// Base and line of one segment, whose exact entries are `right`; 1/8 of an LSB a unit. False: none exists.
bool fit_segment(const std::int64_t* right, int addend, int bump, std::int16_t& base, std::uint16_t& line) {
    for (int slope = 0; slope < 256; ++slope) {
        std::int64_t low = -32768, high = 32767;
        for (int k = 0; k < bins_a_segment; ++k) {
            low = std::max(low, 8 * right[k] - addend - bump - slope * k);
            high = std::min(high, 8 * right[k] + 7 - addend - slope * k);
        }
        for (std::int64_t start = low; start <= high; ++start) {
            int bits = 0;
            bool exact = true;
            for (int k = 0; k < bins_a_segment && exact; ++k) {
                const std::int64_t rest = 8 * right[k] - addend - start - slope * k;  // to the entry's first unit
                const bool flat = rest <= 0 && rest > -8, up = rest <= bump && rest > bump - 8;
                exact = flat || up;
                if (!flat) bits |= 1 << (15 - k);
            }
            if (!exact) continue;
            base = static_cast<std::int16_t>(start);
            line = static_cast<std::uint16_t>(bits | slope);
            return true;
        }
    }
    return false;
}

}  // namespace

bool place_tables(const LayerModel& layer, SymmetricTable& gate, SymmetricTable& candidate, LookUp& look_up) {
    const ActivationRule* rules[] = {&layer.gate, &layer.activation};
    const std::vector<std::int64_t>* tables[] = {&layer.gate_table, &layer.cell_table};
    SymmetricTable* placed[] = {&gate, &candidate};
    bool lines = true;
    int most = 0;
    for (int t = 0; t < 2; ++t) {
        const std::vector<std::int64_t>& table = *tables[t];
        const int bins = static_cast<int>(table.size()) / 2;
        most = std::max(most, bins);
        const std::int64_t complement = rules[t]->sigmoid ? std::int64_t{1} << layer.table.fraction() : 0;
        const std::int64_t maximum = *std::max_element(table.begin(), table.end());
        if (bins > 512 || complement > 32767 || largest_of(table) > 32767) return false;
        for (int u = 0; u < bins; ++u) {
            const std::int64_t left = table[static_cast<std::size_t>(bins - 1 - u)], right = complement - left;
            if (right > 32767 || table[static_cast<std::size_t>(bins + u)] != std::min(right, maximum)) return false;
            placed[t]->entries[u] = static_cast<std::int16_t>(left);
        }
        placed[t]->shift = Constant::words(16 - rules[t]->index_bits);
        placed[t]->complement = Constant::words(static_cast<int>(complement));
        placed[t]->maximum = Constant::words(static_cast<int>(maximum));
        bool found = false;
        for (int bump = 10; bump >= 6 && !found && bins == segments * bins_a_segment && largest_of(table) <= 4095; --bump) {
            const int addend = 4 * (static_cast<int>(complement) + 1);
            found = true;
            for (int s = 0; s < segments && found; ++s) {
                found = fit_segment(table.data() + bins + s * bins_a_segment, addend, bump, placed[t]->bases[s],
                                    placed[t]->lines[s]);
            }
            for (int bin = -bins; bin < bins && found; ++bin) {
                found = on_line(*placed[t], addend, bump, bin * 64) == table[static_cast<std::size_t>(bins + bin)];
            }
            placed[t]->addend = Constant::words(addend);
            placed[t]->bump = Constant::words(bump);
        }
        lines = lines && found;
    }
    look_up = lines ? LookUp::lines : most <= 128 ? LookUp::permute_2 : LookUp::permute_8;
    return true;
}

}  // namespace pyorch
