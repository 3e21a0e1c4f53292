// The quoting path by itself, over ticks from a file: what test_aarch64.py compares with the module's on this machine.
// Usage: quoting_driver TICKS. TICKS: int64 [n, 4] local_ns, forward in half ticks, last trade's price, score.
// Prints messages, quotes and the FNV-1a digests of FIX bytes and of quote records.
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "quoting_path.hpp"

namespace {

pyorch::QuotingSettings settings() {
    pyorch::QuotingSettings s;
    for (std::int64_t strike = 58'000; strike <= 62'000; strike += 500) s.strikes_usd.push_back(strike);
    s.expiries_s = {2 * 86'400, 28 * 86'400};
    s.half_tick_usd = 0.05;
    s.surface_ppm = {{{550'000, 580'000}, {-50'000, -40'000}, {100'000, 90'000}, {900'000, 900'000}, {700'000, 700'000}}};
    s.rules.push_back({true, true, true, {0}, {30'000}, {25'000}, 1500, 70, 5'000'000, 1, false});
    s.fair_shift = {0, 0, 400, 2000, 250, 20, false};
    s.inventory = {300, 40, 200, 50};
    s.terms = {100'000, 5, 5'000'000, 500'000, 50, 1, 2, 20'000'000};
    s.limits.price_collar_ticks = 200;
    s.limits.bounds = {500, 1'000'000'000, 500'000'000, 20'000'000'000, 4000};
    s.limits.quotes_per_second = 2000;
    s.limits.quotes_burst = 300;
    s.limits.reference_interval_ns = 1'000'000'000;
    s.limits.protection = {1'000'000'000, 400, 200'000'000, 0};
    s.fix = {"ME", "YOU", "ACC", "BTCUSD", {}, {1, 4}, {1, 1}};
    for (std::int64_t option = 0; option < 36; ++option) {
        s.limits.positions_lots.push_back(option - 18);
        s.limits.venues.push_back(0);
        s.fix.symbols.push_back("BTC-" + std::to_string(option));
    }
    s.probability_outputs = {0};
    return s;
}

std::uint64_t digest(std::uint64_t from, const void* data, std::size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (std::size_t k = 0; k < size; ++k) from = (from ^ bytes[k]) * 1099511628211u;
    return from;
}

}  // namespace

int main(int, char** words) {
    std::ifstream file(words[1], std::ios::binary);
    const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
    const auto* row = reinterpret_cast<const std::int64_t*>(bytes.data());
    const auto rows = static_cast<std::int64_t>(bytes.size() / 32);
    pyorch::QuotingPath path(settings());
    pyorch::QuotingOutput& output = path.output();
    std::uint64_t fix = 14695981039346656037u, quotes = fix;
    std::size_t count = 0;
    for (std::int64_t tick = 0; tick < rows; ++tick, row += 4) {
        const std::int32_t feature = 0;
        path.trade(row[2], row[0]);
        path.tick({tick, row[0], tick, row[1], &feature, row + 3, row + 3, true, {}}, {});
        output.prepare();
        std::vector<pyorch::QuoteRecord> records(output.quote_ring().readable());
        std::vector<char> text(output.fix_ring().readable());
        std::vector<pyorch::TickRecord> ticks(1);
        output.quote_ring().read(records.data(), records.size());
        output.fix_ring().read(text.data(), text.size());
        output.tick_ring().read(ticks.data(), 1);
        quotes = digest(quotes, records.data(), records.size() * sizeof(pyorch::QuoteRecord));
        fix = digest(fix, text.data(), text.size());
        count += records.size();
    }
    std::printf("%" PRId64 " messages %zu quotes %016" PRIx64 " %016" PRIx64 "\n", output.messages(), count, fix, quotes);
}
