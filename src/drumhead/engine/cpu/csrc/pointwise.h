/* The struct of the pointwise network: features -> logits, the same small network at every pixel.
 *
 * Arrays are contiguous: input (b, widths[0], pixels), output (b, widths[layers], pixels), weights[l] (out, in),
 * biases[l] (out); ReLU between layers, nothing after the last. Gradients of weights and biases come in `groups`
 * partial sums, group g over tiles g, g + groups, ..; which worker takes which group changes no number. `next`: the next part that no worker has taken yet.
 */
#ifndef DRUMHEAD_POINTWISE_H
#define DRUMHEAD_POINTWISE_H

#include <stdint.h>

#define MOST_LAYERS 16

typedef struct {
    int64_t bytes, next, is_double, isa, batch, pixels, layers, groups, reduced;
    int64_t widths[MOST_LAYERS + 1];
    const void *weights[MOST_LAYERS], *biases[MOST_LAYERS];
    const void *input;
    void *output;
    const void *grad_output;
    void *grad_input;
    void *grad_weights[MOST_LAYERS], *grad_biases[MOST_LAYERS];
} pointwise;

#endif
