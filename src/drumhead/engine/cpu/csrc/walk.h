/* The walk back through the steps of one image. */

/* From the gradients of (y_{t+1}, z_{t+1}) to those of (y_t, z_t). `y` holds y_t; z_in holds z_{t+1} if reversing,
 * where cells that forget take z_t from what was kept. */
static void step_back(backward *f, int64_t image, int64_t t, const REAL *y, const REAL *z_in, REAL *z_out, int reverse) {
    const plan *a = f->a;
    const grid *g = &f->g;
    const int64_t h = g->height, ry = g->ry, mirrored = g->boundary == REFLECTING, first = t == 0 && !a->begun;
    const REAL *decay = first ? f->first_decay : f->decay;
    /* Rows of W^T q follow as soon as the rows of q that they see are there; on a torus the first ones come last, and
     * a mirror's folded rows must all wait. */
    const int64_t ahead = g->quads ? FOUR : ry;
    const int64_t low = g->boundary == PERIODIC ? least(ahead, h) : mirrored ? -ry : 0, high = mirrored ? h + ry : h;
    int64_t next = low, correlated = 0;
    for (int64_t r = 0; r < h; r++) {
        for (int64_t d = -ry; d <= ry; d++) f->rows[d + ry] = neighbour(g, y, r + d);
        REAL *q = f->q + r * g->padded;
        row_back back = {
            .rows = f->rows, .y = f->rows[ry], .omega = f->omega + r * g->plain, .decay = decay + r * g->plain,
            .inverse = f->inverse + r * g->plain, .kept = f->lapses.row, .z_in = z_in + r * g->plain, .z_out = z_out + r * g->plain,
            .gy = f->gy + r * g->plain, .gz = f->gz + r * g->plain, .g_omega = f->g_omega + r * g->plain,
            .g_decay = (first ? f->g_first : f->g_decay) + r * g->plain, .q = q, .dt = (REAL)a->dt,
            .offset = (REAL)(first ? a->first_offset : a->offset), .slope = (REAL)(first ? 0 : a->slope),
            .reverse = reverse,
        };
        if (g->quads) f->coupling.spread = f->spreads + f->pending * SIX * g->channels * g->stride;
        prepare(g, &f->coupling, y, r);
        if (reverse) remember(&f->lapses, velocities_of(a, image, t), r);
        back_row(a, g, &f->coupling, &back);
        if (reverse) forget(&f->lapses, r);
        clear_tail(g, q);
        if (g->boundary == PERIODIC) fill_halo(g, q, g->channels); /* elsewhere there is nothing outside */
        if (g->quads) correlate_quads(f, r);
        else if (r + 1 - correlated == CHUNK || r + 1 == h) correlate(f, y, correlated, r + 1), correlated = r + 1;
        if (!mirrored)
            for (; next + ahead <= r && next < high; next++) transpose_row(f, next, low);
    }
    for (; next < high; next++) transpose_row(f, next, low);
    for (int64_t r = 0; r < low; r++) transpose_row(f, r, 0);
}

/* The segment's states once more, forwards: y_kept[0 .. n], z_kept[0 .. n]. */
static void keep_states(backward *f, int64_t start, int64_t n) {
    const plan *a = f->a;
    const grid *g = &f->g;
    for (int64_t k = 0; k < n; k++) {
        const int64_t first = start + k == 0 && !a->begun;
        const step now = {f->rows, f->y_kept[k], f->z_kept[k], f->omega, first ? f->first_decay : f->decay,
                          f->y_kept[k + 1], f->z_kept[k + 1], first};
        for (int64_t r = 0; r < g->height; r++) step_row(a, g, &f->coupling, &now, r);
    }
}

/* worst <- the larger of worst and |a - b|, lane by lane; NaN counts as larger than everything. */
INLINE vector farther(vector worst, vector a, vector b) {
    vector d = choose(a < b, b - a, a - b);
    return choose((d <= worst) | (worst != worst), worst, d);
}

/* Largest difference between the reconstructed state and the checkpoint it should meet. */
static double miss(const backward *f, const REAL *y, const REAL *z) {
    const grid *g = &f->g;
    vector worst = {0};
    for (int64_t c = 0; c < g->channels; c++)
        for (int64_t r = 0; r < g->height; r++) {
            const int64_t at = (c * g->height + r) * g->width;
            const REAL *here_y = f->y + r * g->padded + c * g->stride, *here_z = f->z + r * g->plain + c * g->lanes;
            int64_t x = 0;
            for (; x + LANES <= g->width; x += LANES) {
                worst = farther(worst, load(here_y + x), load(y + at + x));
                worst = farther(worst, load(here_z + x), load(z + at + x));
            }
            if (x == g->width) continue;
            worst = farther(worst, load_some(here_y + x, g->width - x), load_some(y + at + x, g->width - x));
            worst = farther(worst, load_some(here_z + x, g->width - x), load_some(z + at + x, g->width - x));
        }
    double most = 0;
    for (int64_t i = 0; i < LANES; i++)
        if (!(worst[i] <= most)) most = worst[i];
    return most;
}

