/* Sheets that ring apart: a depthwise kernel of 3 x 3 couples no channel with another, so one sheet after another takes
 * all its steps while it lies in the nearest cache. Edges are fixed.
 *
 *     plane:  | zeros | rows of `stride` numbers: x = 0 .. width-1, zeros up to a whole vector | zeros |
 *
 * A vector of columns is walked from the first row to the last, so that a row is read once for the three rows that see
 * it: most of what a small plane costs is reading it at addresses that are no multiple of a vector.
 */

#define TAPS 9

/* Lanes of a vector of columns that have a neighbour to the left, to the right, and that are columns at all. */
typedef struct { lane_mask left, right, inside; } column;

typedef struct {
    const plan *a;
    int64_t cells, kept, sheets;          /* of a sheet; those that the record keeps; sheets of an image */
    int64_t stride, whole, margin, pitch; /* a row; all rows; zeros before and behind them; a plane with its zeros */
    int64_t filled;                       /* states that the record has */
    column *columns;
    REAL *y, *z, *omega, *decay, *first_decay; /* y: the states that are held at once, and the one before them */
    REAL *packed;                         /* what the record keeps of these states, if it is not they as they lie */
    vector taps[TAPS];
} sheets;

/* Planes of zeros, at their first cell. */
static REAL *take_planes(arena *memory, const sheets *f, int64_t count) {
    REAL *p = take(memory, count * f->pitch, sizeof(REAL));
    if (!p) return NULL;
    memset(p, 0, (size_t)(count * f->pitch) * sizeof(REAL));
    return p + f->margin;
}

static sheets make_sheets(const plan *a, int64_t states, arena *memory) {
    sheets f = {.a = a, .cells = a->height * a->width, .sheets = a->channels};
    f.stride = round_up(a->width, LANES), f.whole = a->height * f.stride, f.margin = f.stride + LANES;
    f.pitch = f.margin + f.whole + f.margin;
    f.kept = a->some ? a->some : f.cells;
    f.columns = take(memory, f.stride / LANES, sizeof(column));
    f.y = take_planes(memory, &f, states + 1), f.z = take_planes(memory, &f, 1);
    f.omega = take_planes(memory, &f, 1), f.decay = take_planes(memory, &f, 1);
    f.first_decay = a->first_decay ? take_planes(memory, &f, 1) : f.decay;
    if (a->some || f.stride > a->width) f.packed = take(memory, states * f.kept + LANES, sizeof(REAL));
    for (int64_t x = 0; f.columns && x < f.stride; x++) {
        column *at = f.columns + x / LANES;
        at->left[x % LANES] = x > 0 ? -1 : 0, at->right[x % LANES] = x + 1 < a->width ? -1 : 0;
        at->inside[x % LANES] = x < a->width ? -1 : 0;
    }
    return f;
}

/* The kernel of sheet c, turned for the adjoint. */
static void spread_taps(vector *taps, const plan *a, int64_t c, int turned) {
    const REAL *w = (const REAL *)a->kernel + c * TAPS;
    for (int64_t i = 0; i < TAPS; i++) taps[i] = splat(w[turned ? TAPS - 1 - i : i]);
}

INLINE vector masked(vector v, lane_mask m) { return (vector)((lane_mask)v & m); }

/* A vector of a row and its neighbours in that row. */
typedef struct { vector left, middle, right; } three;

INLINE three load_three(const REAL *at, const column *x) {
    return (three){masked(load(at - 1), x->left), load(at), masked(load(at + 1), x->right)};
}

INLINE vector weigh(const vector *w, three y, vector sum) {
    return sum + w[0] * y.left + w[1] * y.middle + w[2] * y.right;
}

/* W * y at two rows, as far as the rows above them and the first of them give it. */
typedef struct { vector here, next; } underway;

/* Bring a further row; return W * y at the row above it. */
INLINE vector couple(const vector *w, underway *sums, three y) {
    const vector done = weigh(w + 6, y, sums->here);
    sums->here = weigh(w + 3, y, sums->next), sums->next = weigh(w, y, (vector){0});
    return done;
}

/* A sheet to and from memory without gaps. The rows of `to` are written whole, in their order, and behind the last one
 * LANES numbers may be. */
