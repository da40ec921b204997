/* W * y on a block of OUT channels by WIDE vectors, held in registers; the heart of both directions. (Four rows at once
 * have been coupled before, in quads.h, and are only read here.)
 *
 * Taps are packed [block of channels][inner channel][dy][dx][OUT], so that a block reads them in order. A kernel of
 * 3 x 3 is unrolled, others run in loops.
 */

#if VECTOR_BYTES == 64 || defined(__aarch64__)
#define WIDEST 4 /* 32 registers: 16 sums, 4 inputs, one tap */
#else
#define WIDEST 2 /* 16 registers */
#endif
#define DEEPEST 4

#define FOUR 4 /* rows that quads.h couples together */
#define SIX 6  /* rows that they see, and products that they need */

typedef struct {
    int64_t outer, inner, ky, kx, depthwise;
    REAL *taps;
    /* quads.h: the same, transformed, or NULL; what it reads and gives: [6][inner][x] and [4][outer][x], each at x = 0 */
    REAL *quad_taps, *spread, *four;
    int64_t stride, row; /* row: of the four, as `convolve` takes it */
} stencil;

static int64_t block_of(const stencil *s, int64_t c) {
    int64_t rest = s->outer - c;
    return s->depthwise || rest < 2 ? 1 : rest < 4 ? 2 : 4;
}

/* u = G w of quads.h */
static void pack_quad(REAL *u, const REAL *w) {
    const REAL sum = w[0] + w[2], wide = w[0] / 24 + w[2] / 6;
    u[0] = w[0] / 4, u[5] = w[2];
    u[1] = -(sum + w[1]) / 6, u[2] = -(sum - w[1]) / 6;
    u[3] = wide + w[1] / 12, u[4] = wide - w[1] / 12;
}

/* Pack the kernel (outer, inner, ky, kx), or for the adjoint its transpose with both axes reversed. */
static stencil make_stencil(const plan *a, const grid *g, int transposed, arena *memory) {
    stencil s = {.outer = a->channels, .inner = a->depthwise ? 1 : a->channels, .ky = a->kernel_height, .kx = a->kernel_width,
                 .depthwise = a->depthwise, .stride = g->stride};
    s.taps = take(memory, s.outer * s.inner * s.ky * s.kx, sizeof(REAL));
    if (g->quads) {
        s.quad_taps = take(memory, s.outer * s.inner * SIX * s.kx, sizeof(REAL));
        s.spread = take_rows(memory, g, SIX * s.inner), s.four = take_rows(memory, g, FOUR * s.outer);
    }
    if (!s.taps) return s;
    const REAL *w = a->kernel;
    REAL *tap = s.taps;
    for (int64_t c = 0; c < s.outer; c += block_of(&s, c))
        for (int64_t i = 0; i < s.inner; i++)
            for (int64_t dy = 0; dy < s.ky; dy++)
                for (int64_t dx = 0; dx < s.kx; dx++)
                    for (int64_t j = 0; j < block_of(&s, c); j++) {
                        int64_t out = c + j, in = i, y = dy, x = dx;
                        if (transposed) {
                            y = s.ky - 1 - dy, x = s.kx - 1 - dx;
                            if (!s.depthwise) out = i, in = c + j;
                        }
                        *tap++ = w[((out * s.inner + in) * s.ky + y) * s.kx + x];
                    }
    /* [block of channels][6][inner channel][dx][OUT] */
    for (int64_t c = 0, deep; s.quad_taps && c < s.outer; c += deep) {
        deep = block_of(&s, c);
        const REAL *from = s.taps + c * s.inner * 3 * s.kx;
        REAL *to = s.quad_taps + c * s.inner * SIX * s.kx, u[SIX];
        for (int64_t i = 0; i < s.inner; i++)
            for (int64_t d = 0; d < s.kx * deep; d++) {
                const REAL *at = from + i * 3 * s.kx * deep + d, w[] = {at[0], at[s.kx * deep], at[2 * s.kx * deep]};
                pack_quad(u, w);
                for (int64_t k = 0; k < SIX; k++) to[(k * s.inner + i) * s.kx * deep + d] = u[k];
            }
    }
    return s;
}

typedef struct { vector at[DEEPEST][WIDEST]; } sums;

/* `rows` point at x = 0 of channel 0 of the ky rows that a stencil sees. */
INLINE sums convolve(const stencil *s, const int OUT, const int WIDE, const int64_t KY, const int64_t KX,
                     const REAL *const *rows, int64_t stride, int64_t c, int64_t x) {
    sums acc;
    for (int j = 0; j < OUT; j++)
        for (int b = 0; b < WIDE; b++) acc.at[j][b] = (vector){0};
    if (s->quad_taps) {
        const REAL *from = s->four + (s->row * s->outer + c) * stride + x;
        for (int j = 0; j < OUT; j++)
            for (int b = 0; b < WIDE; b++) acc.at[j][b] = load(from + j * stride + b * LANES);
        return acc;
    }
    const REAL *tap = s->taps + c * s->inner * KY * KX;
    int64_t first = s->depthwise ? c : 0;
    for (int64_t i = first; i < first + s->inner; i++)
        for (int64_t dy = 0; dy < KY; dy++) {
            const REAL *row = rows[dy] + i * stride + x - KX / 2;
            UNROLL(3)
            for (int64_t dx = 0; dx < KX; dx++, tap += OUT) {
                vector y[WIDEST];
                for (int b = 0; b < WIDE; b++) y[b] = load(row + dx + b * LANES);
                for (int j = 0; j < OUT; j++)
                    for (int b = 0; b < WIDE; b++) acc.at[j][b] += tap[j] * y[b];
            }
        }
    return acc;
}

/* Run BODY(OUT, WIDE, KY, KX) over all channels and columns of a row, with constants the compiler can unroll. */
#define OVER_COLUMNS(BODY, OUT, KY, KX, x, limit)                                   \
    do {                                                                            \
        for (; WIDEST == 4 && x + 4 * LANES <= limit; x += 4 * LANES) BODY(OUT, WIDEST, KY, KX); \
        for (; x + 2 * LANES <= limit; x += 2 * LANES) BODY(OUT, 2, KY, KX);        \
        for (; x + LANES <= limit; x += LANES) BODY(OUT, 1, KY, KX);                \
    } while (0)

#define OVER_ROW(BODY, s, from, limit)                                              \
    for (int64_t c = 0, deep; c < (s)->outer; c += deep) {                          \
        int64_t x = from;                                                           \
        deep = block_of(s, c);                                                      \
        if ((s)->ky == 3 && (s)->kx == 3) {                                         \
            if (deep == 4) OVER_COLUMNS(BODY, 4, 3, 3, x, limit);                   \
            else if (deep == 2) OVER_COLUMNS(BODY, 2, 3, 3, x, limit);              \
            else OVER_COLUMNS(BODY, 1, 3, 3, x, limit);                             \
        } else {                                                                    \
            if (deep == 4) OVER_COLUMNS(BODY, 4, (s)->ky, (s)->kx, x, limit);       \
            else if (deep == 2) OVER_COLUMNS(BODY, 2, (s)->ky, (s)->kx, x, limit);  \
            else OVER_COLUMNS(BODY, 1, (s)->ky, (s)->kx, x, limit);                 \
        }                                                                           \
    }
