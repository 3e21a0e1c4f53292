// Plays beats into event_book_bench and records what comes out; loaded by sim/bench/events/player.py through ctypes.
#include "Vevent_book_bench.h"
#include "verilated.h"
#include <cstdint>
#include <cstring>
#include <random>

double sc_time_stamp() { return 0; }

namespace {

struct Player {
    VerilatedContext context;
    Vevent_book_bench top{&context};
    std::mt19937_64 random{1};
    int64_t cycle = 0, taken_at = 0;

    ~Player() { top.final(); }
    double draw() { return double(random() >> 11) * 0x1p-53; }
    void edge() {
        top.clk = 1;
        top.eval();
        top.clk = 0;
        top.eval();
        ++cycle;
    }
    static uint64_t field(const void* wide, int at, int bits) {
        const auto* words = static_cast<const uint32_t*>(wide);
        uint64_t value = 0;
        for (int k = 0; k < bits; ++k) value |= uint64_t(words[(at + k) / 32] >> ((at + k) % 32) & 1) << k;
        return value;
    }
    // 12 columns, then key and lots of each bid and of each ask
    void record(int64_t* row) {
        const int64_t head[] = {top.out_kind, top.out_side, top.out_instrument, top.out_stale, int64_t(top.out_number),
                                int64_t(top.out_local_ns), int64_t(top.out_price_ticks), int64_t(top.out_quantity_lots),
                                top.valid, top.bid_count, top.ask_count, cycle - taken_at};
        std::memcpy(row, head, sizeof head);
        row += 12;
        for (int side = 0; side < 2; ++side) {
            const int count = side ? top.ask_count : top.bid_count;
            for (int k = 0; k < LEVELS; ++k, row += 2) {
                if (k >= count) { row[0] = row[1] = 0; continue; }
                const uint64_t key = field(side ? &top.ask_keys : &top.bid_keys, k * WINDOW_BITS, WINDOW_BITS);
                row[0] = int64_t(top.base + (side ? key : ~key & ((1u << WINDOW_BITS) - 1)));
                row[1] = int64_t(field(side ? &top.ask_lots : &top.bid_lots, 40 * k, 40));
            }
        }
    }
};

}  // namespace

extern "C" {

Player* player_new() {
    auto* player = new Player;
    auto& top = player->top;
    top.rst = 1;
    top.s_axis_tvalid = top.out_ready = 0;
    for (int k = 0; k < 4; ++k) player->edge();
    top.rst = 0;
    top.eval();
    return player;
}

void player_delete(Player* player) { delete player; }

int64_t player_cycles(const Player* player) { return player->cycle; }

// Plays beats; between frames `gap` cycles; each cycle the sink stalls, or nothing is offered, with these shares. Returns rows recorded,
// or -1 if there was no room.
int64_t player_play(Player* player, const uint64_t* beats, const uint8_t* ends, int64_t size, int64_t gap, double idle, double stall,
                    int64_t* rows, int64_t room) {
    auto& top = player->top;
    const int64_t columns = 12 + 4 * LEVELS;
    int64_t at = 0, count = 0, rest = 0, silent = 0;
    while (at < size || silent < 200) {
        top.s_axis_tvalid = at < size && rest == 0 && !(idle > 0 && player->draw() < idle);
        if (at < size) {
            top.s_axis_tdata = beats[at];
            top.s_axis_tlast = ends[at];
        }
        top.out_ready = !(stall > 0 && player->draw() < stall);
        top.eval();
        if (rest > 0) --rest;
        if (top.s_axis_tvalid && top.s_axis_tready) {
            player->taken_at = player->cycle;
            if (ends[at]) rest = gap;
            ++at;
        }
        silent = top.out_valid || at < size ? 0 : silent + 1;
        if (top.out_valid && top.out_ready) {
            if (count == room) return -1;
            player->record(rows + columns * count++);
        }
        player->edge();
    }
    return count;
}

void player_counts(const Player* player, uint32_t* counts) {
    for (int k = 0; k < 9; ++k) counts[k] = player->top.counts[k];
}

}
