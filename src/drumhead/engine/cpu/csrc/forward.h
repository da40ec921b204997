/* The propagation of one image.
 *
 *     z <- decay z + gain (phi(W * y) - omega y),   y <- y + dt z,   gain = offset + slope decay
 */

typedef struct {
    const plan *a;
    grid g;
    stencil coupling;
    forgetful lapses;
    REAL *y, *next, *z, *omega, *decay, *first_decay; /* y before and after a step; z changes in place */
    const REAL **rows;       /* [ky] */
    REAL *buffer;            /* PROJECT: what is kept of the states of the current block */
    REAL *few;               /* MIX: a row of the pixels that are kept */
    uint32_t *factors, *pairs; /* PROJECT, MIX: the basis in bfloat16, neighbours along the sum in pairs, and so the states */
    int64_t filled, pixels;
} forward;

#if CAN_REDUCE
/* Say whether MIX rounds its factors to bfloat16: not of some pixels, whose rows are short. */
static int mixes_reduced(const plan *a, const grid *g) {
    return a->reduced && a->keep == MIX && !g->some && g->width % (2 * LANES) == 0;
}
#endif

static forward make_forward(const plan *a, arena *memory) {
    forward f = {.a = a, .g = make_grid(a, memory)};
    const grid *g = &f.g;
    f.coupling = make_stencil(a, g, 0, memory);
    f.lapses = make_forgetful(a, g, memory);
    f.y = take_padded(memory, g, g->height), f.next = take_padded(memory, g, g->height);
    f.z = take_plain(memory, g, g->height);
    f.omega = take_plain(memory, g, g->height), f.decay = take_plain(memory, g, g->height);
    f.first_decay = a->first_decay ? take_plain(memory, g, g->height) : f.decay;
    f.rows = take(memory, a->kernel_height, sizeof(REAL *));
    f.pixels = g->channels * g->height * g->width;
    if (a->keep == PROJECT) f.buffer = take(memory, a->block * g->kept + LANES, sizeof(REAL));
    if (a->keep == MIX && g->some) f.few = take(memory, g->channels * g->some, sizeof(REAL));
#if CAN_REDUCE
    if (a->keep == PROJECT && a->reduced && g->kept % LANES == 0 && a->block % 2 == 0) {
        f.factors = take(memory, a->features * ((a->steps + 1) / 2), sizeof(uint32_t));
        f.pairs = take(memory, a->block / 2 * g->kept, sizeof(uint32_t));
        if (f.factors) pack_weights(f.factors, a->basis, a->features, a->steps);
    }
    if (mixes_reduced(a, g)) {
        const int64_t pairs = (g->channels + 1) / 2;
        f.factors = take(memory, a->features * a->steps * pairs, sizeof(uint32_t));
        f.pairs = take(memory, 2 * pairs * g->width, sizeof(uint32_t));
        if (f.factors) pack_weights(f.factors, a->basis, a->features * a->steps, g->channels);
    }
#endif
    return f;
}

/* Row r of W * y is next: with quads, every fourth time couple four rows of y, a plane that is whole. */
static void prepare(const grid *g, stencil *w, const REAL *y, int64_t r) {
    if (!w->quad_taps) return;
    w->row = r % FOUR;
    if (w->row) return;
    const REAL *six[SIX];
    for (int64_t d = 0; d < SIX; d++) six[d] = r + d - 1 > g->height ? g->zeros : neighbour(g, y, r + d - 1);
    couple_four(w, six, g->left, 0, g->lanes);
}

/* The planes of a step, which goes from (y, z) to (y_out, z_out), and room for the neighbours of a row. */
typedef struct {
    const REAL **rows, *y, *z, *omega, *decay;
    REAL *y_out, *z_out;
    int64_t first;
} step;

