/* W * y for four rows at once with half the multiplications: Winograd's F(4, 3) along y.
 *
 *     spread   v = B^T (rows r - 1 .. r + 4)          six rows, channel by channel
 *     multiply m_k = sum over channels and dx of u_k v_k,   u = G w       six kernels of one row
 *     gather   rows r .. r + 3 = A^T m
 *
 *           4  0 -5  0  1  0           1/4    0    0
 *           0 -4 -4  1  1  0          -1/6 -1/6 -1/6          1  1  1  1  1  0
 *     B^T = 0  4 -4 -1  1  0      G = -1/6  1/6 -1/6    A^T = 0  1 -1  2 -2  0
 *           0 -2 -1  2  1  0          1/24 1/12  1/6          0  1  1  4  4  0
 *           0  2 -1 -2  1  0          1/24-1/12  1/6          0  1 -1  8 -8  1
 *           0  4  0 -5  0  1             0    0    1
 *
 * The kernel's gradient is the same the other way round: g_w = G^T sum over quads and pixels of (A q)_k v_k.
 * It pays where a sum over channels hides the six and four rows of additions. All six rows reach all four sums, those too far
 * away only until they cancel: what is left is a rounding error of the largest of them, and an infinite or undefined
 * number stays. A. Lavin and S. Gray, Fast algorithms for convolutional neural networks, CVPR 2016.
 */

INLINE void spread_vector(REAL *to, int64_t plane, const REAL *const *rows, int64_t at) {
    const vector d0 = load(rows[0] + at), d1 = load(rows[1] + at), d2 = load(rows[2] + at), d3 = load(rows[3] + at),
                 d4 = load(rows[4] + at), d5 = load(rows[5] + at);
    const vector even = d4 - 4 * d2, odd = d3 - 4 * d1, near = d4 - d2, across = 2 * (d3 - d1);
    store(to, 4 * d0 - 5 * d2 + d4);
    store(to + plane, even + odd), store(to + 2 * plane, even - odd);
    store(to + 3 * plane, near + across), store(to + 4 * plane, near - across);
    store(to + 5 * plane, 4 * d1 - 5 * d3 + d5);
}

/* OUT channels from c and WIDE vectors from x of all four rows. */
INLINE void multiply_block(const stencil *s, const int OUT, const int WIDE, const int64_t KX, int64_t c, int64_t x) {
    const int64_t stride = s->stride, plane = s->inner * stride;
    const REAL *tap = s->quad_taps + c * s->inner * SIX * KX;
    vector m[SIX][DEEPEST][WIDEST];
    for (int k = 0; k < SIX; k++) {
        vector acc[DEEPEST][WIDEST];
        for (int j = 0; j < OUT; j++)
            for (int b = 0; b < WIDE; b++) acc[j][b] = (vector){0};
        const REAL *row = s->spread + k * plane + x - KX / 2;
        for (int64_t i = 0; i < s->inner; i++, row += stride) {
            UNROLL(3)
            for (int64_t dx = 0; dx < KX; dx++, tap += OUT) {
                vector v[WIDEST];
                for (int b = 0; b < WIDE; b++) v[b] = load(row + dx + b * LANES);
                for (int j = 0; j < OUT; j++)
                    for (int b = 0; b < WIDE; b++) acc[j][b] += tap[j] * v[b];
            }
        }
        for (int j = 0; j < OUT; j++)
            for (int b = 0; b < WIDE; b++) m[k][j][b] = acc[j][b];
    }
    for (int j = 0; j < OUT; j++)
        for (int b = 0; b < WIDE; b++) {
            REAL *to = s->four + (c + j) * stride + x + b * LANES;
            const int64_t next = s->outer * stride;
            const vector sum = m[1][j][b] + m[2][j][b], difference = m[1][j][b] - m[2][j][b],
                         wide_sum = m[3][j][b] + m[4][j][b], wide_difference = m[3][j][b] - m[4][j][b];
            store(to, m[0][j][b] + sum + wide_sum);
            store(to + next, difference + 2 * wide_difference);
            store(to + 2 * next, sum + 4 * wide_sum);
            store(to + 3 * next, difference + 8 * wide_difference + m[5][j][b]);
        }
}

/* Couple four rows for `convolve`, given the six that they see, for columns [from, limit). */
static void couple_four(const stencil *s, const REAL *const *six, int64_t left, int64_t from, int64_t limit) {
    const int64_t plane = s->inner * s->stride;
    for (int64_t at = 0; at < plane; at += LANES) spread_vector(s->spread - left + at, plane, six, at - left);
#define MULTIPLY(OUT, WIDE, KY, KX) multiply_block(s, OUT, WIDE, KX, c, x)
    for (int64_t x0 = from; x0 < limit; x0 += WIDEST * LANES) { /* columns outermost: what was spread stays in cache */
        const int64_t end = x0 + WIDEST * LANES < limit ? x0 + WIDEST * LANES : limit;
        for (int64_t c = 0; c < s->outer; c += block_of(s, c)) {
            int64_t x = x0;
            if (s->kx == 3) {
                if (block_of(s, c) == 4) OVER_COLUMNS(MULTIPLY, 4, 1, 3, x, end);
                else if (block_of(s, c) == 2) OVER_COLUMNS(MULTIPLY, 2, 1, 3, x, end);
                else OVER_COLUMNS(MULTIPLY, 1, 1, 3, x, end);
            } else {
                if (block_of(s, c) == 4) OVER_COLUMNS(MULTIPLY, 4, 1, s->kx, x, end);
                else if (block_of(s, c) == 2) OVER_COLUMNS(MULTIPLY, 2, 1, s->kx, x, end);
                else OVER_COLUMNS(MULTIPLY, 1, 1, s->kx, x, end);
            }
        }
    }
#undef MULTIPLY
}

/* (A q)_k of `count` numbers, side by side, of four rows. */
static void spread_gradient(REAL *to, int64_t plane, const REAL *const *q, int64_t count) {
    for (int64_t at = 0; at < count; at += LANES) {
        const vector q0 = load(q[0] + at), q1 = load(q[1] + at), q2 = load(q[2] + at), q3 = load(q[3] + at);
        const vector even = q0 + q2, odd = q1 + q3, wide_even = q0 + 4 * q2, wide_odd = 2 * q1 + 8 * q3;
        store(to + at, q0), store(to + 5 * plane + at, q3);
        store(to + plane + at, even + odd), store(to + 2 * plane + at, even - odd);
        store(to + 3 * plane + at, wide_even + wide_odd), store(to + 4 * plane + at, wide_even - wide_odd);
    }
}
