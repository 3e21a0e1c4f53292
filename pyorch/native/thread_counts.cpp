// A library to preload (LD_PRELOAD) that counts, per thread, allocations and lock operations of every library
// in the process. The C library's own functions do the work; nothing else changes.
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>

extern "C" {

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);

static __thread int64_t allocations __attribute__((tls_model("initial-exec")));
static __thread int64_t locks __attribute__((tls_model("initial-exec")));

void pyorch_thread_counts(int64_t* allocations_out, int64_t* locks_out) {
    *allocations_out = allocations;
    *locks_out = locks;
}

void* malloc(size_t size) {
    ++allocations;
    return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
    ++allocations;
    return __libc_calloc(count, size);
}
void* realloc(void* block, size_t size) {
    ++allocations;
    return __libc_realloc(block, size);
}
void* memalign(size_t alignment, size_t size) {
    ++allocations;
    return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
    ++allocations;
    return __libc_memalign(alignment, size);
}
int posix_memalign(void** block, size_t alignment, size_t size) {
    ++allocations;
    *block = __libc_memalign(alignment, size);
    return *block != nullptr ? 0 : ENOMEM;
}
void free(void* block) {
    if (block != nullptr) ++allocations;
    __libc_free(block);
}

// The next definition of a lock operation is looked up once, at its first call.
#define COUNTED(name, argument)                                                  \
    int name(argument* object) {                                                 \
        static int (*next)(argument*) = nullptr;                                 \
        if (next == nullptr) next = (int (*)(argument*))dlsym(RTLD_NEXT, #name); \
        ++locks;                                                                 \
        return next(object);                                                     \
    }
COUNTED(pthread_mutex_lock, pthread_mutex_t)
COUNTED(pthread_mutex_trylock, pthread_mutex_t)
COUNTED(pthread_rwlock_rdlock, pthread_rwlock_t)
COUNTED(pthread_rwlock_wrlock, pthread_rwlock_t)
COUNTED(pthread_spin_lock, pthread_spinlock_t)
COUNTED(sem_wait, sem_t)

}  // extern "C"
