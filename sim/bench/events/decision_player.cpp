// Plays beats into an emitted feature path and records the beats of its words; loaded by sim/bench/events/decision_player.py through ctypes.
#include "Vevents_top.h"
#include "play.hpp"

namespace {

// events_top with the names that `Playing` knows.
struct Top : Vevents_top {
    struct Reset {
        CData& inverted;
        void operator=(int value) { inverted = !value; }
    };
    CData& clk = aclk;
    CData& out_valid = m_axis_tvalid;
    CData& out_ready = m_axis_tready;
    Reset rst{aresetn};
    explicit Top(VerilatedContext* context) : Vevents_top(context) {}
};

struct Player : Playing<Top> {
    static constexpr int stages = 4;
    int64_t since[stages];  // the first cycle of each, -1: not since the last beat
    int64_t last_taken = -1;

    Player() {
        watch = [this] {
            if (last_taken != taken_at) {
                last_taken = taken_at;
                for (auto& one : since) one = -1;
            }
            for (int k = 0; k < stages; ++k)
                if (since[k] < 0 && (top.stages >> k & 1)) since[k] = cycle - taken_at;
        };
    }
    // Waits, nothing offered, for `cycles`.
    void wait(int64_t cycles) {
        top.s_axis_tvalid = 0;
        for (int64_t k = 0; k < cycles; ++k) edge();
    }
};

}  // namespace

extern "C" {

Player* player_new(const char* folder) {
    auto* player = opened<Player>(folder);
    if (player) player->wait(4096);  // the built-in policy is written
    return player;
}

void player_delete(Player* player) { delete player; }

int64_t player_cycles(const Player* player) { return player->cycle; }

// Rows of data, last, cycles since the last beat taken, then of each stage the same.
int64_t player_play(Player* player, const uint64_t* beats, const uint8_t* ends, int64_t size, int64_t gap, double idle, double stall,
                    int64_t* rows, int64_t room) {
    const auto record = [&](int64_t* row) {
        *row++ = int64_t(player->top.m_axis_tdata);
        *row++ = player->top.m_axis_tlast;
        *row++ = player->cycle - player->taken_at;
        for (const int64_t one : player->since) *row++ = one;
    };
    return player->play(beats, ends, size, gap, idle, stall, 3 + Player::stages, rows, room, 100'000, record);
}

}
