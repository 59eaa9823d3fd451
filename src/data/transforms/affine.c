/* Turns, moves, scales and shears at random. */
#include "data/augment/geometry.h"
#include "data/augment/photometric.h"

#include <math.h>
#include <string.h>

enum { DEGREES, MOVE, SCALE = 3, SHEAR = 5, FILTER = 7, FILL, P = 11 };

static assay_status plan(transform_plan *p) {
    if (p->value[SCALE] > p->value[SCALE + 1])
        return err_set(ASSAY_E_INVALID, "affine: scale goes from less to more");
    p->out = p->in;
    return ASSAY_OK;
}

static double draw_around_0(rng *r, double most) {
    return most * (2 * rng_uniform(r) - 1);
}

static bool
draw(const transform_plan *p, transform_sample *s, geometry_map *m, uint8_t fill[3]) {
    const double *v = p->value;
    geometry_motion motion = {.centre_x = p->in.width / 2.0,
                              .centre_y = p->in.height / 2.0};
    if (!photo_happens(&s->r, v[P]))
        return false;
    motion.degrees = draw_around_0(&s->r, v[DEGREES]);
    motion.move_y = rint(draw_around_0(&s->r, v[MOVE] * p->in.height));
    motion.move_x = rint(draw_around_0(&s->r, v[MOVE + 1] * p->in.width));
    motion.scale = v[SCALE] + (v[SCALE + 1] - v[SCALE]) * rng_uniform(&s->r);
    motion.shear_x = draw_around_0(&s->r, v[SHEAR]);
    motion.shear_y = draw_around_0(&s->r, v[SHEAR + 1]);
    *m = geometry_map_of(&motion);
    for (int k = 0; k < 3; k++)
        fill[k] = (uint8_t)v[FILL + k];
    return true;
}

static bool
apply(const transform_plan *p, transform_sample *s, const uint8_t *src, uint8_t *dst) {
    geometry_map m;
    uint8_t fill[3];
    if (!draw(p, s, &m, fill))
        return false;
    geometry_apply(dst, src, &p->in, &m, (geometry_filter)p->value[FILTER], fill);
    return true;
}

static void reference(const transform_plan *p,
                      transform_sample *s,
                      const uint8_t *src,
                      uint8_t *dst) {
    geometry_map m;
    uint8_t fill[3];
    if (draw(p, s, &m, fill))
        geometry_reference(dst, src, &p->in, &m, (geometry_filter)p->value[FILTER], fill);
    else
        memcpy(dst, src, photo_bytes(&p->in));
}

static const transform_arg args[] = {
    {.name = "degrees", .count = 1, .least = 0, .most = 360, .needed = true},
    {.name = "translate", .count = 2, .least = 0, .most = 1},
    {.name = "scale", .count = 2, .initial = {1, 1}, .least = 0.01, .most = 100},
    {.name = "shear", .count = 2, .least = 0, .most = 89},
    {.name = "filter", .choices = geometry_filters},
    {.name = "fill", .count = 3, .least = 0, .most = 255, .whole = true},
    {.name = "p", .count = 1, .initial = {1}, .least = 0, .most = 1},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "30, 0.1:0.2, 0.8:1.2, 10:0", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "0, translate=0.3, fill=9:8:7", .in = {9, 31, 3}, .out = {9, 31, 3}},
    {.args = "5, shear=20, scale=0.5:2, filter=bilinear, fill=50",
     .in = {28, 28, 1},
     .out = {28, 28, 1}},
    {.args = "180, scale=0.01, p=0.6, filter=bilinear",
     .in = {7, 8, 3},
     .out = {7, 8, 3}},
    {.args = "", .in = {8, 8, 3}, .refused = true},
    {.args = "0, scale=2:1", .in = {8, 8, 3}, .refused = true},
    {.args = "0, shear=90", .in = {8, 8, 3}, .refused = true},
    {.args = "0, scale=0", .in = {8, 8, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_affine = {
    .name = "affine",
    .summary = "turns, moves, scales and shears at random",
    .details = "degrees, shear (x:y, degrees): evenly from -v to v; translate: shares of "
               "height:width, rounded to whole pixels; scale: evenly. About the middle: "
               "torchvision's RandomAffine.",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .tolerance = 1,
    .cases = cases,
};
