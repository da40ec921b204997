/* The exact adjoint of the rollout of one image, walked backwards segment by segment.
 *
 *     y_t = y_{t+1} - dt z_{t+1},   z_t = (z_{t+1} - gain f_t) / decay      the states again, without a memory of them
 *     G = gz + dt gy                                                        gradient of z_{t+1}
 *     g_omega -= gain G y_t,   g_decay += G z_t + slope G f_t,   q = gain G phi',   g_W += corr(q, y_t)
 *     gz <- decay G,   gy <- gy - gain omega G + W^T q
 *
 * Each segment starts from its own checkpoint, so errors of the reversal grow over `segment` steps at most. Where decay
 * is too small to divide by, `stored` recomputes the segment forwards and keeps its states instead.
 */

#define CHUNK 8 /* rows whose correlations are summed in registers */

typedef struct {
    const rollout *a;
    grid g;
    stencil coupling, transposed;
    REAL *y, *z, *omega, *decay, *inverse, *first_decay, *first_inverse;
    REAL *gy, *gz, *g_omega, *g_decay, *g_first, *q, *scratch;
    REAL *g_taps;                 /* one vector a tap */
    REAL **y_kept, **z_kept;      /* stored: states s .. e of the segment */
    const REAL **rows;
    REAL *g_states, *states, *g_basis; /* PROJECT: of one segment; MIX: g_basis of one step */
    int64_t pixels, taps;
    uint32_t *mixture, *g_pairs;  /* MIX in bfloat16: the basis by step, features in pairs; the gradient likewise */
    uint16_t *g_natural;          /* and with pixels side by side; rows of g_rows features */
    int64_t g_rows;
} backward;

static backward make_backward(const rollout *a, arena *memory) {
    backward f = {.a = a, .g = make_grid(a, memory)};
    const grid *g = &f.g;
    const int64_t h = g->height;
    f.coupling = make_stencil(a, 0, (int)g->reduced, memory), f.transposed = make_stencil(a, 1, (int)g->reduced, memory);
    f.pixels = g->channels * h * g->width;
    f.taps = f.coupling.outer * f.coupling.inner * a->kernel_height * a->kernel_width;
    f.y = take_padded(memory, g, h), f.q = take_padded(memory, g, h);
    f.scratch = take_padded(memory, g, 1);
    REAL **plain[] = {&f.z, &f.omega, &f.decay, &f.inverse, &f.gy, &f.gz, &f.g_omega, &f.g_decay};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) *plain[i] = take_plain(memory, g, h);
    f.first_decay = a->first_decay ? take_plain(memory, g, h) : f.decay;
    f.g_first = a->first_decay ? take_plain(memory, g, h) : f.g_decay;
    f.g_taps = take(memory, f.taps * LANES, sizeof(REAL));
    f.rows = take(memory, a->kernel_height, sizeof(REAL *));
    f.y_kept = take(memory, a->segment + 1, sizeof(REAL *)), f.z_kept = take(memory, a->segment + 1, sizeof(REAL *));
    for (int64_t i = 0; a->stored && i <= a->segment; i++) {
        REAL *y = take_padded(memory, g, h), *z = take_plain(memory, g, h);
        if (memory->base) f.y_kept[i] = y, f.z_kept[i] = z;
    }
    if (a->keep == PROJECT) {
        f.g_states = take(memory, a->segment * f.pixels + LANES, sizeof(REAL));
        f.states = take(memory, a->segment * f.pixels + LANES, sizeof(REAL));
        f.g_basis = take(memory, a->features * a->segment * LANES, sizeof(REAL));
    }
    if (a->keep == MIX) f.g_basis = take(memory, a->features * g->channels * LANES, sizeof(REAL));
#if CAN_REDUCE
    if (a->keep == MIX && g->reduced && g->width % LANES == 0) {
        const int64_t c = g->channels, k = a->features, t = a->steps;
        f.g_rows = round_up(k, 4);
        f.mixture = take(memory, t * c * f.g_rows / 2, sizeof(uint32_t));
        f.g_pairs = take(memory, h * f.g_rows / 2 * g->lanes, sizeof(uint32_t));
        f.g_natural = take(memory, h * f.g_rows * g->lanes + 2 * LANES, sizeof(uint16_t));
        if (memory->base) {
            memset(f.g_pairs, 0, (size_t)(h * f.g_rows / 2 * g->lanes) * sizeof(uint32_t));
            memset(f.g_natural, 0, (size_t)(h * f.g_rows * g->lanes + 2 * LANES) * sizeof(uint16_t));
            const REAL *basis = a->basis;
            for (int64_t i = 0; i < t * c; i++)
                for (int64_t j = 0; j < f.g_rows; j += 2) {
                    uint32_t low = j < k ? to_bfloat16(basis[j * t * c + i]) : 0;
                    uint32_t high = j + 1 < k ? to_bfloat16(basis[(j + 1) * t * c + i]) : 0;
                    f.mixture[i * f.g_rows / 2 + j / 2] = low | high << 16;
                }
        }
    }
