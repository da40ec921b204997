/* Products in bfloat16 with sums in float32 (AVX-512 BF16): two neighbours along the sum share 32 bits.
 *
 *     pairs    [i / 2][p]: rows i and i + 1 interleaved       natural  [i][p / 2]: pixels p and p + 1 side by side
 */
#if CAN_REDUCE

/* (low, high) -> 32 bits a lane */
INLINE __m512i interleave(vector low, vector high) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low));
}

/* Rows of one matrix in pairs; an odd last row is paired with zeros. */
static void pair_rows(uint32_t *to, int64_t to_pitch, const REAL *from, int64_t pitch, int64_t rows, int64_t columns) {
    for (int64_t i = 0; i < rows; i += 2)
        for (int64_t p = 0; p < columns; p += LANES) {
            vector low = load(from + i * pitch + p), high = i + 1 < rows ? load(from + (i + 1) * pitch + p) : (vector){0};
            _mm512_storeu_si512(to + i / 2 * to_pitch + p, interleave(low, high));
        }
}

static uint16_t to_bfloat16(float v) {
    uint32_t bits;
    memcpy(&bits, &v, 4);
    if (v != v) return 0x7fc0;
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* A matrix (rows, columns) with neighbours of a row side by side, rows padded to whole pairs. */
static void pack_weights(uint32_t *to, const float *from, int64_t rows, int64_t columns) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c += 2) {
            uint32_t low = to_bfloat16(from[r * columns + c]);
            uint32_t high = c + 1 < columns ? to_bfloat16(from[r * columns + c + 1]) : 0;
            *to++ = low | high << 16;
        }
}

/* Rows in bfloat16, pixels side by side; `columns` is a multiple of 32. */
static void natural_rows(uint16_t *to, const REAL *from, int64_t rows, int64_t columns) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t p = 0; p < columns; p += 2 * LANES) {
            const float *at = from + i * columns + p;
            _mm512_storeu_si512(to + i * columns + p,
                                (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(at + LANES), _mm512_loadu_ps(at)));
        }
}

/* to[p / 2][i]: pixels p and p + 1 of row i; rows of `to` are `pitch` apart, missing rows are 0. */
static void turn_pairs(uint32_t *to, int64_t pitch, const REAL *from, int64_t rows) {
    for (int64_t i = 0; i < pitch; i += LANES)
        for (int64_t p = 0; p < TILE; p += 2 * LANES) {
            vector block[16];
            for (int64_t j = 0; j < 16; j++) {
                const float *at = from + (i + j) * TILE + p;
                block[j] = i + j >= rows ? (vector){0}
                                         : (vector)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(at + LANES), _mm512_loadu_ps(at));
            }
            transpose(block);
            for (int64_t j = 0; j < 16; j++) _mm512_storeu_si512(to + (p / 2 + j) * pitch + i, (__m512i)block[j]);
        }
}

/* The same of the transpose: to[c][r / 2] from (rows, columns), rows padded with zeros to `padded`, an even number. */
static void pack_turned(uint32_t *to, const float *from, int64_t rows, int64_t columns, int64_t padded) {
    for (int64_t c = 0; c < columns; c++)
        for (int64_t r = 0; r < padded; r += 2) {
            uint32_t low = r < rows ? to_bfloat16(from[r * columns + c]) : 0;
            uint32_t high = r + 1 < rows ? to_bfloat16(from[(r + 1) * columns + c]) : 0;
            *to++ = low | high << 16;
        }
}

INLINE void combine_pairs_block(const int OUT, const int WIDE, float *out, int64_t out_pitch, const uint32_t *in,
                                const uint32_t *more, int64_t in_pitch, int64_t inputs, const uint32_t *weight,
                                int64_t wo, int add) {
    __m512 acc[8][4];
    for (int j = 0; j < OUT; j++)
        for (int b = 0; b < WIDE; b++)
            acc[j][b] = add ? _mm512_loadu_ps(out + j * out_pitch + b * 16) : _mm512_setzero_ps();
    for (; in; in = more, more = NULL, weight += inputs)
        for (int64_t i = 0; i < inputs; i++) {
            __m512bh v[4];
            for (int b = 0; b < WIDE; b++) v[b] = (__m512bh)_mm512_loadu_si512(in + i * in_pitch + b * 16);
            for (int j = 0; j < OUT; j++) {
                __m512bh w = (__m512bh)_mm512_set1_epi32((int)weight[j * wo + i]);
                for (int b = 0; b < WIDE; b++) acc[j][b] = _mm512_dpbf16_ps(acc[j][b], v[b], w);
            }
        }
    for (int j = 0; j < OUT; j++)
        for (int b = 0; b < WIDE; b++) _mm512_storeu_ps(out + j * out_pitch + b * 16, acc[j][b]);
}

