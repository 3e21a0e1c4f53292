// Plays beats into event_book_bench and records what comes out; loaded by sim/bench/events/player.py through ctypes.
#include "Vevent_book_bench.h"
#include "play.hpp"
#include <cstring>

namespace {

struct Player : Playing<Vevent_book_bench> {
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

Player* player_new(const char* folder) { return opened<Player>(folder); }

void player_delete(Player* player) { delete player; }

int64_t player_cycles(const Player* player) { return player->cycle; }

int64_t player_play(Player* player, const uint64_t* beats, const uint8_t* ends, int64_t size, int64_t gap, double idle, double stall,
                    int64_t* rows, int64_t room) {
    return player->play(beats, ends, size, gap, idle, stall, 12 + 4 * LEVELS, rows, room, 200, [&](int64_t* row) { player->record(row); });
}

void player_counts(const Player* player, uint32_t* counts) {
    for (int k = 0; k < 9; ++k) counts[k] = player->top.counts[k];
}

}
