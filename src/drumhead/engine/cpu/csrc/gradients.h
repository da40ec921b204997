/* Gradients of what all pixels share: the kernel's, by correlation, and the basis', by products with the states. */

/* g_W += corr(q, y) over the rows that `seen` names: lane by lane, one vector a tap. A layer of taps is a row of the
 * kernel, or one of the six of quads. */
INLINE void correlate_block(const int OUT, const int WIDE, backward *f, const row_pair *seen, int64_t count, int64_t layers,
                            int64_t layer, int64_t c, int64_t i, int64_t dx) {
    const grid *g = &f->g;
    const stencil *w = &f->coupling;
    const int64_t next = w->inner * layers * w->kx;
    const int64_t q_at = c * g->stride, y_at = (w->depthwise ? c : i) * g->stride + dx - g->rx;
    REAL *acc = f->g_taps + (((c * w->inner + i) * layers + layer) * w->kx + dx) * LANES;
    vector s[DEEPEST][3];
    for (int j = 0; j < OUT; j++)
        for (int b = 0; b < WIDE; b++) s[j][b] = load(acc + (j * next + b) * LANES);
    for (int64_t n = 0; n < count; n++) {
        const REAL *q = seen[n].q + q_at, *y = seen[n].y + y_at;
        for (int64_t x = 0; x < g->lanes; x += LANES) {
            vector v[3];
            for (int b = 0; b < WIDE; b++) v[b] = load(y + x + b);
            for (int j = 0; j < OUT; j++) {
                vector u = load(q + j * g->stride + x);
                if (x + LANES == g->lanes) u = (vector)((lane_mask)u & g->last);
                for (int b = 0; b < WIDE; b++) s[j][b] += u * v[b];
            }
        }
    }
    for (int j = 0; j < OUT; j++)
        for (int b = 0; b < WIDE; b++) store(acc + (j * next + b) * LANES, s[j][b]);
}

/* All taps: f->seen has `count` pairs of rows for each layer. */
static void correlate_rows(backward *f, int64_t layers, int64_t count) {
    const stencil *w = &f->coupling;
    for (int64_t c = 0, deep; c < w->outer; c += deep) {
        deep = block_of(w, c);
        for (int64_t layer = 0; layer < layers; layer++)
            for (int64_t i = 0; i < w->inner; i++)
                for (int64_t dx = 0, wide; dx < w->kx; dx += wide) {
                    wide = w->kx - dx >= 3 ? 3 : 1;
#define CORRELATE(OUT, WIDE) correlate_block(OUT, WIDE, f, f->seen + layer * count, count, layers, layer, c, i, dx)
                    if (deep == 4 && wide == 3) CORRELATE(4, 3);
                    else if (deep == 4) CORRELATE(4, 1);
                    else if (deep == 2 && wide == 3) CORRELATE(2, 3);
                    else if (deep == 2) CORRELATE(2, 1);
                    else if (wide == 3) CORRELATE(1, 3);
                    else CORRELATE(1, 1);
#undef CORRELATE
                }
    }
}

/* g_W += corr(q, y) over rows [from, to), at most CHUNK of them. */
static void correlate(backward *f, const REAL *y, int64_t from, int64_t to) {
    const stencil *w = &f->coupling;
    row_pair *pair = f->seen;
    for (int64_t dy = 0; dy < w->ky; dy++)
        for (int64_t r = from; r < to; r++) *pair++ = (row_pair){f->q + r * f->g.padded, neighbour(&f->g, y, r + dy - f->g.ry)};
    correlate_rows(f, w->ky, to - from);
}

/* The same through quads (quads.h), once row r of q is there: after every fourth row a quad waits, and a batch of them is
 * correlated together, sums of (A q)_k v_k. */
static void correlate_quads(backward *f, int64_t r) {
    const grid *g = &f->g;
    const int64_t over = r + 1 == g->height, first = r / FOUR * FOUR, plane = g->channels * g->stride;
    if (r % FOUR < FOUR - 1 && !over) return;
    const REAL *rows[FOUR];
    for (int64_t d = 0; d < FOUR; d++) rows[d] = (first + d > r ? g->zeros : f->q + (first + d) * g->padded) - g->left;
    spread_gradient(f->q_spreads - g->left + f->pending * SIX * plane, plane, rows, plane);
    if (++f->pending < BATCH && !over) return;
    row_pair *pair = f->seen;
    for (int64_t k = 0; k < SIX; k++)
        for (int64_t n = 0; n < f->pending; n++, pair++)
            pair->q = f->q_spreads + (n * SIX + k) * plane, pair->y = f->spreads + (n * SIX + k) * plane;
    correlate_rows(f, SIX, f->pending);
    f->pending = 0;
}

/* g_W = G^T of those sums. */
static void write_quads(const backward *f, REAL *to) {
    const stencil *w = &f->coupling;
    for (int64_t i = 0; i < w->outer * w->inner; i++)
        for (int64_t dx = 0; dx < w->kx; dx++) {
            REAL d[SIX], *at = to + i * 3 * w->kx + dx;
            for (int64_t k = 0; k < SIX; k++) d[k] = reduce(f->g_taps + ((i * SIX + k) * w->kx + dx) * LANES);
            at[0] = d[0] / 4 - (d[1] + d[2]) / 6 + (d[3] + d[4]) / 24;
            at[w->kx] = (d[2] - d[1]) / 6 + (d[3] - d[4]) / 12;
            at[2 * w->kx] = (d[3] + d[4] - d[1] - d[2]) / 6 + d[5];
        }
}

