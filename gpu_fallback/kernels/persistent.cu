// The host's side of the kernel, behind a C interface for ctypes (`gpu_fallback/kernels/library.py`).
//
// Every function returns 0, or 1 with the reason in persistent_error(), or 2 when an answer did not come in time.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "persistent.cuh"

using namespace pyorch;

namespace {

thread_local std::string last_error;

void check(cudaError_t status, const char* what) {
    if (status != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status));
}

struct TimedOut {};

template <typename Body>
int guarded(Body body) {
    try {
        body();
        return 0;
    } catch (const TimedOut&) {
        return 2;
    } catch (const std::exception& error) {
        last_error = error.what();
        return 1;
    }
}

std::int64_t now_ns() {
    const auto time = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

// Page-locked host memory that the GPU reads and writes in place.
template <typename T>
struct Mapped {
    T* host = nullptr;
    T* device = nullptr;
    void allocate(std::size_t count) {
        check(cudaHostAlloc(&host, count * sizeof(T), cudaHostAllocMapped | cudaHostAllocPortable), "cudaHostAlloc");
        std::memset(host, 0, count * sizeof(T));
        check(cudaHostGetDevicePointer(&device, host, 0), "cudaHostGetDevicePointer");
    }
    ~Mapped() { cudaFreeHost(host); }
};

using Word = unsigned long long;

struct Model {
    Program program{};
    int shared_bytes = 0;
    unsigned char* packed = nullptr;
    std::int32_t* kept = nullptr;
    Job* jobs = nullptr;
    cudaStream_t stream = nullptr;
    Mapped<Word> request, answer;
    Mapped<std::int32_t> state, window;
    std::uint32_t sequence = 0;
    int window_capacity = 0;
    bool running = false;

    int words() const { return 1 + (program.features + 1) / 2; }
    Job job() const { return {packed, {request.device, answer.device, state.device, window.device}, kept}; }

    Model(const unsigned char* bytes, std::size_t size, int shared, int longest_window)
        : shared_bytes(shared), window_capacity(longest_window) {
        std::memcpy(&program, bytes, sizeof program);
        int device = 0, major = 0;
        check(cudaGetDevice(&device), "cudaGetDevice");
        check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "cudaDeviceGetAttribute");
        if (program.blocks > 1 && major < 9) {
            throw std::runtime_error("the model takes a cluster of blocks, which GPUs below compute capability 9.0 lack");
        }
        check(cudaMalloc(&packed, size), "cudaMalloc");
        check(cudaMemcpy(packed, bytes, size, cudaMemcpyHostToDevice), "cudaMemcpy");
        check(cudaMalloc(&kept, program.state_values * sizeof(std::int32_t)), "cudaMalloc");
        check(cudaMemset(kept, 0, program.state_values * sizeof(std::int32_t)), "cudaMemset");
        request.allocate(words());
        answer.allocate(program.outputs);
        state.allocate(program.state_values);
        window.allocate(static_cast<std::size_t>(longest_window) * (words() - 1));
        check(cudaMalloc(&jobs, sizeof(Job)), "cudaMalloc");
        const Job one = job();
        check(cudaMemcpy(jobs, &one, sizeof one, cudaMemcpyHostToDevice), "cudaMemcpy");
        check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
    }

    ~Model() {
        if (running) {
            try {
                send(request_stop, 0, nullptr);
                cudaStreamSynchronize(stream);
            } catch (...) {
            }
        }
        cudaStreamDestroy(stream);
        for (void* memory : {static_cast<void*>(jobs), static_cast<void*>(kept), static_cast<void*>(packed)}) {
            cudaFree(memory);
        }
    }

    template <typename Kernel, typename Argument>
    void launch(Kernel kernel, Argument argument) {
        check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes),
              "cudaFuncSetAttribute");
        cudaLaunchConfig_t config{};
        config.gridDim = dim3(program.blocks);
        config.blockDim = dim3(program.threads);
        config.dynamicSmemBytes = shared_bytes;
        config.stream = stream;
        cudaLaunchAttribute cluster{};
        cluster.id = cudaLaunchAttributeClusterDimension;
        cluster.val.clusterDim.x = program.blocks;
        cluster.val.clusterDim.y = cluster.val.clusterDim.z = 1;
        config.attrs = &cluster;
        config.numAttrs = program.blocks > 1 ? 1 : 0;
        check(cudaLaunchKernelEx(&config, kernel, argument), "cudaLaunchKernelEx");
    }

    void start() {
        if (running) return;
        if (program.blocks > 1) {
            launch(persistent_model<true>, static_cast<const Job*>(jobs));
        } else {
            launch(persistent_model<false>, static_cast<const Job*>(jobs));
        }
        running = true;
    }

    void launch_once() {
        if (program.blocks > 1) {
            launch(step_once<true>, job());
        } else {
            launch(step_once<false>, job());
        }
    }

    static std::uint32_t pair(std::int32_t low, std::int32_t high) {
        return static_cast<std::uint32_t>(low & 0xFFFF) | static_cast<std::uint32_t>(high) << 16;
    }

    // Writes a request; its words may become visible in any order, each brings its sequence number.
    void send(std::uint32_t kind, std::uint32_t count, const std::int32_t* x) {
        ++sequence;
        std::atomic_thread_fence(std::memory_order_release);
        volatile Word* word = request.host;
        const Word flag = static_cast<Word>(sequence) << 32;
        for (int k = 1; k < words(); ++k) {
            const int at = 2 * (k - 1);
            const std::uint32_t payload =
                x == nullptr ? 0 : pair(x[at], at + 1 < program.features ? x[at + 1] : 0);
            word[k] = flag | payload;
        }
        word[0] = flag | kind | count << 8;
    }

    void receive(std::int32_t* logits, std::int64_t timeout_ns) {
        const std::int64_t begin = now_ns();
        const volatile Word* word = answer.host;
        for (int k = 0; k < program.outputs; ++k) {
            Word value;
            for (int spins = 0; static_cast<std::uint32_t>((value = word[k]) >> 32) != sequence; ++spins) {
                if (spins % 1024 == 1023 && now_ns() - begin > timeout_ns) throw TimedOut();
            }
            if (logits != nullptr) logits[k] = static_cast<std::int32_t>(value);
        }
        std::atomic_thread_fence(std::memory_order_acquire);
    }
};

}  // namespace

