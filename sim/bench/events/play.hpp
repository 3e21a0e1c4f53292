// Plays beats into a Verilated bench and hands over what comes out; for the players beside.
#pragma once

#include "verilated.h"
#include <cstdint>
#include <functional>
#include <random>
#include <unistd.h>

inline double sc_time_stamp() { return 0; }

template <class Top>
struct Playing {
    VerilatedContext context;
    Top top{&context};
    std::mt19937_64 random{1};
    int64_t cycle = 0, taken_at = 0;
    std::function<void()> watch;  // called in each cycle of `play`, if it is set
    const int64_t* due = nullptr;  // of each beat of `play` the first cycle, counted from its begin, in which it may be offered

    ~Playing() { top.final(); }
    double draw() { return double(random() >> 11) * 0x1p-53; }
    void edge() {
        top.clk = 1;
        top.eval();
        top.clk = 0;
        top.eval();
        ++cycle;
    }
    void reset() {
        top.rst = 1;
        top.s_axis_tvalid = top.out_ready = 0;
        for (int k = 0; k < 4; ++k) edge();
        top.rst = 0;
        top.eval();
    }
    // `bits` bits of a wide port from bit `at`.
    static uint64_t field(const void* wide, int at, int bits) {
        const auto* words = static_cast<const uint32_t*>(wide);
        uint64_t value = 0;
        for (int k = 0; k < bits; ++k) value |= uint64_t(words[(at + k) / 32] >> ((at + k) % 32) & 1) << k;
        return value;
    }
    // Plays beats; between frames `gap` cycles; each cycle the sink stalls, or nothing is offered, with these shares. `record(row)` writes
    // what is taken into a row of `columns`; after `patience` cycles without an answer none is to come. Returns rows recorded, or -1 if there was no room.
    template <class Record>
    int64_t play(const uint64_t* beats, const uint8_t* ends, int64_t size, int64_t gap, double idle, double stall, int64_t columns,
                 int64_t* rows, int64_t room, int64_t patience, Record record) {
        int64_t at = 0, count = 0, rest = 0, silent = 0;
        const int64_t begin = cycle;
        while (at < size || silent < patience) {
            top.s_axis_tvalid = at < size && rest == 0 && !(idle > 0 && draw() < idle) && !(due && cycle - begin < due[at]);
            if (at < size) {
                top.s_axis_tdata = beats[at];
                top.s_axis_tlast = ends[at];
            }
            top.out_ready = !(stall > 0 && draw() < stall);
            top.eval();
            if (rest > 0) --rest;
            if (top.s_axis_tvalid && top.s_axis_tready) {
                taken_at = cycle;
                if (ends[at]) rest = gap;
                ++at;
            }
            if (watch) watch();
            silent = top.out_valid || at < size ? 0 : silent + 1;
            if (top.out_valid && top.out_ready) {
                if (count == room) return -1;
                record(rows + columns * count++);
            }
            edge();
        }
        return count;
    }
};

// A player whose memories' hex files lie in `folder`; null if it cannot be entered.
template <class Player>
Player* opened(const char* folder) {
    char before[4096];
    if (!getcwd(before, sizeof before) || chdir(folder) != 0) return nullptr;
    auto* player = new Player;
    player->reset();
    if (chdir(before) != 0) return nullptr;
    return player;
}
