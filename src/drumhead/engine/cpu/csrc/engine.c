/* The entry points: pick the kernels for a type of number and what this processor can do. */
#include <stdint.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "pixelnorm.h"
#include "pointwise.h"
#include "plan.h"

typedef struct {
    int64_t (*workspace)(const plan *, int64_t);
    void (*forward)(plan *, void *);
    void (*backward)(plan *, void *);
    int64_t (*network_workspace)(const pointwise *, int64_t);
    void (*network_forward)(pointwise *, void *);
    void (*network_backward)(pointwise *, void *);
    int64_t (*normal_workspace)(const pixelnorm *, int64_t);
    void (*normal_forward)(pixelnorm *, void *);
    void (*normal_backward)(pixelnorm *, void *);
} kernels;

/* Weak: what the compiler could not make is NULL. */
#define WEAK __attribute__((weak))
#define DECLARE(name)                                                  \
    WEAK int64_t name##_workspace(const plan *, int64_t);           \
    WEAK void name##_forward(plan *, void *);                       \
    WEAK void name##_backward(plan *, void *);                      \
    WEAK int64_t name##_network_workspace(const pointwise *, int64_t); \
    WEAK void name##_network_forward(pointwise *, void *);             \
    WEAK void name##_network_backward(pointwise *, void *);         \
    WEAK int64_t name##_normal_workspace(const pixelnorm *, int64_t);  \
    WEAK void name##_normal_forward(pixelnorm *, void *);              \
    WEAK void name##_normal_backward(pixelnorm *, void *);
#define KERNELS(name)                                                                          \
    {name##_workspace,         name##_forward,         name##_backward,                        \
     name##_network_workspace, name##_network_forward, name##_network_backward,                \
     name##_normal_workspace,  name##_normal_forward,  name##_normal_backward}

DECLARE(float_base)
DECLARE(double_base)
#ifdef __x86_64__
DECLARE(float_avx2)
DECLARE(double_avx2)
DECLARE(float_avx512)
DECLARE(double_avx512)
DECLARE(float_bf16)
static const kernels table[][2] = {
    {KERNELS(float_base), KERNELS(double_base)},
    {KERNELS(float_avx2), KERNELS(double_avx2)},
    {KERNELS(float_avx512), KERNELS(double_avx512)},
    {KERNELS(float_bf16), KERNELS(double_avx512)},
};
#else
static const kernels table[][2] = {{KERNELS(float_base), KERNELS(double_base)}};
#endif

/* 0: base, 1: AVX2 and FMA, 2: AVX-512, 3: AVX-512 with bfloat16: the last that the processor has and that was made. */
int64_t drumhead_best_isa(void) {
    int64_t best = 0;
#ifdef __x86_64__
    unsigned a = 0, b, c, d; /* asked by number: GCC before version 10 does not know the name */
    const int bf16 = __get_cpuid_count(7, 1, &a, &b, &c, &d) && a >> 5 & 1;
    __builtin_cpu_init();
    const int has[] = {
        1, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"),
        __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512vl"),
        bf16,
    };
    while (best < 3 && has[best + 1] && table[best + 1][0].forward && table[best + 1][1].forward) best++;
#endif
    return best;
}

/* What it was compiled from: build.py reads this in the file and takes no library of other sources. */
const char drumhead_sources[] = "drumhead sources " SOURCES;

int64_t drumhead_plan_bytes(void) { return sizeof(plan); }
int64_t drumhead_pointwise_bytes(void) { return sizeof(pointwise); }
int64_t drumhead_pixelnorm_bytes(void) { return sizeof(pixelnorm); }

int64_t drumhead_workspace(const plan *a, int64_t back) { return table[a->isa][a->is_double].workspace(a, back); }

void drumhead_forward(plan *a, void *scratch) {
    table[a->isa][a->is_double].forward(a, scratch);
}

void drumhead_backward(plan *a, void *scratch) {
    table[a->isa][a->is_double].backward(a, scratch);
}

int64_t drumhead_network_workspace(const pointwise *a, int64_t back) {
    return table[a->isa][a->is_double].network_workspace(a, back);
}

void drumhead_network_forward(pointwise *a, void *scratch) {
    table[a->isa][a->is_double].network_forward(a, scratch);
}

void drumhead_network_backward(pointwise *a, void *scratch) {
    table[a->isa][a->is_double].network_backward(a, scratch);
}

int64_t drumhead_normal_workspace(const pixelnorm *a, int64_t back) {
    return table[a->isa][a->is_double].normal_workspace(a, back);
}

void drumhead_normal_forward(pixelnorm *a, void *scratch) {
    table[a->isa][a->is_double].normal_forward(a, scratch);
}

void drumhead_normal_backward(pixelnorm *a, void *scratch) {
    table[a->isa][a->is_double].normal_backward(a, scratch);
}

/* A call shared out over a team of threads, each with scratch memory of its own. engine/cpu/team.py mirrors it. */
typedef struct {
    void (*call)(void *, void *);
    void *given;   /* the struct that it takes */
    char *scratch;
    int64_t size;    /* of the scratch memory of one */
    int64_t workers; /* for how many there is some */
    int64_t next;    /* how many of the team are at work; 0 at the start */
} share;

int64_t drumhead_share_bytes(void) { return sizeof(share); }

void drumhead_share(void *one) {
    share *a = one;
    const int64_t mine = __atomic_fetch_add(&a->next, 1, __ATOMIC_RELAXED);
    if (mine < a->workers) a->call(a->given, a->scratch + mine * a->size);
}
