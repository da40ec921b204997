/* The pointwise network over all tiles: forward, and backward in groups of tiles. */

static void read_input(network *n, place at) {
    read_tile(n, n->a->input, n->a->widths[0] - n->a->lifted, at, n->x[0]);
    if (n->a->lifted) lift(n, at);
}

/* What a normalisation and a ReLU make of the input. */
static void scale(REAL *x, int64_t width, const REAL *gain, const REAL *shift) {
    for (int64_t i = 0; i < width; i++, x += TILE)
        for (int64_t p = 0; p < TILE; p += LANES) store(x + p, rectified(gain[i] * load(x + p) + shift[i]));
}

/* The maps of each pixel, normalised. */
static void normalise_tile(REAL *x, int64_t width, REAL eps) {
    vector r[ACROSS];
    for (int64_t p = 0; p < TILE; p += STRIP) normalise(x + p, width, TILE, eps, r);
}

static void bend(REAL *x, int64_t kind, REAL offset, REAL largest, int64_t count) {
#define EVERY(v, value)                          \
    for (int64_t p = 0; p < count; p += LANES) { \
        const vector v = load(x + p) + offset;   \
        store(x + p, value);                     \
    }
    if (kind == STRAIGHT && offset != 0) EVERY(v, v)
    if (kind == TANH) EVERY(v, tanh_of(v))
    if (kind == SIGMOID) EVERY(v, largest * sigmoid_of(v))
    if (kind == SOFTPLUS) EVERY(v, softplus_of(v))
#undef EVERY
}

static void add_onto(network *n, place at) {
    const pointwise *a = n->a;
    const int64_t outputs = a->widths[a->layers], pixels = a->height * a->width, some = least(n->columns, a->width - at.x);
    const REAL *onto = (const REAL *)a->onto + at.image * outputs * pixels + at.y * a->width + at.x;
    for (int64_t r = 0; r < a->grid && at.y + r < a->height; r++)
        for (int64_t o = 0; o < outputs; o++) {
            REAL *x = n->x[a->layers] + o * TILE + r * n->columns;
            for (int64_t p = 0; p < some; p++) {
                const REAL v = onto[o * pixels + r * a->width + p] + x[p];
                x[p] = v < 0 && !a->gain_after ? 0 : v;
            }
        }
}

static void network_forward(network *n, int64_t tile) {
    const pointwise *a = n->a;
    const place at = place_of(n, tile);
    read_input(n, at);
    if (a->eps > 0) normalise_tile(n->x[0], a->widths[0], (REAL)a->eps);
    if (a->gain) scale(n->x[0], a->widths[0], a->gain, a->shift);
    run_tile(n);
    if (a->onto) add_onto(n, at);
    if (a->gain_after) {
        normalise_tile(n->x[a->layers], a->widths[a->layers], (REAL)a->eps);
        scale(n->x[a->layers], a->widths[a->layers], a->gain_after, a->shift_after);
    }
    const int64_t each = a->widths[a->layers] / a->parts, part = a->batch * each * a->height * a->width;
    for (int64_t i = 0; i < a->parts; i++) {
        REAL *x = n->x[a->layers] + i * each * TILE;
        bend(x, a->bends[i], (REAL)a->offsets[i], (REAL)a->largest, each * TILE);
        write_tile(n, (REAL *)a->output + i * part, each, at, x);
    }
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
