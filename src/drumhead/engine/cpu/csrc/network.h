/* The pointwise network on tiles of pixels: a tile runs through all layers while it is in cache, so that hidden
 * activations never reach memory; the adjoint computes them again.
 *
 * Every product here is `combine`: out[o][p] += sum_i w[o, i] in[i][p].
 *     forward   h = W x + b            w = W     in = x        lanes are pixels
 *     adjoint   gx = W^T gh            w = W^T   in = gh       lanes are pixels
 *     weights   gW += gh x^T           w = gh    in = x^T      lanes are inputs
 * In bfloat16 two neighbours along the sum share 32 bits, and a lane adds two products at once.
 */

typedef struct {
    const pointwise *a;
    int64_t inner[MOST_LAYERS + 1];                      /* widths, rounded up to whole vectors */
    REAL *x[MOST_LAYERS + 1], *gx[MOST_LAYERS + 1];      /* [width][TILE] */
    REAL *turned;                                        /* x^T: [TILE][inner] */
    REAL *back[MOST_LAYERS];                             /* W^T */
    REAL *gw[MOST_LAYERS], *gb[MOST_LAYERS];             /* [out][inner], [out] */
    int64_t columns, across, down;                       /* pixels in a row of a tile; tiles of an image */
    int64_t cells, lanes, outputs, below;                /* of a tile; rounded up; lifted grid^2; rounded up */
    REAL *coarse, *raised;                               /* [below][lanes], [outputs][lanes]; the same for gradients .. */
    REAL *gcoarse, *graised, *coarse_turned;             /* .. and coarse^T: [lanes][below] */
    REAL *lift_back, *glift, *glift_bias;
#if CAN_REDUCE
    uint32_t *pairs, *weight[MOST_LAYERS], *weight_back[MOST_LAYERS];
    uint32_t *natural;
#endif
} network;

static int64_t tiles_across(const pointwise *a) { return (a->width * a->grid + TILE - 1) / TILE; }
static int64_t tiles_down(const pointwise *a) { return (a->height + a->grid - 1) / a->grid; }

static REAL *take_turned(const REAL *w, int64_t out, int64_t in, arena *memory) {
    REAL *back = take(memory, in * out, sizeof(REAL));
    for (int64_t o = 0; back && o < out; o++)
        for (int64_t i = 0; i < in; i++) back[i * out + o] = w[o * in + i];
    return back;
}

static network make_network(const pointwise *a, int back, arena *memory) {
    network n = {.a = a, .columns = TILE / a->grid, .across = tiles_across(a), .down = tiles_down(a)};
    n.cells = n.columns / a->grid;
    int64_t widest = 0;
    for (int64_t l = 0; l <= a->layers; l++) {
        n.inner[l] = round_up(a->widths[l], LANES);
        widest = n.inner[l] > widest ? n.inner[l] : widest;
        n.x[l] = take(memory, n.inner[l] * TILE, sizeof(REAL));
        if (back) n.gx[l] = take(memory, n.inner[l] * TILE, sizeof(REAL));
    }
    if (back) n.turned = take(memory, widest * TILE, sizeof(REAL));
    for (int64_t l = 0; l < a->layers; l++) {
        int64_t in = a->widths[l], out = a->widths[l + 1];
        if (back) {
            n.gw[l] = take(memory, out * n.inner[l], sizeof(REAL));
            n.gb[l] = take(memory, out, sizeof(REAL));
            n.back[l] = take_turned(a->weights[l], out, in, memory);
        }
    }
    if (a->lifted) {
        n.lanes = round_up(n.cells, LANES), n.outputs = a->lifted * a->grid * a->grid, n.below = round_up(a->below, LANES);
        n.coarse = take(memory, a->below * n.lanes, sizeof(REAL));
        n.raised = take(memory, n.outputs * n.lanes, sizeof(REAL));
        if (back) {
            n.gcoarse = take(memory, a->below * n.lanes, sizeof(REAL));
            n.graised = take(memory, n.outputs * n.lanes, sizeof(REAL));
            n.coarse_turned = take(memory, n.lanes * n.below, sizeof(REAL));
            n.lift_back = take_turned(a->lift, n.outputs, a->below, memory);
            n.glift = take(memory, n.outputs * n.below, sizeof(REAL));
            n.glift_bias = take(memory, n.outputs, sizeof(REAL));
        }
    }
#if CAN_REDUCE
    if (a->reduced) {
        n.pairs = take(memory, (widest / 2 + 1) * TILE, sizeof(uint32_t));
        n.natural = take(memory, widest * TILE / 2, sizeof(uint32_t));
        for (int64_t l = 0; l < a->layers; l++) {
            int64_t in = a->widths[l], out = a->widths[l + 1];
            n.weight[l] = take(memory, out * ((in + 1) / 2), sizeof(uint32_t));
            if (back) n.weight_back[l] = take(memory, in * ((out + 1) / 2), sizeof(uint32_t));
            if (!memory->base) continue;
            pack_weights(n.weight[l], a->weights[l], out, in);
            if (back) pack_weights(n.weight_back[l], n.back[l], in, out);
        }
    }
#endif
    return n;
}

