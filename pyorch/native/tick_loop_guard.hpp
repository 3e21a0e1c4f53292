// Proofs about the tick thread: a seccomp filter that admits no system call, and counters of allocations and
// locks, which the preloaded library `pyorch_thread_counts` (thread_counts.cpp) keeps per thread.
#pragma once

#include <dlfcn.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace pyorch {

struct ThreadCounts {
    std::int64_t allocations = 0, locks = 0;
};

using ThreadCountsReader = void (*)(std::int64_t*, std::int64_t*);

inline ThreadCountsReader thread_counts_reader() {
    static const auto reader = reinterpret_cast<ThreadCountsReader>(dlsym(RTLD_DEFAULT, "pyorch_thread_counts"));
    return reader;
}
inline bool thread_counts_available() { return thread_counts_reader() != nullptr; }

// Of the calling thread since it began; zeros where the library is not preloaded.
inline ThreadCounts thread_counts() {
    ThreadCounts counts;
    if (const auto reader = thread_counts_reader()) reader(&counts.allocations, &counts.locks);
    return counts;
}

// From here on any system call of the calling thread but its own exit ends the process with SIGSYS.
inline void forbid_system_calls() {
    sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    const sock_fprog program{sizeof rules / sizeof rules[0], rules};
    // Without the filter there is no proof: end the process with a code of its own.
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(97);
}

// Leaves a thread that may make no other system call: its stack goes when the process ends.
[[noreturn]] inline void end_thread() {
    syscall(SYS_exit, 0);
    std::abort();
}

}  // namespace pyorch
