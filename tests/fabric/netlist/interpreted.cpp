// The same as stimulus.v with the interpreter; ports in the order clk, in, out.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>

#include "netlist.hpp"

int main() {
    netlist::Netlist bench("netlist.words");
    std::ifstream lines("stimulus.hex");
    for (std::string line; std::getline(lines, line);) {
        for (int k = 0; k < 2; ++k) {
            const auto& all = bench.port(1);
            const std::vector<netlist::Net> half(all.begin() + 64 * k, all.begin() + 64 * (k + 1));
            bench.set(half, std::stoull(line.substr(16 * (1 - k), 16), nullptr, 16));
        }
        bench.eval();
        for (int k = 3; k >= 0; --k) {
            const auto& all = bench.port(2);
            const std::vector<netlist::Net> quarter(all.begin() + 64 * k, all.begin() + 64 * (k + 1));
            std::printf("%016llx", static_cast<unsigned long long>(bench.get(quarter)));
        }
        std::printf("\n");
        for (int level : {1, 0}) {
            bench.set(bench.port(0), level);
            bench.eval();
        }
    }
}
