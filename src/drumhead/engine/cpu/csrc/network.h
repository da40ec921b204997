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
#if CAN_REDUCE
    uint32_t *pairs, *weight[MOST_LAYERS], *weight_back[MOST_LAYERS];
    uint32_t *natural;
#endif
} network;

static network make_network(const pointwise *a, int back, arena *memory) {
    network n = {.a = a};
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
            n.back[l] = take(memory, in * out, sizeof(REAL));
            if (memory->base)
                for (int64_t o = 0; o < out; o++)
                    for (int64_t i = 0; i < in; i++) n.back[l][i * out + o] = ((const REAL *)a->weights[l])[o * in + i];
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

/* out (+)= w in, where w is W or W^T of layer l. */
static void multiply(network *n, REAL *out, int64_t outputs, const REAL *in, int64_t inputs, int64_t l, int back,
                     int add) {
#if CAN_REDUCE
    if (n->a->reduced) {
        pair_rows(n->pairs, TILE, in, TILE, inputs, TILE);
        combine_pairs(out, TILE, outputs, n->pairs, NULL, TILE, (inputs + 1) / 2, back ? n->weight_back[l] : n->weight[l],
                      (inputs + 1) / 2, TILE, add);
        return;
    }
#endif
    const REAL *w = back ? n->back[l] : n->a->weights[l];
    combine((maps){out, TILE}, outputs, (const_maps){in, TILE}, inputs, w, inputs, 1, TILE, add);
}

/* x[0] .. x[layers] for one tile; hidden ones after their ReLU. */
static void run_tile(network *n) {
    const pointwise *a = n->a;
    for (int64_t l = 0; l < a->layers; l++) {
        const REAL *bias = a->biases[l];
        REAL *out = n->x[l + 1];
        const int64_t width = a->widths[l + 1];
        for (int64_t o = 0; o < width; o++)
            for (int64_t p = 0; p < TILE; p += LANES) store(out + o * TILE + p, splat(bias[o]));
        multiply(n, out, width, n->x[l], a->widths[l], l, 0, 1);
        if (l + 1 == a->layers) break;
        for (int64_t p = 0; p < width * TILE; p += LANES) {
            vector v = load(out + p);
            store(out + p, choose(v < splat(0), splat(0), v)); /* NaN stays NaN */
        }
    }
}

static void read_tile(const REAL *from, int64_t width, int64_t pixels, int64_t start, REAL *tile) {
    int64_t some = least(TILE, pixels - start);
    for (int64_t i = 0; i < width; i++) {
        memcpy(tile + i * TILE, from + i * pixels + start, (size_t)some * sizeof(REAL));
        if (some < TILE) memset(tile + i * TILE + some, 0, (size_t)(TILE - some) * sizeof(REAL));
    }
}

static void write_tile(REAL *to, int64_t width, int64_t pixels, int64_t start, const REAL *tile) {
    int64_t some = least(TILE, pixels - start);
    for (int64_t i = 0; i < width; i++) memcpy(to + i * pixels + start, tile + i * TILE, (size_t)some * sizeof(REAL));
}

static void network_forward(network *n, int64_t image, int64_t start) {
    const pointwise *a = n->a;
    const int64_t in = a->widths[0], out = a->widths[a->layers];
    read_tile((const REAL *)a->input + image * in * a->pixels, in, a->pixels, start, n->x[0]);
    run_tile(n);
    write_tile((REAL *)a->output + image * out * a->pixels, out, a->pixels, start, n->x[a->layers]);
}

/* to[p][i] = from[i][p]; rows of `to` are `pitch` apart, missing inputs are 0. */
static void turn(REAL *to, int64_t pitch, const REAL *from, int64_t inputs) {
    for (int64_t i = 0; i < pitch; i += LANES)
        for (int64_t p = 0; p < TILE; p += LANES) {
            vector block[LANES];
            for (int64_t j = 0; j < LANES; j++) block[j] = i + j < inputs ? load(from + (i + j) * TILE + p) : (vector){0};
            transpose(block);
            for (int64_t j = 0; j < LANES; j++) store(to + (p + j) * pitch + i, block[j]);
        }
}

static void network_backward(network *n, int64_t image, int64_t start) {
    const pointwise *a = n->a;
    const int64_t in = a->widths[0], out = a->widths[a->layers];
    read_tile((const REAL *)a->input + image * in * a->pixels, in, a->pixels, start, n->x[0]);
    read_tile((const REAL *)a->grad_output + image * out * a->pixels, out, a->pixels, start, n->gx[a->layers]);
    run_tile(n);
    for (int64_t l = a->layers - 1; l >= 0; l--) {
        const int64_t outputs = a->widths[l + 1], inputs = a->widths[l], pitch = n->inner[l];
        const REAL *g = n->gx[l + 1];
        for (int64_t o = 0; o < outputs; o++) {
            vector s = {0};
            for (int64_t p = 0; p < TILE; p += LANES) s += load(g + o * TILE + p);
            n->gb[l][o] += sum_lanes(s);
        }
#if CAN_REDUCE
        if (a->reduced) {
            natural_rows((uint16_t *)n->natural, g, outputs, TILE);
            turn_pairs((uint32_t *)n->turned, pitch, n->x[l], inputs);
            combine_pairs(n->gw[l], pitch, outputs, (const uint32_t *)n->turned, NULL, pitch, TILE / 2, n->natural, TILE / 2,
                          pitch, 1);
        } else
#endif
        {
            turn(n->turned, pitch, n->x[l], inputs);
            combine((maps){n->gw[l], pitch}, outputs, (const_maps){n->turned, pitch}, TILE, g, TILE, 1, pitch, 1);
        }
        multiply(n, n->gx[l], inputs, g, outputs, l, 1, 0);
        if (!l) break;
        for (int64_t p = 0; p < inputs * TILE; p += LANES)
            store(n->gx[l] + p, choose(load(n->x[l] + p) > splat(0), load(n->gx[l] + p), splat(0)));
    }
    write_tile((REAL *)a->grad_input + image * in * a->pixels, in, a->pixels, start, n->gx[0]);
}

static void network_group(network *n, int64_t group) {
    const pointwise *a = n->a;
    for (int64_t l = 0; l < a->layers; l++) {
        memset(n->gw[l], 0, (size_t)(a->widths[l + 1] * n->inner[l]) * sizeof(REAL));
        memset(n->gb[l], 0, (size_t)a->widths[l + 1] * sizeof(REAL));
    }
    const int64_t tiles = (a->pixels + TILE - 1) / TILE;
    for (int64_t i = group; i < a->batch * tiles; i += a->groups) network_backward(n, i / tiles, i % tiles * TILE);
    for (int64_t l = 0; l < a->layers; l++) {
        const int64_t outputs = a->widths[l + 1], inputs = a->widths[l];
        REAL *gw = (REAL *)a->grad_weights[l] + group * outputs * inputs;
        for (int64_t o = 0; o < outputs; o++)
            memcpy(gw + o * inputs, n->gw[l] + o * n->inner[l], (size_t)inputs * sizeof(REAL));
        memcpy((REAL *)a->grad_biases[l] + group * outputs, n->gb[l], (size_t)outputs * sizeof(REAL));
    }
}
