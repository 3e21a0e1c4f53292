// The kernel: weights in shared memory, state in registers and shared memory, one cluster of blocks a model.
//
// A request is a row of 64-bit words in mapped host memory, each {sequence number, payload}: a thread polls each
// word, so that features arrive with their own completion flag in one read over the bus. The answer is the same
// the other way: every logit carries the sequence number, and the host waits for the last of them.
#pragma once

#include <cooperative_groups.h>

#include "cell.cuh"

namespace pyorch {

namespace cg = cooperative_groups;

enum Request : std::uint32_t { request_step = 1, request_window = 2, request_read = 3, request_load = 4, request_stop = 5 };

// Pointers as the GPU sees them. Words of a request: the kind and a count, then pairs of features.
struct Mailbox {
    const unsigned long long* request;
    unsigned long long* answer;
    std::int32_t* state;           // h and c of layer 0, of layer 1, ...
    const std::int32_t* window;    // vectors as pairs of features
};

struct Job {
    const unsigned char* packed;
    Mailbox mailbox;
    std::int32_t* kept;            // state between launches of `step_once`
};

__device__ __forceinline__ unsigned long long read_word(const unsigned long long* word) {
    unsigned long long value;
    asm volatile("ld.relaxed.sys.global.u64 %0, [%1];" : "=l"(value) : "l"(word) : "memory");
    return value;
}

__device__ __forceinline__ void write_word(unsigned long long* word, unsigned long long value) {
    asm volatile("st.relaxed.sys.global.u64 [%0], %1;" ::"l"(word), "l"(value) : "memory");
}

// A model in the shared memory of one block.
struct Block {
    const Program* program;
    const std::int32_t *weights, *biases;
    const std::int16_t* tables;
    std::int32_t* values;   // pairs: x, then h of each layer twice, then results of dense layers
    int rank;

