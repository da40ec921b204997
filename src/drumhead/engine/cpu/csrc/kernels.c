/* All kernels for one type of number and one instruction set: compiled once each with
 *     -DREAL=float -DREAL_IS_DOUBLE=0 -DVECTOR_BYTES=64 -DNAME=float_avx512 -mavx512f ...
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX__)
#include <immintrin.h>
#endif

/* glibc 2.29 has an exp that sets no errno, beside the old one, which nobody here asks for errno either. By the old
 * name a wheel that was built there runs with older ones too, as torch's do (RHEL 8 has 2.28). */
#if defined(__GLIBC__) && defined(__x86_64__)
__asm__(".symver exp, exp@GLIBC_2.2.5");
#endif

#include "pixelnorm.h"
#include "pointwise.h"
#include "plan.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL_(text) _Pragma(#text)
#ifdef __clang__
#define UNROLL(n) UNROLL_(unroll n)
#else
#define UNROLL(n) UNROLL_(GCC unroll n)
#endif

#define TILE 256 /* pixels of the pointwise network that go through its layers together */

/* Products in bfloat16 need the processor's instructions for them; elsewhere `reduced` is ignored. */
#if defined(__AVX512BF16__) && !REAL_IS_DOUBLE
#define CAN_REDUCE 1
#else
#define CAN_REDUCE 0
#endif

/* Each uses those above it. Both engines have the first three and products.h; waves have what is between grid.h and
 * sheets_back.h, row by row (walk.h) or sheet by sheet (sheets.h); the pointwise network has the rest, of which normal.h
 * is an operation of its own as well. */
#include "denormals.h"
#include "vector.h"
#include "reduced.h"
#include "grid.h"
#include "forgetful.h"
#include "stencil.h"
#include "quads.h"
#include "products.h"
#include "forward.h"
#include "adjoint.h"
#include "gradients.h"
#include "walk.h"
#include "sheets.h"
#include "sheets_back.h"
#include "network.h"
#include "tiles.h"
#include "smooth.h"
#include "normal.h"
#include "passes.h"

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)

/* Bytes of scratch memory that one worker needs. */
int64_t JOIN(NAME, workspace)(const plan *a, int64_t back) {
    arena memory = {0};
    if (a->sheets && back) make_backward_sheets(a, &memory);
    else if (a->sheets) make_forward_sheets(a, &memory);
    else if (back) make_backward(a, &memory);
    else make_forward(a, &memory);
    return (int64_t)memory.used;
}

/* Each worker takes the next image until there are none; which one takes which image changes no number. */
#define TAKE(a) __atomic_fetch_add(&(a)->next, 1, __ATOMIC_RELAXED)

void JOIN(NAME, forward)(plan *a, void *scratch) {
    if (a->next >= a->batch) return;
    arena memory = {scratch, 0};
    const uint64_t mode = flush_denormals();
    if (a->sheets) {
        sheets f = make_forward_sheets(a, &memory);
        for (int64_t image; (image = TAKE(a)) < a->batch;) forward_sheets(&f, image);
    } else {
        forward f = make_forward(a, &memory);
        for (int64_t image; (image = TAKE(a)) < a->batch;) forward_image(&f, image);
    }
    restore_denormals(mode);
}

void JOIN(NAME, backward)(plan *a, void *scratch) {
    if (a->next >= a->batch) return;
    arena memory = {scratch, 0};
    const uint64_t mode = flush_denormals();
    if (a->sheets) {
        sheets_back f = make_backward_sheets(a, &memory);
        for (int64_t image; (image = TAKE(a)) < a->batch;) backward_sheets(&f, image);
    } else {
        backward f = make_backward(a, &memory);
        for (int64_t image; (image = TAKE(a)) < a->batch;) backward_image(&f, image);
    }
    restore_denormals(mode);
}

int64_t JOIN(NAME, network_workspace)(const pointwise *a, int64_t back) {
    arena memory = {0};
    make_network(a, (int)back, &memory);
    return (int64_t)memory.used;
}

void JOIN(NAME, network_forward)(pointwise *a, void *scratch) {
    const int64_t tiles = a->batch * tiles_across(a) * tiles_down(a);
    if (a->next >= tiles) return;
    arena memory = {scratch, 0};
    const uint64_t mode = flush_denormals();
    network n = make_network(a, 0, &memory);
    for (int64_t i; (i = TAKE(a)) < tiles;) network_forward(&n, i);
    restore_denormals(mode);
}

void JOIN(NAME, network_backward)(pointwise *a, void *scratch) {
    if (a->next >= a->groups) return;
    arena memory = {scratch, 0};
    const uint64_t mode = flush_denormals();
    network n = make_network(a, 1, &memory);
    for (int64_t group; (group = TAKE(a)) < a->groups;) network_group(&n, group);
    restore_denormals(mode);
}

int64_t JOIN(NAME, normal_workspace)(const pixelnorm *a, int64_t back) {
    arena memory = {0};
    make_normal(a, (int)back, &memory);
    return (int64_t)memory.used;
}

void JOIN(NAME, normal_forward)(pixelnorm *a, void *scratch) {
    arena memory = {scratch, 0};
    const uint64_t mode = flush_denormals();
    const normal f = make_normal(a, 0, &memory);
    for (int64_t i; (i = TAKE(a)) < a->batch * strips_of(a);) normal_forward(&f, i);
    restore_denormals(mode);
}

void JOIN(NAME, normal_backward)(pixelnorm *a, void *scratch) {
    arena memory = {scratch, 0};
    const uint64_t mode = flush_denormals();
    const normal f = make_normal(a, 1, &memory);
    for (int64_t group; (group = TAKE(a)) < a->groups;) normal_group(&f, group);
    restore_denormals(mode);
}
