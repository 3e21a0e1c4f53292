// Runs a netlist of ECP5 cells that `sim/netlist_words.py` has put in order: two-valued, cycle by cycle.
//
// Each cell here has a twin in Verilog, of Yosys' library or in sim/cells; tests compare the two.
#pragma once
#include "cells.hpp"

namespace netlist {

class Netlist {
public:
    explicit Netlist(const char* path) {
        Reader in(path);
        values_.resize(in.next());
        values_[1] = 1;
        const Word clocks = in.next();
        for (Word k = 0; k < clocks; ++k) {
            Edge edge{};
            edge.net = in.next();
            edge.inverted = in.next() != 0;
            edge.pure = in.next() != 0;
            edges_.push_back(edge);
        }
        while (in.more()) read(in);
    }

    void set(const std::vector<Net>& nets, std::uint64_t value) {
        for (std::size_t k = 0; k < nets.size(); ++k) {
            const std::uint8_t bit = value >> k & 1;
            if (values_[nets[k]] == bit) continue;
            values_[nets[k]] = bit;
            if (pure_clock(nets[k])) clocked_ = true;
            else changed_ = true;
        }
    }
    std::uint64_t get(const std::vector<Net>& nets) const {
        std::uint64_t value = 0;
        for (std::size_t k = 0; k < nets.size(); ++k) value |= std::uint64_t{values_[nets[k]]} << k;
        return value;
    }
    // Port `number`, in the order of the netlist.
    const std::vector<Net>& port(std::size_t number) const { return ports_.at(number); }

    void eval() {
        if (changed_) settle();
        if (!changed_ && !clocked_) return;
        bool any = false;
        for (auto& edge : edges_) {
            const bool now = values_[edge.net] != edge.inverted;
            edge.rising = now && !edge.before;
            edge.before = now;
            any |= edge.rising;
        }
        if (any) {
            clock();
            settle();
        }
        changed_ = clocked_ = false;
    }

private:
    bool pure_clock(Net net) const {
        for (const auto& edge : edges_)
            if (edge.net == net) return edge.pure;
        return false;
    }
    template <class Nets>
    std::uint64_t word(const Nets& nets) const {
        std::uint64_t value = 0;
        for (std::size_t k = 0; k < nets.size(); ++k) value |= std::uint64_t{values_[nets[k]]} << k;
        return value;
    }
    template <class Nets>
    void put(const Nets& nets, std::uint64_t value) {
        for (std::size_t k = 0; k < nets.size(); ++k)
            if (nets[k] > 1) values_[nets[k]] = value >> k & 1;  // 0 and 1 are the constants: not connected
    }
    bool rises(Word clock) const { return clock >= 0 && edges_[clock].rising; }
    unsigned look_up(Word init, Net a, Net b, Net c, Net d) const {
        return init >> (values_[a] | values_[b] << 1 | values_[c] << 2 | values_[d] << 3) & 1;
    }

    void settle() {
        bool again = true;
        while (again) {
            combine();
            again = false;
            for (auto& one : flip_flops_) {
                if (!one.asynchronous || (values_[one.lsr] != 0) == one.lsr_inverted || values_[one.q] == one.set) continue;
                values_[one.q] = one.set;
                again = true;
            }
        }
    }

    void combine() {
        for (std::size_t at = 0; at < order_.size();) {
            const Word* w = &order_[at];
            if (w[0] == LUT4) {
                values_[w[6]] = look_up(w[1], w[2], w[3], w[4], w[5]);
                at += 7;
            } else if (w[0] == CCU2C) {
                add(w);
                at += 17;
            } else if (w[0] == DPR_READ) {
                const auto& ram = lut_rams_[w[1]];
                put(ram.out, ram.words[word(ram.read_address)]);
                at += 2;
            } else {
                multiply(multipliers_[w[1]]);
                at += 2;
            }
        }
    }

    // w: kind, init0, init1, inject0, inject1, cin, a0 b0 c0 d0, a1 b1 c1 d1, s0, s1, cout
    void add(const Word* w) {
        unsigned carry = values_[w[5]];
        for (int half = 0; half < 2; ++half) {
            const Word* in = w + 6 + 4 * half;
            const bool inject = w[3 + half];
            const unsigned four = look_up(w[1 + half], in[0], in[1], in[2], in[3]);
            const unsigned two = w[1 + half] >> (values_[in[0]] | values_[in[1]] << 1) & 1;
            if (w[14 + half] > 1) values_[w[14 + half]] = four ^ (inject ? 0 : carry);
            carry = four ? carry : (inject ? 0 : two);
        }
        if (w[16] > 1) values_[w[16]] = carry;
    }