static void read_sheet(const sheets *f, REAL *plane, const REAL *from) {
    const int64_t width = f->a->width;
    if (!from) memset(plane, 0, (size_t)f->whole * sizeof(REAL));
    else if (width == f->stride) memcpy(plane, from, (size_t)f->cells * sizeof(REAL));
    else for (int64_t r = 0; r < f->a->height; r++)
        memcpy(plane + r * f->stride, from + r * width, (size_t)width * sizeof(REAL));
}

static void write_sheet(const sheets *f, const REAL *plane, REAL *to) {
    const int64_t width = f->a->width;
    if (width == f->stride) memcpy(to, plane, (size_t)f->cells * sizeof(REAL));
    else for (int64_t r = 0; r < f->a->height; r++)
        memcpy(to + r * width, plane + r * f->stride, (size_t)width * sizeof(REAL));
}

/* What a sheet begins with. */
static void enter_sheet(sheets *f, int64_t c, int64_t at) {
    const plan *a = f->a;
    spread_taps(f->taps, a, c, 0);
    read_sheet(f, f->omega, (const REAL *)a->omega + at);
    read_sheet(f, f->decay, (const REAL *)a->decay + at);
    if (a->first_decay) read_sheet(f, f->first_decay, (const REAL *)a->first_decay + at);
}

/* Step t, from plane y to plane y_out. The adjoint also keeps phi = phi(W * y) and h = z + slope (phi - omega y). */
INLINE void step_cells(const sheets *f, const int TANH, const int KEEP, int64_t t, const REAL *y, REAL *y_out, REAL *phi,
                       REAL *h) {
    const plan *a = f->a;
    const int first = t == 0 && !a->begun;
    const REAL dt = (REAL)a->dt, slope = (REAL)(first ? 0 : a->slope), offset = (REAL)(first ? a->first_offset : a->offset);
    const REAL *omega = f->omega, *decay = first ? f->first_decay : f->decay;
    const int64_t stride = f->stride;
    REAL *z = f->z;
    vector w[TAPS];
    memcpy(w, f->taps, sizeof w);
    for (int64_t x = 0; x < stride; x += LANES) {
        const column at = f->columns[x / LANES];
        underway sums = {0};
        couple(w, &sums, load_three(y + x, &at));
        int64_t i = x;
#define STEP(ROWS)                                                                                         \
    do {                                                                                                   \
        vector s[ROWS];                                                                                    \
        for (int r = 0; r < ROWS; r++) s[r] = couple(w, &sums, load_three(y + i + (r + 1) * stride, &at)); \
        if (TANH) tanh_of_each(s, ROWS);                                                                   \
        for (int r = 0; r < ROWS; r++, i += stride) {                                                      \
            const vector now = load(y + i), was = load(z + i), d = load(decay + i);                        \
            const vector force = s[r] - load(omega + i) * now;                                             \
            const vector then = masked(d * was + (offset + slope * d) * force, at.inside);                 \
            if (KEEP && TANH) store(phi + i, s[r]);                                                        \
            if (KEEP) store(h + i, was + slope * force);                                                   \
            store(z + i, then);                                                                            \
            store(y_out + i, now + dt * then);                                                             \
        }                                                                                                  \
    } while (0)
        while (i + stride < f->whole) STEP(SIDE_BY_SIDE);
        if (i < f->whole) STEP(1);
#undef STEP
    }
}

static void step_sheet(const sheets *f, int64_t t, const REAL *y, REAL *y_out) {
    if (f->a->tanh) step_cells(f, 1, 0, t, y, y_out, NULL, NULL);
    else step_cells(f, 0, 0, t, y, y_out, NULL, NULL);
}

/* n states, beginning with y_{filled+1}, as the record keeps them: whole, or some cells of each. */
static const_maps kept_states(const sheets *f, int64_t image, int64_t n) {
    const REAL *y = f->y + f->pitch;
    const int64_t some = f->a->some, width = f->a->width;
    if (!f->packed) return (const_maps){y, f->pitch};
    for (int64_t k = 0; k < n; k++, y += f->pitch) {
        REAL *to = f->packed + k * f->kept;
        for (int64_t j = 0, at; j < some; j++)
            at = f->a->at[image * some + j], to[j] = y[at / width * f->stride + at % width];
        /* What a row leaves behind its end, the next one overwrites. */
        for (int64_t r = 0; r < f->a->height && !some; r++)
            for (int64_t x = 0; x < width; x += LANES) store(to + r * width + x, load(y + r * f->stride + x));
    }
    return (const_maps){f->packed, f->kept};
}

