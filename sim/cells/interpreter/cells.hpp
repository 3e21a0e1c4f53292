// Cells of an ECP5 as the interpreter holds them, and the reader of its words (`sim/netlist_words.py`).
#pragma once
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace netlist {

using Word = std::int32_t;
using Net = std::uint32_t;

enum Kind : Word { LUT4, CCU2C, DPR_READ, MULTIPLY, FLIP_FLOP, DPR_WRITE, MULT_REGISTERS, BLOCK_RAM, PORT };

class Reader {
public:
    explicit Reader(const char* path) {
        std::FILE* file = std::fopen(path, "rb");
        if (file == nullptr) fail("cannot be opened");
        Word word;
        while (std::fread(&word, sizeof word, 1, file) == 1) words_.push_back(word);
        std::fclose(file);
    }
    bool more() const { return at_ < words_.size(); }
    Word next() {
        if (!more()) fail("is cut short");
        return words_[at_++];
    }
    template <std::size_t N>
    std::array<Net, N> nets() {
        std::array<Net, N> found;
        for (auto& net : found) net = static_cast<Net>(next());
        return found;
    }
    [[noreturn]] static void fail(const char* what) {
        std::fprintf(stderr, "netlist.words %s\n", what);
        std::abort();
    }

private:
    std::vector<Word> words_;
    std::size_t at_ = 0;
};

// A clock input and the value that it had; `rising` after an edge in the wanted direction.
struct Edge {
    Net net;
    bool inverted;
    bool pure;  // nothing else looks at the net
    bool before = false;
    bool rising = false;
};

struct FlipFlop {
    Net d, ce, lsr, q;
    Word clock;
    bool ce_inverted, lsr_inverted, set, asynchronous;
    std::uint8_t next;
};

struct LutRam {
    std::array<Net, 4> write_address, data, read_address, out;
    Net enable;
    Word clock;
    bool enable_inverted;
    std::array<std::uint8_t, 16> words;
};

struct Register {
    Word clock;  // -1: there is none
    Net enable, reset;
    std::uint64_t value = 0;
    bool there() const { return clock >= 0; }
};

struct Multiplier {
    std::array<Net, 18> a, b;
    Net signed_a, signed_b;
    std::array<Net, 36> p;
    Register input_a, input_b, middle, out;
};

struct RamPort {
    Word clock, width, mode;  // mode 0: NORMAL, 1: WRITETHROUGH, 2: READBEFOREWRITE
    bool registered;
    Net enable, write, reset, out_enable;
    std::array<Net, 3> select;
    std::array<Net, 14> place;
    std::vector<Net> data, out;  // 18, or 36 of a port that is so wide
    std::uint64_t read = 0, held = 0;
};

struct BlockRam {
    std::vector<std::uint32_t> words;  // 1024 of 18 bits
    RamPort a, b;
};

}  // namespace netlist