/* Add to gy the record's gradient of row r of state y_{t+1}; `start` is the first step of the segment. */
static void add_gradient(const backward *f, int64_t image, int64_t t, int64_t start, int64_t r, REAL *gy) {
    const plan *a = f->a;
    const grid *g = &f->g;
    const int64_t plane = g->height * g->width, channels = g->channels;
    const REAL *grad = a->grad_out;
    if (a->keep == SERIES) {
        if ((t + 1) % a->every) return;
        grad += (image * (a->steps / a->every) + (t + 1) / a->every - 1) * f->pixels;
    } else if (a->keep == PROJECT) {
        grad = f->g_states + (t - start) * g->kept;
    } else {
        grad += image * (a->keep == MIX ? a->features * plane : f->pixels);
    }
    if (g->some) {
        if (a->keep == MIX) {
            const REAL *features = (const REAL *)a->grad_out + image * a->features * g->some + g->starts[r];
            combine((maps){f->few, g->some}, channels, (const_maps){features, g->some}, a->features,
                    (const REAL *)a->basis + t * channels, 1, a->steps * channels, g->starts[r + 1] - g->starts[r], 0);
            scatter(g, gy, g->lanes, f->few, g->some, r);
        } else {
            scatter(g, gy, g->lanes, grad + g->starts[r], g->some, r);
        }
        return;
    }
    if (a->keep == MIX) {
#if CAN_REDUCE
        if (f->turned) {
            const int64_t pairs = (a->features + 1) / 2;
            combine_pairs(gy, g->lanes, channels, f->g_pairs + r * pairs * g->width, NULL, g->width, pairs,
                          f->turned + t * channels * pairs, pairs, g->width, 1);
            return;
        }
#endif
        combine((maps){gy, g->lanes}, channels, (const_maps){grad + r * g->width, plane}, a->features,
                (const REAL *)a->basis + t * channels, 1, a->steps * channels, g->width, 1);
        return;
    }
    for (int64_t c = 0; c < channels; c++) {
        const int64_t at = (c * g->height + r) * g->width;
        REAL *to = gy + c * g->lanes;
        if (a->keep == MAX) {
            const int32_t *when = a->argmax + image * f->pixels + at;
            for (int64_t x = 0; x < g->width; x++) to[x] += when[x] == t ? grad[at + x] : 0;
        } else {
            for (int64_t x = 0; x < g->width; x++) to[x] += grad[at + x];
        }
    }
}

/* MIX: acc += what rows [from, to) of state y_{t+1} contribute to the basis' gradient; `y` holds them. */
static void add_dots(const backward *f, int64_t image, REAL *acc, const REAL *y, int64_t from, int64_t to) {
    const grid *g = &f->g;
    const int64_t plane = g->height * g->width;
#if CAN_REDUCE
    if (f->turned) {
        for (int64_t r = from; r < to; r++)
            for (int64_t c = 0; c < g->channels; c++)
                natural_rows(f->s_natural + (c * CHUNK + r - from) * g->width, y + r * g->padded + c * g->stride, 1, g->width);
        dots_reduced(acc, f->g_natural + from * g->width, plane, f->a->features, f->s_natural, CHUNK * g->width,
                     g->channels, (to - from) * g->width);
        return;
    }
#endif
    if (g->some) {
        const REAL *grad = (const REAL *)f->a->grad_out + image * f->a->features * g->some + g->starts[from];
        int64_t n = 0;
        for (int64_t r = from; r < to; r++) n += gather(g, f->few + n, g->some, y + r * g->padded, g->stride, r);
        dots(acc, (const_maps){grad, g->some}, f->a->features, (const_maps){f->few, g->some}, g->channels, n);
        return;
    }
    const REAL *grad = (const REAL *)f->a->grad_out + image * f->a->features * plane;
    for (int64_t r = from; r < to; r++)
        dots(acc, (const_maps){grad + r * g->width, plane}, f->a->features, (const_maps){y + r * g->padded, g->stride},
             g->channels, g->width);
}

static void clear_dots(const backward *f, REAL *acc) {
    memset(acc, 0, (size_t)(f->a->features * f->g.channels * LANES) * sizeof(REAL));
}

static void write_dots(const backward *f, int64_t image, int64_t t, const REAL *acc) {
    const plan *a = f->a;
    const int64_t channels = f->g.channels;
    REAL *to = (REAL *)a->grad_basis + (image * a->features * a->steps + t) * channels;
    for (int64_t k = 0; k < a->features; k++)
        for (int64_t c = 0; c < channels; c++)
            to[k * a->steps * channels + c] = reduce(acc + (k * channels + c) * LANES);
}

/* All of that for the whole of state y_{t+1}. */
static void take_gradient(backward *f, int64_t image, int64_t t, int64_t start, const REAL *y) {
    const plan *a = f->a;
    const grid *g = &f->g;
    for (int64_t r = 0; r < g->height; r++) add_gradient(f, image, t, start, r, f->gy + r * g->plain);
    for (int64_t r = 0; r < g->height && a->keep == PROJECT; r++)
        keep_row(g, y + r * g->padded, f->states + (t - start) * g->kept, r);
    if (a->keep != MIX) return;
    clear_dots(f, f->g_basis);
    for (int64_t r = 0; r < g->height; r += CHUNK) add_dots(f, image, f->g_basis, y, r, least(r + CHUNK, g->height));
    write_dots(f, image, t, f->g_basis);
}
