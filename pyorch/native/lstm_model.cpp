#include "lstm_model.hpp"

namespace pyorch {
namespace {

class Reader {
public:
    Reader(const std::int64_t* data, std::size_t size) : next_(data), end_(data + size) {}

    std::int64_t integer(std::int64_t low, std::int64_t high) {
        if (next_ == end_) throw std::invalid_argument("the flat model ends early");
        const std::int64_t value = *next_++;
        if (value < low || value > high) {
            throw std::invalid_argument("the flat model holds " + std::to_string(value) + ", expected " +
                                        std::to_string(low) + ".." + std::to_string(high));
        }
        return value;
    }
    int small(int low, int high) { return static_cast<int>(integer(low, high)); }
    bool flag() { return integer(0, 1) != 0; }
    Fixed format() {
        Fixed f;
        f.width = small(1, 62);
        f.integer = small(-1000, 1000);
        f.is_signed = flag();
        f.round = flag();
        f.saturate = flag();
        return f;
    }
    ActivationRule activation() {
        ActivationRule rule;
        rule.sigmoid = flag();
        rule.hard = flag();
        rule.truncate = flag();
        rule.index_bits = small(1, 16);
        rule.slope = integer(0, std::int64_t{1} << 40);
        rule.slope_fraction = small(0, 60);
        return rule;
    }
    // An array with its length before it; `expected` -1: any length.
    std::vector<std::int64_t> array(std::int64_t expected) {
        const std::int64_t count = integer(0, end_ - next_ - 1);
        if (expected >= 0 && count != expected) {
            throw std::invalid_argument("the flat model holds an array of " + std::to_string(count) +
                                        " integers, expected " + std::to_string(expected));
        }
        std::vector<std::int64_t> values(next_, next_ + count);
        next_ += count;
        return values;
    }
    bool at_end() const { return next_ == end_; }

private:
    const std::int64_t* next_;
    const std::int64_t* end_;
};

LayerModel read_layer(Reader& in) {
    LayerModel layer;
    layer.lstm = in.flag();
    layer.inputs = in.small(1, 1 << 16);
    layer.units = in.small(1, 1 << 16);
    layer.input = in.format();
    layer.kernel = in.format();
    layer.bias = in.format();
    layer.accumulator = in.format();
    layer.hidden = in.format();
    const std::int64_t columns = layer.columns();
    layer.kernel_weights = in.array(layer.inputs * columns);
    layer.bias_weights = in.array(columns);
    if (!layer.lstm) {
        layer.relu = in.flag();
        return layer;
    }
    layer.recurrent = in.format();
    layer.table = in.format();
    layer.cell = in.format();
    layer.gate = in.activation();
    layer.activation = in.activation();
    layer.recurrent_weights = in.array(layer.units * columns);
    layer.gate_table = in.array(layer.gate.hard ? 0 : std::int64_t{1} << layer.gate.index_bits);
    layer.cell_table = in.array(layer.activation.hard ? 0 : std::int64_t{1} << layer.activation.index_bits);
    return layer;
}

}  // namespace

LstmModel LstmModel::read(const std::int64_t* data, std::size_t size) {
    Reader in(data, size);
    in.integer(version, version);
    LstmModel model;
    model.windowed = in.flag();
    model.window = in.small(1, 1 << 20);
    const int layers = in.small(1, 64);
    for (int l = 0; l < layers; ++l) {
        model.layers.push_back(read_layer(in));
        const LayerModel& now = model.layers.back();
        if (l == 0 ? !now.lstm : now.inputs != model.layers[l - 1].units) {
            throw std::invalid_argument("layer " + std::to_string(l) + " does not follow the one before it");
        }
    }
    const int heads = in.small(0, 1 << 16);
    int outputs = 0;
    for (int h = 0; h < heads; ++h) {
        HeadModel head;
        head.kind = static_cast<HeadModel::Kind>(in.small(0, 2));
        head.outputs = in.small(1, 1 << 16);
        outputs += head.outputs;
        model.heads.push_back(head);
    }
    if (outputs != model.outputs()) throw std::invalid_argument("the heads do not cover the outputs");
    model.exp_shift = in.small(0, 62);
    model.sigmoid_shift = in.small(0, 62);
    model.exp_table = in.array(-1);
    model.sigmoid_table = in.array(-1);
    model.calibration = in.array(std::int64_t{17} * outputs);
    if (!in.at_end()) throw std::invalid_argument("the flat model has integers left over");
    return model;
}

}  // namespace pyorch
