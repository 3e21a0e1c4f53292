// Memory for SIMD: zeroed, on cache lines of its own, of a length fixed at construction.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace pyorch {

template <typename T>
class Aligned {
public:
    Aligned() = default;
    explicit Aligned(std::size_t count)
        : size_(count), data_(static_cast<T*>(::operator new[](count * sizeof(T) + 64, std::align_val_t{64}))) {
        for (std::size_t i = 0; i < count; ++i) data_[i] = T{};
    }
    T* data() { return data_.get(); }
    const T* data() const { return data_.get(); }
    std::size_t size() const { return size_; }

private:
    struct Free {
        void operator()(T* p) const { ::operator delete[](p, std::align_val_t{64}); }
    };
    std::size_t size_ = 0;
    std::unique_ptr<T[], Free> data_;
};

}  // namespace pyorch
