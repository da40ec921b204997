/* Tiles of pixels and of cells, to and from arrays, and what lifts the maps of cells to their pixels.
 *
 * A tile is a row of whole cells of grid x grid pixels, stored one row of pixels after the other; with a grid of 1, as
 * where all is on one grid, a run of pixels. What is lifted is a product over cells, spread over the tile's pixels.
 */

/* Where a tile lies: its image, and the row and column of its first pixel. */
typedef struct { int64_t image, y, x; } place;

static place place_of(const network *n, int64_t tile) {
    const int64_t each = n->across * n->down, rest = tile % each;
    return (place){tile / each, rest / n->across * n->a->grid, rest % n->across * n->columns};
}

/* One row of each of `width` maps: the `some` numbers inside the image, then zeros up to `all`. */
static void read_rows(REAL *to, int64_t to_pitch, const REAL *from, int64_t from_pitch, int64_t width, int64_t some,
                      int64_t all) {
    for (int64_t i = 0; i < width; i++, to += to_pitch, from += from_pitch) {
        if (some > 0) memcpy(to, from, (size_t)some * sizeof(REAL));
        if (some < all) memset(to + some, 0, (size_t)(all - some) * sizeof(REAL));
    }
}

static void read_tile(const network *n, const void *array, int64_t width, place at, REAL *tile) {
    const pointwise *a = n->a;
    const int64_t pixels = a->height * a->width;
    const REAL *from = (const REAL *)array + at.image * width * pixels + at.y * a->width + at.x;
    for (int64_t r = 0; r < a->grid; r++)
        read_rows(tile + r * n->columns, TILE, from + r * a->width, pixels, width,
                  at.y + r < a->height ? least(n->columns, a->width - at.x) : 0, n->columns);
}

static void write_tile(const network *n, void *array, int64_t width, place at, const REAL *tile) {
    const pointwise *a = n->a;
    const int64_t pixels = a->height * a->width, some = least(n->columns, a->width - at.x);
    REAL *to = (REAL *)array + at.image * width * pixels + at.y * a->width + at.x;
    for (int64_t r = 0; r < a->grid && at.y + r < a->height; r++)
        for (int64_t i = 0; i < width; i++)
            memcpy(to + i * pixels + r * a->width, tile + i * TILE + r * n->columns, (size_t)some * sizeof(REAL));
}

/* The tile's cells in an array (b, below, y, x), and how many of them lie inside. */
static REAL *cells_of(const network *n, const void *array, place at, int64_t *pitch, int64_t *some) {
    const pointwise *a = n->a;
    const int64_t wide = (a->width + a->grid - 1) / a->grid, column = at.x / a->grid;
    *pitch = n->down * wide, *some = least(n->cells, wide - column);
    return (REAL *)array + at.image * a->below * *pitch + at.y / a->grid * wide + column;
}

/* Maps at the pixels of a tile, and what the lift makes for each pixel of a cell: one way or the other. */
INLINE void spread(const network *n, REAL *tile, REAL *raised, const int BACK) {
    const int64_t grid = n->a->grid;
    for (int64_t m = 0; m < n->a->lifted; m++)
        for (int64_t y = 0; y < grid; y++)
            for (int64_t x = 0; x < grid; x++) {
                REAL *pixel = tile + m * TILE + y * n->columns + x, *cell = raised + ((m * grid + y) * grid + x) * n->lanes;
                for (int64_t i = 0; i < n->cells; i++)
                    if (BACK) cell[i] = pixel[i * grid];
                    else pixel[i * grid] = cell[i];
            }
}

static void lift(network *n, place at) {
    const pointwise *a = n->a;
    int64_t pitch, some;
    const REAL *from = cells_of(n, a->coarse, at, &pitch, &some);
    read_rows(n->coarse, n->lanes, from, pitch, a->below, some, n->lanes);
    combine_all((maps){n->raised, n->lanes}, n->outputs, (const_maps){n->coarse, n->lanes}, a->below, a->lift, a->below, 1,
                n->lanes, 0, a->lift_bias, 0);
    spread(n, n->x[0] + (a->widths[0] - a->lifted) * TILE, n->raised, 0);
}

static void lift_backward(network *n, place at) {
    const pointwise *a = n->a;
    if (n->cells < n->lanes) memset(n->graised, 0, (size_t)(n->outputs * n->lanes) * sizeof(REAL));
    spread(n, n->gx[0] + (a->widths[0] - a->lifted) * TILE, n->graised, 1);
    add_rows(n->glift_bias, n->graised, n->outputs, n->lanes);
    turn(n->coarse_turned, n->below, n->coarse, a->below, n->lanes);
    combine((maps){n->glift, n->below}, n->outputs, (const_maps){n->coarse_turned, n->below}, n->lanes, n->graised,
            n->lanes, 1, n->below, 1);
    combine((maps){n->gcoarse, n->lanes}, a->below, (const_maps){n->graised, n->lanes}, n->outputs, n->lift_back,
            n->outputs, 1, n->lanes, 0);
    int64_t pitch, some;
    REAL *to = cells_of(n, a->grad_coarse, at, &pitch, &some);
    for (int64_t i = 0; i < a->below; i++) memcpy(to + i * pitch, n->gcoarse + i * n->lanes, (size_t)some * sizeof(REAL));
}
