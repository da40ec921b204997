/* Cells that forget. Walking back divides by the decay, and where that is small z_t cannot be found from z_{t+1}. The
 * forward pass keeps z of these few cells at every step, and the backward pass takes them from there.
 */

typedef struct {
    REAL limit;      /* cells whose decay is not at least this */
    int32_t *cells;  /* of the present image, row by row: where they are in a plain row .. */
    int64_t *starts; /* .. and where each row's begin: [height + 1] */
    REAL *row;       /* a plain row of zeros, but for what `remember` puts there */
} forgetful;

static forgetful make_forgetful(const plan *a, const grid *g, arena *memory) {
    forgetful f = {.limit = (REAL)a->forgets};
    f.cells = take(memory, a->forgetful, sizeof(int32_t));
    f.starts = take(memory, g->height + 1, sizeof(int64_t));
    f.row = take_plain(memory, g, 1);
    if (f.starts) memset(f.starts, 0, (size_t)(g->height + 1) * sizeof(int64_t));
    return f;
}

/* Find those of an image; the caller has counted them. */
static void find_forgetful(forgetful *f, const plan *a, const grid *g, const REAL *decay) {
    if (!a->forgetful) return;
    int64_t n = 0;
    for (int64_t r = 0; r < g->height; r++, decay += g->plain) {
        f->starts[r] = n;
        for (int64_t c = 0; c < g->channels; c++)
            for (int64_t x = 0; x < g->width; x++)
                if (!(decay[c * g->lanes + x] >= f->limit) && n < a->forgetful) f->cells[n++] = (int32_t)(c * g->lanes + x);
    }
    f->starts[g->height] = n;
}

/* Where z of state t is kept, t = 1 .. */
static REAL *velocities_of(const plan *a, int64_t image, int64_t t) {
    return (REAL *)a->velocities + ((t - 1) * a->batch + image) * a->forgetful;
}

static void keep_velocities(const forgetful *f, REAL *kept, int64_t r, const REAL *z) {
    for (int64_t j = f->starts[r]; j < f->starts[r + 1]; j++) kept[j] = z[f->cells[j]];
}

static void remember(const forgetful *f, const REAL *kept, int64_t r) {
    for (int64_t j = f->starts[r]; j < f->starts[r + 1]; j++) f->row[f->cells[j]] = kept[j];
}

static void forget(const forgetful *f, int64_t r) {
    for (int64_t j = f->starts[r]; j < f->starts[r + 1]; j++) f->row[f->cells[j]] = 0;
}
