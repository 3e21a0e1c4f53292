// Drives one verilated LSTM block: vectors, control and weight loads in a given order, chunks recorded.
//
// Compiled with -DTOP=V<module> -DHEADER="V<module>.h"; loaded by sim/bench/layer/block.py through ctypes.
#include HEADER
#include "verilated.h"
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

double sc_time_stamp() { return 0; }

enum Kind : int64_t { VECTOR, CLEAR, SWAP, CLEAR_SWAP, STATE_WRITE, STATE_READ, WAIT, WAIT_IDLE, LOADED };
struct Operation { int64_t kind, a, b, c; };
// VECTOR: a = row of x, b = first | answer << 1, c = cycles to wait before it is offered
// STATE_WRITE: a = address, b = data; STATE_READ: a = address; WAIT: a = cycles; LOADED: all loads are written

struct Bench {
    VerilatedContext context;
    TOP* top;
    uint64_t cycle = 0;
    std::mt19937_64 random;
    // chunk sink
    double busy_share = 0;
    int busy_left = 0;
    bool ready = true, inside = false;
    std::vector<uint64_t> chunk_cycles;
    std::vector<uint8_t> chunk_flags, chunks;
    size_t chunk_bytes;
    // load port
    const uint32_t *addresses = nullptr, *data = nullptr;
    size_t loads = 0, loaded = 0;
    double load_share = 1;

    Bench() { top = new TOP(&context); }
    ~Bench() { top->final(); delete top; }

    double draw() { return double(random() >> 11) * 0x1p-53; }

    // inputs that this bench plays by itself, set after the clock edge
    void drive() {
        top->load_write = 0;
        if (loaded < loads && draw() < load_share) {
            top->load_write = 1;
            top->load_address = addresses[loaded];
            top->load_data = data[loaded++];
        }
        top->h_ready = ready;
        top->eval();
    }
    // one clock cycle; chunks are looked at before the edge
    void tick() {
        if (top->h_valid) {
            chunk_cycles.push_back(cycle);
            chunk_flags.push_back(uint8_t(top->h_last | top->h_first << 1 | top->h_answer << 2 | ready << 3));
            const uint8_t* from = reinterpret_cast<const uint8_t*>(&top->h);
            chunks.insert(chunks.end(), from, from + chunk_bytes);
            if (!inside) { busy_left = draw() < busy_share ? int(random() % 60) : 0; }
            inside = !top->h_last;
        }
        if (inside) ready = false;
        else if (busy_left > 0) { ready = false; busy_left--; }
        else ready = true;
        top->clk = 1; top->eval();
        top->clk = 0; top->eval();
        cycle++;
        drive();
    }
    void quiet() {
        top->x_valid = 0; top->clear = 0; top->swap = 0; top->state_write = 0;
    }
};

extern "C" {

Bench* bench_new(size_t chunk_bytes, uint64_t seed) {
    auto* bench = new Bench;
    bench->chunk_bytes = chunk_bytes;
    bench->random.seed(seed);
    auto* top = bench->top;
    bench->quiet();
    top->load_write = 0; top->clk = 0; top->rst = 1;
    bench->drive();
    for (int k = 0; k < 4; k++) bench->tick();
    top->rst = 0;
    bench->drive();
    return bench;
}
void bench_delete(Bench* bench) { delete bench; }
void bench_busy(Bench* bench, double share) { bench->busy_share = share; }
void bench_load(Bench* bench, const uint32_t* addresses, const uint32_t* data, size_t count, double share) {
    bench->addresses = addresses; bench->data = data; bench->loads = count; bench->loaded = 0;
    bench->load_share = share;
}
size_t bench_chunks(Bench* bench) { return bench->chunk_cycles.size(); }
void bench_take(Bench* bench, uint64_t* cycles, uint8_t* flags, uint8_t* chunks) {
    memcpy(cycles, bench->chunk_cycles.data(), 8 * bench->chunk_cycles.size());
    memcpy(flags, bench->chunk_flags.data(), bench->chunk_flags.size());
    memcpy(chunks, bench->chunks.data(), bench->chunks.size());
    bench->chunk_cycles.clear(); bench->chunk_flags.clear(); bench->chunks.clear();
}

// Returns the operations done (fewer than count: nothing moved for `patience` cycles).
// results [count]: VECTOR: the cycle of the handshake; STATE_READ: the data; else the cycle.
size_t bench_run(Bench* bench, const Operation* list, size_t count, const uint8_t* x, size_t x_bytes,
                 int64_t* results, uint64_t patience) {
    auto* top = bench->top;
    for (size_t k = 0; k < count; k++) {
        const Operation& now = list[k];
        uint64_t limit = bench->cycle + patience;
        switch (now.kind) {
        case VECTOR: {
            for (int64_t n = 0; n < now.c; n++) bench->tick();
            limit = bench->cycle + patience;
            memcpy(&top->x, x + now.a * x_bytes, x_bytes);
            top->x_first = now.b & 1; top->x_answer = now.b >> 1 & 1; top->x_valid = 1;
            top->eval();
            while (!top->x_ready) {
                if (bench->cycle > limit) return k;
                bench->tick();
            }
            results[k] = int64_t(bench->cycle);
            bench->tick();
            top->x_valid = 0;
            for (size_t n = 0; n < x_bytes; n++) reinterpret_cast<uint8_t*>(&top->x)[n] = 0;  // it is gone
            top->eval();
            break;
        }
        case CLEAR: case SWAP: case CLEAR_SWAP: case STATE_WRITE:
            while (!top->drained) {
                if (bench->cycle > limit) return k;
                bench->tick();
            }
            top->clear = now.kind == CLEAR || now.kind == CLEAR_SWAP;
            top->swap = now.kind == SWAP || now.kind == CLEAR_SWAP;
            top->state_write = now.kind == STATE_WRITE;
            top->state_address = uint16_t(now.a); top->state_write_data = uint32_t(now.b);
            top->eval();
            results[k] = int64_t(bench->cycle);
            bench->tick();
            bench->quiet();
            top->eval();
            break;
        case STATE_READ:
            while (!top->drained) {
                if (bench->cycle > limit) return k;
                bench->tick();
            }
            top->state_address = uint16_t(now.a); top->eval();
            for (int n = 0; n < 3; n++) bench->tick();
            results[k] = int32_t(top->state_read_data);
            break;
        case WAIT:
            for (int64_t n = 0; n < now.a; n++) bench->tick();
            results[k] = int64_t(bench->cycle);
            break;
        case WAIT_IDLE:
            while (!top->idle) {
                if (bench->cycle > limit) return k;
                bench->tick();
            }
            results[k] = int64_t(bench->cycle);
            break;
        case LOADED:
            while (bench->loaded < bench->loads) {
                if (bench->cycle > limit) return k;
                bench->tick();
            }
            bench->tick(); bench->tick();
            results[k] = int64_t(bench->cycle);
            break;
        }
    }
    return count;
}
}
