// The kernel's arithmetic on the CPU: the same functions on the same packed arrays, thread by thread.
//
// Built by the tests; stands for what the GPU does between two barriers, without its parallelism.
#include <cstring>
#include <vector>

#include "cell.cuh"

using namespace pyorch;

namespace {

struct HostModel {
    Program program;
    std::vector<std::int32_t> weights, biases;
    std::vector<std::int16_t> tables;
    std::vector<std::vector<std::int32_t>> hidden, cell;

    // Values as pairs of 16 bits, padded with zeros as far as the lanes read.
    static std::vector<std::int32_t> pairs(const std::vector<std::int32_t>& values, int words) {
        std::vector<std::int32_t> packed(2 * words, 0);
        for (std::size_t k = 0; k < values.size(); ++k) {
            packed[k / 2] |= static_cast<std::int32_t>(static_cast<std::uint32_t>(values[k] & 0xFFFF) << (16 * (k & 1)));
        }
        return packed;
    }

    std::vector<std::int32_t> sums(const Layer& layer, const std::vector<std::int32_t>& x,
                                   const std::vector<std::int32_t>& h) const {
        const int lanes = program.lanes, threads = program.threads;
        const std::vector<std::int32_t> xs = pairs(x, layer.rounds_x * lanes), hs = pairs(h, layer.rounds_h * lanes);
        std::vector<std::int32_t> result(layer.rows);
        const int blocks = layer.lstm != 0 ? program.blocks : 1, in_block = (layer.rows + blocks - 1) / blocks;
        for (int row = 0; row < layer.rows; ++row) {
            const int block = row / in_block, local = row % in_block;
            std::int32_t from_x = 0, from_h = 0;
            for (int lane = 0; lane < lanes; ++lane) {
                const std::int32_t* column =
                    weights.data() + block * program.block_words + layer.weights + local * lanes + lane;
                from_x += share_of_row(column, threads, xs.data(), lane, lanes, layer.rounds_x);
                from_h += share_of_row(column + layer.rounds_x * threads, threads, hs.data(), lane, lanes, layer.rounds_h);
            }
            result[row] = (from_x << layer.shift_x) + (from_h << layer.shift_h) + biases[layer.bias + row];
        }
        return result;
    }

    std::vector<std::int32_t> step(std::vector<std::int32_t> values) {
        for (int l = 0; l < program.layers; ++l) {
            const Layer& layer = program.layer[l];
            if (layer.lstm == 0) {
                std::vector<std::int32_t> all = sums(layer, values, {});
                for (std::int32_t& sum : all) sum = dense_result(layer, sum);
                values = all;
                continue;
            }
            const std::vector<std::int32_t> all = sums(layer, values, hidden[l]);
            for (int unit = 0; unit < layer.units; ++unit) {
                std::int32_t entry[gates];
                for (int gate = 0; gate < gates; ++gate) {
                    entry[gate] = gate_entry(layer, tables.data(), gate, all[gates * unit + gate]);
                }
                const HiddenAndCell next =
                    tail(layer, tables.data(), entry[0], entry[1], entry[2], entry[3], cell[l][unit]);
                hidden[l][unit] = next.hidden;
                cell[l][unit] = next.cell;
            }
            values = hidden[l];
        }
        return values;
    }
};

}  // namespace

extern "C" {

// A packed model, as `gpu_fallback.kernels.program.pack` writes it.
HostModel* host_model_new(const unsigned char* bytes) {
    auto* model = new HostModel;
    std::memcpy(&model->program, bytes, sizeof(Program));
    const Program& p = model->program;
    bytes += sizeof(Program);
    model->weights.resize(static_cast<std::size_t>(p.blocks) * p.block_words);
    std::memcpy(model->weights.data(), bytes, model->weights.size() * 4);
    bytes += model->weights.size() * 4;
    model->biases.resize(p.bias_entries);
    std::memcpy(model->biases.data(), bytes, model->biases.size() * 4);
    bytes += model->biases.size() * 4;
    model->tables.resize(p.table_entries);
    std::memcpy(model->tables.data(), bytes, model->tables.size() * 2);
    for (int l = 0; l < p.layers; ++l) {
        model->hidden.emplace_back(p.layer[l].lstm != 0 ? p.layer[l].units : 0);
        model->cell.emplace_back(p.layer[l].lstm != 0 ? p.layer[l].units : 0);
    }
    return model;
}

void host_model_delete(HostModel* model) { delete model; }

// `steps` vectors → `steps` answers; the state goes on.
void host_model_steps(HostModel* model, const std::int32_t* features, std::int32_t* logits, int steps) {
    const Program& p = model->program;
    for (int n = 0; n < steps; ++n, features += p.features, logits += p.outputs) {
        const std::vector<std::int32_t> answer = model->step(std::vector<std::int32_t>(features, features + p.features));
        std::memcpy(logits, answer.data(), answer.size() * 4);
    }
}

// h and c of layer 0, then of layer 1, ...
void host_model_state(HostModel* model, std::int32_t* state, int write) {
    for (int l = 0; l < model->program.layers; ++l) {
        for (std::vector<std::int32_t>* values : {&model->hidden[l], &model->cell[l]}) {
            if (write != 0) {
                std::memcpy(values->data(), state, values->size() * 4);
            } else {
                std::memcpy(state, values->data(), values->size() * 4);
            }
            state += values->size();
        }
    }
}

}  // extern "C"
