/* Shifts by up to `pixels` in each direction, evenly drawn; what comes in at the edge is
 * zero, or the edge's own pixels repeated when the second value is 1. */
#include "data/transform.h"

#include <string.h>

static assay_status plan(transform_plan *p) {
    double most = p->value[0];
    if (!(most >= 0 && most < 4096) || most != (int)most)
        return err_set(ASSAY_E_INVALID, "translate: whole pixels, 0 to 4095");
    if ((int)most >= p->in.height || (int)most >= p->in.width)
        return err_set(ASSAY_E_INVALID, "translate: %d pixels leave nothing of %d x %d",
                       (int)most, p->in.width, p->in.height);
    if (p->value[1] != 0 && p->value[1] != 1)
        return err_set(ASSAY_E_INVALID, "translate: edges are 0 (black) or 1 (repeated)");
    p->out = p->in;
    return ASSAY_OK;
}

static void draw(const transform_plan *p, rng *r, int *dx, int *dy) {
    int most = (int)p->value[0];
    *dy = (int)rng_below(r, (uint64_t)(2 * most + 1)) - most;
    *dx = (int)rng_below(r, (uint64_t)(2 * most + 1)) - most;
}

/* One row moved by dx, with c bytes a pixel. */
static void
move_row(uint8_t *to, const uint8_t *from, size_t w, size_t c, int dx, bool repeat) {
    size_t gap = (size_t)(dx < 0 ? -dx : dx);
    uint8_t *edge = dx < 0 ? to + (w - gap) * c : to;
    memcpy(dx < 0 ? to : to + gap * c, dx < 0 ? from + gap * c : from, (w - gap) * c);
    if (!repeat) {
        memset(edge, 0, gap * c);
        return;
    }
    for (size_t x = 0; x < gap; x++)
        memcpy(edge + x * c, dx < 0 ? from + (w - 1) * c : from, c);
}

static bool apply(const transform_plan *p, rng *r, const uint8_t *src, uint8_t *dst) {
    int dx, dy, h = p->in.height;
    size_t w = (size_t)p->in.width, c = (size_t)p->in.channels;
    bool repeat = p->value[1] != 0;
    draw(p, r, &dx, &dy);
    if (dx == 0 && dy == 0)
        return false;
    for (int y = 0; y < h; y++) {
        int from = y - dy;
        if (!repeat && (from < 0 || from >= h)) {
            memset(dst + (size_t)y * w * c, 0, w * c);
            continue;
        }
        from = from < 0 ? 0 : from >= h ? h - 1 : from;
        move_row(dst + (size_t)y * w * c, src + (size_t)from * w * c, w, c, dx, repeat);
    }
    return true;
}

static void reference(const transform_plan *p, rng *r, const uint8_t *src, uint8_t *dst) {
    int dx, dy, h = p->in.height, w = p->in.width, c = p->in.channels;
    draw(p, r, &dx, &dy);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int fy = y - dy, fx = x - dx;
            bool outside = fy < 0 || fy >= h || fx < 0 || fx >= w;
            fy = fy < 0 ? 0 : fy >= h ? h - 1 : fy;
            fx = fx < 0 ? 0 : fx >= w ? w - 1 : fx;
            for (int k = 0; k < c; k++)
                dst[(y * w + x) * c + k] =
                    outside && p->value[1] == 0 ? 0 : src[(fy * w + fx) * c + k];
        }
}

static const transform_case cases[] = {
    {.value = {2}, .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.value = {4}, .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.value = {4, 1}, .in = {9, 7, 3}, .out = {9, 7, 3}},
    {.value = {6, 1}, .in = {7, 9, 1}, .out = {7, 9, 1}},
    {.value = {0}, .in = {1, 1, 1}, .out = {1, 1, 1}},
    {.value = {4}, .in = {4, 8, 1}, .refused = true},
    {.value = {-1}, .in = {8, 8, 1}, .refused = true},
    {.value = {1.5}, .in = {8, 8, 1}, .refused = true},
    {.value = {1, 2}, .in = {8, 8, 1}, .refused = true},
    {.in = {0}},
};

const data_transform assay_transform_translate = {
    .name = "translate",
    .summary = "shifts by up to so many pixels in each direction",
    .values = "pixels, edge (0 black, 1 repeated)",
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .cases = cases,
};