    void multiply(Multiplier& m) {
        if (m.out.there()) return;
        put(m.p, m.middle.there() ? m.middle.value : product(m));
    }
    std::uint64_t product(const Multiplier& m) const {
        const auto operand = [](std::uint64_t given) {  // bit 18: signed
            const bool negative = given >> 18 & given >> 17 & 1;
            return static_cast<std::int64_t>(given & 0x3FFFF) - (negative ? 0x40000 : 0);
        };
        const std::uint64_t a = m.input_a.there() ? m.input_a.value : given(m.a, m.signed_a);
        const std::uint64_t b = m.input_b.there() ? m.input_b.value : given(m.b, m.signed_b);
        return static_cast<std::uint64_t>(operand(a) * operand(b)) & 0xFFFFFFFFFULL;
    }
    std::uint64_t given(const std::array<Net, 18>& nets, Net is_signed) const {
        return word(nets) | std::uint64_t{values_[is_signed]} << 18;
    }

    void clock() {
        for (auto& one : flip_flops_) {
            one.next = values_[one.q];
            if (!rises(one.clock)) continue;
            if ((values_[one.lsr] != 0) != one.lsr_inverted) one.next = one.set;
            else if ((values_[one.ce] != 0) != one.ce_inverted) one.next = values_[one.d];
        }
        for (auto& one : multipliers_) {
            const std::uint64_t middle = one.middle.there() ? one.middle.value : product(one);
            load(one.out, middle);
            load(one.middle, product(one));
            load(one.input_a, given(one.a, one.signed_a));
            load(one.input_b, given(one.b, one.signed_b));
        }
        for (auto& one : lut_rams_)
            if (rises(one.clock) && (values_[one.enable] != 0) != one.enable_inverted)
                one.words[word(one.write_address)] = static_cast<std::uint8_t>(word(one.data));
        for (auto& one : block_rams_) access(one);
        for (auto& one : flip_flops_) values_[one.q] = one.next;
        for (auto& one : multipliers_)
            if (one.out.there()) put(one.p, one.out.value);
        for (auto& one : block_rams_)
            for (auto* port : {&one.a, &one.b}) put(port->out, port->registered ? port->held : port->read);
    }
    void load(Register& one, std::uint64_t value) {
        if (!rises(one.clock)) return;
        if (values_[one.reset]) one.value = 0;
        else if (values_[one.enable]) one.value = value;
    }

    struct Access {
        bool on, write;
        unsigned word;  // of 18 bits; of a port of 36 the even one
        std::uint64_t old, now;
        std::uint64_t touched;  // bits that are written, of the even and the odd word together
    };
    static int upper(const Access& own, const RamPort& port) { return port.width < 36 && own.word & 1 ? 18 : 0; }
    Access plan(const BlockRam& ram, const RamPort& port) const {
        Access found{};
        const unsigned place = static_cast<unsigned>(word(port.place));
        found.on = rises(port.clock) && values_[port.enable] && word(port.select) == 0;
        found.write = found.on && values_[port.write];
        found.word = port.width == 36 ? place >> 4 & ~1U : place >> 4;
        found.old = ram.words[found.word] | std::uint64_t{ram.words[found.word | 1]} << 18;
        std::uint64_t data = word(port.data), mask = 0;
        if (port.width >= 18) {  // the lowest address bits enable bytes
            for (int k = 0; k < port.width / 9; ++k) mask |= place >> k & 1 ? 0x1FFULL << 9 * k : 0;
        } else {
            mask = ((1ULL << port.width) - 1) << start(place, port.width);
            data <<= start(place, port.width);
        }
        found.touched = found.write ? mask << upper(found, port) : 0;
        found.now = (found.old & ~mask) | (data & mask);
        return found;
    }
    static unsigned start(unsigned place, Word width) {
        const unsigned byte = 9 * (place >> 3 & 1);
        if (width == 4) return byte + 4 * (place >> 2 & 1);
        if (width == 2) return byte + 2 * (place >> 1 & 3);
        if (width == 1) return byte + (place & 7);
        return byte;
    }
    void access(BlockRam& ram) {
        const Access a = plan(ram, ram.a), b = plan(ram, ram.b);
        const bool pair = a.word >> 1 == b.word >> 1;
        // what a port reads of the bits that the other one writes is not defined: inverted
        take(ram.a, a, pair ? b.touched >> upper(a, ram.a) : 0);
        take(ram.b, b, pair ? a.touched >> upper(b, ram.b) : 0);
        store(ram, ram.a, a);
        store(ram, ram.b, b);
    }
    static void store(BlockRam& ram, const RamPort& port, const Access& own) {
        if (!own.write) return;
        ram.words[own.word] = own.now & 0x3FFFF;
        if (port.width == 36) ram.words[own.word | 1] = own.now >> 18 & 0x3FFFF;
    }
    void take(RamPort& port, const Access& own, std::uint64_t disturbed) {
        if (!rises(port.clock)) return;
        if (values_[port.reset]) port.held = 0;
        else if (values_[port.out_enable]) port.held = port.read;
        if (values_[port.reset]) {
            port.read = 0;
        } else if (own.on) {
            if (!own.write || port.mode == 2) port.read = part(port, own.old ^ disturbed);
            else if (port.mode == 1) port.read = part(port, own.now);
        }
    }
    std::uint64_t part(const RamPort& port, std::uint64_t words) const {
        const std::uint64_t mask = (1ULL << port.width) - 1;
        if (port.width >= 18) return words & mask;
        return words >> start(static_cast<unsigned>(word(port.place)), port.width) & mask;
    }

