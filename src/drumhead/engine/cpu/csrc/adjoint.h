/* The exact adjoint of the propagation of one image, walked backwards segment by segment.
 *
 *     y_t = y_{t+1} - dt z_{t+1},   z_t = (z_{t+1} - gain f_t) / decay      the states again, without a memory of them
 *     G = gz + dt gy                                                        gradient of z_{t+1}
 *     g_omega -= gain G y_t,   g_decay += G z_t + slope G f_t,   q = gain G phi',   g_W += corr(q, y_t)
 *     gz <- decay G,   gy <- gy - gain omega G + W^T q
 *
 * Each segment starts from its own checkpoint, so errors of the reversal grow over `segment` steps at most. Where decay
 * is too small to divide by, z_t is one of those that the forward pass has kept (forgetful.h), or `stored` recomputes the
 * segment forwards and keeps its states instead.
 */

#define CHUNK 8 /* rows whose correlations are summed in registers */
#define BATCH 4 /* the same of quads, four rows each */

/* A row of q and the row of y that it meets, at x = 0. */
typedef struct { const REAL *q, *y; } row_pair;

typedef struct {
    const plan *a;
    grid g;
    stencil coupling, transposed;
    forgetful lapses;
    REAL *y, *z, *omega, *decay, *inverse, *first_decay;
    REAL *gy, *gz, *g_omega, *g_decay, *g_first, *q, *scratch;
    REAL *g_taps;                 /* one vector a tap; with quads, one a transformed tap */
    REAL *spreads, *q_spreads;    /* quads: what a batch of them reads of y and gives of q, [quad][6][channel][x] */
    int64_t pending;              /* and how many wait to be correlated */
    row_pair *seen;               /* what is being correlated, [layer of taps][CHUNK or BATCH] */
    REAL **y_kept, **z_kept;      /* stored: states s .. e of the segment */
    const REAL **rows;
    REAL *g_states, *states, *g_basis; /* PROJECT: of one segment; MIX: g_basis of one step */
    REAL *few;                    /* MIX: a row of the pixels that are kept */
    int64_t pixels, taps;
    uint32_t *turned, *g_pairs;   /* PROJECT, MIX in bfloat16: the basis by step, features in pairs; the gradient likewise */
    uint16_t *g_natural, *s_natural; /* the gradient and states with pixels side by side */
} backward;

static backward make_backward(const plan *a, arena *memory) {
    backward f = {.a = a, .g = make_grid(a, memory)};
    const grid *g = &f.g;
    const int64_t h = g->height;
    f.coupling = make_stencil(a, g, 0, memory), f.transposed = make_stencil(a, g, 1, memory);
    f.lapses = make_forgetful(a, g, memory);
    f.pixels = g->channels * h * g->width;
    f.taps = f.coupling.outer * f.coupling.inner * a->kernel_height * a->kernel_width;
    f.y = take_padded(memory, g, h), f.q = take_padded(memory, g, h);
    f.scratch = take_padded(memory, g, 1);
    REAL **plain[] = {&f.z, &f.omega, &f.decay, &f.inverse, &f.gy, &f.gz, &f.g_omega, &f.g_decay};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) *plain[i] = take_plain(memory, g, h);
    f.first_decay = a->first_decay ? take_plain(memory, g, h) : f.decay;
    f.g_first = a->first_decay ? take_plain(memory, g, h) : f.g_decay;
    f.g_taps = take(memory, f.taps * LANES * (g->quads ? 2 : 1), sizeof(REAL));
    if (g->quads) {
        f.spreads = take_rows(memory, g, BATCH * SIX * g->channels);
        f.q_spreads = take_rows(memory, g, BATCH * SIX * g->channels);
    }
    f.seen = take(memory, (a->kernel_height > SIX ? a->kernel_height : SIX) * CHUNK, sizeof(row_pair));
    f.rows = take(memory, a->kernel_height > SIX ? a->kernel_height : SIX, sizeof(REAL *));
    f.y_kept = take(memory, a->segment + 1, sizeof(REAL *)), f.z_kept = take(memory, a->segment + 1, sizeof(REAL *));
    for (int64_t i = 0; a->stored && i <= a->segment; i++) {
        REAL *y = take_padded(memory, g, h), *z = take_plain(memory, g, h);
        if (memory->base) f.y_kept[i] = y, f.z_kept[i] = z;
    }
    if (a->keep == PROJECT) {
        f.g_states = take(memory, a->segment * g->kept + LANES, sizeof(REAL));
        f.states = take(memory, a->segment * g->kept + LANES, sizeof(REAL));
        f.g_basis = take(memory, a->features * a->segment * LANES, sizeof(REAL));
    }
    if (a->keep == MIX && g->some) f.few = take(memory, g->channels * g->some, sizeof(REAL));
    if (a->keep == MIX) f.g_basis = take(memory, a->features * g->channels * LANES, sizeof(REAL));
#if CAN_REDUCE
    if ((a->keep == PROJECT && a->reduced && g->kept % (2 * LANES) == 0) || mixes_reduced(a, g)) {
        const int64_t pairs = (a->features + 1) / 2, mixes = a->keep == MIX, kept = mixes ? h * g->width : g->kept;
        const int64_t columns = mixes ? a->steps * g->channels : a->steps;
        f.turned = take(memory, columns * pairs, sizeof(uint32_t));
        f.g_pairs = take(memory, pairs * kept, sizeof(uint32_t));
        f.g_natural = take(memory, a->features * kept, sizeof(uint16_t));
        f.s_natural = take(memory, mixes ? CHUNK * g->channels * g->width : a->segment * kept, sizeof(uint16_t));
        if (memory->base) pack_turned(f.turned, a->basis, a->features, columns, 2 * pairs);
    }