#endif
    return f;
}

/* One step back at one row, all channels: everything but the coupling's transpose. */
typedef struct {
    const REAL *const *rows, *y, *omega, *decay, *inverse, *z_in;
    REAL *z_out, *gy, *gz, *g_omega, *g_decay, *q, dt, offset, slope;
    int reverse;
} row_back;

static void back_row(const rollout *a, const grid *g, const stencil *w, const row_back *r) {
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
                if (reverse) z = (z - gain * force) * load(r->inverse + at);                         \
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

/* W^T q at row r. On a mirrored grid it is computed beyond the edges too, and folded back. */
static void transpose_row(backward *f, int64_t r) {
    const grid *g = &f->g;
    const stencil *w = &f->transposed;
    const int64_t stride = g->stride, lanes = g->lanes, mirrored = g->boundary == REFLECTING;
    for (int64_t d = -g->ry; d <= g->ry; d++) {
        int64_t e = mirrored ? (r + d >= 0 && r + d < g->height ? r + d : -1) : source_row(g, r + d);
        f->rows[d + g->ry] = e < 0 ? g->zeros : f->q + e * g->padded;
    }
    if (!mirrored) {
        REAL *gy = f->gy + r * g->plain;
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
        return;
    }
    const int64_t reach = round_up(g->rx, LANES);
#define KEEP(OUT, WIDE, KY, KX)                                                                  \
    do {                                                                                         \
        sums acc = convolve(w, OUT, WIDE, KY, KX, f->rows, stride, c, x);                        \
        for (int j = 0; j < OUT; j++)                                                            \
            for (int b = 0; b < WIDE; b++)                                                       \
                store(f->scratch + (c + j) * stride + x + b * LANES, acc.at[j][b]);              \
    } while (0)
    OVER_ROW(KEEP, w, -reach, lanes + reach)
#undef KEEP
    REAL *gy = f->gy + source_row(g, r) * g->plain;
    for (int64_t c = 0; c < g->channels; c++) {
        const REAL *from = f->scratch + c * stride;
        for (int64_t x = 0; x < g->width; x++) gy[c * lanes + x] += from[x];
        for (int64_t j = 0; j < g->rx; j++) {
            gy[c * lanes + g->column_source[j]] += from[j - g->rx];
            gy[c * lanes + g->column_source[g->rx + j]] += from[g->width + j];
        }
    }
}

/* g_W += corr(q, y) over rows [from, to): lane by lane, one vector a tap. */
INLINE void correlate_block(const int OUT, const int WIDE, backward *f, const REAL *y, int64_t c, int64_t i, int64_t dy,
                            int64_t dx, int64_t from, int64_t to) {
    const grid *g = &f->g;
    const stencil *w = &f->coupling;
    const int64_t next = w->inner * w->ky * w->kx;
    const int64_t in = w->depthwise ? c : i;
    REAL *acc = f->g_taps + ((c * w->inner + i) * w->ky * w->kx + dy * w->kx + dx) * LANES;
    vector s[DEEPEST][3];
    for (int j = 0; j < OUT; j++)
        for (int b = 0; b < WIDE; b++) s[j][b] = load(acc + (j * next + b) * LANES);
    for (int64_t r = from; r < to; r++) {
        int64_t e = source_row(g, r + dy - g->ry);
        if (e < 0) continue;
        const REAL *q = f->q + r * g->padded + c * g->stride;
        const REAL *row = y + e * g->padded + in * g->stride + dx - g->rx;
        for (int64_t x = 0; x < g->lanes; x += LANES) {
            vector v[3];
            for (int b = 0; b < WIDE; b++) v[b] = load(row + x + b);
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

#if CAN_REDUCE
/* The same in bfloat16, 32 pixels at a time: four outer channels by INNER inner ones by WIDE neighbours. */
INLINE void correlate_natural(const int INNER, const int WIDE, backward *f, const REAL *y, int64_t c, int64_t i,
                              int64_t dy, int64_t dx, int64_t from, int64_t to) {
    const grid *g = &f->g;
    const stencil *w = &f->coupling;
    const int64_t window = w->ky * w->kx, next = w->inner * window;
    REAL *acc = f->g_taps + ((c * w->inner + i) * window + dy * w->kx + dx) * LANES;
    __m512 s[4][2][3];
    for (int j = 0; j < 4; j++)
        for (int k = 0; k < INNER; k++)
            for (int b = 0; b < WIDE; b++) s[j][k][b] = _mm512_loadu_ps(acc + (j * next + k * window + b) * LANES);
    for (int64_t r = from; r < to; r++) {
        int64_t e = source_row(g, r + dy - g->ry);
        if (e < 0) continue;
        const uint16_t *q = natural_of(g, f->q + r * g->padded) + c * g->stride;
        const uint16_t *row = natural_of(g, y + e * g->padded) + i * g->stride + dx - g->rx;
        for (int64_t x = 0; x < g->lanes; x += 2 * LANES) {
            __m512bh v[2][3];
            for (int k = 0; k < INNER; k++)
                for (int b = 0; b < WIDE; b++) v[k][b] = (__m512bh)_mm512_loadu_si512(row + k * g->stride + x + b);
            for (int j = 0; j < 4; j++) {
                __m512bh u = (__m512bh)_mm512_loadu_si512(q + j * g->stride + x);
                for (int k = 0; k < INNER; k++)
                    for (int b = 0; b < WIDE; b++) s[j][k][b] = _mm512_dpbf16_ps(s[j][k][b], u, v[k][b]);
            }
        }
    }
    for (int j = 0; j < 4; j++)
        for (int k = 0; k < INNER; k++)
            for (int b = 0; b < WIDE; b++) _mm512_storeu_ps(acc + (j * next + k * window + b) * LANES, s[j][k][b]);
}

/* acc[k][c] += sum over rows [from, to) and pixels of g[k] y[c], both in bfloat16, pixels side by side. */
static void dots_natural(backward *f, const REAL *y, int64_t from, int64_t to) {
    const grid *g = &f->g;
    const int64_t features = f->a->features, pitch = g->lanes;
    for (int64_t k = 0; k < features; k += 4)
        for (int64_t c = 0; c < g->channels; c += 4) {
            const int64_t some = least(4, features - k);
            __m512 s[4][4];
            for (int j = 0; j < 4; j++)
                for (int i = 0; i < 4; i++)
                    s[j][i] = j < some ? _mm512_loadu_ps(f->g_basis + ((k + j) * g->channels + c + i) * LANES)
                                       : _mm512_setzero_ps();
            for (int64_t r = from; r < to; r++) {
                const uint16_t *u = f->g_natural + (r * f->g_rows + k) * pitch;
                const uint16_t *v = natural_of(g, y + r * g->padded) + c * g->stride;
                for (int64_t x = 0; x < g->width; x += 2 * LANES) {
                    __m512bh b[4];
                    for (int i = 0; i < 4; i++) b[i] = (__m512bh)_mm512_loadu_si512(v + i * g->stride + x);
                    for (int j = 0; j < 4; j++) {
                        __m512bh a = (__m512bh)_mm512_loadu_si512(u + j * pitch + x);
                        for (int i = 0; i < 4; i++) s[j][i] = _mm512_dpbf16_ps(s[j][i], a, b[i]);
                    }
                }
            }
            for (int j = 0; j < some; j++)
                for (int i = 0; i < 4; i++)
                    _mm512_storeu_ps(f->g_basis + ((k + j) * g->channels + c + i) * LANES, s[j][i]);
        }
}

/* MIX: the gradient of the kept maps in bfloat16, once an image: features in pairs, and pixels side by side. */
static void reduce_gradient(backward *f, int64_t image) {
    const rollout *a = f->a;
    const grid *g = &f->g;
    const int64_t plane = g->height * g->width, pitch = g->lanes, pairs = f->g_rows / 2;
    const REAL *grad = (const REAL *)a->grad_out + image * a->features * plane;
    for (int64_t r = 0; r < g->height; r++)
        for (int64_t k = 0; k < a->features; k += 2)
            for (int64_t x = 0; x < g->width; x += LANES) {
                const REAL *at = grad + k * plane + r * g->width + x;
                vector low = load(at), high = k + 1 < a->features ? load(at + plane) : (vector){0};
                uint16_t *natural = f->g_natural + (r * f->g_rows + k) * pitch + x;
                _mm512_storeu_si512(f->g_pairs + (r * pairs + k / 2) * pitch + x, interleave(low, high));
                _mm256_storeu_si256((void *)natural, (__m256i)_mm512_cvtneps_pbh((__m512)low));
                _mm256_storeu_si256((void *)(natural + pitch), (__m256i)_mm512_cvtneps_pbh((__m512)high));
            }
}
#endif

static void correlate(backward *f, const REAL *y, int64_t from, int64_t to) {
    const stencil *w = &f->coupling;
#if CAN_REDUCE
    if (w->pairs) {
        for (int64_t c = 0; c < w->outer; c += 4)
            for (int64_t i = 0; i < w->inner; i += 2)
                for (int64_t dy = 0; dy < w->ky; dy++)
                    for (int64_t dx = 0, wide; dx < w->kx; dx += wide) {
                        wide = w->kx - dx >= 3 ? 3 : 1;
                        if (wide == 3) correlate_natural(2, 3, f, y, c, i, dy, dx, from, to);
                        else correlate_natural(2, 1, f, y, c, i, dy, dx, from, to);
                    }
        return;
    }
#endif
    for (int64_t c = 0, deep; c < w->outer; c += deep) {
        deep = block_of(w, c);
        for (int64_t i = 0; i < w->inner; i++)
            for (int64_t dy = 0; dy < w->ky; dy++)
                for (int64_t dx = 0, wide; dx < w->kx; dx += wide) {
                    wide = w->kx - dx >= 3 ? 3 : 1;
#define CORRELATE(OUT, WIDE) correlate_block(OUT, WIDE, f, y, c, i, dy, dx, from, to)
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

/* Add the record's gradient of state y_{t+1} to gy, and what that state contributes to the basis' gradient. */
static void take_gradient(backward *f, int64_t image, int64_t t, int64_t start, const REAL *y) {
    const rollout *a = f->a;
    const grid *g = &f->g;
    const int64_t plane = g->height * g->width, channels = g->channels;
    const REAL *grad = a->grad_out;
    if (a->keep == SERIES) {
        if ((t + 1) % a->every) return;
        grad += (image * (a->steps / a->every) + (t + 1) / a->every - 1) * f->pixels;
    } else if (a->keep == PROJECT) {
        grad = f->g_states + (t - start) * f->pixels;
        write_padded(g, y, f->states + (t - start) * f->pixels);
    } else {
        grad += image * (a->keep == MIX ? a->features * plane : f->pixels);
    }
    if (a->keep == MIX) memset(f->g_basis, 0, (size_t)(a->features * channels * LANES) * sizeof(REAL));
    for (int64_t r = 0; r < g->height; r++) {
        REAL *gy = f->gy + r * g->plain;
        const REAL *row = y + r * g->padded;
#if CAN_REDUCE
        if (f->mixture) {
            const int64_t pairs = f->g_rows / 2;
            combine_pairs(gy, g->lanes, channels, f->g_pairs + r * pairs * g->lanes, g->lanes, pairs,
                          f->mixture + t * channels * pairs, pairs, g->lanes, 1);
            if ((r + 1) % CHUNK == 0 || r + 1 == g->height) dots_natural(f, y, r / CHUNK * CHUNK, r + 1);
            continue;
        }
#endif
        if (a->keep == MIX) {
            const_maps from = {grad + r * g->width, plane};
            combine((maps){gy, g->lanes}, channels, from, a->features, (const REAL *)a->basis + t * channels, 1,
                    a->steps * channels, g->width, 1);
            dots(f->g_basis, from, a->features, (const_maps){row, g->stride}, channels, g->width);
            continue;
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
    if (a->keep == MIX)
        for (int64_t k = 0; k < a->features; k++)
            for (int64_t c = 0; c < channels; c++)
                ((REAL *)a->grad_basis)[((image * a->features + k) * a->steps + t) * channels + c] =
                    reduce(f->g_basis + (k * channels + c) * LANES);
}

/* From the gradients of (y_{t+1}, z_{t+1}) to those of (y_t, z_t). `y` holds y_t; z_in holds z_{t+1} if reversing. */
static void step_back(backward *f, int64_t t, const REAL *y, const REAL *z_in, REAL *z_out, int reverse) {
    const rollout *a = f->a;
    const grid *g = &f->g;
    const int64_t h = g->height, ry = g->ry, mirrored = g->boundary == REFLECTING, first = t == 0;
    const REAL *decay = first ? f->first_decay : f->decay;
    /* Rows of W^T q follow as soon as the rows of q that they see are there; on a torus the first ones come last, and
     * a mirror's folded rows must all wait. */
    const int64_t low = g->boundary == PERIODIC ? least(ry, h) : mirrored ? -ry : 0, high = mirrored ? h + ry : h;
    int64_t next = low, correlated = 0;
    for (int64_t r = 0; r < h; r++) {
        for (int64_t d = -ry; d <= ry; d++) {
            int64_t e = source_row(g, r + d);
            f->rows[d + ry] = e < 0 ? g->zeros : y + e * g->padded;
        }
        REAL *q = f->q + r * g->padded;
        row_back back = {
            .rows = f->rows, .y = f->rows[ry], .omega = f->omega + r * g->plain, .decay = decay + r * g->plain,
            .inverse = f->inverse + r * g->plain, .z_in = z_in + r * g->plain, .z_out = z_out + r * g->plain,
            .gy = f->gy + r * g->plain, .gz = f->gz + r * g->plain, .g_omega = f->g_omega + r * g->plain,
            .g_decay = (first ? f->g_first : f->g_decay) + r * g->plain, .q = q, .dt = (REAL)a->dt,
            .offset = (REAL)(first ? a->first_offset : a->offset), .slope = (REAL)(first ? 0 : a->slope),
            .reverse = reverse,
        };
        back_row(a, g, &f->coupling, &back);
        clear_tail(g, q);
#if CAN_REDUCE
        if (g->reduced) reduce_row(g, q, 0);
#endif
        if (!mirrored && !g->reduced) fill_halo(g, q, g->channels);
        if (r + 1 - correlated == CHUNK || r + 1 == h) correlate(f, y, correlated, r + 1), correlated = r + 1;
        if (!mirrored)
            for (; next + ry <= r && next < high; next++) transpose_row(f, next);
    }
    for (; next < high; next++) transpose_row(f, next);
    for (int64_t r = 0; r < low; r++) transpose_row(f, r);
}

/* The segment's states once more, forwards: y_kept[0 .. n], z_kept[0 .. n]. */
static void keep_states(backward *f, int64_t start, int64_t n) {
    const rollout *a = f->a;
    const grid *g = &f->g;
    for (int64_t k = 0; k < n; k++)
        for (int64_t r = 0; r < g->height; r++) {
            for (int64_t d = -g->ry; d <= g->ry; d++) {
                int64_t e = source_row(g, r + d);
                f->rows[d + g->ry] = e < 0 ? g->zeros : f->y_kept[k] + e * g->padded;
            }
            int first = start + k == 0;
            row_step step = {
                .rows = f->rows, .y = f->rows[g->ry], .z_in = f->z_kept[k] + r * g->plain,
                .y_out = f->y_kept[k + 1] + r * g->padded, .z_out = f->z_kept[k + 1] + r * g->plain,
                .omega = f->omega + r * g->plain, .decay = (first ? f->first_decay : f->decay) + r * g->plain,
                .dt = (REAL)a->dt, .offset = (REAL)(first ? a->first_offset : a->offset),
                .slope = (REAL)(first ? 0 : a->slope),
            };
            step_row(a, g, &f->coupling, &step);
            finish_row(g, step.y_out);
        }
}

/* Largest difference between the reconstructed state and the checkpoint it should meet. */
static double miss(const backward *f, const REAL *y, const REAL *z) {
    const grid *g = &f->g;
    double worst = 0;
    for (int64_t c = 0; c < g->channels; c++)
        for (int64_t r = 0; r < g->height; r++)
            for (int64_t x = 0; x < g->width; x++) {
                int64_t at = (c * g->height + r) * g->width + x;
                double dy = fabs((double)f->y[r * g->padded + c * g->stride + x] - (double)y[at]);
                double dz = fabs((double)f->z[r * g->plain + c * g->lanes + x] - (double)z[at]);
                if (!(dy <= worst)) worst = dy;
                if (!(dz <= worst)) worst = dz;
            }
    return worst;
}

static void backward_image(backward *f, int64_t image) {
    const rollout *a = f->a;
    const grid *g = &f->g;
    const int64_t at = image * f->pixels, count = (a->steps + a->segment - 1) / a->segment;
    const size_t plane = (size_t)(g->height * g->plain) * sizeof(REAL);
    const REAL *y0 = (const REAL *)a->y0 + at, *z0 = a->z0 ? (const REAL *)a->z0 + at : NULL;
    REAL *zeroed[] = {f->gy, f->gz, f->g_omega, f->g_decay, f->g_first};
    for (size_t i = 0; i < sizeof zeroed / sizeof *zeroed; i++) memset(zeroed[i], 0, plane);
    memset(f->g_taps, 0, (size_t)(f->taps * LANES) * sizeof(REAL));
    read_plain(g, f->omega, (const REAL *)a->omega + at);
    read_plain(g, f->decay, (const REAL *)a->decay + at);
    if (a->first_decay) read_plain(g, f->first_decay, (const REAL *)a->first_decay + at);
    for (int64_t i = 0; i < g->height * g->plain; i++) f->inverse[i] = f->decay[i] != 0 ? 1 / f->decay[i] : 0;
    a->error[image] = 0;
#if CAN_REDUCE
    if (f->mixture) reduce_gradient(f, image);
#endif

    for (int64_t i = count - 1; i >= 0; i--) {
        const int64_t start = i * a->segment, end = least(a->steps, start + a->segment), n = end - start;
        const REAL *before[] = {i ? checkpoint(a, i - 1, 0, image, f->pixels) : y0,
                                i ? checkpoint(a, i - 1, 1, image, f->pixels) : z0};
        if (a->stored) {
            read_padded(g, f->y_kept[0], before[0]), read_plain(g, f->z_kept[0], before[1]);
            keep_states(f, start, n);
        } else {
            read_padded(g, f->y, checkpoint(a, i, 0, image, f->pixels));
            read_plain(g, f->z, checkpoint(a, i, 1, image, f->pixels));
        }
        if (a->keep == PROJECT)
            combine((maps){f->g_states, f->pixels}, n,
                    (const_maps){(const REAL *)a->grad_out + image * a->features * f->pixels, f->pixels}, a->features,
                    (const REAL *)a->basis + start, 1, a->steps, f->pixels, 0);
        for (int64_t t = end - 1; t >= start; t--) {
            take_gradient(f, image, t, start, a->stored ? f->y_kept[t + 1 - start] : f->y);
            if (a->stored) {
                step_back(f, t, f->y_kept[t - start], f->z_kept[t - start], f->z, 0);
            } else if (t == 0) {
                read_padded(g, f->y, y0), read_plain(g, f->z, z0);
                step_back(f, t, f->y, f->z, f->z, 0);
            } else {
                for (int64_t r = 0; r < g->height; r++) {
                    REAL *y = f->y + r * g->padded;
                    const REAL *z = f->z + r * g->plain;
                    for (int64_t c = 0; c < g->channels; c++)
                        for (int64_t x = 0; x < g->lanes; x += LANES)
                            store(y + c * g->stride + x, load(y + c * g->stride + x) -
                                                             (REAL)a->dt * load(z + c * g->lanes + x));
                    finish_row(g, y);
                }
                step_back(f, t, f->y, f->z, f->z, 1);
            }
        }
        if (!a->stored && i) {
            double error = miss(f, before[0], before[1]);
            if (!(error <= a->error[image])) a->error[image] = error;
        }
        if (a->keep == PROJECT) {
            memset(f->g_basis, 0, (size_t)(a->features * n * LANES) * sizeof(REAL));
            dots(f->g_basis, (const_maps){(const REAL *)a->grad_out + image * a->features * f->pixels, f->pixels},
                 a->features, (const_maps){f->states, f->pixels}, n, f->pixels);
            for (int64_t k = 0; k < a->features; k++)
                for (int64_t t = 0; t < n; t++)
                    ((REAL *)a->grad_basis)[(image * a->features + k) * a->steps + start + t] =
                        reduce(f->g_basis + (k * n + t) * LANES);
        }
    }
    write_plain(g, f->gy, (REAL *)a->grad_y0 + at);
    if (a->grad_z0) write_plain(g, f->gz, (REAL *)a->grad_z0 + at);
    write_plain(g, f->g_omega, (REAL *)a->grad_omega + at);
    write_plain(g, f->g_decay, (REAL *)a->grad_decay + at);
    if (a->first_decay) write_plain(g, f->g_first, (REAL *)a->grad_first_decay + at);
    for (int64_t i = 0; i < f->taps; i++)
        ((REAL *)a->grad_kernel)[image * f->taps + i] = reduce(f->g_taps + i * LANES);
}
