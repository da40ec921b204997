/* The pointwise network on tiles of pixels: a tile runs through all layers while it is in cache, so that hidden
 * activations never reach memory; the adjoint computes them again.
 *
 * Every product here is `combine`: out[o][p] += sum_i w[o, i] in[i][p].
 *     forward   h = W x + b            w = W     in = x        lanes are pixels
 *     adjoint   gx = W^T gh            w = W^T   in = gh       lanes are pixels
 *     weights   gW += gh x^T           w = gh    in = x^T      lanes are inputs
 * In bfloat16 two neighbours along the sum share 32 bits, and a lane adds two products at once.
 *
 * A tile is a row of whole cells of grid x grid pixels, stored one row of pixels after the other; with a grid of 1, as
 * where all is on one grid, a run of pixels. What is lifted is a product over cells, spread over the tile's pixels.
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
        for (int64_t p = 0; relu && p < outputs * TILE; p += LANES) {
            vector v = load(out + p);
            store(out + p, choose(v < splat(0), splat(0), v)); /* NaN stays NaN */
        }
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

/* Where a tile lies: its image, and the row and column of its first pixel. */
typedef struct { int64_t image, y, x; } place;

static place place_of(const network *n, int64_t tile) {
    const int64_t each = n->across * n->down, rest = tile % each;
    return (place){tile / each, rest / n->across * n->a->grid, rest % n->across * n->columns};
}

/* One row of each of `width` maps: the `some` numbers inside the image, then zeros up to `all`. */
static void read_rows(REAL *to, int64_t to_pitch, const REAL *from, int64_t from_pitch, int64_t width, int64_t some,
                      int64_t all) {
    for (int64_t i = 0; i < width; i++, to += to_pitch, from += from_pitch) {
        if (some > 0) memcpy(to, from, (size_t)some * sizeof(REAL));
        if (some < all) memset(to + some, 0, (size_t)(all - some) * sizeof(REAL));
    }
}

static void read_tile(const network *n, const void *array, int64_t width, place at, REAL *tile) {
    const pointwise *a = n->a;
    const int64_t pixels = a->height * a->width;
    const REAL *from = (const REAL *)array + at.image * width * pixels + at.y * a->width + at.x;
    for (int64_t r = 0; r < a->grid; r++)
        read_rows(tile + r * n->columns, TILE, from + r * a->width, pixels, width,
                  at.y + r < a->height ? least(n->columns, a->width - at.x) : 0, n->columns);
}

static void write_tile(const network *n, void *array, int64_t width, place at, const REAL *tile) {
    const pointwise *a = n->a;
    const int64_t pixels = a->height * a->width, some = least(n->columns, a->width - at.x);
    REAL *to = (REAL *)array + at.image * width * pixels + at.y * a->width + at.x;
    for (int64_t r = 0; r < a->grid && at.y + r < a->height; r++)
        for (int64_t i = 0; i < width; i++)
            memcpy(to + i * pixels + r * a->width, tile + i * TILE + r * n->columns, (size_t)some * sizeof(REAL));
}

/* The tile's cells in an array (b, below, y, x), and how many of them lie inside. */
static REAL *cells_of(const network *n, const void *array, place at, int64_t *pitch, int64_t *some) {
    const pointwise *a = n->a;
    const int64_t wide = (a->width + a->grid - 1) / a->grid, column = at.x / a->grid;
    *pitch = n->down * wide, *some = least(n->cells, wide - column);
    return (REAL *)array + at.image * a->below * *pitch + at.y / a->grid * wide + column;
}

/* Maps at the pixels of a tile, and what the lift makes for each pixel of a cell: one way or the other. */
INLINE void spread(const network *n, REAL *tile, REAL *raised, const int BACK) {
    const int64_t grid = n->a->grid;
    for (int64_t m = 0; m < n->a->lifted; m++)
        for (int64_t y = 0; y < grid; y++)
            for (int64_t x = 0; x < grid; x++) {
                REAL *pixel = tile + m * TILE + y * n->columns + x, *cell = raised + ((m * grid + y) * grid + x) * n->lanes;
                for (int64_t i = 0; i < n->cells; i++)
                    if (BACK) cell[i] = pixel[i * grid];
                    else pixel[i * grid] = cell[i];
            }
}

static void lift(network *n, place at) {
    const pointwise *a = n->a;
    int64_t pitch, some;
    const REAL *from = cells_of(n, a->coarse, at, &pitch, &some);
    read_rows(n->coarse, n->lanes, from, pitch, a->below, some, n->lanes);
    combine_all((maps){n->raised, n->lanes}, n->outputs, (const_maps){n->coarse, n->lanes}, a->below, a->lift, a->below, 1,
                n->lanes, 0, a->lift_bias, 0);
    spread(n, n->x[0] + (a->widths[0] - a->lifted) * TILE, n->raised, 0);
}

static void read_input(network *n, place at) {
    read_tile(n, n->a->input, n->a->widths[0] - n->a->lifted, at, n->x[0]);
    if (n->a->lifted) lift(n, at);
}

