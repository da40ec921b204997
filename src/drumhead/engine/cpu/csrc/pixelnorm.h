/* The struct of the normalisation over the maps of each pixel: arrays are contiguous, input and output (b, maps, pixels),
 * gain and shift (maps). Gradients of gain and shift come in `groups` partial sums. `next`: the next strip, or group, that
 * no worker has taken yet. engine/cpu/normal.py mirrors it field by field. */
#ifndef DRUMHEAD_PIXELNORM_H
#define DRUMHEAD_PIXELNORM_H

#include <stdint.h>

typedef struct {
    int64_t bytes, next, is_double, isa, batch, maps, pixels, groups, rectify;
    double eps;
    const void *input, *gain, *shift, *grad_output;
    void *output, *grad_input, *grad_gain, *grad_shift;
} pixelnorm;

#endif