    void read(Reader& in);
    RamPort ram_port(Reader& in) {
        RamPort port;
        port.clock = in.next();
        port.width = in.next();
        port.mode = in.next();
        port.registered = in.next() != 0;
        port.enable = in.next();
        port.write = in.next();
        port.reset = in.next();
        port.out_enable = in.next();
        port.select = in.nets<3>();
        port.place = in.nets<14>();
        for (auto* nets : {&port.data, &port.out})
            for (Word count = in.next(); count > 0; --count) nets->push_back(in.next());
        return port;
    }
    Register register_of(Reader& in) {
        Register found;
        found.clock = in.next();
        found.enable = in.next();
        found.reset = in.next();
        return found;
    }

    std::vector<std::uint8_t> values_;
    std::vector<Edge> edges_;
    std::vector<Word> order_;
    std::vector<FlipFlop> flip_flops_;
    std::vector<LutRam> lut_rams_;
    std::vector<Multiplier> multipliers_;
    std::vector<BlockRam> block_rams_;
    std::vector<std::vector<Net>> ports_;
    bool changed_ = true, clocked_ = false;
};

// State first, then what is computed, in an order in which every value is there when it is used.
inline void Netlist::read(Reader& in) {
    const Word kind = in.next();
    switch (kind) {
        case LUT4:
            order_.push_back(kind);
            for (int k = 0; k < 6; ++k) order_.push_back(in.next());
            return;
        case CCU2C:
            order_.push_back(kind);
            for (int k = 0; k < 16; ++k) order_.push_back(in.next());
            return;
        case DPR_READ:
        case MULTIPLY:
            order_.push_back(kind);
            order_.push_back(in.next());
            return;
        case FLIP_FLOP: {
            FlipFlop one{};
            one.clock = in.next();
            one.d = in.next();
            one.ce = in.next();
            one.lsr = in.next();
            one.q = in.next();
            const Word flags = in.next();
            one.ce_inverted = flags & 1;
            one.lsr_inverted = flags & 2;
            one.set = flags & 4;
            one.asynchronous = flags & 8;
            values_[one.q] = one.set;
            flip_flops_.push_back(one);
            return;
        }
        case DPR_WRITE: {
            LutRam one{};
            one.clock = in.next();
            one.enable = in.next();
            one.enable_inverted = in.next() != 0;
            one.write_address = in.nets<4>();
            one.data = in.nets<4>();
            one.read_address = in.nets<4>();
            one.out = in.nets<4>();
            for (auto& value : one.words) value = static_cast<std::uint8_t>(in.next());
            lut_rams_.push_back(one);
            return;
        }
        case MULT_REGISTERS: {
            Multiplier one{};
            one.a = in.nets<18>();
            one.b = in.nets<18>();
            one.signed_a = in.next();
            one.signed_b = in.next();
            one.p = in.nets<36>();
            for (auto* stage : {&one.input_a, &one.input_b, &one.middle, &one.out}) *stage = register_of(in);
            multipliers_.push_back(one);
            return;
        }
        case BLOCK_RAM: {
            BlockRam one;
            one.a = ram_port(in);
            one.b = ram_port(in);
            for (int k = 0; k < 1024; ++k) one.words.push_back(static_cast<std::uint32_t>(in.next()));
            block_rams_.push_back(one);
            return;
        }
        case PORT: {
            std::vector<Net> nets;
            for (Word count = in.next(); count > 0; --count) nets.push_back(in.next());
            ports_.push_back(nets);
            return;
        }
        default: Reader::fail("has a kind of word that is not known");
    }
}

}  // namespace netlist
