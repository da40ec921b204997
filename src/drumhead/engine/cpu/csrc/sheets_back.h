/* The exact adjoint of sheets that ring apart (sheets.h), one after another. The states of a segment fit in the cache, so
 * they are made once more and kept, none is walked back.
 *
 *     forwards:   y_t,  phi_t = phi(W * y_t),  h_t = z_t + slope (phi_t - omega y_t)
 *     backwards:  G = gz + dt gy,   g_omega -= gain G y_t,   g_decay += G h_t,   q = gain G phi',   g_W += corr(q, y_t)
 *                 gz <- decay G,    gy <- gy - gain omega G + W^T q
 */

typedef struct {
    sheets s;
    REAL *phi, *h;                 /* [segment] planes */
    REAL *gy, *gz, *g_omega, *g_decay, *g_first, *q;
    REAL *told, *g_states, *g_basis; /* the record's gradient of a state; PROJECT, MIX: of all of a segment; sums */
    vector turned[TAPS], g_taps[TAPS];
} sheets_back;

static sheets_back make_backward_sheets(const plan *a, arena *memory) {
    const int64_t n = least(a->segment, a->steps);
    sheets_back f = {.s = make_sheets(a, n, memory)};
    const sheets *s = &f.s;
    if (a->tanh) f.phi = take_planes(memory, s, n);
    f.h = take_planes(memory, s, n);
    REAL **planes[] = {&f.gy, &f.gz, &f.g_omega, &f.g_decay, &f.q, &f.told};
    for (size_t i = 0; i < sizeof planes / sizeof *planes; i++) *planes[i] = take_planes(memory, s, 1);
    f.g_first = a->first_decay ? take_planes(memory, s, 1) : f.g_decay;
    if (a->keep == PROJECT || a->keep == MIX) {
        f.g_states = take(memory, n * s->kept + LANES, sizeof(REAL));
        f.g_basis = take(memory, a->features * a->steps * LANES, sizeof(REAL));
    }
    return f;
}

/* The states of a segment of n steps: s.y[0 .. n], phi[0 .. n - 1], h[0 .. n - 1]. */
static void keep_sheet(sheets_back *f, int64_t start, int64_t n) {
    const int64_t pitch = f->s.pitch;
    for (int64_t k = 0; k < n; k++) {
        REAL *y = f->s.y + k * pitch, *h = f->h + k * pitch;
        if (f->s.a->tanh) step_cells(&f->s, 1, 1, start + k, y, y + pitch, f->phi + k * pitch, h);
        else step_cells(&f->s, 0, 1, start + k, y, y + pitch, NULL, h);
    }
}

/* The record's gradient of state y_{t+1} of sheet c, where the segment begins with step `start`. */
static const REAL *gradient_of(sheets_back *f, int64_t image, int64_t c, int64_t t, int64_t start) {
    const sheets *s = &f->s;
    const plan *a = s->a;
    const REAL *grad = a->grad_out;
    if (a->keep == PROJECT || a->keep == MIX) {
        grad = f->g_states + (t - start) * s->kept;
        if (!s->packed) return grad;
        if (!a->some) read_sheet(s, f->told, grad);
        else memset(f->told, 0, (size_t)s->whole * sizeof(REAL));
        const int64_t *at = a->at + image * a->some;
        for (int64_t j = 0; j < a->some; j++) f->told[at[j] / a->width * s->stride + at[j] % a->width] += grad[j];
    } else if (a->keep == SERIES) {
        const int64_t count = a->steps / a->every, i = (t + 1) / a->every - 1;
        const int kept = (t + 1) % a->every == 0;
        read_sheet(s, f->told, kept ? grad + ((image * count + i) * s->sheets + c) * s->cells : NULL);
    } else {
        const int64_t at = (image * s->sheets + c) * s->cells;
        for (int64_t i = 0; i < s->cells; i++)
            f->told[i / a->width * s->stride + i % a->width] = a->argmax[at + i] == t ? grad[at + i] : 0;
    }
    return f->told;
}

/* Cell by cell, from the gradients of (y_{t+1}, z_{t+1}) to those of (y_t, z_t): all but the coupling's part, and q. */
INLINE void pull_back(sheets_back *f, const int TANH, int64_t t, int64_t k, const REAL *told) {
    const sheets *s = &f->s;
    const plan *a = s->a;
    const int first = t == 0 && !a->begun;
    const REAL dt = (REAL)a->dt, slope = (REAL)(first ? 0 : a->slope), offset = (REAL)(first ? a->first_offset : a->offset);
    const REAL *y = s->y + k * s->pitch, *phi = TANH ? f->phi + k * s->pitch : NULL, *h = f->h + k * s->pitch;
    const REAL *omega = s->omega, *decay = first ? s->first_decay : s->decay;
    REAL *gy = f->gy, *gz = f->gz, *g_omega = f->g_omega, *g_decay = first ? f->g_first : f->g_decay, *q = f->q;
    for (int64_t i = 0; i < s->whole; i += LANES) {
        const vector d = load(decay + i), up = load(gy + i) + load(told + i), G = load(gz + i) + dt * up;
        const vector push = (offset + slope * d) * G, p = TANH ? load(phi + i) : (vector){0};
        store(g_omega + i, load(g_omega + i) - push * load(y + i));
        store(g_decay + i, load(g_decay + i) + G * load(h + i));
        store(gz + i, d * G);
        store(gy + i, up - push * load(omega + i));
        store(q + i, TANH ? push - push * p * p : push); /* 0 beyond the columns, as gy and gz */
    }
}