/* Row r of it, all channels; return its y. */
static REAL *step_row(const plan *a, const grid *g, stencil *w, const step *s, int64_t r) {
    const int64_t stride = g->stride, lanes = g->lanes, plain = r * g->plain;
    const int tanh_on = (int)a->tanh;
    const REAL dt = (REAL)a->dt, slope = (REAL)(s->first ? 0 : a->slope);
    const REAL offset = (REAL)(s->first ? a->first_offset : a->offset);
    const REAL *y_in = s->y + r * g->padded, *z_in = s->z + plain, *omega = s->omega + plain, *decay = s->decay + plain;
    REAL *y_out = s->y_out + r * g->padded, *z_out = s->z_out + plain;
    for (int64_t d = -g->ry; d <= g->ry; d++) s->rows[d + g->ry] = neighbour(g, s->y, r + d);
    prepare(g, w, s->y, r);
#define STEP(OUT, WIDE, KY, KX)                                                                  \
    do {                                                                                         \
        sums acc = convolve(w, OUT, WIDE, KY, KX, s->rows, stride, c, x);                        \
        for (int j = 0; j < OUT; j++)                                                            \
            for (int b = 0; b < WIDE; b++) {                                                     \
                int64_t at = (c + j) * lanes + x + b * LANES, on = (c + j) * stride + x + b * LANES; \
                vector phi = tanh_on ? tanh_of(acc.at[j][b]) : acc.at[j][b];                     \
                vector y = load(y_in + on), d = load(decay + at);                                \
                vector z = d * load(z_in + at) + (offset + slope * d) * (phi - load(omega + at) * y); \
                store(z_out + at, z);                                                            \
                store(y_out + on, y + dt * z);                                                   \
            }                                                                                    \
    } while (0)
    OVER_ROW(STEP, w, 0, lanes)
#undef STEP
    fill_halo(g, y_out, g->channels);
    return y_out;
}

/* Hand row r of state y_{t+1} to the record; `pending`, if not NULL, is that of y_t, which has been held back. */
static void emit(forward *f, int64_t image, int64_t t, int64_t r, const REAL *pending, const REAL *row) {
    const plan *a = f->a;
    const grid *g = &f->g;
    REAL *out = a->out;
    if (a->keep == SERIES) {
        if ((t + 1) % a->every) return;
        int64_t count = a->steps / a->every, i = (t + 1) / a->every - 1;
        write_row(g, row, g->stride, out + (image * count + i) * f->pixels, r);
    } else if (a->keep == PROJECT) {
        keep_row(g, row, f->buffer + (t - f->filled) * g->kept, r);
    } else if (a->keep == MIX && g->some) {
        const int64_t n = gather(g, f->few, g->some, row, g->stride, r);
        combine((maps){out + image * a->features * g->some + g->starts[r], g->some}, a->features, (const_maps){f->few, g->some},
                g->channels, (const REAL *)a->basis + t * g->channels, a->steps * g->channels, 1, n, t > 0);
    } else if (a->keep == MIX) {
        int64_t plane = g->height * g->width;
        maps to = {out + image * a->features * plane + r * g->width, plane};
#if CAN_REDUCE
        if (f->factors) {
            const int64_t pairs = (g->channels + 1) / 2;
            uint32_t *then = pending ? f->pairs + pairs * g->width : NULL;
            pair_rows(f->pairs, g->width, pending ? pending : row, g->stride, g->channels, g->width);
            if (then) pair_rows(then, g->width, row, g->stride, g->channels, g->width), t--;
            combine_pairs(to.data, plane, a->features, f->pairs, then, g->width, pairs, f->factors + t * pairs,
                          a->steps * pairs, g->width, t > 0);
            return;
        }
#else
        (void)pending;
#endif
        combine(to, a->features, (const_maps){row, g->stride}, g->channels, (const REAL *)a->basis + t * g->channels,
                a->steps * g->channels, 1, g->width, t > 0);
    } else {
        for (int64_t c = 0; c < g->channels; c++) {
            int64_t at = image * f->pixels + (c * g->height + r) * g->width;
            for (int64_t x = 0; x < g->width; x++) {
                REAL v = row[c * g->stride + x];
                /* NaN wins, as in torch.maximum. */
                if (t == 0 || v > out[at + x] || v != v) out[at + x] = v, a->argmax[at + x] = (int32_t)t;
            }
        }
    }
}

