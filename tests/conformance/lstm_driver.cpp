// Replays a bundle's golden vectors on one implementation of the native engine, without Python.
//
// usage: lstm_driver FILE SIMD
// FILE: int64 each: length of the flat model, the model, then for windows and for the sequence:
//       count, vectors of one entry (T, or 1), features, logits, scores.
// Prints "SIMD ENTRIES equal" or the first difference (status 1).
#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

#include "lstm_engine.hpp"

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    std::ifstream file(argv[1], std::ios::binary);
    const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    std::vector<std::int64_t> data(bytes.size() / 8);
    std::copy_n(bytes.data(), data.size() * 8, reinterpret_cast<char*>(data.data()));
    const std::int64_t* at = data.data();
    const std::int64_t length = *at++;
    pyorch::LstmEngine engine(pyorch::LstmModel::read(at, static_cast<std::size_t>(length)), argv[2]);
    at += length;
    int entries = 0;
    for (const bool windows : {true, false}) {
        const std::int64_t count = *at++, vectors = *at++;
        const std::int64_t* features = at;
        const std::int64_t* logits = features + count * vectors * engine.features();
        const std::int64_t* scores = logits + count * engine.outputs();
        at = scores + count * engine.outputs();
        engine.reset();
        for (std::int64_t n = 0; n < count; ++n, ++entries) {
            const std::int64_t* first = features + n * vectors * engine.features();
            const std::vector<std::int32_t> values(first, first + vectors * engine.features());
            if (windows) {
                engine.window(values.data(), static_cast<int>(vectors));
            } else {
                engine.step(values.data());
                engine.prepare();
            }
            for (int k = 0; k < engine.outputs(); ++k) {
                const std::int64_t place = n * engine.outputs() + k;
                if (engine.logits()[k] != logits[place] || engine.scores()[k] != scores[place]) {
                    std::printf("%s entry %d output %d: logit %lld, score %lld; expected %lld, %lld\n", engine.simd(),
                                entries, k, static_cast<long long>(engine.logits()[k]),
                                static_cast<long long>(engine.scores()[k]), static_cast<long long>(logits[place]),
                                static_cast<long long>(scores[place]));
                    return 1;
                }
            }
        }
    }
    std::printf("%s %d equal\n", engine.simd(), entries);
    return 0;
}
