/* Fills one square, or rectangle, at a random place. */
#include "data/augment/placement.h"
#include "data/transform.h"

#include <string.h>

enum { SIZE, FILL = 2, P = 5, INSIDE };
enum { INSIDE_YES, INSIDE_NO };

static assay_status plan(transform_plan *p) {
    int height = (int)p->value[SIZE], width = (int)p->value[SIZE + 1];
    if (p->value[INSIDE] == INSIDE_YES && (height > p->in.height || width > p->in.width))
        return err_set(ASSAY_E_INVALID, "cutout: %d x %d pixels do not fit into %d x %d",
                       width, height, p->in.width, p->in.height);
    p->out = p->in;
    return ASSAY_OK;
}

/* Where a stretch of `length` in `room` begins: fully inside, or with its centre inside.
 */
static int draw_side(rng *r, int length, int room, bool inside) {
    if (inside)
        return (int)rng_below(r, (uint64_t)(room - length) + 1);
    return (int)rng_below(r, (uint64_t)room) - length / 2;
}

static void clip_side(int *at, int *length, int room) {
    int end = *at + *length < room ? *at + *length : room;
    *at = *at > 0 ? *at : 0;
    *length = end - *at;
}

static bool draw(const transform_plan *p, transform_sample *s, image_box *box) {
    bool inside = p->value[INSIDE] == INSIDE_YES;
    if (rng_uniform(&s->r) >= p->value[P])
        return false;
    box->height = (int)p->value[SIZE];
    box->width = (int)p->value[SIZE + 1];
    box->y = draw_side(&s->r, box->height, p->in.height, inside);
    box->x = draw_side(&s->r, box->width, p->in.width, inside);
    clip_side(&box->y, &box->height, p->in.height);
    clip_side(&box->x, &box->width, p->in.width);
    return true;
}

static void fill_of(const transform_plan *p, uint8_t fill[3]) {
    for (int k = 0; k < 3; k++)
        fill[k] = (uint8_t)p->value[FILL + k];
}

static bool
apply(const transform_plan *p, transform_sample *s, const uint8_t *src, uint8_t *dst) {
    image_box box;
    uint8_t fill[3];
    if (!draw(p, s, &box))
        return false;
    fill_of(p, fill);
    memcpy(dst, src, (size_t)p->in.height * (size_t)p->in.width * (size_t)p->in.channels);
    move_erase(dst, p->in.width, p->in.channels, &box, fill);
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
}

static bool fold(const transform_plan *p, transform_sample *s, image_placement *at) {
    rng before = s->r;
    image_box b;
    uint8_t fill[3];
    fill_of(p, fill);
    if (!draw(p, s, &b) || placement_erase(at, b.x, b.y, b.width, b.height, fill))
        return true;
    s->r = before;
    return false;
}

static const char *const yes_no[] = {"yes", "no", NULL};
static const transform_arg args[] = {
    {.name = "size",
     .count = 2,
     .least = 1,
     .most = 16384,
     .whole = true,
     .needed = true},
    {.name = "fill", .count = 3, .least = 0, .most = 255, .whole = true},
    {.name = "p", .count = 1, .initial = {1}, .least = 0, .most = 1},
    {.name = "inside", .choices = yes_no},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "8", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "3:5, fill=9:8:7, p=0.5", .in = {7, 5, 3}, .out = {7, 5, 3}},
    {.args = "16, inside=no", .in = {9, 31, 1}, .out = {9, 31, 1}},
    {.args = "5, 100, inside=no", .in = {9, 12, 3}, .out = {9, 12, 3}},
    {.args = "9", .in = {8, 9, 3}, .refused = true},
    {.args = "0", .in = {8, 9, 3}, .refused = true},
    {.args = "", .in = {8, 9, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_cutout = {
    .name = "cutout",
    .summary = "fills one square at a random place",
    .details =
        "inside=yes: the square lies fully in the image, FFCV's Cutout. inside=no: "
        "its centre does and the rest is clipped, DeVries and Taylor 2017.",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .fold = fold,
    .cases = cases,
};
