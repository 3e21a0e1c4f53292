// Plays beats into event_features_bench and records what comes out; loaded by sim/bench/events/feature_player.py through ctypes.
#include "Vevent_features_bench.h"
#include "play.hpp"

extern "C" {

using Player = Playing<Vevent_features_bench>;

Player* player_new(const char* folder) { return opened<Player>(folder); }

void player_delete(Player* player) { delete player; }

int64_t player_cycles(const Player* player) { return player->cycle; }

// Rows of kind, number, stale, first, now, cycles since the last beat taken, then the features.
int64_t player_play(Player* player, const uint64_t* beats, const uint8_t* ends, int64_t size, int64_t gap, double idle, double stall,
                    int64_t* rows, int64_t room) {
    const auto record = [&](int64_t* row) {
        auto& top = player->top;
        *row++ = top.out_kind;
        *row++ = top.out_number;
        *row++ = top.out_stale;
        *row++ = top.out_first;
        *row++ = int64_t(top.out_now);
        *row++ = player->cycle - player->taken_at;
        for (int k = 0; k < FEATURES; ++k) {
            const uint64_t bits = Player::field(&top.features, k * WIDTH, WIDTH);
            *row++ = int64_t(bits << (64 - WIDTH)) >> (64 - WIDTH);
        }
    };
    // an average may have many edges to catch up with
    return player->play(beats, ends, size, gap, idle, stall, 6 + FEATURES, rows, room, 100'000, record);
}

}
