/* Turns about the middle by a random angle. */
#include "data/augment/geometry.h"
#include "data/augment/photometric.h"

#include <string.h>

enum { DEGREES, FILTER, FILL, P = 5 };

static assay_status plan(transform_plan *p) {
    p->out = p->in;
    return ASSAY_OK;
}

static bool
draw(const transform_plan *p, transform_sample *s, geometry_map *m, uint8_t fill[3]) {
    if (!photo_happens(&s->r, p->value[P]))
        return false;
    double degrees = p->value[DEGREES] * (2 * rng_uniform(&s->r) - 1);
    const geometry_motion motion = {.degrees = -degrees,
                                    .scale = 1,
                                    .centre_x = p->in.width / 2.0,
                                    .centre_y = p->in.height / 2.0};
    *m = geometry_map_of(&motion);
    for (int k = 0; k < 3; k++)
        fill[k] = (uint8_t)p->value[FILL + k];
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
    {.name = "filter", .choices = geometry_filters},
    {.name = "fill", .count = 3, .least = 0, .most = 255, .whole = true},
    {.name = "p", .count = 1, .initial = {1}, .least = 0, .most = 1},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "30", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "180, filter=bilinear, fill=9:8:7", .in = {9, 31, 3}, .out = {9, 31, 3}},
    {.args = "degrees=10, p=0.5, filter=bilinear", .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.args = "45, fill=200", .in = {1, 1, 3}, .out = {1, 1, 3}},
    {.args = "", .in = {8, 8, 3}, .refused = true},
    {.args = "-5", .in = {8, 8, 3}, .refused = true},
    {.args = "10, filter=cubic", .in = {8, 8, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_rotate = {
    .name = "rotate",
    .summary = "turns about the middle by a random angle",
    .details = "The angle is drawn evenly from -degrees to degrees, counterclockwise: "
               "torchvision's RandomRotation. What comes in from outside is fill.",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .tolerance = 1,
    .cases = cases,
};
