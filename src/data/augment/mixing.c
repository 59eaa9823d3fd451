/* Walking a batch backwards, so that an image meets its neighbour unmixed. */
#include "data/augment/mixing.h"

#include "data/augment/kernels.h"
#include "data/augment/label_spread.h"

#include <math.h>
#include <string.h>

const char *const mixing_label_words[] = {"soft", "pair", NULL};

assay_status mixing_plan(transform_plan *p, const char *name, mixing_labels labels) {
    assay_status status = ASSAY_OK;
    if (!p->of_labels) {
        p->out = p->in;
        p->scratch_bytes = (size_t)p->in.height * (size_t)p->in.width *
                           (size_t)p->in.channels * sizeof(float);
        goto done;
    }
    if (labels == MIXING_PAIR && p->label_width > 0)
        ASSAY_FAIL(ASSAY_E_INVALID, "%s: labels=pair wants a label that is one number",
                   name);
    if (labels == MIXING_SOFT && p->label_width == 0)
        ASSAY_TRY(spread_check(p, name, 0));
    p->scratch_bytes = (size_t)mixing_label_width(p, labels) * sizeof(float);
done:
    return status;
}

int mixing_label_width(const transform_plan *p, mixing_labels labels) {
    if (labels == MIXING_PAIR)
        return MIXING_PAIR_WIDTH;
    return p->label_width > 0 ? p->label_width : p->classes;
}

void mixing_spread(const transform_plan *p,
                   mixing_labels labels,
                   int64_t label,
                   float *to) {
    if (labels == MIXING_SOFT) {
        spread_fill(to, p->classes, label, 1, 0);
        return;
    }
    to[0] = to[1] = (float)label;
    to[2] = 1;
}

/* The logarithm of a Gamma(a) variate. */
static double draw_log_gamma(rng *r, double a) {
    double boost = 0;
    if (a < 1) {
        boost = log(1 - rng_uniform(r)) / a;
        a += 1;
    }
    double d = a - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = rng_normal(r), v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        double u = 1 - rng_uniform(r);
        if (log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return log(d * v) + boost;
    }
}

double mixing_draw_beta(rng *r, double alpha) {
    double x = draw_log_gamma(r, alpha), y = draw_log_gamma(r, alpha);
    return 1 / (1 + exp(y - x));
}

rng mixing_stream(uint64_t base, bool same, int i) {
    return rng_at(base, RNG_TRANSFORM, 0, same ? 0 : (uint64_t)i);
}

void mixing_mix_labels(const transform_plan *p,
                       transform_batch *b,
                       mixing_labels labels,
                       uint64_t base,
                       mixing_share *share) {
    size_t n = (size_t)b->label_width;
    float *last = (float *)(void *)b->scratch;
    if (labels == MIXING_PAIR) {
        for (int i = 0; i < b->n; i++) {
            float *own = b->labels + (size_t)i * n;
            own[1] = b->labels[(size_t)(i > 0 ? i - 1 : b->n - 1) * n];
            own[2] = (float)share(p, base, i);
        }
        return;
    }
    if (b->n > 0)
        memcpy(last, b->labels + (size_t)(b->n - 1) * n, n * sizeof(float));
    for (int i = b->n - 1; i >= 0; i--) {
        float *own = b->labels + (size_t)i * n;
        data_kernels_used()->mix_f32(own, i > 0 ? own - n : last, n,
                                     (float)share(p, base, i));
    }
}

void mixing_mix_images(const transform_plan *p,
                       transform_batch *b,
                       uint64_t base,
                       mixing_image *mix) {
    uint8_t *images = b->images;
    if (b->n > 0)
        memcpy(b->scratch, images + (size_t)(b->n - 1) * b->image_bytes, b->image_bytes);
    for (int i = b->n - 1; i >= 0; i--) {
        uint8_t *own = images + (size_t)i * b->image_bytes;
        mix(p, b, base, i, own, i > 0 ? own - b->image_bytes : b->scratch);
    }
}
