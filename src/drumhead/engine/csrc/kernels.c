/* All kernels for one type of number and one instruction set: compiled once each with
 *     -DREAL=float -DREAL_IS_DOUBLE=0 -DVECTOR_BYTES=64 -DNAME=float_avx512 -mavx512f ...
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "pointwise.h"
#include "rollout.h"

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

#include "vector.h"
#include "reduced.h"
#include "grid.h"
#include "stencil.h"
#include "products.h"
#include "forward.h"
#include "adjoint.h"
#include "gradients.h"
#include "walk.h"
#include "network.h"

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)

/* Bytes of scratch memory that one worker needs. */
int64_t JOIN(NAME, workspace)(const rollout *a, int64_t back) {
    arena memory = {0};
    if (back) make_backward(a, &memory);
    else make_forward(a, &memory);
    return (int64_t)memory.used;
}

/* Images worker, worker + workers, ..: which worker takes which image changes no number. */
void JOIN(NAME, forward)(const rollout *a, int64_t worker, int64_t workers, void *scratch) {
    arena memory = {scratch, 0};
    forward f = make_forward(a, &memory);
    for (int64_t image = worker; image < a->batch; image += workers) forward_image(&f, image);
}

void JOIN(NAME, backward)(const rollout *a, int64_t worker, int64_t workers, void *scratch) {
    arena memory = {scratch, 0};
    backward f = make_backward(a, &memory);
    for (int64_t image = worker; image < a->batch; image += workers) backward_image(&f, image);
}

int64_t JOIN(NAME, network_workspace)(const pointwise *a, int64_t back) {
    arena memory = {0};
    make_network(a, (int)back, &memory);
    return (int64_t)memory.used;
}

/* Tiles worker, worker + workers, .. of all images. */
void JOIN(NAME, network_forward)(const pointwise *a, int64_t worker, int64_t workers, void *scratch) {
    arena memory = {scratch, 0};
    network n = make_network(a, 0, &memory);
    int64_t tiles = (a->pixels + TILE - 1) / TILE;
    for (int64_t i = worker; i < a->batch * tiles; i += workers) network_forward(&n, i / tiles, i % tiles * TILE);
}

void JOIN(NAME, network_backward)(const pointwise *a, int64_t worker, int64_t workers, void *scratch) {
    arena memory = {scratch, 0};
    network n = make_network(a, 1, &memory);
    for (int64_t group = worker; group < a->groups; group += workers) network_group(&n, group);
}