#endif
    return f;
}

/* One step back at one row, all channels: everything but the coupling's transpose. */
typedef struct {
    const REAL *const *rows, *y, *omega, *decay, *inverse, *kept, *z_in;
    REAL *z_out, *gy, *gz, *g_omega, *g_decay, *q, dt, offset, slope;
    int reverse;
} row_back;

static void back_row(const plan *a, const grid *g, const stencil *w, const row_back *r) {
    const int64_t stride = g->stride, lanes = g->lanes;
    const int tanh_on = (int)a->tanh, reverse = r->reverse;
#define BACK(OUT, WIDE, KY, KX)                                                                      \
    do {                                                                                             \
        sums acc = convolve(w, OUT, WIDE, KY, KX, r->rows, stride, c, x);                            \
        for (int j = 0; j < OUT; j++)                                                                \
            for (int b = 0; b < WIDE; b++) {                                                         \
                int64_t at = (c + j) * lanes + x + b * LANES, on = (c + j) * stride + x + b * LANES; \
                vector s = tanh_on ? tanh_of(acc.at[j][b]) : acc.at[j][b];                           \
                vector y = load(r->y + on), d = load(r->decay + at), o = load(r->omega + at);        \
                vector gain = r->offset + r->slope * d, force = s - o * y;                           \
                vector z = load(r->z_in + at);                                                       \
                if (reverse) z = (z - gain * force) * load(r->inverse + at) + load(r->kept + at);    \
                vector gy = load(r->gy + at), G = load(r->gz + at) + r->dt * gy, push = gain * G;    \
                store(r->g_omega + at, load(r->g_omega + at) - push * y);                            \
                store(r->g_decay + at, load(r->g_decay + at) + G * (z + r->slope * force));          \
                store(r->q + on, tanh_on ? push * (1 - s * s) : push);                               \
                store(r->gz + at, d * G);                                                            \
                store(r->gy + at, gy - o * push);                                                    \
                store(r->z_out + at, z);                                                             \
            }                                                                                        \
    } while (0)
    OVER_ROW(BACK, w, 0, lanes)
#undef BACK
}

/* gy += W^T q, for a row whose neighbours are in f->rows. */
static void add_transposed(backward *f, REAL *gy) {
    const stencil *w = &f->transposed;
    const int64_t stride = f->g.stride, lanes = f->g.lanes;
#define ADD(OUT, WIDE, KY, KX)                                                                   \
    do {                                                                                         \
        sums acc = convolve(w, OUT, WIDE, KY, KX, f->rows, stride, c, x);                        \
        for (int j = 0; j < OUT; j++)                                                            \
            for (int b = 0; b < WIDE; b++) {                                                     \
                REAL *at = gy + (c + j) * lanes + x + b * LANES;                                 \
                store(at, load(at) + acc.at[j][b]);                                              \
            }                                                                                    \
    } while (0)
    OVER_ROW(ADD, w, 0, lanes)
#undef ADD
}

/* The same on a mirrored grid, where W^T q reaches beyond the edges and is folded back. */
static void fold_transposed(backward *f, REAL *gy) {
    const grid *g = &f->g;
    const stencil *w = &f->transposed;
    const int64_t stride = g->stride, lanes = g->lanes, reach = round_up(g->rx, LANES);
#define KEEP(OUT, WIDE, KY, KX)                                                                  \
    do {                                                                                         \
        sums acc = convolve(w, OUT, WIDE, KY, KX, f->rows, stride, c, x);                        \
        for (int j = 0; j < OUT; j++)                                                            \
            for (int b = 0; b < WIDE; b++)                                                       \
                store(f->scratch + (c + j) * stride + x + b * LANES, acc.at[j][b]);              \
    } while (0)
    OVER_ROW(KEEP, w, -reach, lanes + reach)
#undef KEEP
    for (int64_t c = 0; c < g->channels; c++) {
        const REAL *from = f->scratch + c * stride;
        for (int64_t x = 0; x < g->width; x++) gy[c * lanes + x] += from[x];
        for (int64_t j = 0; j < g->rx; j++) {
            gy[c * lanes + g->column_source[j]] += from[j - g->rx];
            gy[c * lanes + g->column_source[g->rx + j]] += from[g->width + j];
        }
    }
}

/* W^T q at row r, where q is a whole plane; with quads, rows r to r + 3 at once if r is the `first` of them. */
static void transpose_row(backward *f, int64_t r, int64_t first) {
    const grid *g = &f->g;
    const int64_t mirrored = g->boundary == REFLECTING;
    stencil *w = &f->transposed;
    w->row = w->quad_taps ? (r - first) % FOUR : 0;
    for (int64_t d = -g->ry; d <= (w->quad_taps ? FOUR : g->ry) && !w->row; d++) {
        int64_t inside = r + d >= 0 && r + d < g->height;
        const int64_t unseen = mirrored || (w->quad_taps && r + d > g->height);
        f->rows[d + g->ry] = inside ? f->q + (r + d) * g->padded : unseen ? g->zeros : neighbour(g, f->q, r + d);
    }
    const int64_t reach = mirrored ? round_up(g->rx, LANES) : 0;
    if (w->quad_taps && !w->row) couple_four(w, f->rows, g->left, -reach, g->lanes + reach);
    if (mirrored) fold_transposed(f, f->gy + source_row(g, r) * g->plain);
    else add_transposed(f, f->gy + r * g->plain);
}