/* PROJECT: multiply the buffered states y_{filled+1} .. y_t onto the basis. */
static void flush(forward *f, int64_t image, int64_t t) {
    const plan *a = f->a;
    const int64_t pixels = f->g.kept;
    maps out = {(REAL *)a->out + image * a->features * pixels, pixels};
    const int64_t n = t - f->filled;
#if CAN_REDUCE
    if (f->factors) {
        pair_rows(f->pairs, pixels, f->buffer, pixels, n, pixels);
        combine_pairs(out.data, pixels, a->features, f->pairs, NULL, pixels, (n + 1) / 2, f->factors + f->filled / 2,
                      (a->steps + 1) / 2, pixels, f->filled > 0);
    } else
#endif
    combine(out, a->features, (const_maps){f->buffer, pixels}, n, (const REAL *)a->basis + f->filled,
            a->steps, 1, pixels, f->filled > 0);
    f->filled = t;
}

/* Step t: the state goes from (y, z) to (next, z). */
static void advance(forward *f, int64_t image, int64_t t) {
    const plan *a = f->a;
    const grid *g = &f->g;
    const int64_t first = t == 0 && !a->begun;
    const step now = {f->rows, f->y, f->z, f->omega, first ? f->first_decay : f->decay, f->next, f->z, first};
    for (int64_t r = 0; r < g->height; r++) {
        const REAL *row = step_row(a, g, &f->coupling, &now, r);
        if (a->forgetful) keep_velocities(&f->lapses, velocities_of(a, image, t + 1), r, f->z + r * g->plain);
        /* Two states go to a mixture together: an odd one waits until its successor has it in hand. */
        const int64_t state = t + 1, two = a->keep == MIX && f->factors;
        if (!two || state % 2 == 0 || state == a->steps)
            emit(f, image, t, r, two && state % 2 == 0 ? f->rows[g->ry] : NULL, row);
    }
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Checkpoint i of an image: y and z, in (n, 2, b, c, y, x). */
static REAL *checkpoint(const plan *a, int64_t i, int64_t part, int64_t image, int64_t pixels) {
    return (REAL *)a->saved + ((i * 2 + part) * a->batch + image) * pixels;
}

static void forward_image(forward *f, int64_t image) {
    const plan *a = f->a;
    const grid *g = &f->g;
    const int64_t at = image * f->pixels;
    read_padded(g, f->y, (const REAL *)a->y0 + at);
    read_plain(g, f->z, a->z0 ? (const REAL *)a->z0 + at : NULL);
    read_plain(g, f->omega, (const REAL *)a->omega + at);
    read_plain(g, f->decay, (const REAL *)a->decay + at);
    find_forgetful(&f->lapses, a, g, f->decay);
    if (a->first_decay) read_plain(g, f->first_decay, (const REAL *)a->first_decay + at);
    f->filled = 0;
    look_at(&f->g, a, image);
    for (int64_t now = 1; now <= a->steps; now++) {
        advance(f, image, now - 1);
        REAL *y = f->y;
        f->y = f->next, f->next = y;
        const int over = now == a->steps;
        if (a->keep == PROJECT && (now - f->filled == a->block || over)) flush(f, image, now);
        if (a->segment && (now % a->segment == 0 || over)) {
            int64_t i = (now - 1) / a->segment;
            write_padded(g, f->y, checkpoint(a, i, 0, image, f->pixels));
            write_plain(g, f->z, checkpoint(a, i, 1, image, f->pixels));
        }
    }
    if (!a->end) return;
    write_padded(g, f->y, (REAL *)a->end + at);
    write_plain(g, f->z, (REAL *)a->end + a->batch * f->pixels + at);
}
