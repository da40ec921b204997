/* How one image lies in memory: rows of [channel][x], padded so that vectors need no tails and a stencil no branches.
 *
 *     padded row (y, q):  | left | x = 0 .. width-1 | up to a whole vector | right |   per channel, `stride` numbers
 *     plain row (z, ...): | x = 0 .. width-1 | up to a whole vector |                  per channel, `lanes` numbers
 *
 * Halo columns hold what the boundary says; halo rows are never stored: `row_source` tells which row stands for them.
 */

typedef struct {
    int64_t channels, height, width, ry, rx, boundary, quads;
    int64_t left, lanes, stride;      /* of one channel of a row */
    int64_t padded, plain;            /* of one row: all channels */
    int64_t *row_source;              /* [height + 4 ry], index shifted by 2 ry; -1: a row of zeros */
    int64_t *column_source;           /* [2 rx]: left halo, then right halo */
    lane_mask last;                   /* lanes of the last vector of a row that lie inside the image */
    REAL *zeros;                      /* a padded row of zeros, at x = 0 */
    int64_t some, kept;               /* pixels of an image that are kept, 0: all; numbers of a state that are kept */
    const int64_t *at;                /* of the present image: where they are, row by row .. */
    int64_t *starts;                  /* .. and where each row's begin: [height + 1] */
} grid;

/* Memory is handed out from one block; with a null base only the size is counted. `make sanitize` puts a RED_ZONE that
 * must not be touched behind each array, and starts arrays out as NaN. */
typedef struct { char *base; size_t used; } arena;

#ifdef RED_ZONE
#include <sanitizer/asan_interface.h>
#else
#define RED_ZONE 0
#endif

static void *take(arena *a, int64_t count, size_t size) {
    size_t at = a->used, end = at + (size_t)count * size;
    a->used = (end + RED_ZONE + 63) & ~(size_t)63;
    if (!a->base) return NULL;
#if RED_ZONE
    ASAN_UNPOISON_MEMORY_REGION(a->base + at, end - at);
    memset(a->base + at, -1, end - at);
    ASAN_POISON_MEMORY_REGION(a->base + end, a->used - end);
#endif
    return a->base + at;
}

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

static int64_t source_of(int64_t i, int64_t size, int64_t boundary) {
    if (i >= 0 && i < size) return i;
    if (boundary == FIXED) return -1;
    int64_t period = boundary == PERIODIC ? size : 2 * size;
    i = ((i % period) + period) % period;
    return i < size ? i : 2 * size - 1 - i;
}

/* A padded plane, pointing at x = 0 of row 0; zeroed once, so that margins start out clean. */
static REAL *take_padded(arena *memory, const grid *g, int64_t rows) {
    REAL *p = take(memory, rows * g->padded, sizeof(REAL));
    if (!p) return NULL;
    memset(p, 0, (size_t)(rows * g->padded) * sizeof(REAL));
    return p + g->left;
}

static grid make_grid(const plan *a, arena *memory) {
    grid g;
    g.channels = a->channels, g.height = a->height, g.width = a->width, g.boundary = a->boundary;
    g.ry = a->kernel_height / 2, g.rx = a->kernel_width / 2;
    g.lanes = round_up(g.width, LANES);
    /* The adjoint of a mirror reaches twice as far to both sides. */
    int64_t reach = round_up(g.rx, LANES) * (a->boundary == REFLECTING ? 2 : 1);
    g.left = reach;
    g.stride = reach + g.lanes + reach;
    g.quads = a->quads && !a->depthwise && g.ry == 1;
    g.padded = g.channels * g.stride, g.plain = g.channels * g.lanes;
    g.row_source = take(memory, g.height + 4 * g.ry, sizeof(int64_t));
    g.column_source = take(memory, 2 * g.rx, sizeof(int64_t));
    g.zeros = take_padded(memory, &g, 1);
    g.some = a->some, g.kept = g.channels * (g.some ? g.some : g.height * g.width), g.at = NULL;
    g.starts = take(memory, g.height + 1, sizeof(int64_t));
    int64_t rest = g.width - (g.lanes - LANES);
    for (int64_t i = 0; i < LANES; i++) g.last[i] = i < rest ? -1 : 0;
    if (!memory->base) return g;
    for (int64_t r = -2 * g.ry; r < g.height + 2 * g.ry; r++)
        g.row_source[r + 2 * g.ry] = source_of(r, g.height, g.boundary);
    for (int64_t j = 0; j < g.rx; j++) {
        g.column_source[j] = source_of(j - g.rx, g.width, g.boundary);
        g.column_source[g.rx + j] = source_of(g.width + j, g.width, g.boundary);
    }
    return g;
}

static REAL *take_plain(arena *memory, const grid *g, int64_t rows) {
    REAL *p = take(memory, rows * g->plain, sizeof(REAL));
    if (p) memset(p, 0, (size_t)(rows * g->plain) * sizeof(REAL));
    return p;
}