    __device__ int pairs(int l, bool of_h) const {
        const Layer& layer = program->layer[l];
        return 2 * program->lanes * (of_h ? layer.rounds_h : layer.rounds_x);
    }
    // h of both parities (LSTM), or results as the next dense layer reads them.
    __device__ int kept_words(int l) const {
        if (program->layer[l].lstm != 0) return 2 * pairs(l, true);
        return l + 1 < program->layers ? pairs(l + 1, false) : 0;
    }
    __device__ std::int32_t* kept(int l, int parity) const {
        std::int32_t* place = values + pairs(0, false);
        for (int k = 0; k < l; ++k) place += kept_words(k);
        return place + (parity != 0 && program->layer[l].lstm != 0 ? pairs(l, true) : 0);
    }
};

template <bool cluster>
__device__ __forceinline__ void barrier() {
    if constexpr (cluster) {
        cg::this_cluster().sync();
    } else {
        __syncthreads();
    }
}

// What a thread keeps between ticks: c of its units, and its share of R·h for the next tick.
struct Carried {
    std::int32_t cell[largest_layers], ahead[largest_layers];
};

// Copies weights, biases and tables into shared memory; values are zero.
__device__ inline Block load_block(const unsigned char* packed, unsigned char* shared, int rank) {
    const auto* program = reinterpret_cast<const Program*>(packed);
    const int words = program->block_words, biases = program->bias_entries, tables = program->table_entries;
    const auto* from = reinterpret_cast<const std::int32_t*>(packed + sizeof(Program));
    auto* weights = reinterpret_cast<std::int32_t*>(shared);
    for (int k = threadIdx.x; k < words; k += blockDim.x) weights[k] = from[rank * words + k];
    from += program->blocks * words;
    std::int32_t* bias = weights + words;
    for (int k = threadIdx.x; k < biases; k += blockDim.x) bias[k] = from[k];
    const auto* entries = reinterpret_cast<const std::int16_t*>(from + biases);
    auto* table = reinterpret_cast<std::int16_t*>(bias + biases);
    for (int k = threadIdx.x; k < tables; k += blockDim.x) table[k] = entries[k];
    auto* values = reinterpret_cast<std::int32_t*>(table + (tables + 1) / 2 * 2);
    Block block{program, weights, bias, table, values, rank};
    int end = block.pairs(0, false);
    for (int l = 0; l < program->layers; ++l) end += block.kept_words(l);
    for (int k = threadIdx.x; k < end; k += blockDim.x) values[k] = 0;
    return block;
}

// R·h of every layer for the next tick: all that can be known before it.
__device__ __forceinline__ void prepare(const Block& block, Carried& carried, int parity) {
    const Program& p = *block.program;
    const int lane = threadIdx.x % p.lanes;
#pragma unroll
    for (int l = 0; l < largest_layers; ++l) {
        if (l >= p.layers || p.layer[l].lstm == 0) continue;
        const Layer& layer = p.layer[l];
        const std::int32_t* column = block.weights + layer.weights + layer.rounds_x * p.threads + threadIdx.x;
        carried.ahead[l] = share_of_row(column, p.threads, block.kept(l, parity), lane, p.lanes, layer.rounds_h);
    }
}

__device__ __forceinline__ std::int32_t complete_sum(const Program& p, std::int32_t share) {
    for (int distance = p.lanes / 2; distance > 0; distance /= 2) share += __shfl_xor_sync(~0u, share, distance);
    return share;
}

// One step from the x in `block.values`; h of `parity` becomes h of the other one. Logits stay with their threads.
template <bool cluster>
__device__ __forceinline__ std::int32_t advance(const Block& block, Carried& carried, int parity) {
    const Program& p = *block.program;
    const int row = threadIdx.x / p.lanes, lane = threadIdx.x % p.lanes;
    const std::int32_t* x = block.values;
    std::int32_t result = 0;
#pragma unroll
    for (int l = 0; l < largest_layers; ++l) {
        if (l >= p.layers) break;
        const Layer& layer = p.layer[l];
        if (layer.lstm == 0 && block.rank != 0) break;
        const int rows = layer.lstm != 0 ? layer.rows / p.blocks : layer.rows;
        const int first = layer.lstm != 0 ? block.rank * rows : 0;
        const std::int32_t* column = block.weights + layer.weights + threadIdx.x;
        std::int32_t share = share_of_row(column, p.threads, x, lane, p.lanes, layer.rounds_x) << layer.shift_x;
        if (layer.lstm != 0) share += carried.ahead[l] << layer.shift_h;
        const std::int32_t sum = complete_sum(p, share) + (row < rows ? block.biases[layer.bias + first + row] : 0);
        auto* kept = reinterpret_cast<std::int16_t*>(block.kept(l, 1 - parity));
        if (layer.lstm == 0) {
            result = dense_result(layer, sum);
            if (l + 1 < p.layers && row < rows && lane == 0) kept[row] = static_cast<std::int16_t>(result);
            __syncthreads();
        } else {
            const std::int32_t entry = gate_entry(layer, block.tables, row % gates, sum);
            // the four rows of a unit lie in one warp
            const int unit_lane = threadIdx.x % warpSize / (gates * p.lanes) * (gates * p.lanes);
            std::int32_t entries[gates];
#pragma unroll
            for (int gate = 0; gate < gates; ++gate) {
                entries[gate] = __shfl_sync(~0u, entry, unit_lane + gate * p.lanes);
            }
            if (row < rows && row % gates == 0 && lane == 0) {
                const HiddenAndCell next =
                    tail(layer, block.tables, entries[0], entries[1], entries[2], entries[3], carried.cell[l]);
                carried.cell[l] = next.cell;
                std::int16_t* place = kept + (first + row) / gates;
                if constexpr (cluster) {
                    for (int other = 0; other < p.blocks; ++other) {
                        *cg::this_cluster().map_shared_rank(place, other) = static_cast<std::int16_t>(next.hidden);
                    }
                } else {
                    *place = static_cast<std::int16_t>(next.hidden);
                }
            }
            barrier<cluster>();
        }
        x = block.kept(l, layer.lstm != 0 ? 1 - parity : 0);
    }
    return result;
}

// h and c to or from `state`, each unit by the thread that computes it; loading fills h of every block.
template <bool cluster>
__device__ __forceinline__ void exchange_state(const Block& block, Carried& carried, int parity, std::int32_t* state,
                                               bool load) {
    const Program& p = *block.program;
    const int row = threadIdx.x / p.lanes, lane = threadIdx.x % p.lanes;
#pragma unroll
    for (int l = 0; l < largest_layers; ++l) {
        if (l >= p.layers || p.layer[l].lstm == 0) break;
        const Layer& layer = p.layer[l];
        const int rows = layer.rows / p.blocks, unit = (block.rank * rows + row) / gates;
        auto* kept = reinterpret_cast<std::int16_t*>(block.kept(l, parity));
        if (row < rows && row % gates == 0 && lane == 0) {
            volatile std::int32_t* hidden = state + unit;
            volatile std::int32_t* cell = state + layer.units + unit;
            if (load) {
                carried.cell[l] = *cell;
            } else {
                *hidden = kept[unit];
                *cell = carried.cell[l];
            }
        }
        if (load) {
            for (int k = threadIdx.x; k < layer.units; k += blockDim.x) {
                kept[k] = static_cast<std::int16_t>(static_cast<volatile std::int32_t*>(state)[k]);
            }
        }
        state += 2 * layer.units;
    }
    barrier<cluster>();
}

__device__ __forceinline__ void zero_state(const Block& block, Carried& carried) {
    const Program& p = *block.program;
#pragma unroll
    for (int l = 0; l < largest_layers; ++l) {
        carried.cell[l] = carried.ahead[l] = 0;
        if (l >= p.layers || p.layer[l].lstm == 0) continue;
        for (int k = threadIdx.x; k < 2 * block.pairs(l, true); k += blockDim.x) block.kept(l, 0)[k] = 0;
    }
}

template <bool cluster>
__global__ void __launch_bounds__(1024, 1) persistent_model(const Job* jobs) {
    extern __shared__ __align__(16) unsigned char shared[];
    const auto* head = reinterpret_cast<const Program*>(jobs[0].packed);
    const Job job = jobs[blockIdx.x / head->blocks];
    Block block = load_block(job.packed, shared, static_cast<int>(blockIdx.x) % head->blocks);
    const Program& p = *block.program;
    Carried carried{};
    int parity = 0;
    barrier<cluster>();
    __shared__ std::uint32_t command;
    const int words = 1 + (p.features + 1) / 2;
    for (std::uint32_t sequence = 1;; ++sequence) {
        for (int k = threadIdx.x; k < words; k += blockDim.x) {
            unsigned long long word;
            do {
                word = read_word(job.mailbox.request + k);
            } while (static_cast<std::uint32_t>(word >> 32) != sequence);
            if (k == 0) {
                command = static_cast<std::uint32_t>(word);
            } else {
                block.values[k - 1] = static_cast<std::int32_t>(word);
            }
        }
        __syncthreads();
        const std::uint32_t kind = command & 0xFF;
        std::int32_t result = 0;
        if (kind == request_stop) break;
        if (kind == request_step) {
            result = advance<cluster>(block, carried, parity);
            parity = 1 - parity;
        } else if (kind == request_window) {
            __threadfence_system();
            barrier<cluster>();
            zero_state(block, carried);
            for (std::uint32_t n = 0; n < command >> 8; ++n) {
                const volatile std::int32_t* vector = job.mailbox.window + n * (words - 1);
                for (int k = threadIdx.x; k < words - 1; k += blockDim.x) block.values[k] = vector[k];
                barrier<cluster>();
                prepare(block, carried, parity);
                result = advance<cluster>(block, carried, parity);
                parity = 1 - parity;
            }
        } else {
            __threadfence_system();
            barrier<cluster>();
            exchange_state<cluster>(block, carried, parity, job.mailbox.state, kind == request_load);
            __threadfence_system();
            barrier<cluster>();
        }
        const int row = static_cast<int>(threadIdx.x) / p.lanes;
        if (block.rank == 0 && row < p.outputs && threadIdx.x % p.lanes == 0) {
            const unsigned long long value = static_cast<std::uint32_t>(result);
            write_word(job.mailbox.answer + row, static_cast<unsigned long long>(sequence) << 32 | value);
        }
        prepare(block, carried, parity);
        barrier<cluster>();
    }
    barrier<cluster>();
}

// The same step as one launch: weights from global memory into shared memory, state kept in global memory.
template <bool cluster>
__global__ void __launch_bounds__(1024, 1) step_once(Job job) {
    extern __shared__ __align__(16) unsigned char shared[];
    const int blocks = reinterpret_cast<const Program*>(job.packed)->blocks;
    Block block = load_block(job.packed, shared, static_cast<int>(blockIdx.x) % blocks);
    const Program& p = *block.program;
    Carried carried{};
    barrier<cluster>();
    exchange_state<cluster>(block, carried, 0, job.kept, true);
    const int words = 1 + (p.features + 1) / 2;
    for (int k = threadIdx.x + 1; k < words; k += blockDim.x) {
        block.values[k - 1] = static_cast<std::int32_t>(read_word(job.mailbox.request + k));
    }
    __syncthreads();
    prepare(block, carried, 0);
    const std::int32_t result = advance<cluster>(block, carried, 0);
    exchange_state<cluster>(block, carried, 1, job.kept, false);
    const int row = static_cast<int>(threadIdx.x) / p.lanes;
    if (block.rank == 0 && row < p.outputs && threadIdx.x % p.lanes == 0) {
        write_word(job.mailbox.answer + row, static_cast<std::uint32_t>(result));
    }
}

// The floor of any mailbox: one word there, one word back.
inline __global__ void ping_pong(const unsigned long long* request, unsigned long long* answer) {
    for (std::uint32_t sequence = 1;; ++sequence) {
        unsigned long long word;
        do {
            word = read_word(request);
        } while (static_cast<std::uint32_t>(word >> 32) != sequence);
        write_word(answer, word);
        if (static_cast<std::uint32_t>(word) == request_stop) return;
    }
}

}  // namespace pyorch
