// Plays beats into an emitted feature path and records the beats of its words; loaded by sim/bench/events/decision_player.py through ctypes.
#include "Vevents_top.h"
#include "play.hpp"
#include <deque>
#include <vector>

namespace {

// events_top with the names that `Playing` knows.
struct Top : Vevents_top {
    struct Reset {
        decltype(Vevents_top::aresetn)& inverted;
        void operator=(int value) { inverted = !value; }
    };
    decltype(Vevents_top::aclk)& clk = aclk;
    decltype(Vevents_top::m_axis_tvalid)& out_valid = m_axis_tvalid;
    decltype(Vevents_top::m_axis_tready)& out_ready = m_axis_tready;
    Reset rst{aresetn};
    explicit Top(VerilatedContext* context) : Vevents_top(context) {}
};

struct Player : Playing<Top> {
    static constexpr int stages = 4;
    std::vector<int64_t> stamps[5];  // cycles of `play`: beats taken, vectors given to the core, decisions, first beats of words, stage 0
    int64_t begin = 0;
    bool inside = false;    // a word
    int64_t since[stages];  // the first cycle of each, -1: not since the last beat
    int64_t last_taken = -1, taken = 0;

    // An AXI4-Lite transaction, begun once `after` beats were taken.
    struct Access {
        int64_t after;
        bool write;
        uint32_t address, data;
    };
    std::deque<Access> accesses;
    bool accepted = false;
    int64_t patience = 100'000;  // cycles without an answer until none is to come
    uint32_t found = 0;

    void drive() {
        top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_arvalid = 0;
        top.s_axil_bready = top.s_axil_rready = 1;
        top.s_axil_wstrb = 15;
        if (accesses.empty() || accesses.front().after > taken) return;
        const Access& one = accesses.front();
        if (!accepted) {
            (one.write ? top.s_axil_awvalid : top.s_axil_arvalid) = 1;
            top.s_axil_wvalid = one.write;
            top.s_axil_awaddr = top.s_axil_araddr = one.address;
            top.s_axil_wdata = one.data;
            top.eval();
            accepted = one.write ? top.s_axil_awready : top.s_axil_arready;
        } else if (one.write ? top.s_axil_bvalid : top.s_axil_rvalid) {
            found = top.s_axil_rdata;
            accesses.pop_front();
            accepted = false;
        }
    }
    void finish() {
        for (int left = 100'000; !accesses.empty() && left > 0; --left) {
            top.s_axis_tvalid = 0;
            drive();
            edge();
        }
    }

    Player() {
        watch = [this] {
            if (top.s_axis_tvalid && top.s_axis_tready) {
                ++taken;
                stamps[0].push_back(cycle - begin);
            }
            if (top.stages & 1) stamps[4].push_back(cycle - begin);
            if (top.stages & 2) stamps[1].push_back(cycle - begin);
            if (top.stages & 8) stamps[2].push_back(cycle - begin);
            if (top.out_valid && !inside) stamps[3].push_back(cycle - begin);
            if (top.out_valid) inside = !(top.out_ready && top.m_axis_tlast);
            drive();
            if (last_taken != taken_at) {
                last_taken = taken_at;
                for (auto& one : since) one = -1;
            }
            for (int k = 0; k < stages; ++k)
                if (since[k] < 0 && (top.stages >> k & 1)) since[k] = cycle - taken_at;
        };
    }
    // ---- as a card: frames in, words out, a few cycles at a time
    std::deque<uint64_t> given;
    std::deque<int> words;  // beats of each whole word in `given`
    int open_beats = 0;

    void collect() {
        top.out_ready = 1;
        top.eval();
        if (!top.out_valid) return;
        given.push_back(top.m_axis_tdata);
        ++open_beats;
        if (top.m_axis_tlast) {
            words.push_back(open_beats);
            open_beats = 0;
        }
    }
    // -1: not taken within `patience`.
    int offer(const uint64_t* beats, uint64_t size) {
        for (uint64_t at = 0; at < size;) {
            top.s_axis_tvalid = 1;
            top.s_axis_tdata = beats[at];
            top.s_axis_tlast = at == size - 1;
            int64_t waited = 0;
            for (bool accepted_beat = false; !accepted_beat; ++waited) {
                if (waited > patience) return -1;
                collect();
                accepted_beat = top.s_axis_tready;
                edge();
            }
            ++at;
        }
        top.s_axis_tvalid = 0;
        return 0;
    }
    void pass(uint64_t cycles) {
        top.s_axis_tvalid = 0;
        for (uint64_t k = 0; k < cycles; ++k) {
            collect();
            edge();
        }
    }
    // Beats of the next word, 0: not there yet, and some cycles have passed.
    int take_word(uint64_t* beats, uint64_t room) {
        if (words.empty() || !beats) pass(8);
        if (words.empty() || !beats) return 0;
        const int size = words.front();
        if (uint64_t(size) > room) return -1;
        words.pop_front();
        for (int k = 0; k < size; ++k) {
            beats[k] = given.front();
            given.pop_front();
        }
        return size;
    }
    void restart() {
        given.clear();
        words.clear();
        open_beats = 0;
        reset();
        wait(4096);  // the built-in policy is written
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

// A write once so many beats were taken altogether; at once for 0.
void player_write(Player* player, int64_t after, uint32_t address, uint32_t data) {
    player->accesses.push_back({after, true, address, data});
    if (after == 0) player->finish();
}

uint32_t player_read(Player* player, uint32_t address) {
    player->accesses.push_back({0, false, address, 0});
    player->finish();
    return player->found;
}

void player_patience(Player* player, int64_t cycles) { player->patience = cycles; }

int card_offer(Player* player, const uint64_t* beats, uint64_t size) { return player->offer(beats, size); }
int card_take(Player* player, uint64_t* beats, uint64_t room) { return player->take_word(beats, room); }
void card_reset(Player* player) { player->restart(); }
void card_run(Player* player, uint64_t cycles) { player->pass(cycles); }
uint64_t card_cycles(Player* player) { return uint64_t(player->cycle); }

// For each beat of the next plays the first cycle in which it may be offered; null: any.
void player_due(Player* player, const int64_t* due) { player->due = due; }

// Stamps of the last play, at most `room`; how many there are.
int64_t player_stamps(Player* player, int which, int64_t* to, int64_t room) {
    const auto& from = player->stamps[which];
    for (int64_t k = 0; k < int64_t(from.size()) && k < room; ++k) to[k] = from[size_t(k)];
    return int64_t(from.size());
}

int64_t player_cycles(const Player* player) { return player->cycle; }

// Rows of data, last, cycles since the last beat taken, then of each stage the same.
int64_t player_play(Player* player, const uint64_t* beats, const uint8_t* ends, int64_t size, int64_t gap, double idle, double stall,
                    int64_t* rows, int64_t room) {
    player->begin = player->cycle;
    for (auto& stamps : player->stamps) stamps.clear();
    const auto record = [&](int64_t* row) {
        *row++ = int64_t(player->top.m_axis_tdata);
        *row++ = player->top.m_axis_tlast;
        *row++ = player->cycle - player->taken_at;
        for (const int64_t one : player->since) *row++ = one;
    };
    return player->play(beats, ends, size, gap, idle, stall, 3 + Player::stages, rows, room, player->patience, record);
}

}