static void backward_image(backward *f, int64_t image) {
    const plan *a = f->a;
    const grid *g = &f->g;
    const int64_t at = image * f->pixels, count = (a->steps + a->segment - 1) / a->segment;
    const size_t plane = (size_t)(g->height * g->plain) * sizeof(REAL);
    const REAL *y0 = (const REAL *)a->y0 + at, *z0 = a->z0 ? (const REAL *)a->z0 + at : NULL;
    REAL *zeroed[] = {f->gy, f->gz, f->g_omega, f->g_decay, f->g_first};
    for (size_t i = 0; i < sizeof zeroed / sizeof *zeroed; i++) memset(zeroed[i], 0, plane);
    if (a->grad_end) {
        read_plain(g, f->gy, (const REAL *)a->grad_end + at);
        read_plain(g, f->gz, (const REAL *)a->grad_end + a->batch * f->pixels + at);
    }
    memset(f->g_taps, 0, (size_t)(f->taps * LANES * (g->quads ? 2 : 1)) * sizeof(REAL));
    f->pending = 0;
    read_plain(g, f->omega, (const REAL *)a->omega + at);
    read_plain(g, f->decay, (const REAL *)a->decay + at);
    if (a->first_decay) read_plain(g, f->first_decay, (const REAL *)a->first_decay + at);
    find_forgetful(&f->lapses, a, g, f->decay);
    for (int64_t i = 0; i < g->height * g->plain; i++)
        f->inverse[i] = f->decay[i] >= f->lapses.limit && f->decay[i] > 0 ? 1 / f->decay[i] : 0;
    a->error[image] = 0;
    look_at(&f->g, a, image);
#if CAN_REDUCE
    if (f->turned) { /* MIX: row by row */
        const int64_t kept = a->keep == MIX ? g->height * g->width : g->kept, run = a->keep == MIX ? g->width : kept;
        const REAL *grad = (const REAL *)a->grad_out + image * a->features * kept;
        for (int64_t p = 0; p < kept; p += run)
            pair_rows(f->g_pairs + p * ((a->features + 1) / 2), run, grad + p, kept, a->features, run);
        natural_rows(f->g_natural, grad, a->features, kept);
    }
#endif

    for (int64_t i = count - 1; i >= 0; i--) {
        const int64_t start = i * a->segment, end = least(a->steps, start + a->segment), n = end - start;
        const REAL *before[] = {i ? checkpoint(a, i - 1, 0, image, f->pixels) : y0,
                                i ? checkpoint(a, i - 1, 1, image, f->pixels) : z0};
        if (a->stored) {
            read_padded(g, f->y_kept[0], before[0]), read_plain(g, f->z_kept[0], before[1]);
            keep_states(f, start, n);
        } else {
            read_padded(g, f->y, checkpoint(a, i, 0, image, f->pixels));
            read_plain(g, f->z, checkpoint(a, i, 1, image, f->pixels));
        }
#if CAN_REDUCE
        if (f->turned && a->keep == PROJECT) {
            const int64_t pairs = (a->features + 1) / 2;
            combine_pairs(f->g_states, g->kept, n, f->g_pairs, NULL, g->kept, pairs, f->turned + start * pairs, pairs,
                          g->kept, 0);
        } else
#endif
        if (a->keep == PROJECT)
            combine((maps){f->g_states, g->kept}, n,
                    (const_maps){(const REAL *)a->grad_out + image * a->features * g->kept, g->kept}, a->features,
                    (const REAL *)a->basis + start, 1, a->steps, g->kept, 0);
        for (int64_t t = end - 1; t >= start; t--) {
            take_gradient(f, image, t, start, a->stored ? f->y_kept[t + 1 - start] : f->y);
            if (a->stored) {
                step_back(f, image, t, f->y_kept[t - start], f->z_kept[t - start], f->z, 0);
            } else if (t == 0) {
                read_padded(g, f->y, y0), read_plain(g, f->z, z0);
                step_back(f, image, t, f->y, f->z, f->z, 0);
            } else {
                for (int64_t r = 0; r < g->height; r++) {
                    REAL *y = f->y + r * g->padded;
                    const REAL *z = f->z + r * g->plain;
                    for (int64_t c = 0; c < g->channels; c++)
                        for (int64_t x = 0; x < g->lanes; x += LANES)
                            store(y + c * g->stride + x, load(y + c * g->stride + x) -
                                                             (REAL)a->dt * load(z + c * g->lanes + x));
                    fill_halo(g, y, g->channels);
                }
                step_back(f, image, t, f->y, f->z, f->z, 1);
            }
        }
        if (!a->stored && i) {
            double error = miss(f, before[0], before[1]);
            if (!(error <= a->error[image])) a->error[image] = error;
        }
        if (a->keep == PROJECT) {
            memset(f->g_basis, 0, (size_t)(a->features * n * LANES) * sizeof(REAL));
#if CAN_REDUCE
            if (f->turned) {
                natural_rows(f->s_natural, f->states, n, g->kept);
                dots_reduced(f->g_basis, f->g_natural, g->kept, a->features, f->s_natural, g->kept, n, g->kept);
            } else
#endif
            dots(f->g_basis, (const_maps){(const REAL *)a->grad_out + image * a->features * g->kept, g->kept},
                 a->features, (const_maps){f->states, g->kept}, n, g->kept);
            for (int64_t k = 0; k < a->features; k++)
                for (int64_t t = 0; t < n; t++)
                    ((REAL *)a->grad_basis)[(image * a->features + k) * a->steps + start + t] =
                        reduce(f->g_basis + (k * n + t) * LANES);
        }
    }
    write_plain(g, f->gy, (REAL *)a->grad_y0 + at);
    if (a->grad_z0) write_plain(g, f->gz, (REAL *)a->grad_z0 + at);
    write_plain(g, f->g_omega, (REAL *)a->grad_omega + at);
    write_plain(g, f->g_decay, (REAL *)a->grad_decay + at);
    if (a->first_decay) write_plain(g, f->g_first, (REAL *)a->grad_first_decay + at);
    if (g->quads) {
        write_quads(f, (REAL *)a->grad_kernel + image * f->taps);
        return;
    }
    for (int64_t i = 0; i < f->taps; i++)
        ((REAL *)a->grad_kernel)[image * f->taps + i] = reduce(f->g_taps + i * LANES);
}
