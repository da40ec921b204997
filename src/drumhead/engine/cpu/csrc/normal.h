/* Normalisation over the maps k of each pixel, with a ReLU or without one, and its adjoint.
 *
 *     m, v: mean and variance of x_k,   r = 1 / sqrt(v + eps),   n_k = (x_k - m) r,   y_k = relu(g_k n_k + s_k)
 *     h_k = gy_k where y_k is above 0:  gs_k = sum of h_k,   gg_k = sum of h_k n_k,   over all pixels
 *     gx_k = r (g_k h_k - mean(g h) - n_k mean(g h n)),      means over k
 *
 * A strip of pixels is read once into a block [maps][STRIP] that stays in cache, since maps lie whole planes apart.
 */

#define ACROSS 4 /* vectors of a strip */
#define STRIP (ACROSS * LANES)
#define EACH_VECTOR(j) UNROLL(4) for (int j = 0; j < ACROSS; j++)

typedef struct {
    const pixelnorm *a;
    REAL *n, *h;              /* [maps][STRIP] */
    vector *g_gain, *g_shift; /* [maps] */
    REAL *row;                /* [STRIP], of a strip that ends early */
} normal;

static normal make_normal(const pixelnorm *a, int back, arena *memory) {
    normal f = {.a = a, .n = take(memory, a->maps * STRIP, sizeof(REAL))};
    f.row = take(memory, STRIP, sizeof(REAL));
    if (back) {
        f.h = take(memory, a->maps * STRIP, sizeof(REAL));
        f.g_gain = take(memory, a->maps, sizeof(vector)), f.g_shift = take(memory, a->maps, sizeof(vector));
    }
    return f;
}

static int64_t strips_of(const pixelnorm *a) { return (a->pixels + STRIP - 1) / STRIP; }

/* `some` numbers of a row, zeros after them. */
INLINE const REAL *whole_row(const normal *f, const REAL *from, int64_t some) {
    if (some == STRIP) return from;
    memset(f->row, 0, STRIP * sizeof(REAL));
    return memcpy(f->row, from, (size_t)some * sizeof(REAL));
}

/* x_k -> n_k of the pixels of a strip, in place; maps lie `pitch` numbers apart. r of each pixel. */
INLINE void normalise(REAL *x, int64_t maps, int64_t pitch, REAL eps, vector *r) {
    vector sum[ACROSS] = {{0}}, squares[ACROSS] = {{0}};
    for (int64_t k = 0; k < maps; k++) EACH_VECTOR(j) sum[j] += load(x + k * pitch + j * LANES);
    EACH_VECTOR(j) sum[j] /= splat((REAL)maps);
    for (int64_t k = 0; k < maps; k++) EACH_VECTOR(j) {
            const vector d = load(x + k * pitch + j * LANES) - sum[j];
            store(x + k * pitch + j * LANES, d), squares[j] += d * d;
        }
    EACH_VECTOR(j) {
        const vector v = squares[j] / splat((REAL)maps) + splat(eps);
        for (int64_t i = 0; i < LANES; i++) r[j][i] = 1 / (REAL_IS_DOUBLE ? (REAL)sqrt(v[i]) : (REAL)sqrtf((float)v[i]));
    }
    for (int64_t k = 0; k < maps; k++)
        EACH_VECTOR(j) store(x + k * pitch + j * LANES, load(x + k * pitch + j * LANES) * r[j]);
}

/* n_k of a strip at x, in f->n; r of its pixels. */
INLINE void read_normalised(const normal *f, const REAL *x, int64_t some, vector *r) {
    for (int64_t k = 0; k < f->a->maps; k++) {
        const REAL *row = whole_row(f, x + k * f->a->pixels, some);
        EACH_VECTOR(j) store(f->n + k * STRIP + j * LANES, load(row + j * LANES));
    }
    normalise(f->n, f->a->maps, STRIP, (REAL)f->a->eps, r);
}

static void put_row(REAL *to, const vector *v, int64_t some) {
    if (some == STRIP) {
        EACH_VECTOR(j) store(to + j * LANES, v[j]);
    } else {
        memcpy(to, v, (size_t)some * sizeof(REAL));
    }
}

static void normal_forward(const normal *f, int64_t strip) {
    const pixelnorm *a = f->a;
    const int64_t image = strip / strips_of(a), at = strip % strips_of(a) * STRIP, some = least(STRIP, a->pixels - at);
    const int64_t start = image * a->maps * a->pixels + at;
    const REAL *gain = a->gain, *shift = a->shift;
    vector r[ACROSS], y[ACROSS];
    read_normalised(f, (const REAL *)a->input + start, some, r);
    for (int64_t k = 0; k < a->maps; k++) {
        EACH_VECTOR(j) y[j] = gain[k] * load(f->n + k * STRIP + j * LANES) + shift[k];
        if (a->rectify) EACH_VECTOR(j) y[j] = rectified(y[j]);
        put_row((REAL *)a->output + start + k * a->pixels, y, some);
    }
}

static void normal_backward(const normal *f, int64_t strip) {
    const pixelnorm *a = f->a;
    const int64_t image = strip / strips_of(a), at = strip % strips_of(a) * STRIP, some = least(STRIP, a->pixels - at);
    const int64_t start = image * a->maps * a->pixels + at;
    const REAL *gain = a->gain, *shift = a->shift;
    vector r[ACROSS], along[ACROSS] = {{0}}, across[ACROSS] = {{0}}, gx[ACROSS];
    read_normalised(f, (const REAL *)a->input + start, some, r);
    for (int64_t k = 0; k < a->maps; k++) {
        const REAL *row = whole_row(f, (const REAL *)a->grad_output + start + k * a->pixels, some);
        vector g_gain = {0}, g_shift = {0};
        EACH_VECTOR(j) {
            const vector n = load(f->n + k * STRIP + j * LANES);
            vector h = load(row + j * LANES);
            if (a->rectify) h = choose(gain[k] * n + shift[k] <= splat(0), splat(0), h);
            store(f->h + k * STRIP + j * LANES, h);
            g_gain += h * n, g_shift += h;
            along[j] += gain[k] * h, across[j] += gain[k] * h * n;
        }
        f->g_gain[k] += g_gain, f->g_shift[k] += g_shift;
    }
    EACH_VECTOR(j) along[j] /= splat((REAL)a->maps), across[j] /= splat((REAL)a->maps);
    for (int64_t k = 0; k < a->maps; k++) {
        EACH_VECTOR(j) {
            const vector n = load(f->n + k * STRIP + j * LANES), h = load(f->h + k * STRIP + j * LANES);
            gx[j] = r[j] * (gain[k] * h - along[j] - n * across[j]);
        }
        put_row((REAL *)a->grad_input + start + k * a->pixels, gx, some);
    }
}

/* Strips group, group + groups, ..: which worker takes which group changes no number. */
static void normal_group(const normal *f, int64_t group) {
    const pixelnorm *a = f->a;
    memset(f->g_gain, 0, (size_t)a->maps * sizeof(vector)), memset(f->g_shift, 0, (size_t)a->maps * sizeof(vector));
    for (int64_t strip = group; strip < a->batch * strips_of(a); strip += a->groups) normal_backward(f, strip);
    REAL *gain = (REAL *)a->grad_gain + group * a->maps, *shift = (REAL *)a->grad_shift + group * a->maps;
    for (int64_t k = 0; k < a->maps; k++) gain[k] = sum_lanes(f->g_gain[k]), shift[k] = sum_lanes(f->g_shift[k]);
}