/* `count` channels of padded rows, pointing at x = 0 of the first. */
static REAL *take_rows(arena *memory, const grid *g, int64_t count) {
    REAL *p = take(memory, count * g->stride, sizeof(REAL));
    return p ? p + g->left : NULL;
}

static int64_t source_row(const grid *g, int64_t r) { return g->row_source[r + 2 * g->ry]; }

/* Extend a padded row to both sides as the boundary says. */
static void fill_halo(const grid *g, REAL *row, int64_t channels) {
    for (int64_t c = 0; c < channels; c++, row += g->stride) {
        if (g->lanes > g->width) memset(row + g->width, 0, (size_t)(g->lanes - g->width) * sizeof(REAL));
        if (g->boundary == FIXED) continue;
        for (int64_t j = 0; j < g->rx; j++) {
            row[j - g->rx] = row[g->column_source[j]];
            row[g->width + j] = row[g->column_source[g->rx + j]];
        }
    }
}

/* Zeros in the lanes beyond the image. */
static void clear_tail(const grid *g, REAL *row) {
    for (int64_t c = 0; c < g->channels && g->lanes > g->width; c++)
        memset(row + c * g->stride + g->width, 0, (size_t)(g->lanes - g->width) * sizeof(REAL));
}

/* Rows to and from an image (c, y, x) of the caller's. */
static void read_row(const grid *g, REAL *row, int64_t pitch, const REAL *image, int64_t r) {
    for (int64_t c = 0; c < g->channels; c++)
        memcpy(row + c * pitch, image + (c * g->height + r) * g->width, (size_t)g->width * sizeof(REAL));
}

static void write_row(const grid *g, const REAL *row, int64_t pitch, REAL *image, int64_t r) {
    for (int64_t c = 0; c < g->channels; c++)
        memcpy(image + (c * g->height + r) * g->width, row + c * pitch, (size_t)g->width * sizeof(REAL));
}

/* Turn to the pixels that are kept of an image. */
static void look_at(grid *g, const plan *a, int64_t image) {
    if (!g->some) return;
    g->at = a->at + image * g->some;
    for (int64_t r = 0, j = 0; r <= g->height; r++) {
        while (j < g->some && g->at[j] < r * g->width) j++;
        g->starts[r] = j;
    }
}

/* Those of a row, (c, n) from a row of any pitch to one of any pitch. */
static int64_t gather(const grid *g, REAL *to, int64_t to_pitch, const REAL *row, int64_t pitch, int64_t r) {
    const int64_t start = g->starts[r], n = g->starts[r + 1] - start;
    for (int64_t c = 0; c < g->channels; c++)
        for (int64_t j = 0; j < n; j++) to[c * to_pitch + j] = row[c * pitch + g->at[start + j] - r * g->width];
    return n;
}

/* And added to where they came from. */
static void scatter(const grid *g, REAL *row, int64_t pitch, const REAL *from, int64_t from_pitch, int64_t r) {
    const int64_t start = g->starts[r], n = g->starts[r + 1] - start;
    for (int64_t c = 0; c < g->channels; c++)
        for (int64_t j = 0; j < n; j++) row[c * pitch + g->at[start + j] - r * g->width] += from[c * from_pitch + j];
}

/* A padded row of a state into what is kept of that state: (c, y, x) or (c, some). */
static void keep_row(const grid *g, const REAL *row, REAL *state, int64_t r) {
    if (g->some) gather(g, state + g->starts[r], g->some, row, g->stride, r);
    else write_row(g, row, g->stride, state, r);
}

static void read_padded(const grid *g, REAL *plane, const REAL *image) {
    for (int64_t r = 0; r < g->height; r++) {
        if (image) read_row(g, plane + r * g->padded, g->stride, image, r);
        else for (int64_t c = 0; c < g->channels; c++)
            memset(plane + r * g->padded + c * g->stride, 0, (size_t)g->width * sizeof(REAL));
        fill_halo(g, plane + r * g->padded, g->channels);
    }
}

static void read_plain(const grid *g, REAL *plane, const REAL *image) {
    if (!image) memset(plane, 0, (size_t)(g->height * g->plain) * sizeof(REAL));
    else for (int64_t r = 0; r < g->height; r++) read_row(g, plane + r * g->plain, g->lanes, image, r);
}

static void write_padded(const grid *g, const REAL *plane, REAL *image) {
    for (int64_t r = 0; r < g->height; r++) write_row(g, plane + r * g->padded, g->stride, image, r);
}

static void write_plain(const grid *g, const REAL *plane, REAL *image) {
    for (int64_t r = 0; r < g->height; r++) write_row(g, plane + r * g->plain, g->lanes, image, r);
}

/* Row r of a padded plane of y or q as a neighbour sees it: beyond an edge there may be zeros, or a row inside. */
INLINE const REAL *neighbour(const grid *g, const REAL *plane, int64_t r) {
    const int64_t source = source_row(g, r);
    return source < 0 ? g->zeros : plane + source * g->padded;
}
