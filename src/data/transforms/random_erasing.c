/* Erases a rectangle of random area and shape, with a colour or with noise. */
#include "data/augment/placement.h"
#include "data/transform.h"

#include <math.h>
#include <string.h>

enum { P, SCALE, RATIO = 3, FILL = 5, NOISE = 8 };
enum { TRIES = 10 };

static assay_status plan(transform_plan *p) {
    const double *v = p->value;
    if (v[SCALE] > v[SCALE + 1] || v[RATIO] > v[RATIO + 1])
        return err_set(ASSAY_E_INVALID,
                       "random_erasing: scale and ratio go from less to more");
    p->out = p->in;
    return ASSAY_OK;
}

static double draw_between(rng *r, double least, double most) {
    return least + (most - least) * rng_uniform(r);
}

static bool draw(const transform_plan *p, transform_sample *s, image_box *box) {
    int height = p->in.height, width = p->in.width;
    double area = (double)height * (double)width;
    double low = log(p->value[RATIO]), high = log(p->value[RATIO + 1]);
    if (rng_uniform(&s->r) >= p->value[P])
        return false;
    for (int i = 0; i < TRIES; i++) {
        double part = area * draw_between(&s->r, p->value[SCALE], p->value[SCALE + 1]);
        double ratio = exp(draw_between(&s->r, low, high));
        box->height = (int)rint(sqrt(part * ratio));
        box->width = (int)rint(sqrt(part / ratio));
        if (box->height >= height || box->width >= width)
            continue;
        box->y = (int)rng_below(&s->r, (uint64_t)(height - box->height) + 1);
        box->x = (int)rng_below(&s->r, (uint64_t)(width - box->width) + 1);
        return true;
    }
    return false;
}

/* Four bytes of each word, lowest first. */
static void add_noise(const transform_plan *p, rng *r, const image_box *b, uint8_t *dst) {
    size_t c = (size_t)p->in.channels, n = (size_t)b->width * c;
    for (int y = b->y; y < b->y + b->height; y++) {
        uint8_t *to = dst + ((size_t)y * (size_t)p->in.width + (size_t)b->x) * c;
        uint32_t word = 0;
        for (size_t i = 0; i < n; i++, word >>= 8) {
            if (i % 4 == 0)
                word = rng_u32(r);
            to[i] = (uint8_t)word;
        }
    }
}

static bool
apply(const transform_plan *p, transform_sample *s, const uint8_t *src, uint8_t *dst) {
    image_box box;
    if (!draw(p, s, &box))
        return false;
    memcpy(dst, src, (size_t)p->in.height * (size_t)p->in.width * (size_t)p->in.channels);
    if (p->value[NOISE] != 0) {
        add_noise(p, &s->r, &box, dst);
    } else {
        const uint8_t fill[3] = {(uint8_t)p->value[FILL], (uint8_t)p->value[FILL + 1],
                                 (uint8_t)p->value[FILL + 2]};
        move_erase(dst, p->in.width, p->in.channels, &box, fill);
    }
    return true;
}

static void reference(const transform_plan *p,
                      transform_sample *s,
                      const uint8_t *src,
                      uint8_t *dst) {
    int w = p->in.width, c = p->in.channels;
    image_box b;
    bool cut = draw(p, s, &b);
    for (int y = 0; y < p->in.height; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++) {
                bool in = cut && y >= b.y && y < b.y + b.height && x >= b.x &&
                          x < b.x + b.width;
                int i = (y * w + x) * c + k;
                dst[i] = in ? (uint8_t)p->value[FILL + k] : src[i];
            }
    if (!cut || p->value[NOISE] == 0)
        return;
    for (int y = b.y; y < b.y + b.height; y++) {
        uint32_t word = 0;
        for (int i = 0; i < b.width * c; i++) {
            if (i % 4 == 0)
                word = rng_u32(&s->r);
            dst[(y * w + b.x) * c + i] = (uint8_t)(word >> (i % 4 * 8));
        }
    }
}

static bool fold(const transform_plan *p, transform_sample *s, image_placement *at) {
    const uint8_t fill[3] = {(uint8_t)p->value[FILL], (uint8_t)p->value[FILL + 1],
                             (uint8_t)p->value[FILL + 2]};
    rng before = s->r;
    image_box b;
    if (!draw(p, s, &b))
        return true;
    if (p->value[NOISE] == 0 && placement_erase(at, b.x, b.y, b.width, b.height, fill))
        return true;
    s->r = before;
    return false;
}

static const char *const no_yes[] = {"no", "yes", NULL};
static const transform_arg args[] = {
    {.name = "p", .count = 1, .initial = {0.5}, .least = 0, .most = 1},
    {.name = "scale", .count = 2, .initial = {0.02, 0.33}, .least = 0, .most = 1},
    {.name = "ratio", .count = 2, .initial = {0.3, 3.3}, .least = 0.001, .most = 1000},
    {.name = "fill", .count = 3, .least = 0, .most = 255, .whole = true},
    {.name = "noise", .choices = no_yes},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "1, fill=3:2:1", .in = {9, 31, 3}, .out = {9, 31, 3}},
    {.args = "p=0.8, noise=yes", .in = {12, 10, 3}, .out = {12, 10, 3}},
    {.args = "1, scale=1, noise=yes", .in = {4, 5, 1}, .out = {4, 5, 1}},
    {.args = "1", .in = {1, 1, 1}, .out = {1, 1, 1}},
    {.args = "1, scale=0.5:0.1", .in = {4, 5, 1}, .refused = true},
    {.args = "1, ratio=0", .in = {4, 5, 1}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_random_erasing = {
    .name = "random_erasing",
    .summary = "erases a rectangle of random area and shape",
    .details = "Zhong et al. 2017, by torchvision's RandomErasing: up to 10 tries, sides "
               "less than the image's, ratio drawn evenly in its logarithm; noise=yes: "
               "evenly drawn bytes.",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .fold = fold,
    .cases = cases,
};
