/* Sigmoid and softplus, through e = exp(-|x|), which never overflows:
 *     sigmoid x = 1 / (1 + e), or e / (1 + e) where x < 0        softplus x = max(x, 0) + log(1 + e)
 * Relative error below 3e-7 in float. Double precision takes the library's functions, as in vector.h. NaN stays NaN.
 */

#if REAL_IS_DOUBLE
#define EACH(v, function) \
    for (int64_t i_ = 0; i_ < LANES; i_++) v[i_] = function(v[i_])

INLINE vector exp_of(vector x) {
    EACH(x, exp);
    return x;
}

INLINE vector log_of_one_more(vector e) {
    EACH(e, log1p);
    return e;
}
#else
/* 2^n p(r) with x = n log 2 + r; for x from -87 to 0. */
INLINE vector exp_of(vector x) {
    const REAL magic = 12582912; /* 1.5 2^23: its last bits are whole numbers */
    vector n = x * (REAL)1.44269504 + magic, whole = n - magic;
    vector r = x - whole * (REAL)0.693359375 + whole * (REAL)2.12194440e-4;
    vector p = splat((REAL)(1.0 / 720));
    const REAL of[] = {(REAL)(1.0 / 120), (REAL)(1.0 / 24), (REAL)(1.0 / 6), (REAL)0.5, 1, 1};
    UNROLL(6)
    for (int i = 0; i < 6; i++) p = p * r + of[i];
    return (vector)((lane_mask)p + ((lane_mask)n << 23));
}

/* 2 atanh(s) with s = e / (2 + e), at most 1/3. */
INLINE vector log_of_one_more(vector e) {
    vector s = e / (e + 2), u = s * s, p = splat((REAL)(2.0 / 15));
    const REAL of[] = {(REAL)(2.0 / 13), (REAL)(2.0 / 11), (REAL)(2.0 / 9), (REAL)(2.0 / 7), (REAL)0.4, (REAL)(2.0 / 3), 2};
    UNROLL(7)
    for (int i = 0; i < 7; i++) p = p * u + of[i];
    return p * s;
}
#endif

INLINE vector exp_of_minus(vector x) { /* exp(-|x|), 0 from where it is below any share of 1 */
    x = choose(x < splat(0), x, -x);
    return exp_of(choose(x < splat(-87), splat(-87), x));
}

INLINE vector sigmoid_of(vector x) {
    const vector e = exp_of_minus(x);
    return choose(x < splat(0), e, splat(1)) / (e + 1);
}

INLINE vector softplus_of(vector x) { return rectified(x) + log_of_one_more(exp_of_minus(x)); }
