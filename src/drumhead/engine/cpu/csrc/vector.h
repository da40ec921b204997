/* Vectors of REAL, and the two nonlinearities. Written with the vector extensions of GCC and Clang, so that one source
 * serves every instruction set; VECTOR_BYTES is 16, 32 or 64. */

#define SIDE_BY_SIDE 2 /* vectors, at most, of `tanh_of_each` */
#define LANES ((int64_t)(VECTOR_BYTES / sizeof(REAL)))

typedef REAL vector __attribute__((vector_size(VECTOR_BYTES)));
typedef REAL vector_at __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
#if REAL_IS_DOUBLE
typedef int64_t lane_mask __attribute__((vector_size(VECTOR_BYTES)));
#else
typedef int32_t lane_mask __attribute__((vector_size(VECTOR_BYTES)));
#endif

INLINE vector load(const REAL *p) { return *(const vector_at *)p; }
INLINE void store(REAL *p, vector v) { *(vector_at *)p = v; }
INLINE vector splat(REAL s) { return s - (vector){0}; }
INLINE vector choose(lane_mask m, vector a, vector b) {
    return (vector)(((lane_mask)a & m) | ((lane_mask)b & ~m));
}

INLINE vector rectified(vector v) { return choose(v < splat(0), splat(0), v); } /* NaN stays NaN */

/* Only the first n lanes are touched; the others read as 0. */
INLINE vector load_some(const REAL *p, int64_t n) {
    vector v = {0};
    memcpy(&v, p, (size_t)n * sizeof(REAL));
    return v;
}
INLINE void store_some(REAL *p, vector v, int64_t n) { memcpy(p, &v, (size_t)n * sizeof(REAL)); }

INLINE REAL sum_lanes(vector v) {
    REAL s = 0;
    for (int64_t i = 0; i < LANES; i++) s += v[i];
    return s;
}

/* x between -limit and limit; NaN stays NaN: where one of the two is NaN, x86's min and max give the second. */
INLINE vector clamp(vector x, REAL limit) {
#if VECTOR_BYTES == 32 && defined(__AVX__) && !REAL_IS_DOUBLE
    return (vector)_mm256_max_ps((__m256)splat(-limit), _mm256_min_ps((__m256)splat(limit), (__m256)x));
#elif VECTOR_BYTES == 64 && !REAL_IS_DOUBLE
    return (vector)_mm512_max_ps((__m512)splat(-limit), _mm512_min_ps((__m512)splat(limit), (__m512)x));
#else
    x = choose(x > splat(limit), splat(limit), x);
    return choose(x < splat(-limit), splat(-limit), x);
#endif
}

/* tanh as x P(x^2) / Q(x^2), relative error 3e-7 in float (diagnostics/fit_tanh.py), of n vectors: each waits long for
 * itself, so they go through it side by side. Double precision takes the library's tanh: it serves gradient checks. */
INLINE void tanh_of_each(vector *x, const int n) {
#if REAL_IS_DOUBLE
    for (int k = 0; k < n; k++) {
        vector v = x[k];
        for (int64_t i = 0; i < LANES; i++) v[i] = tanh(v[i]);
        x[k] = v;
    }
#else
    static const REAL of_p[] = {1.33545448e-08f, 2.06089952e-05f, 0.00349558276f, 0.133810211f, 0.999999979f};
    static const REAL of_q[] = {7.7765096e-07f, 0.000328562608f, 0.0258769618f, 0.467143367f, 1.0f};
    vector u[SIDE_BY_SIDE], p[SIDE_BY_SIDE], q[SIDE_BY_SIDE];
    for (int k = 0; k < n; k++) x[k] = clamp(x[k], 9), u[k] = x[k] * x[k], p[k] = splat(of_p[0]), q[k] = splat(of_q[0]);
    UNROLL(4)
    for (int i = 1; i < 5; i++)
        for (int k = 0; k < n; k++) p[k] = p[k] * u[k] + of_p[i], q[k] = q[k] * u[k] + of_q[i];
    for (int k = 0; k < n; k++) x[k] = x[k] * p[k] / q[k];
#endif
}

INLINE vector tanh_of(vector x) {
    tanh_of_each(&x, 1);
    return x;
}

/* A square block of LANES x LANES numbers, in place. */
#if VECTOR_BYTES == 64 && !REAL_IS_DOUBLE
INLINE void transpose(vector v[16]) {
    __m512 a[16], b[16];
    for (int i = 0; i < 16; i += 4) { /* 4 x 4 within the quarters */
        __m512d lo = (__m512d)_mm512_unpacklo_ps((__m512)v[i], (__m512)v[i + 1]);
        __m512d hi = (__m512d)_mm512_unpackhi_ps((__m512)v[i], (__m512)v[i + 1]);
        __m512d lo2 = (__m512d)_mm512_unpacklo_ps((__m512)v[i + 2], (__m512)v[i + 3]);
        __m512d hi2 = (__m512d)_mm512_unpackhi_ps((__m512)v[i + 2], (__m512)v[i + 3]);
        a[i] = (__m512)_mm512_unpacklo_pd(lo, lo2), a[i + 1] = (__m512)_mm512_unpackhi_pd(lo, lo2);
        a[i + 2] = (__m512)_mm512_unpacklo_pd(hi, hi2), a[i + 3] = (__m512)_mm512_unpackhi_pd(hi, hi2);
    }
    for (int i = 0; i < 4; i++) { /* then the quarters themselves */
        __m512 p = _mm512_shuffle_f32x4(a[i], a[i + 4], 0x88), q = _mm512_shuffle_f32x4(a[i], a[i + 4], 0xdd);
        __m512 r = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0x88), s = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0xdd);
        b[i] = _mm512_shuffle_f32x4(p, r, 0x88), b[i + 8] = _mm512_shuffle_f32x4(p, r, 0xdd);
        b[i + 4] = _mm512_shuffle_f32x4(q, s, 0x88), b[i + 12] = _mm512_shuffle_f32x4(q, s, 0xdd);
    }
    for (int i = 0; i < 16; i++) v[i] = (vector)b[i];
}
#elif VECTOR_BYTES == 32 && !REAL_IS_DOUBLE
INLINE void transpose(vector v[8]) {
    __m256 a[8], b[8];
    for (int i = 0; i < 8; i += 2) { /* 2 x 2 within the halves */
        a[i] = _mm256_unpacklo_ps((__m256)v[i], (__m256)v[i + 1]);
        a[i + 1] = _mm256_unpackhi_ps((__m256)v[i], (__m256)v[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) { /* then 4 x 4 */
        b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44), b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xee);
        b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44), b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) { /* then the halves themselves */
        v[i] = (vector)_mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
        v[i + 4] = (vector)_mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
    }
}
#else
INLINE void transpose(vector *v) {
    for (int64_t i = 0; i < LANES; i++)
        for (int64_t j = 0; j < i; j++) {
            REAL t = v[i][j];
            v[i][j] = v[j][i], v[j][i] = t;
        }
}
#endif