/* out = w in, where w is W or W^T of layer l; forward with its bias, and with a ReLU unless it is the last. */
static void multiply(network *n, REAL *out, int64_t outputs, const REAL *in, int64_t inputs, int64_t l, int back) {
    const REAL *bias = back ? NULL : n->a->biases[l];
    const int relu = !back && l + 1 < n->a->layers;
#if CAN_REDUCE
    if (n->a->reduced) {
        for (int64_t o = 0; bias && o < outputs; o++)
            for (int64_t p = 0; p < TILE; p += LANES) store(out + o * TILE + p, splat(bias[o]));
        pair_rows(n->pairs, TILE, in, TILE, inputs, TILE);
        combine_pairs(out, TILE, outputs, n->pairs, NULL, TILE, (inputs + 1) / 2, back ? n->weight_back[l] : n->weight[l],
                      (inputs + 1) / 2, TILE, !back);
        for (int64_t p = 0; relu && p < outputs * TILE; p += LANES) store(out + p, rectified(load(out + p)));
        return;
    }
#endif
    const maps to = {out, TILE};
    const const_maps from = {in, TILE};
    const REAL *w = back ? n->back[l] : n->a->weights[l];
    if (relu) combine_all(to, outputs, from, inputs, w, inputs, 1, TILE, 0, bias, 1);
    else combine_all(to, outputs, from, inputs, w, inputs, 1, TILE, 0, bias, 0);
}

/* x[0] .. x[layers] for one tile; hidden ones after their ReLU. */
static void run_tile(network *n) {
    for (int64_t l = 0; l < n->a->layers; l++)
        multiply(n, n->x[l + 1], n->a->widths[l + 1], n->x[l], n->a->widths[l], l, 0);
}

/* to[p][i] = from[i][p]; rows of `to` are `pitch` apart, those of `from` `pixels`; missing inputs are 0. */
static void turn(REAL *to, int64_t pitch, const REAL *from, int64_t inputs, int64_t pixels) {
    for (int64_t i = 0; i < pitch; i += LANES)
        for (int64_t p = 0; p < pixels; p += LANES) {
            vector block[LANES];
            for (int64_t j = 0; j < LANES; j++)
                block[j] = i + j < inputs ? load(from + (i + j) * pixels + p) : (vector){0};
            transpose(block);
            for (int64_t j = 0; j < LANES; j++) store(to + (p + j) * pitch + i, block[j]);
        }
}

/* sums[o] += sum_p g[o][p] */
static void add_rows(REAL *sums, const REAL *g, int64_t outputs, int64_t pixels) {
    for (int64_t o = 0; o < outputs; o++) {
        vector s = {0};
        for (int64_t p = 0; p < pixels; p += LANES) s += load(g + o * pixels + p);
        sums[o] += sum_lanes(s);
    }
}