/* gy += W^T q, and g_W += corr(q, y), lane by lane: of q the neighbours are read for both. */
static void spread_back(sheets_back *f, const REAL *y) {
    const sheets *s = &f->s;
    const int64_t stride = s->stride;
    const REAL *q = f->q;
    REAL *gy = f->gy;
    vector w[TAPS], g[TAPS];
    memcpy(w, f->turned, sizeof w), memcpy(g, f->g_taps, sizeof g);
    for (int64_t x = 0; x < stride; x += LANES) {
        const column at = s->columns[x / LANES];
        underway sums = {0};
        three below = load_three(q + x, &at);
        couple(w, &sums, below);
        for (int64_t i = x; i < s->whole; i += stride) {
            const three here = below;
            for (int row = 0; row < 3; row++) { /* y one cell to the left meets q one cell to the right */
                const vector met = load(y + i + (row - 1) * stride);
                g[3 * row] += met * here.right, g[3 * row + 1] += met * here.middle, g[3 * row + 2] += met * here.left;
            }
            below = load_three(q + i + stride, &at);
            store(gy + i, load(gy + i) + masked(couple(w, &sums, below), at.inside));
        }
    }
    memcpy(f->g_taps, g, sizeof g);
}

/* PROJECT, MIX: the gradients of a segment's states, before its steps are walked, and sums of the basis', lane by lane. */
static void tell_states(sheets_back *f, int64_t image, int64_t c, int64_t start, int64_t n) {
    const sheets *s = &f->s;
    const plan *a = s->a;
    const const_maps grad = {(const REAL *)a->grad_out + maps_at(s, image, c), maps_pitch(s)};
    combine((maps){f->g_states, s->kept}, n, grad, a->features, (const REAL *)a->basis + factor_at(s, c, start),
            between_steps(s), between_features(s), s->kept, 0);
    dots(f->g_basis + a->features * start * LANES, grad, a->features, kept_states(s, image, n), n, s->kept);
}

/* The sums of all segments into grad_basis; of sheet c, or of all sheets. */
static void write_basis(const sheets_back *f, int64_t image, int64_t c) {
    const sheets *s = &f->s;
    const plan *a = s->a;
    REAL *to = (REAL *)a->grad_basis + image * a->features * between_features(s);
    for (int64_t start = 0; start < a->steps; start += a->segment) {
        const int64_t n = least(a->segment, a->steps - start);
        const REAL *sums = f->g_basis + a->features * start * LANES;
        for (int64_t k = 0; k < a->features; k++)
            for (int64_t t = 0; t < n; t++, sums += LANES)
                to[k * between_features(s) + factor_at(s, c, start + t)] = reduce(sums);
    }
}

static void backward_sheet(sheets_back *f, int64_t image, int64_t c) {
    sheets *s = &f->s;
    const plan *a = s->a;
    const int64_t all = s->sheets * s->cells, at = image * all + c * s->cells;
    const int64_t count = (a->steps + a->segment - 1) / a->segment;
    const size_t plane = (size_t)s->whole * sizeof(REAL);
    enter_sheet(s, c, at);
    spread_taps(f->turned, a, c, 1);
    memset(f->g_taps, 0, sizeof f->g_taps);
    memset(f->g_omega, 0, plane), memset(f->g_decay, 0, plane), memset(f->g_first, 0, plane);
    read_sheet(s, f->gy, a->grad_end ? (const REAL *)a->grad_end + at : NULL);
    read_sheet(s, f->gz, a->grad_end ? (const REAL *)a->grad_end + a->batch * all + at : NULL);
    for (int64_t i = count - 1; i >= 0; i--) {
        const int64_t start = i * a->segment, n = least(a->segment, a->steps - start), sheet = c * s->cells;
        read_sheet(s, s->y, i ? checkpoint(a, i - 1, 0, image, all) + sheet : (const REAL *)a->y0 + at);
        read_sheet(s, s->z, i ? checkpoint(a, i - 1, 1, image, all) + sheet : a->z0 ? (const REAL *)a->z0 + at : NULL);
        keep_sheet(f, start, n);
        if (f->g_states) tell_states(f, image, c, start, n);
        for (int64_t k = n - 1; k >= 0; k--) {
            const REAL *told = gradient_of(f, image, c, start + k, start);
            if (a->tanh) pull_back(f, 1, start + k, k, told);
            else pull_back(f, 0, start + k, k, told);
            spread_back(f, s->y + k * s->pitch);
        }
    }
    write_sheet(s, f->gy, (REAL *)a->grad_y0 + at);
    if (a->grad_z0) write_sheet(s, f->gz, (REAL *)a->grad_z0 + at);
    write_sheet(s, f->g_omega, (REAL *)a->grad_omega + at);
    write_sheet(s, f->g_decay, (REAL *)a->grad_decay + at);
    if (a->first_decay) write_sheet(s, f->g_first, (REAL *)a->grad_first_decay + at);
    for (int64_t i = 0; i < TAPS; i++)
        ((REAL *)a->grad_kernel)[(image * s->sheets + c) * TAPS + i] = sum_lanes(f->g_taps[i]);
}

static void backward_sheets(sheets_back *f, int64_t image) {
    const plan *a = f->s.a;
    const size_t sums = (size_t)(a->features * a->steps * LANES) * sizeof(REAL);
    a->error[image] = 0; /* nothing was walked back */
    for (int64_t c = 0; c < f->s.sheets; c++) {
        if (f->g_basis && (c == 0 || a->keep == MIX)) memset(f->g_basis, 0, sums);
        backward_sheet(f, image, c);
        if (f->g_basis && (c + 1 == f->s.sheets || a->keep == MIX)) write_basis(f, image, c);
    }
}
