/* The struct of the pointwise network: features -> logits, the same small network at every pixel.
 *
 * Arrays are contiguous: input (b, widths[0] - lifted, height, width), output (b, widths[layers], height, width),
 * weights[l] (out, in), biases[l] (out); ReLU between layers, nothing after the last.
 *
 * The last `lifted` maps that the first layer sees, if any, come from features on a grid `grid` times as coarse, a power
 * of 2: coarse (b, below, ceil(height / grid), ceil(width / grid)) through lift (lifted grid^2, below) and lift_bias,
 * whose output o = (m grid + y) grid + x of a cell is map m at its pixel (y, x). Cells at the end may lie partly outside.
 *
 * Forward only: with gain and shift (widths[0]) the first layer sees relu(gain x + shift). The output's maps are cut into
 * `parts` arrays of the same size, one after another; part i is bent by a function of output + offsets[i], a sigmoid to at
 * most `largest`. With `onto`, as the output, relu(onto + output) is written. With eps > 0 what gain multiplies is first
 * normalised over the maps of each pixel, and what is written is relu(gain_after norm(onto + output) + shift_after).
 *
 * Gradients of weights and biases come in `groups` partial sums, group g over tiles g, g + groups, ..; which worker takes
 * which group changes no number. `next`: the next part that no worker has taken yet.
 */
#ifndef DRUMHEAD_POINTWISE_H
#define DRUMHEAD_POINTWISE_H

#include <stdint.h>

#define MOST_LAYERS 16
#define MOST_PARTS 4

enum { STRAIGHT, TANH, SIGMOID, SOFTPLUS };

typedef struct {
    int64_t bytes, next, is_double, isa, batch, height, width, layers, groups, reduced;
    int64_t grid, below, lifted, parts;
    int64_t widths[MOST_LAYERS + 1];
    const void *weights[MOST_LAYERS], *biases[MOST_LAYERS], *lift, *lift_bias;
    int64_t bends[MOST_PARTS];
    double offsets[MOST_PARTS], largest, eps;
    const void *input, *coarse, *gain, *shift, *onto, *gain_after, *shift_after;
    void *output;
    const void *grad_output;
    void *grad_input, *grad_coarse;
    void *grad_weights[MOST_LAYERS], *grad_biases[MOST_LAYERS], *grad_lift, *grad_lift_bias;
} pointwise;

#endif