extern "C" {

const char* persistent_error() { return last_error.c_str(); }

// name: 256 characters; compute capability as 90.
int persistent_device(char* name, int* capability) {
    return guarded([&] {
        int count = 0;
        check(cudaGetDeviceCount(&count), "cudaGetDeviceCount");
        if (count == 0) throw std::runtime_error("no CUDA device");
        cudaDeviceProp properties;
        check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
        std::memcpy(name, properties.name, sizeof properties.name);
        *capability = 10 * properties.major + properties.minor;
    });
}

int persistent_new(const unsigned char* packed, std::size_t size, int shared_bytes, int longest_window, Model** model) {
    return guarded([&] { *model = new Model(packed, size, shared_bytes, longest_window); });
}

void persistent_delete(Model* model) { delete model; }

int persistent_step(Model* model, const std::int32_t* x, std::int32_t* logits, std::int64_t timeout_ns) {
    return guarded([&] {
        model->start();
        model->send(request_step, 0, x);
        model->receive(logits, timeout_ns);
    });
}

// From zero state; h and c are afterwards the window's.
int persistent_window(Model* model, const std::int32_t* x, int count, std::int32_t* logits, std::int64_t timeout_ns) {
    return guarded([&] {
        if (count > model->window_capacity) throw std::runtime_error("the window is longer than the mailbox");
        model->start();
        const int features = model->program.features, pairs = model->words() - 1;
        for (int n = 0; n < count; ++n) {
            for (int k = 0; k < pairs; ++k) {
                const std::int32_t* at = x + n * features + 2 * k;
                model->window.host[n * pairs + k] =
                    static_cast<std::int32_t>(Model::pair(at[0], 2 * k + 1 < features ? at[1] : 0));
            }
        }
        model->send(request_window, static_cast<std::uint32_t>(count), nullptr);
        model->receive(logits, timeout_ns);
    });
}

int persistent_state(Model* model, std::int32_t* state, int load, std::int64_t timeout_ns) {
    return guarded([&] {
        model->start();
        const std::size_t bytes = model->program.state_values * sizeof(std::int32_t);
        if (load != 0) std::memcpy(model->state.host, state, bytes);
        model->send(load != 0 ? request_load : request_read, 0, nullptr);
        model->receive(nullptr, timeout_ns);
        if (load == 0) std::memcpy(state, model->state.host, bytes);
    });
}

// Times of `count` ticks, each from the first word written to the last word of the answer read.
int persistent_time_steps(Model* model, const std::int32_t* features, int vectors, int count, std::int64_t* ns) {
    return guarded([&] {
        model->start();
        std::vector<std::int32_t> logits(model->program.outputs);
        for (int n = 0; n < count; ++n) {
            const std::int64_t begin = now_ns();
            model->send(request_step, 0, features + (n % vectors) * model->program.features);
            model->receive(logits.data(), 1'000'000'000);
            ns[n] = now_ns() - begin;
        }
    });
}

// The same cell as one launch a tick: plain, or a CUDA graph captured once.
int persistent_time_launches(Model* model, int graph, int count, std::int64_t* ns) {
    return guarded([&] {
        if (model->running) throw std::runtime_error("the persistent kernel holds the mailbox; use another model");
        model->launch_once();
        check(cudaStreamSynchronize(model->stream), "cudaStreamSynchronize");
        cudaGraph_t captured = nullptr;
        cudaGraphExec_t executable = nullptr;
        if (graph != 0) {
            check(cudaStreamBeginCapture(model->stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
            model->launch_once();
            check(cudaStreamEndCapture(model->stream, &captured), "cudaStreamEndCapture");
            check(cudaGraphInstantiate(&executable, captured, 0), "cudaGraphInstantiate");
        }
        for (int n = 0; n < count; ++n) {
            const std::int64_t begin = now_ns();
            if (graph != 0) {
                check(cudaGraphLaunch(executable, model->stream), "cudaGraphLaunch");
            } else {
                model->launch_once();
            }
            check(cudaStreamSynchronize(model->stream), "cudaStreamSynchronize");
            ns[n] = now_ns() - begin;
        }
        if (graph != 0) {
            cudaGraphExecDestroy(executable);
            cudaGraphDestroy(captured);
        }
    });
}

int persistent_time_ping_pong(int count, std::int64_t* ns) {
    return guarded([&] {
        Mapped<Word> request, answer;
        request.allocate(1);
        answer.allocate(1);
        ping_pong<<<1, 1>>>(request.device, answer.device);
        check(cudaGetLastError(), "ping_pong");
        volatile Word *there = request.host, *back = answer.host;
        for (int n = 0; n <= count; ++n) {
            const Word word = static_cast<Word>(n + 1) << 32 | (n == count ? request_stop : request_step);
            const std::int64_t begin = now_ns();
            *there = word;
            while (*back != word) {
                if (now_ns() - begin > 1'000'000'000) throw TimedOut();
            }
            if (n < count) ns[n] = now_ns() - begin;
        }
        check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    });
}

}  // extern "C"
