// A C interface to a Verilated board top: its clock, and bytes on its serial line, with glitches on both directions.
#include <unistd.h>

#include <climits>
#include <cstdint>
#include <memory>

#include "Vulx3s_top.h"
#include "verilated.h"

namespace {

// Ten bits of a byte as a sender puts them on a line, in 1/64 cycles.
struct Sender {
    std::uint32_t bits = 0;
    int left = 0;
    std::int64_t timer = 0;
    bool level = true;

    void begin(std::uint8_t value, std::int64_t bit) {
        bits = (1u << 9) | (std::uint32_t{value} << 1);
        left = 10;
        timer = bit;
        level = false;
        bits >>= 1;
    }
    void cycle(std::int64_t bit) {
        if (left == 0) return;
        timer -= 64;
        if (timer > 0) return;
        timer += bit;
        if (--left == 0) return;
        level = bits & 1;
        bits >>= 1;
    }
};

// Samples a line in the middle of its bits.
struct Receiver {
    int state = 0;  // 0: rests, 1: start bit, 2 to 9: data, 10: stop bit, 11: waits for the line to rest
    std::int64_t timer = 0;
    std::uint8_t value = 0;

    // true: a byte is complete and has its stop bit
    bool cycle(bool level, std::int64_t bit, std::uint64_t& broken) {
        if (state == 0) {
            if (!level) {
                state = 1;
                timer = bit / 2;
            }
            return false;
        }
        if (state == 11) {
            if (level) state = 0;
            return false;
        }
        timer -= 64;
        if (timer > 0) return false;
        timer += bit;
        if (state == 1) {
            state = level ? 0 : 2;
            return false;
        }
        if (state < 10) {
            value = static_cast<std::uint8_t>((value >> 1) | (level ? 0x80 : 0));
            ++state;
            return false;
        }
        state = level ? 0 : 11;
        if (!level) ++broken;
        return level;
    }
};

struct Board {
    VerilatedContext context;
    std::unique_ptr<Vulx3s_top> top;
    std::uint64_t cycle = 0;
    std::uint64_t random = 1;
    std::int64_t bit = 256;
    std::uint32_t glitches_a_million = 0;  // per direction and cycle
    std::uint64_t glitches = 0;
    std::uint64_t broken = 0;  // bytes from the board without a stop bit
    int glitch_in = 0, glitch_out = 0;
    std::uint64_t burst_began = 0;  // when the line to the board last left its rest
    std::uint64_t out_ended = 0;  // when the last byte from the board was complete
    Sender sender;
    Receiver receiver;

    std::uint64_t draw() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        return random >> 20;
    }
    void glitch(int& length) {
        if (length > 0) {
            --length;
        } else if (glitches_a_million != 0 && draw() % 1'000'000 < glitches_a_million) {
            length = 1 + static_cast<int>(draw() % static_cast<std::uint64_t>(bit / 32));
            ++glitches;
        }
    }
    void clock() {
        top->clk_25mhz = 1;
        top->eval();
        top->clk_25mhz = 0;
        top->eval();
        ++cycle;
        context.timeInc(1);
    }
};

}  // namespace

extern "C" {

// The memories' hex files lie in `folder`.
Board* board_new(const char* folder, std::int64_t bit_64ths) {
    char before[PATH_MAX];
    if (!getcwd(before, sizeof before) || chdir(folder) != 0) return nullptr;
    auto* board = new Board;
    board->bit = bit_64ths;
    board->top = std::make_unique<Vulx3s_top>(&board->context);
    board->top->clk_25mhz = 0;
    board->top->ftdi_txd = 1;
    board->top->fire_1 = 0;
    board->top->eval();
    if (chdir(before) != 0) return nullptr;
    for (int k = 0; k < 100; ++k) board->clock();
    return board;
}
void board_delete(Board* board) { delete board; }

void board_button(Board* board, int pressed) { board->top->fire_1 = pressed != 0; }
void board_noise(Board* board, std::uint32_t glitches_a_million, std::uint64_t seed) {
    board->glitches_a_million = glitches_a_million;
    board->random = seed | 1;
}
std::uint64_t board_cycles(Board* board) { return board->cycle; }
std::uint64_t board_glitches(Board* board) { return board->glitches; }
std::uint64_t board_broken(Board* board) { return board->broken; }
std::uint64_t board_burst_began(Board* board) { return board->burst_began; }
std::uint64_t board_out_ended(Board* board) { return board->out_ended; }
std::uint32_t board_lights(Board* board) { return board->top->led; }

// Sends `count` bytes and runs `cycles` more; returns how many bytes came back (at most `room`).
std::uint64_t board_run(Board* board, const std::uint8_t* in, std::uint64_t count, std::uint64_t cycles,
                        std::uint8_t* out, std::uint64_t room) {
    std::uint64_t sent = 0, came = 0;
    auto& b = *board;
    while (sent < count || b.sender.left > 0 || cycles > 0) {
        if (b.sender.left == 0) {
            if (sent < count) {
                if (sent == 0) b.burst_began = b.cycle;
                b.sender.begin(in[sent++], b.bit);
            } else if (cycles > 0) {
                --cycles;
            }
        }
        b.glitch(b.glitch_in);
        b.glitch(b.glitch_out);
        b.top->ftdi_txd = b.sender.level != (b.glitch_in > 0);
        b.clock();
        b.sender.cycle(b.bit);
        const bool level = (b.top->ftdi_rxd != 0) != (b.glitch_out > 0);
        if (b.receiver.cycle(level, b.bit, b.broken)) {
            b.out_ended = b.cycle;
            if (came < room) out[came++] = b.receiver.value;
        }
    }
    return came;
}

}  // extern "C"