static void network_forward(network *n, int64_t tile) {
    const pointwise *a = n->a;
    const place at = place_of(n, tile);
    read_input(n, at);
    run_tile(n);
    write_tile(n, a->output, a->widths[a->layers], at, n->x[a->layers]);
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

static void lift_backward(network *n, place at) {
    const pointwise *a = n->a;
    if (n->cells < n->lanes) memset(n->graised, 0, (size_t)(n->outputs * n->lanes) * sizeof(REAL));
    spread(n, n->gx[0] + (a->widths[0] - a->lifted) * TILE, n->graised, 1);
    add_rows(n->glift_bias, n->graised, n->outputs, n->lanes);
    turn(n->coarse_turned, n->below, n->coarse, a->below, n->lanes);
    combine((maps){n->glift, n->below}, n->outputs, (const_maps){n->coarse_turned, n->below}, n->lanes, n->graised,
            n->lanes, 1, n->below, 1);
    combine((maps){n->gcoarse, n->lanes}, a->below, (const_maps){n->graised, n->lanes}, n->outputs, n->lift_back,
            n->outputs, 1, n->lanes, 0);
    int64_t pitch, some;
    REAL *to = cells_of(n, a->grad_coarse, at, &pitch, &some);
    for (int64_t i = 0; i < a->below; i++) memcpy(to + i * pitch, n->gcoarse + i * n->lanes, (size_t)some * sizeof(REAL));
}

static void network_backward(network *n, int64_t tile) {
    const pointwise *a = n->a;
    const place at = place_of(n, tile);
    read_input(n, at);
    read_tile(n, a->grad_output, a->widths[a->layers], at, n->gx[a->layers]);
    run_tile(n);
    for (int64_t l = a->layers - 1; l >= 0; l--) {
        const int64_t outputs = a->widths[l + 1], inputs = a->widths[l], pitch = n->inner[l];
        const REAL *g = n->gx[l + 1];
        add_rows(n->gb[l], g, outputs, TILE);
#if CAN_REDUCE
        if (a->reduced) {
            natural_rows((uint16_t *)n->natural, g, outputs, TILE);
            turn_pairs((uint32_t *)n->turned, pitch, n->x[l], inputs);
            combine_pairs(n->gw[l], pitch, outputs, (const uint32_t *)n->turned, NULL, pitch, TILE / 2, n->natural, TILE / 2,
                          pitch, 1);
        } else
#endif
        {
            turn(n->turned, pitch, n->x[l], inputs, TILE);
            combine((maps){n->gw[l], pitch}, outputs, (const_maps){n->turned, pitch}, TILE, g, TILE, 1, pitch, 1);
        }
        multiply(n, n->gx[l], inputs, g, outputs, l, 1);
        if (!l) break;
        for (int64_t p = 0; p < inputs * TILE; p += LANES)
            store(n->gx[l] + p, choose(load(n->x[l] + p) > splat(0), load(n->gx[l] + p), splat(0)));
    }
    write_tile(n, a->grad_input, a->widths[0] - a->lifted, at, n->gx[0]);
    if (a->lifted) lift_backward(n, at);
}

/* The sums of one layer begin at 0 .. */
static void clear_sums(REAL *gw, REAL *gb, int64_t outputs, int64_t pitch) {
    memset(gw, 0, (size_t)(outputs * pitch) * sizeof(REAL));
    memset(gb, 0, (size_t)outputs * sizeof(REAL));
}

/* .. and are written where those of a group belong. */
static void write_sums(void *to_w, void *to_b, const REAL *gw, const REAL *gb, int64_t outputs, int64_t inputs,
                       int64_t pitch, int64_t group) {
    REAL *to = (REAL *)to_w + group * outputs * inputs;
    for (int64_t o = 0; o < outputs; o++) memcpy(to + o * inputs, gw + o * pitch, (size_t)inputs * sizeof(REAL));
    memcpy((REAL *)to_b + group * outputs, gb, (size_t)outputs * sizeof(REAL));
}

static void network_group(network *n, int64_t group) {
    const pointwise *a = n->a;
    const int64_t tiles = a->batch * n->across * n->down, *widths = a->widths;
    for (int64_t l = 0; l < a->layers; l++) clear_sums(n->gw[l], n->gb[l], widths[l + 1], n->inner[l]);
    if (a->lifted) clear_sums(n->glift, n->glift_bias, n->outputs, n->below);
    for (int64_t i = group; i < tiles; i += a->groups) network_backward(n, i);
    for (int64_t l = 0; l < a->layers; l++)
        write_sums(a->grad_weights[l], a->grad_biases[l], n->gw[l], n->gb[l], widths[l + 1], widths[l], n->inner[l], group);
    if (a->lifted)
        write_sums(a->grad_lift, a->grad_lift_bias, n->glift, n->glift_bias, n->outputs, a->below, n->below, group);
}
