// A ring of market events in shared memory: one writing process, many reading ones, a seqlock a slot.
//
// Layout: a page of header, `capacity` sequence words, `capacity` rows of 64 bytes. Record n (from 0) lies in slot
// n mod capacity; its sequence word is 2n + 1 while it is written and 2n + 2 when it is whole. 64 bits never wrap.
//
// Why no read is torn (H.-J. Boehm, "Can seqlocks get along with programming language memory models?", 2012; in
// C++20's terms, docs/decisions/0040-a-seqlock-a-slot.md has the whole argument):
// - every word of a row is an atomic word, so a race is defined;
// - the writer's release fence stands between the odd sequence word and the row's words, the reader's acquire fence
//   between the row's words and its second look at the sequence word: who has read one word of a later record sees
//   that record's odd word (or a later one) at the second look, and throws the copy away;
// - the whole sequence word is stored with release and first read with acquire: who has seen 2n + 2 reads no word older
//   than record n.
// A reader maps rows read-only and owes the writer nothing: it may die at any instruction. A writer that dies leaves an odd
// word at most, which no reader takes; the next writer goes on at the first record that is not whole.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <stdexcept>
#include <string>

#include "event.hpp"

namespace pyorch {

static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "words shared between processes must be lock-free");

class FeedRingMap {  // a file's mapping
   public:
    static constexpr std::uint64_t magic = 0x31474e4952504f59;  // "YOPRING1"
    static constexpr std::size_t header_bytes = 4096, row_words = 8;

    struct Header {
        std::atomic<std::uint64_t> ready;     // `magic` once the rest of the file stands
        std::uint64_t capacity;
        std::uint64_t description_bytes;      // JSON: name, instruments
        alignas(64) std::atomic<std::uint64_t> published;  // records that are whole, all before it too
        alignas(64) std::atomic<std::uint64_t> wanted;     // readers add one when they need snapshots
        alignas(64) std::atomic<std::uint64_t> writers;    // how many writers there have been
        alignas(64) char description[3584];
    };
    static_assert(sizeof(Header) <= header_bytes);

    FeedRingMap(const FeedRingMap&) = delete;
    FeedRingMap& operator=(const FeedRingMap&) = delete;
    ~FeedRingMap() {
        if (header_ != MAP_FAILED) ::munmap(header_, header_bytes);
        if (body_ != MAP_FAILED) ::munmap(body_, body_bytes_);
        if (file_ >= 0) ::close(file_);
    }

    std::uint64_t capacity() const { return capacity_; }
    std::string description() const {
        return {header().description, std::min<std::size_t>(header().description_bytes, sizeof(Header::description))};
    }
    std::uint64_t published() const { return header().published.load(std::memory_order_acquire); }
    std::uint64_t writers() const { return header().writers.load(std::memory_order_acquire); }
    std::uint64_t wanted() const { return header().wanted.load(std::memory_order_acquire); }

   protected:
    FeedRingMap() = default;

    static std::size_t bytes(std::uint64_t capacity) { return header_bytes + capacity * (8 + 8 * row_words); }

    void map(std::uint64_t capacity, int body_protection) {
        capacity_ = capacity;
        body_bytes_ = bytes(capacity) - header_bytes;
        header_ = ::mmap(nullptr, header_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
        body_ = ::mmap(nullptr, body_bytes_, body_protection, MAP_SHARED, file_, header_bytes);
        if (header_ == MAP_FAILED || body_ == MAP_FAILED) throw std::runtime_error(std::string("mmap: ") + std::strerror(errno));
    }
    Header& header() const { return *static_cast<Header*>(header_); }
    std::atomic<std::uint64_t>& sequence(std::uint64_t record) const {
        return static_cast<std::atomic<std::uint64_t>*>(body_)[record & (capacity_ - 1)];
    }
    std::atomic<std::uint64_t>* row(std::uint64_t record) const {
        return static_cast<std::atomic<std::uint64_t>*>(body_) + capacity_ + (record & (capacity_ - 1)) * row_words;
    }

    int file_ = -1;
    std::uint64_t capacity_ = 0;
    std::size_t body_bytes_ = 0;
    void* header_ = MAP_FAILED;
    void* body_ = MAP_FAILED;
};

class FeedRingWriter : public FeedRingMap {
   public:
    // Makes the file, or goes on in one of the same capacity and description; it is this writer's alone.
    FeedRingWriter(const std::string& path, std::uint64_t capacity, const std::string& description) {
        if (!std::has_single_bit(capacity) || capacity < 2) throw std::invalid_argument("capacity must be a power of two, at least 2");
        if (description.size() > sizeof(Header::description)) throw std::length_error("the description is longer than 3584 bytes");
        file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (file_ < 0) throw std::runtime_error(path + ": " + std::strerror(errno));
        if (::flock(file_, LOCK_EX | LOCK_NB) != 0) throw std::runtime_error(path + ": another process writes into it");
        struct stat found {};
        ::fstat(file_, &found);
        if (found.st_size == 0) {
            if (::ftruncate(file_, static_cast<off_t>(bytes(capacity))) != 0)
                throw std::runtime_error(path + ": " + std::strerror(errno));
        } else if (static_cast<std::size_t>(found.st_size) != bytes(capacity)) {
            throw std::invalid_argument(path + ": a ring of another capacity is there; remove it or take another path");
        }
        map(capacity, PROT_READ | PROT_WRITE);
        if (header().ready.load(std::memory_order_acquire) != magic) {  // new, or its maker died before anybody could read
            header().capacity = capacity;
            std::memcpy(header().description, description.data(), description.size());
            header().description_bytes = description.size();
            header().ready.store(magic, std::memory_order_release);
        } else if (FeedRingMap::description() != description) {
            throw std::invalid_argument(path + ": a ring of other instruments is there; remove it or take another path");
        }
        next_ = published();
        while (sequence(next_).load(std::memory_order_relaxed) == 2 * next_ + 2) ++next_;  // whole, not yet published
        header().published.store(next_, std::memory_order_release);
        header().writers.fetch_add(1, std::memory_order_acq_rel);
    }

