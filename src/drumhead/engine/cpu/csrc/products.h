/* Small matrix products over pixels: the time projection, the pointwise network, and their adjoints. */

typedef struct { REAL *data; int64_t pitch; } maps;             /* count maps of pixels, `pitch` apart */
typedef struct { const REAL *data; int64_t pitch; } const_maps;

/* out[o][p] (+)= sum_i weight[o * wo + i * wi] in[i][p]; with a bias, that of output o is added. */
INLINE void combine_block(const int OUT, const int WIDE, maps out, const_maps in, int64_t inputs, const REAL *weight,
                          int64_t wo, int64_t wi, int64_t p, int64_t some, int add, const REAL *bias, const int RELU) {
    vector acc[DEEPEST][WIDEST];
    for (int j = 0; j < OUT; j++)
        for (int b = 0; b < WIDE; b++) {
            const REAL *at = out.data + j * out.pitch + p + b * LANES;
            acc[j][b] = bias ? splat(bias[j]) : !add ? (vector){0} : some ? load_some(at, some) : load(at);
        }
    for (int64_t i = 0; i < inputs; i++) {
        vector v[WIDEST];
        for (int b = 0; b < WIDE; b++) {
            const REAL *at = in.data + i * in.pitch + p + b * LANES;
            v[b] = some ? load_some(at, some) : load(at);
        }
        for (int j = 0; j < OUT; j++)
            for (int b = 0; b < WIDE; b++) acc[j][b] += weight[j * wo + i * wi] * v[b];
    }
    for (int j = 0; j < OUT; j++)
        for (int b = 0; b < WIDE; b++) {
            REAL *at = out.data + j * out.pitch + p + b * LANES;
            const vector v = RELU ? rectified(acc[j][b]) : acc[j][b];
            if (some) store_some(at, v, some);
            else store(at, v);
        }
}

/* Blocks of 4 outputs, then one of what is left: a single output would wait for each of its own sums. */
INLINE void combine_all(maps out, int64_t outputs, const_maps in, int64_t inputs, const REAL *weight, int64_t wo,
                        int64_t wi, int64_t pixels, int add, const REAL *bias, const int RELU) {
    int64_t p = 0;
#define BLOCK(OUT, WIDE, SOME)                                                                                    \
    combine_block(OUT, WIDE, (maps){out.data + o * out.pitch, out.pitch}, in, inputs, weight + o * wo, wo, wi, p, \
                  SOME, add, bias ? bias + o : NULL, RELU)
#define COMBINE(WIDE, SOME)                                       \
    do {                                                          \
        int64_t o = 0;                                            \
        for (; o + 4 <= outputs; o += 4) BLOCK(4, WIDE, SOME);    \
        if (outputs - o == 3) BLOCK(3, WIDE, SOME);               \
        else if (outputs - o == 2) BLOCK(2, WIDE, SOME);          \
        else if (outputs - o == 1) BLOCK(1, WIDE, SOME);          \
    } while (0)
    for (; p + WIDEST * LANES <= pixels; p += WIDEST * LANES) COMBINE(WIDEST, 0);
    for (; p + LANES <= pixels; p += LANES) COMBINE(1, 0);
    if (p < pixels) COMBINE(1, pixels - p);
#undef COMBINE
#undef BLOCK
}

static void combine(maps out, int64_t outputs, const_maps in, int64_t inputs, const REAL *weight, int64_t wo,
                    int64_t wi, int64_t pixels, int add) {
    combine_all(out, outputs, in, inputs, weight, wo, wi, pixels, add, NULL, 0);
}

/* acc[i][j] += sum_p a[i][p] b[j][p], lane by lane: acc holds vectors, reduced once at the end by `reduce`. */
INLINE void dots_block(const int A, const int B, REAL *acc, int64_t columns, const_maps a, const_maps b,
                       int64_t pixels) {
    vector s[4][4];
    for (int i = 0; i < A; i++)
        for (int j = 0; j < B; j++) s[i][j] = load(acc + (i * columns + j) * LANES);
    int64_t p = 0;
    for (; p + LANES <= pixels; p += LANES) {
        vector v[4];
        for (int j = 0; j < B; j++) v[j] = load(b.data + j * b.pitch + p);
        for (int i = 0; i < A; i++) {
            vector u = load(a.data + i * a.pitch + p);
            for (int j = 0; j < B; j++) s[i][j] += u * v[j];
        }
    }
    if (p < pixels)
        for (int i = 0; i < A; i++) {
            vector u = load_some(a.data + i * a.pitch + p, pixels - p);
            for (int j = 0; j < B; j++) s[i][j] += u * load_some(b.data + j * b.pitch + p, pixels - p);
        }
    for (int i = 0; i < A; i++)
        for (int j = 0; j < B; j++) store(acc + (i * columns + j) * LANES, s[i][j]);
}

static void dots(REAL *acc, const_maps a, int64_t rows, const_maps b, int64_t columns, int64_t pixels) {
    for (int64_t i = 0; i < rows;) {
        int64_t deep = rows - i >= 4 ? 4 : 1;
        for (int64_t j = 0; j < columns;) {
            int64_t wide = columns - j >= 4 ? 4 : 1;
            REAL *at = acc + (i * columns + j) * LANES;
            const_maps u = {a.data + i * a.pitch, a.pitch}, v = {b.data + j * b.pitch, b.pitch};
            if (deep == 4 && wide == 4) dots_block(4, 4, at, columns, u, v, pixels);
            else if (deep == 4) dots_block(4, 1, at, columns, u, v, pixels);
            else if (wide == 4) dots_block(1, 4, at, columns, u, v, pixels);
            else dots_block(1, 1, at, columns, u, v, pixels);
            j += wide;
        }
        i += deep;
    }
}

static REAL reduce(const REAL *acc) { return sum_lanes(load(acc)); }
