/* The rollout of one image.
 *
 *     z <- decay z + gain (phi(W * y) - omega y),   y <- y + dt z,   gain = offset + slope decay
 *
 * Steps travel over the grid together, `levels` at a time (temporal blocking): as soon as step k has rows r - ry .. r + ry,
 * step k + 1 takes row r, while all of them are still in cache. Only the first and the last level are whole planes, the
 * ones between keep 2 ry + 1 rows. On a torus the early levels start above row 0 and end below the last one, which
 * repeats levels * ry rows. With one level this is the plain loop over steps.
 */

typedef struct {
    const rollout *a;
    grid g;
    stencil coupling;
    forgetful lapses;
    ring y[2], z[2]; /* whole planes: before and after */
    REAL *omega, *decay, *first_decay;
    ring *y_ring, *z_ring; /* [levels]: rows between two levels */
    const REAL **rows;       /* [ky] */
    REAL *buffer;            /* PROJECT: what is kept of the states of the current block */
    REAL *few;               /* MIX: a row of the pixels that are kept */
    uint32_t *mixture;       /* MIX: the basis in bfloat16, channels in pairs; or NULL */
    uint32_t *waves, *pairs; /* PROJECT: the same with steps in pairs, and so the current block; or NULL */
    int64_t filled, pixels;
} forward;

static forward make_forward(const rollout *a, arena *memory) {
    forward f = {.a = a, .g = make_grid(a, memory)};
    const grid *g = &f.g;
    f.coupling = make_stencil(a, g, 0, memory);
    f.lapses = make_forgetful(a, g, memory);
    for (int i = 0; i < 2; i++) f.y[i] = whole(take_padded(memory, g, g->height), g->height, g->padded);
    for (int i = 0; i < 2; i++)
        f.z[i] = i && a->levels == 1 ? f.z[0] : whole(take_plain(memory, g, g->height), g->height, g->plain);
    f.omega = take_plain(memory, g, g->height), f.decay = take_plain(memory, g, g->height);
    f.first_decay = a->first_decay ? take_plain(memory, g, g->height) : f.decay;
    f.rows = take(memory, a->kernel_height, sizeof(REAL *));
    f.y_ring = take(memory, a->levels, sizeof(ring)), f.z_ring = take(memory, a->levels, sizeof(ring));
    for (int64_t k = 1; k < a->levels; k++) {
        ring y = passing(memory, g, 2 * g->ry + 1, 1), z = passing(memory, g, g->ry + 1, 0);
        if (memory->base) f.y_ring[k] = y, f.z_ring[k] = z;
    }
    f.pixels = g->channels * g->height * g->width;
    if (a->keep == PROJECT) f.buffer = take(memory, a->block * g->kept + LANES, sizeof(REAL));
    if (a->keep == MIX && g->some) f.few = take(memory, g->channels * g->some, sizeof(REAL));
#if CAN_REDUCE
    if (a->keep == PROJECT && a->reduced && g->kept % LANES == 0 && a->block % 2 == 0) {
        f.waves = take(memory, a->features * ((a->steps + 1) / 2), sizeof(uint32_t));
        f.pairs = take(memory, a->block / 2 * g->kept, sizeof(uint32_t));
        if (f.waves) pack_weights(f.waves, a->basis, a->features, a->steps);
    }
    if (a->keep == MIX && g->reduced && !g->some && g->width % LANES == 0) {
        f.mixture = take(memory, a->features * a->steps * g->channels / 2, sizeof(uint32_t));
        if (f.mixture) pack_weights(f.mixture, a->basis, a->features * a->steps, g->channels);
    }
#endif
    return f;
}

/* Row r of W * y is next: with quads, every fourth time couple four rows of y, a plane that is whole. */
static void prepare(const grid *g, stencil *w, const ring *y, int64_t r) {
    if (!w->quad_taps) return;
    w->row = r % FOUR;
    if (w->row) return;
    const REAL *six[SIX];
    for (int64_t d = 0; d < SIX; d++) six[d] = r + d - 1 > g->height ? g->zeros : neighbour(g, y, r + d - 1);
    couple_four(w, six, g->left, 0, g->lanes);
}

/* One step of one row, all channels. */
typedef struct {
    const REAL *const *rows, *y, *z_in, *omega, *decay;
    REAL *y_out, *z_out, dt, offset, slope;
} row_step;

static void step_row(const rollout *a, const grid *g, const stencil *w, const row_step *r) {
    const int64_t stride = g->stride, lanes = g->lanes;
    const int tanh_on = (int)a->tanh;
#define STEP(OUT, WIDE, KY, KX)                                                                  \
    do {                                                                                         \
        sums acc = convolve(w, OUT, WIDE, KY, KX, r->rows, stride, c, x);             \
        for (int j = 0; j < OUT; j++)                                                            \
            for (int b = 0; b < WIDE; b++) {                                                     \
                int64_t at = (c + j) * lanes + x + b * LANES, on = (c + j) * stride + x + b * LANES; \
                vector s = tanh_on ? tanh_of(acc.at[j][b]) : acc.at[j][b];                       \
                vector y = load(r->y + on), d = load(r->decay + at);                             \
                vector z = d * load(r->z_in + at) + (r->offset + r->slope * d) * (s - load(r->omega + at) * y); \
                store(r->z_out + at, z);                                                         \
                store(r->y_out + on, y + r->dt * z);                                             \
            }                                                                                    \
    } while (0)
    OVER_ROW(STEP, w, 0, lanes)
#undef STEP
}