    void write(std::span<const Event> events) {
        for (const Event& event : events) {
            std::uint64_t words[row_words];
            std::memcpy(words, &event, sizeof words);
            auto& mark = sequence(next_);
            auto* const to = row(next_);
            mark.store(2 * next_ + 1, std::memory_order_relaxed);
            std::atomic_thread_fence(std::memory_order_release);
            for (std::size_t k = 0; k < row_words; ++k) to[k].store(words[k], std::memory_order_relaxed);
            mark.store(2 * next_ + 2, std::memory_order_release);
            ++next_;
        }
        header().published.store(next_, std::memory_order_release);
    }

   private:
    std::uint64_t next_ = 0;
};

class FeedRingReader : public FeedRingMap {
   public:
    // `oldest`: begin with what is still there, else with what comes.
    explicit FeedRingReader(const std::string& path, bool oldest = false) {
        file_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
        if (file_ < 0) throw std::runtime_error(path + ": " + std::strerror(errno));
        struct stat found {};
        ::fstat(file_, &found);
        const auto size = static_cast<std::size_t>(found.st_size);
        if (size <= header_bytes || (size - header_bytes) % (8 + 8 * row_words) != 0 ||
            !std::has_single_bit((size - header_bytes) / (8 + 8 * row_words)))
            throw std::invalid_argument(path + ": not a ring of events, or one that is just being made");
        map((size - header_bytes) / (8 + 8 * row_words), PROT_READ);
        if (header().ready.load(std::memory_order_acquire) != magic || header().capacity != capacity_)
            throw std::invalid_argument(path + ": not a ring of events, or one that is just being made");
        next_ = published();
        if (oldest) next_ -= std::min(next_, capacity_ - capacity_ / 4);
    }

    // Copies records until `to` is full, there are none, or some were lost. Records that the writer has overtaken are counted
    // in `lost`; reading goes on half a ring behind the writer. `broken` tells that records are missing before the first.
    std::size_t read(std::span<Event> to, bool& broken) {
        broken = pending_;
        pending_ = false;
        std::size_t count = 0;
        while (count < to.size()) {
            const std::uint64_t whole = 2 * next_ + 2;
            const auto& mark = sequence(next_);
            const std::uint64_t before = mark.load(std::memory_order_acquire);
            if (before < whole) break;  // not there yet, or being written
            if (before == whole) {
                std::uint64_t words[row_words];
                const auto* const from = row(next_);
                for (std::size_t k = 0; k < row_words; ++k) words[k] = from[k].load(std::memory_order_relaxed);
                std::atomic_thread_fence(std::memory_order_acquire);
                if (mark.load(std::memory_order_relaxed) == whole) {
                    std::memcpy(&to[count++], words, sizeof words);
                    ++next_;
                    continue;
                }
                ++discarded_;
            }
            const std::uint64_t head = published(), back = capacity_ / 2;
            const std::uint64_t at = std::max(next_ + 1, head > back ? head - back : 0);
            lost_ += at - next_;
            next_ = at;
            if (count > 0) {
                pending_ = true;  // what was read so far is unbroken
                break;
            }
            broken = true;
        }
        return count;
    }

    // Asks the writer for a snapshot of every book.
    void want_snapshots() { header().wanted.fetch_add(1, std::memory_order_acq_rel); }

    std::uint64_t next() const { return next_; }
    std::uint64_t lost() const { return lost_; }
    std::uint64_t discarded() const { return discarded_; }  // copies thrown away since the writer came by
    std::uint64_t behind() const {
        const auto head = published();
        return head > next_ ? head - next_ : 0;
    }

   private:
    std::uint64_t next_ = 0, lost_ = 0, discarded_ = 0;
    bool pending_ = false;
};

}  // namespace pyorch
