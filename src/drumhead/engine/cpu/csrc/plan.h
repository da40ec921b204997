/* The one struct that crosses from Python: what to compute, where to read and where to write.
 *
 * All arrays are contiguous: fields (b, c, y, x); kernel (c, c, ky, kx) or, depthwise, (c, 1, ky, kx);
 * out and grad_out (b, .., y, x), or (b, .., some) of some pixels; basis (features, steps) for PROJECT, (features, steps, c) for MIX. `real` is float or double, see is_double.
 * engine/cpu/native.py mirrors this struct field by field; `bytes` guards against the two drifting apart.
 */
#ifndef DRUMHEAD_PLAN_H
#define DRUMHEAD_PLAN_H

#include <stdint.h>

enum { PERIODIC, FIXED, REFLECTING };
enum { SERIES, PROJECT, MIX, MAX };

typedef struct {
    int64_t bytes; /* sizeof(plan) as the caller knows it */
    int64_t next;  /* the next image that no worker has taken yet; 0 at the start */
    int64_t is_double, isa;
    int64_t batch, channels, height, width, kernel_height, kernel_width, depthwise;
    int64_t steps, boundary, tanh, keep, every, features;
    int64_t some;     /* PROJECT, MIX: keep only so many pixels of each image, those in `at`; 0: all */
    int64_t segment;  /* steps between checkpoints, 0: keep none */
    int64_t forgetful; /* cells of an image, at most, whose decay is below `forgets`: their velocities are kept */
    int64_t stored;   /* backward: recompute and store each segment instead of reversing it */
    int64_t begun;    /* the first step is like the others */
    int64_t block;    /* PROJECT: steps per matrix product, >= 1 */
    int64_t quads;    /* couple four rows at once with half the multiplications, if the kernel is dense with three rows */
    int64_t reduced;  /* products of PROJECT and MIX in bfloat16 */
    int64_t sheets;   /* one sheet after another, see sheets.h: edges are fixed and the kernel is depthwise, 3 x 3 */
    double dt, offset, slope, first_offset, forgets;
    const void *y0, *z0, *omega, *decay, *first_decay, *kernel, *basis; /* z0, first_decay, basis may be NULL */
    const int64_t *at; /* (b, some): flat indices, none smaller than the one before; or NULL */
    void *out, *end, *saved; /* end: y and z after the last step, (2, b, c, y, x), or NULL */
    int32_t *argmax;
    void *velocities;  /* (steps, b, forgetful) */
    const void *grad_out, *grad_end; /* grad_end may be NULL */
    void *grad_y0, *grad_z0, *grad_omega, *grad_decay, *grad_first_decay; /* z0's and first_decay's may be NULL */
    void *grad_kernel, *grad_basis;                                       /* one per image, summed by the caller */
    double *error;                                                        /* one per image */
} plan;

#endif
