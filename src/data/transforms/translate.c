/* Shifts by up to `pixels` in each direction, evenly drawn; what comes in at the edge is
 * a colour, the edge's own pixels repeated, or the image mirrored at its edge. */
#include "data/augment/placement.h"
#include "data/transform.h"

#include <stdlib.h>
#include <string.h>

enum { PIXELS, EDGE, FILL };
enum { EDGE_FILL, EDGE_REPEAT, EDGE_REFLECT };

static assay_status plan(transform_plan *p) {
    int most = (int)p->value[PIXELS];
    if (most >= p->in.height || most >= p->in.width)
        return err_set(ASSAY_E_INVALID, "translate: %d pixels leave nothing of %d x %d",
                       most, p->in.width, p->in.height);
    p->out = p->in;
    return ASSAY_OK;
}

static void draw(const transform_plan *p, transform_sample *s, int *dx, int *dy) {
    int most = (int)p->value[PIXELS];
    *dy = (int)rng_below(&s->r, (uint64_t)(2 * most + 1)) - most;
    *dx = (int)rng_below(&s->r, (uint64_t)(2 * most + 1)) - most;
}

static void fill_pixels(const transform_plan *p, uint8_t *to, size_t n) {
    size_t c = (size_t)p->in.channels;
    const double *fill = p->value + FILL;
    if (c == 1 || (fill[0] == fill[1] && fill[1] == fill[2])) {
        memset(to, (int)fill[0], n * c);
        return;
    }
    for (size_t i = 0; i < n * c; i++)
        to[i] = (uint8_t)fill[i % c];
}

/* The place that stands in for `at`, which may lie outside by less than the room. */
static int inside(const transform_plan *p, int at, int room) {
    bool repeat = p->value[EDGE] == EDGE_REPEAT;
    if (at < 0)
        return repeat ? 0 : -at;
    if (at >= room)
        return repeat ? room - 1 : 2 * (room - 1) - at;
    return at;
}

/* One row moved by dx. */
static void move_row(const transform_plan *p, uint8_t *to, const uint8_t *from, int dx) {
    size_t w = (size_t)p->in.width, c = (size_t)p->in.channels;
    size_t gap = (size_t)(dx < 0 ? -dx : dx);
    uint8_t *edge = dx < 0 ? to + (w - gap) * c : to;
    memcpy(dx < 0 ? to : to + gap * c, dx < 0 ? from + gap * c : from, (w - gap) * c);
    if (p->value[EDGE] == EDGE_FILL) {
        fill_pixels(p, edge, gap);
        return;
    }
    int first = dx < 0 ? p->in.width : -dx; /* place in the image of the edge's first */
    for (size_t x = 0; x < gap; x++)
        memcpy(edge + x * c, from + (size_t)inside(p, first + (int)x, p->in.width) * c,
               c);
}

static bool
apply(const transform_plan *p, transform_sample *s, const uint8_t *src, uint8_t *dst) {
    int dx, dy, h = p->in.height;
    size_t w = (size_t)p->in.width, row = w * (size_t)p->in.channels;
    bool fill = p->value[EDGE] == EDGE_FILL;
    draw(p, s, &dx, &dy);
    if (dx == 0 && dy == 0)
        return false;
    for (int y = 0; y < h; y++) {
        int from = y - dy;
        if (fill && (from < 0 || from >= h)) {
            fill_pixels(p, dst + (size_t)y * row, w);
            continue;
        }
        move_row(p, dst + (size_t)y * row, src + (size_t)inside(p, from, h) * row, dx);
    }
    return true;
}

static void reference(const transform_plan *p,
                      transform_sample *s,
                      const uint8_t *src,
                      uint8_t *dst) {
    int dx, dy, h = p->in.height, w = p->in.width, c = p->in.channels;
    draw(p, s, &dx, &dy);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int fy = y - dy, fx = x - dx;
            bool outside = fy < 0 || fy >= h || fx < 0 || fx >= w;
            if (p->value[EDGE] == EDGE_REPEAT) {
                fy = fy < 0 ? 0 : fy >= h ? h - 1 : fy;
                fx = fx < 0 ? 0 : fx >= w ? w - 1 : fx;
            } else {
                fy = abs(fy) >= h ? 2 * (h - 1) - fy : abs(fy);
                fx = abs(fx) >= w ? 2 * (w - 1) - fx : abs(fx);
            }
            for (int k = 0; k < c; k++)
                dst[(y * w + x) * c + k] = outside && p->value[EDGE] == EDGE_FILL
                                               ? (uint8_t)p->value[FILL + k]
                                               : src[(fy * w + fx) * c + k];
        }
}

static bool fold(const transform_plan *p, transform_sample *s, image_placement *at) {
    const uint8_t fill[3] = {(uint8_t)p->value[FILL], (uint8_t)p->value[FILL + 1],
                             (uint8_t)p->value[FILL + 2]};
    rng before = s->r;
    int dx, dy;
    draw(p, s, &dx, &dy);
    if (dx == 0 && dy == 0)
        return true;
    if (p->value[EDGE] == EDGE_FILL && placement_shift(at, dx, dy, fill))
        return true;
    s->r = before;
    return false;
}

static const char *const edges[] = {"fill", "repeat", "reflect", NULL};
static const transform_arg args[] = {
    {.name = "pixels",
     .count = 1,
     .least = 0,
     .most = 4095,
     .whole = true,
     .needed = true},
    {.name = "edge", .choices = edges},
    {.name = "fill", .count = 3, .least = 0, .most = 255, .whole = true},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "2", .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.args = "4", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "4, fill=124:116:104", .in = {9, 32, 3}, .out = {9, 32, 3}},
    {.args = "3, fill=7", .in = {9, 8, 1}, .out = {9, 8, 1}},
    {.args = "4, repeat", .in = {9, 7, 3}, .out = {9, 7, 3}},
    {.args = "pixels=6, edge=repeat", .in = {7, 9, 1}, .out = {7, 9, 1}},
    {.args = "4, reflect", .in = {9, 7, 3}, .out = {9, 7, 3}},
    {.args = "6, edge=reflect", .in = {7, 9, 1}, .out = {7, 9, 1}},
    {.args = "0", .in = {1, 1, 1}, .out = {1, 1, 1}},
    {.args = "", .in = {8, 8, 1}, .refused = true},
    {.args = "4", .in = {4, 8, 1}, .refused = true},
    {.args = "-1", .in = {8, 8, 1}, .refused = true},
    {.args = "1.5", .in = {8, 8, 1}, .refused = true},
    {.args = "1, edge=red", .in = {8, 8, 1}, .refused = true},
    {.args = "1, fill=1:2", .in = {8, 8, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_translate = {
    .name = "translate",
    .summary = "shifts by up to so many pixels in each direction",
    .details = "Both shifts are drawn evenly from -pixels to pixels. edge=fill: FFCV's "
               "RandomTranslate, torchvision's RandomCrop with padding; edge=repeat: "
               "padding_mode edge; edge=reflect: padding_mode reflect.",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .fold = fold,
    .cases = cases,
};
