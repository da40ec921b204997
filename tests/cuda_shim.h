// Enough of CUDA to run src/drumhead/engine/csrc/waves.cu on a processor: a real thread for each thread of a block,
// __syncthreads() as a barrier, one block after another. Before each block shared memory is filled with NaN, so that
// what a kernel forgets to write shows.

#include <math.h>
#include <pthread.h>
#include <stddef.h>

#include <algorithm>
#include <vector>

using std::max;
using std::min;

#define __global__
#define __device__
#define __shared__
#define __forceinline__ inline
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(n)

struct Index {
    unsigned x;
};
static thread_local Index threadIdx, blockIdx;
static Index gridDim;
static pthread_barrier_t barrier;
static inline void __syncthreads() { pthread_barrier_wait(&barrier); }

__align__(16) float memory[1 << 16];  // shared memory; the kernels declare it extern

template <class Task>
struct Job {
    void (*kernel)(const Task);
    const Task* task;
    unsigned thread;
    int words;
};

template <class Task>
void* work(void* pointer) {
    const Job<Task>& job = *static_cast<Job<Task>*>(pointer);
    threadIdx.x = job.thread;
    for (unsigned block = 0; block < gridDim.x; ++block) {
        blockIdx.x = block;
        if (job.thread == 0) std::fill(memory, memory + (1 << 16), NAN);
        __syncthreads();
        job.kernel(*job.task);
        __syncthreads();
        // Writing beyond what was asked for would be an error on a GPU.
        if (job.thread == 0)
            for (int i = job.words; i < 1 << 16; ++i)
                if (!isnan(memory[i])) abort();
        __syncthreads();
    }
    return nullptr;
}

template <class Task>
void run(void (*kernel)(const Task), int blocks, int threads, int bytes, const Task* task) {
    gridDim.x = blocks;
    pthread_barrier_init(&barrier, nullptr, threads);
    std::vector<pthread_t> handles(threads);
    std::vector<Job<Task>> jobs(threads);
    for (int i = 0; i < threads; ++i) {
        jobs[i] = {kernel, task, unsigned(i), bytes / 4};
        pthread_create(&handles[i], nullptr, work<Task>, &jobs[i]);
    }
    for (pthread_t handle : handles) pthread_join(handle, nullptr);
    pthread_barrier_destroy(&barrier);
}