/* PROJECT, MIX: where sheet c of an image has its maps in out, or their gradients in grad_out .. */
static int64_t maps_at(const sheets *f, int64_t image, int64_t c) {
    return f->a->keep == MIX ? image * f->a->features * f->kept : (image * f->a->features * f->sheets + c) * f->kept;
}
static int64_t maps_pitch(const sheets *f) { return f->a->keep == MIX ? f->kept : f->sheets * f->kept; }

/* .. and its factors in basis: of step t; between features and between steps. */
static int64_t factor_at(const sheets *f, int64_t c, int64_t t) { return f->a->keep == MIX ? t * f->sheets + c : t; }
static int64_t between_steps(const sheets *f) { return f->a->keep == MIX ? f->sheets : 1; }
static int64_t between_features(const sheets *f) { return f->a->steps * between_steps(f); }

/* Hand the states y_{filled+1} .. y_{filled+n} of sheet c to the record. */
static void emit_states(const sheets *f, int64_t image, int64_t c, int64_t n) {
    const plan *a = f->a;
    const int64_t sheet = image * f->sheets + c;
    if (a->keep == PROJECT || a->keep == MIX) {
        const maps out = {(REAL *)a->out + maps_at(f, image, c), maps_pitch(f)};
        const int add = f->filled > 0 || (a->keep == MIX && c > 0);
        combine(out, a->features, kept_states(f, image, n), n, (const REAL *)a->basis + factor_at(f, c, f->filled),
                between_features(f), between_steps(f), f->kept, add);
        return;
    }
    const REAL *y = f->y + f->pitch;
    for (int64_t t = f->filled; t < f->filled + n; t++, y += f->pitch) {
        if (a->keep == SERIES) {
            const int64_t count = a->steps / a->every, i = (t + 1) / a->every - 1;
            if ((t + 1) % a->every == 0)
                write_sheet(f, y, (REAL *)a->out + ((image * count + i) * f->sheets + c) * f->cells);
            continue;
        }
        REAL *out = (REAL *)a->out + sheet * f->cells;
        int32_t *when = a->argmax + sheet * f->cells;
        for (int64_t r = 0, i = 0; r < a->height; r++)
            for (int64_t x = 0; x < a->width; x++, i++) {
                const REAL v = y[r * f->stride + x];
                if (t == 0 || v > out[i] || v != v) out[i] = v, when[i] = (int32_t)t; /* NaN wins */
            }
    }
}

static void forward_sheet(sheets *f, int64_t image, int64_t c) {
    const plan *a = f->a;
    const int64_t all = f->sheets * f->cells, at = image * all + c * f->cells;
    enter_sheet(f, c, at);
    read_sheet(f, f->y, (const REAL *)a->y0 + at);
    read_sheet(f, f->z, a->z0 ? (const REAL *)a->z0 + at : NULL);
    f->filled = 0;
    for (int64_t now = 1; now <= a->steps; now++) {
        const int64_t n = now - f->filled;
        const int over = now == a->steps;
        REAL *y = f->y + n * f->pitch;
        step_sheet(f, now - 1, y - f->pitch, y);
        if (a->segment && now % a->segment == 0 && !over) {
            write_sheet(f, y, checkpoint(a, now / a->segment - 1, 0, image, all) + c * f->cells);
            write_sheet(f, f->z, checkpoint(a, now / a->segment - 1, 1, image, all) + c * f->cells);
        }
        if (n == a->block || over) {
            emit_states(f, image, c, n);
            f->filled = now;
            if (!over) memcpy(f->y, y, (size_t)f->whole * sizeof(REAL));
            else if (a->end) {
                write_sheet(f, y, (REAL *)a->end + at);
                write_sheet(f, f->z, (REAL *)a->end + a->batch * all + at);
            }
        }
    }
}

static sheets make_forward_sheets(const plan *a, arena *memory) {
    return make_sheets(a, least(a->block, a->steps), memory);
}

static void forward_sheets(sheets *f, int64_t image) {
    for (int64_t c = 0; c < f->sheets; c++) forward_sheet(f, image, c);
}
