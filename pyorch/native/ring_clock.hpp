// The tick thread's clock: the core's cycle counter, read without a system call.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace pyorch {

inline std::uint64_t clock_cycles() {
#if defined(__x86_64__)
    return __rdtsc();
#elif defined(__aarch64__)
    std::uint64_t value;
    asm volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
#else
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

// Nanoseconds a cycle with 24 fractional bits, measured once against the steady clock for about 20 ms.
inline std::uint64_t clock_scale() {
    static const std::uint64_t scale = [] {
        using Clock = std::chrono::steady_clock;
        const auto start = Clock::now();
        const std::uint64_t first = clock_cycles();
        auto now = start;
        while (now - start < std::chrono::milliseconds(20)) now = Clock::now();
        const std::uint64_t cycles = clock_cycles() - first;
        const auto elapsed_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now - start).count();
        return (static_cast<std::uint64_t>(elapsed_ns) << 24) / std::max<std::uint64_t>(cycles, 1);
    }();
    return scale;
}

inline double clock_ns_per_cycle() { return static_cast<double>(clock_scale()) / (1 << 24); }

inline std::uint32_t clock_ns(std::uint64_t from, std::uint64_t to) {
    const std::uint64_t cycles = to > from ? std::min<std::uint64_t>(to - from, std::uint64_t{1} << 32) : 0;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>((cycles * clock_scale()) >> 24, 0xFFFFFFFFu));
}

}  // namespace pyorch