/* out[o][p] (+)= sum over pairs i of weight[o * wo + i] . in[i][p]; `columns` is a multiple of 16. If there is `more`,
 * it stands for the inputs that follow: sums that are read and written once cost half. */
static void combine_pairs(float *out, int64_t out_pitch, int64_t outputs, const uint32_t *in, const uint32_t *more,
                          int64_t in_pitch, int64_t inputs, const uint32_t *weight, int64_t wo, int64_t columns, int add) {
    for (int64_t p = 0; p < columns;) {
        const int64_t wide = columns - p >= 64 ? 4 : 1;
        for (int64_t o = 0; o < outputs;) {
            float *to = out + o * out_pitch + p;
            const int64_t deep = outputs - o >= 6 ? 6 : outputs - o >= 2 ? 2 : 1;
            const uint32_t *then = more ? more + p : NULL;
#define PAIRS(OUT, WIDE) \
    combine_pairs_block(OUT, WIDE, to, out_pitch, in + p, then, in_pitch, inputs, weight + o * wo, wo, add)
            if (wide == 4) {
                if (deep == 6) PAIRS(6, 4);
                else if (deep == 2) PAIRS(2, 4);
                else PAIRS(1, 4);
            } else {
                if (deep == 6) PAIRS(6, 1);
                else if (deep == 2) PAIRS(2, 1);
                else PAIRS(1, 1);
            }
#undef PAIRS
            o += deep;
        }
        p += wide * 16;
    }
}

/* acc[i][j] += sum over pixels of a[i] b[j], both in bfloat16 with pixels side by side; lane by lane, as `dots`. */
INLINE void dots_reduced_block(const int A, const int B, float *acc, int64_t columns, const uint16_t *a, int64_t a_pitch,
                               const uint16_t *b, int64_t b_pitch, int64_t pixels) {
    __m512 s[4][4];
    for (int i = 0; i < A; i++)
        for (int j = 0; j < B; j++) s[i][j] = _mm512_loadu_ps(acc + (i * columns + j) * 16);
    for (int64_t p = 0; p < pixels; p += 32) {
        __m512bh v[4];
        for (int j = 0; j < B; j++) v[j] = (__m512bh)_mm512_loadu_si512(b + j * b_pitch + p);
        for (int i = 0; i < A; i++) {
            __m512bh u = (__m512bh)_mm512_loadu_si512(a + i * a_pitch + p);
            for (int j = 0; j < B; j++) s[i][j] = _mm512_dpbf16_ps(s[i][j], u, v[j]);
        }
    }
    for (int i = 0; i < A; i++)
        for (int j = 0; j < B; j++) _mm512_storeu_ps(acc + (i * columns + j) * 16, s[i][j]);
}

static void dots_reduced(float *acc, const uint16_t *a, int64_t a_pitch, int64_t rows, const uint16_t *b,
                         int64_t b_pitch, int64_t columns, int64_t pixels) {
    for (int64_t i = 0, deep; i < rows; i += deep) {
        deep = rows - i >= 4 ? 4 : 1;
        for (int64_t j = 0, wide; j < columns; j += wide) {
            wide = columns - j >= 4 ? 4 : 1;
            float *at = acc + (i * columns + j) * 16;
            const uint16_t *u = a + i * a_pitch, *v = b + j * b_pitch;
            if (deep == 4 && wide == 4) dots_reduced_block(4, 4, at, columns, u, a_pitch, v, b_pitch, pixels);
            else if (deep == 4) dots_reduced_block(4, 1, at, columns, u, a_pitch, v, b_pitch, pixels);
            else if (wide == 4) dots_reduced_block(1, 4, at, columns, u, a_pitch, v, b_pitch, pixels);
            else dots_reduced_block(1, 1, at, columns, u, a_pitch, v, b_pitch, pixels);
        }
    }
}
#endif
