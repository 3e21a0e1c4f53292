// A ring between one producing and one consuming thread: no lock, no system call, no allocation.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace pyorch {

inline void pause_core() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// A hint: the line will be written soon.
inline void fetch_for_writing(const void* line) {
#if defined(__x86_64__)
    asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(line)));
#else
    __builtin_prefetch(line, 1, 2);
#endif
}

// Positions only grow; each side keeps a copy of the other's, so that the shared line is read when needed.
// A full ring holds the producer back (spinning, counted): a replay loses nothing.
template <typename T>
class Ring {
   public:
    explicit Ring(std::size_t capacity) : items_(std::bit_ceil(std::max<std::size_t>(capacity, 2))) {}

    std::size_t capacity() const { return items_.size(); }
    std::uint64_t waits() const { return waits_; }

    // Producer: room for `count` items, at most the capacity. A consumer that is gone sets `abandoned`.
    void reserve(std::size_t count, const std::atomic<bool>& abandoned) {
        if (head_ + count - seen_tail_ <= items_.size()) return;
        ++waits_;
        while (head_ + count - (seen_tail_ = tail_.load(std::memory_order_acquire)) > items_.size()) {
            if (abandoned.load(std::memory_order_relaxed)) {
                tail_.store(head_, std::memory_order_release);
                continue;
            }
            pause_core();
        }
    }
    std::size_t free() const { return items_.size() - (head_ - tail_.load(std::memory_order_acquire)); }
    T& at(std::size_t offset) { return items_[(head_ + offset) & (items_.size() - 1)]; }
    void write(const T* from, std::size_t count) {
        const std::size_t start = head_ & (items_.size() - 1), first = std::min(count, items_.size() - start);
        std::memcpy(items_.data() + start, from, first * sizeof(T));
        std::memcpy(items_.data(), from + first, (count - first) * sizeof(T));
        head_ += count;
    }
    void advance(std::size_t count) { head_ += count; }
    // Between writes: asks for the lines of the next `count` items, those that were not asked for yet.
    void fetch(std::size_t count) {
        const std::uint64_t end = head_ + count;
        for (fetched_ = std::max(fetched_, head_); fetched_ < end; fetched_ += step) {
            const char* const item = reinterpret_cast<const char*>(&items_[fetched_ & (items_.size() - 1)]);
            for (std::size_t line = 0; line < sizeof(T); line += cache_line) fetch_for_writing(item + line);
            fetch_for_writing(item + sizeof(T) - 1);
        }
    }
    void publish() { published_.store(head_, std::memory_order_release); }

    // Consumer.
    std::size_t readable() const {
        return published_.load(std::memory_order_acquire) - tail_.load(std::memory_order_relaxed);
    }
    const T& peek(std::size_t offset) const {
        return items_[(tail_.load(std::memory_order_relaxed) + offset) & (items_.size() - 1)];
    }
    void read(T* to, std::size_t count) {
        const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
        const std::size_t start = tail & (items_.size() - 1), first = std::min(count, items_.size() - start);
        std::memcpy(to, items_.data() + start, first * sizeof(T));
        std::memcpy(to + first, items_.data(), (count - first) * sizeof(T));
        tail_.store(tail + count, std::memory_order_release);
    }

   private:
    static constexpr std::size_t cache_line = 64, step = sizeof(T) < cache_line ? cache_line / sizeof(T) : 1;

    std::vector<T> items_;  // written once at construction: its pages are there before the first tick
    alignas(64) std::uint64_t head_ = 0;
    std::uint64_t seen_tail_ = 0, fetched_ = 0, waits_ = 0;
    alignas(64) std::atomic<std::uint64_t> published_{0};
    alignas(64) std::atomic<std::uint64_t> tail_{0};
};

}  // namespace pyorch
