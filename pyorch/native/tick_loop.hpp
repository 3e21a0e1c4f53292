// The tick on one native thread: events → book → features → LSTM → policy → quotes → risk → FIX → journal.
// Nothing is allocated, no lock is taken and no system call is made between the first event and the last;
// `guarded` proves the last of these: the thread runs under a filter that ends the process at any call.
#pragma once

#include <pthread.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <thread>

#include "tick_loop_guard.hpp"
#include "tick_steps.hpp"

namespace pyorch {

class TickLoop {
   public:
    // The stream, engine and events must outlive the loop. `passes` > 1 replays the events again and again,
    // each pass later by their span plus a millisecond. `cpu` < 0: not pinned.
    // `decisions`: a card that decides on the same events, or null.
    TickLoop(const QuotingSettings& settings, FeatureStream& stream, TickEngine& engine, std::span<const Event> events,
             int passes, int cpu, bool guarded, DecisionPair* decisions)
        : steps_(settings, stream, engine), events_(events), passes_(passes), cpu_(cpu), guarded_(guarded) {
        if (passes < 1) throw std::invalid_argument("at least one pass");
        path().decisions = decisions;
    }
    TickLoop(const TickLoop&) = delete;
    TickLoop& operator=(const TickLoop&) = delete;
    ~TickLoop() {
        abandon();
        stop_.store(true);
        if (thread_.joinable()) thread_.join();
    }

    void start() {
        if (started_) throw std::logic_error("a tick loop runs once");
        started_ = true;
        thread_counts();  // the counters are looked up here, not on the tick thread
        thread_ = std::thread([this] { run(); });
    }
    // Nobody reads the rings any more.
    void abandon() {
        path().output().abandoned.store(true);
        if (path().decisions) path().decisions->abandoned.store(true);
    }
    void stop() { stop_.store(true, std::memory_order_relaxed); }
    void join() {
        if (thread_.joinable()) thread_.join();
    }
    bool done() const { return done_.load(std::memory_order_acquire); }

    // The engine did not answer a tick; the loop ended there.
    bool engine_failed() const { return engine_failed_.load(std::memory_order_acquire); }
    QuotingPath& path() { return steps_.path; }
    std::int64_t events() const { return processed_; }
    std::int64_t duration_ns() const { return duration_ns_; }
    std::int64_t allocations() const { return after_.allocations - before_.allocations; }
    std::int64_t locks() const { return after_.locks - before_.locks; }
    bool counted() const { return thread_counts_available(); }
    std::int64_t involuntary_switches() const { return switches_after_ - switches_before_; }
    std::uint64_t ring_waits() {
        QuotingOutput& output = path().output();
        return output.tick_ring().waits() + output.quote_ring().waits() + output.fix_ring().waits();
    }

   private:
    void run() {
        if (cpu_ >= 0) {
            cpu_set_t set;
            CPU_ZERO(&set);
            CPU_SET(cpu_, &set);
            pthread_setaffinity_np(pthread_self(), sizeof set, &set);
        }
        switches_before_ = switches();
        if (guarded_) forbid_system_calls();
        before_ = thread_counts();
        const auto start = clock_cycles();
        loop();
        const auto end = clock_cycles();
        after_ = thread_counts();
        duration_ns_ = static_cast<std::int64_t>(static_cast<double>(end - start) * clock_ns_per_cycle());
        if (guarded_) {
            done_.store(true, std::memory_order_release);
            end_thread();
        }
        switches_after_ = switches();
        done_.store(true, std::memory_order_release);
    }

    static std::int64_t switches() {
        rusage usage{};
        getrusage(RUSAGE_THREAD, &usage);
        return usage.ru_nivcsw;
    }

    void loop() {
        if (events_.empty()) return;
        const std::int64_t span_ns = events_.back().local_ns - events_.front().local_ns + 1'000'000;
        for (int pass = 0; pass < passes_; ++pass) {
            const std::int64_t later_ns = pass * span_ns;
            for (std::size_t row = 0; row < events_.size(); ++row) {
                Event event = events_[row];
                event.local_ns += later_ns;
                if (!steps_.on_event(event, static_cast<std::int64_t>(row))) {
                    engine_failed_.store(true, std::memory_order_release);
                    return;
                }
                ++processed_;
                if (stop_.load(std::memory_order_relaxed)) return;
            }
        }
    }

    TickSteps steps_;
    std::span<const Event> events_;
    int passes_, cpu_;
    bool guarded_, started_ = false;
    std::int64_t processed_ = 0, duration_ns_ = 0, switches_before_ = 0, switches_after_ = 0;
    ThreadCounts before_, after_;
    std::atomic<bool> stop_{false}, done_{false}, engine_failed_{false};
    std::thread thread_;
};

}  // namespace pyorch