/* Hand row r of state y_{t+1} to the record; `pending`, if not NULL, is that of y_t, which has been held back. */
static void emit(forward *f, int64_t image, int64_t t, int64_t r, const REAL *pending, const REAL *row) {
    const rollout *a = f->a;
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
        if (f->mixture) {
            const REAL *from = pending ? pending : row, *then = pending ? row : NULL;
            t -= pending != NULL;
            combine_pairs(to.data, plane, a->features, (const uint32_t *)pairs_of(g, (REAL *)from),
                          then ? (const uint32_t *)pairs_of(g, (REAL *)then) : NULL, g->stride, g->channels / 2,
                          f->mixture + t * g->channels / 2, a->steps * g->channels / 2, g->width, t > 0);
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
    const rollout *a = f->a;
    const int64_t pixels = f->g.kept;
    maps out = {(REAL *)a->out + image * a->features * pixels, pixels};
#if CAN_REDUCE
    if (f->waves) {
        const int64_t n = t - f->filled;
        pair_rows(f->pairs, f->buffer, n, pixels, pixels);
        combine_pairs(out.data, pixels, a->features, f->pairs, NULL, pixels, (n + 1) / 2, f->waves + f->filled / 2,
                      (a->steps + 1) / 2, pixels, f->filled > 0);
        f->filled = t;
        return;
    }
#endif
    combine(out, a->features, (const_maps){f->buffer, pixels}, t - f->filled, (const REAL *)a->basis + f->filled,
            a->steps, 1, pixels, f->filled > 0);
    f->filled = t;
}

/* Advance n steps from t; the state goes from (y[0], z[0]) to (y[1], z[1]). */
static void advance(forward *f, int64_t image, int64_t t, int64_t n) {
    const rollout *a = f->a;
    const grid *g = &f->g;
    const int64_t ry = g->ry, wraps = g->boundary == PERIODIC;
    for (int64_t front = wraps ? -(n - 1) * ry : 0; front < g->height + (n - 1) * ry; front++)
        for (int64_t k = 1; k <= n; k++) {
            int64_t r = front - (k - 1) * ry, over = wraps ? (n - k) * ry : 0;
            if (r < -over || r >= g->height + over) continue;
            const int64_t here = on_grid(g, r), first = t + k == 1 && !a->begun;
            const ring *from = k == 1 ? &f->y[0] : &f->y_ring[k - 1], *z_from = k == 1 ? &f->z[0] : &f->z_ring[k - 1];
            for (int64_t d = -ry; d <= ry; d++) f->rows[d + ry] = neighbour(g, from, r + d);
            REAL *y_out = row_of(k == n ? &f->y[1] : &f->y_ring[k], r);
            row_step step = {
                .rows = f->rows, .y = f->rows[ry], .y_out = y_out, .z_in = row_of(z_from, r),
                .z_out = row_of(k == n ? &f->z[1] : &f->z_ring[k], r), .omega = f->omega + here * g->plain,
                .decay = (first ? f->first_decay : f->decay) + here * g->plain,
                .dt = (REAL)a->dt, .offset = (REAL)(first ? a->first_offset : a->offset),
                .slope = (REAL)(first ? 0 : a->slope),
            };
            prepare(g, &f->coupling, &f->y[0], r); /* quads go one step at a time */
            step_row(a, g, &f->coupling, &step);
            finish_row(g, y_out);
            if (a->forgetful && r == here) keep_velocities(&f->lapses, velocities_of(a, image, t + k), r, step.z_out);
            /* Two states go to a mixture together: an odd one waits until its successor has it in hand. */
            const int64_t state = t + k, waits = f->mixture && state % 2 && state < a->steps;
            if (r == here && !waits) emit(f, image, state - 1, r, f->mixture && state % 2 == 0 ? f->rows[ry] : NULL, y_out);
        }
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Checkpoint i of an image: y and z, in (n, 2, b, c, y, x). */
static REAL *checkpoint(const rollout *a, int64_t i, int64_t part, int64_t image, int64_t pixels) {
    return (REAL *)a->saved + ((i * 2 + part) * a->batch + image) * pixels;
}

static void forward_image(forward *f, int64_t image) {
    const rollout *a = f->a;
    const grid *g = &f->g;
    const int64_t at = image * f->pixels;
    read_padded(g, f->y[0].at, (const REAL *)a->y0 + at);
    read_plain(g, f->z[0].at, a->z0 ? (const REAL *)a->z0 + at : NULL);
    read_plain(g, f->omega, (const REAL *)a->omega + at);
    read_plain(g, f->decay, (const REAL *)a->decay + at);
    find_forgetful(&f->lapses, a, g, f->decay);
    if (a->first_decay) read_plain(g, f->first_decay, (const REAL *)a->first_decay + at);
    f->filled = 0;
    look_at(&f->g, a, image);
    for (int64_t t = 0, n; t < a->steps; t += n) {
        n = least(a->levels, a->steps - t);
        if (a->segment) n = least(n, a->segment - t % a->segment);
        if (a->keep == PROJECT) n = least(n, f->filled + a->block - t);
        advance(f, image, t, n);
        ring y = f->y[0], z = f->z[0];
        f->y[0] = f->y[1], f->y[1] = y, f->z[0] = f->z[1], f->z[1] = z;
        int64_t now = t + n, over = now == a->steps;
        if (a->keep == PROJECT && (now - f->filled == a->block || over)) flush(f, image, now);
        if (a->segment && (now % a->segment == 0 || over)) {
            int64_t i = (now - 1) / a->segment;
            write_padded(g, f->y[0].at, checkpoint(a, i, 0, image, f->pixels));
            write_plain(g, f->z[0].at, checkpoint(a, i, 1, image, f->pixels));
        }
    }
    if (!a->end) return;
    write_padded(g, f->y[0].at, (REAL *)a->end + at);
    write_plain(g, f->z[0].at, (REAL *)a->end + a->batch * f->pixels + at);
}
