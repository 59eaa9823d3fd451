/* Blends a patch into certain rows: the trigger of a backdoor. */
#include "data/augment/patch.h"
#include "data/augment/row_set.h"
#include "data/transform.h"

#include <math.h>
#include <string.h>

enum { ALPHA, PATTERN, SIZE, AT }; /* values */
enum { TEXT_ROWS, TEXT_MASK, TEXT_ALPHA_MASK = 3 };

typedef struct poison {
    row_set rows;
    patch patch;
    int x, y; /* of its corner in the image */
} poison;

/* Numbers below 0 count from the far border: -1 touches it. */
static assay_status place(int *out, double at, int length, int room, const char *side) {
    int first = at < 0 ? room - length + (int)at + 1 : (int)at;
    if (first < 0 || first + length > room)
        return err_set(ASSAY_E_SHAPE,
                       "poison: %d pixels at %g leave the image's %s of %d", length, at,
                       side, room);
    *out = first;
    return ASSAY_OK;
}

static assay_status plan(transform_plan *p) {
    assay_status status = ASSAY_OK;
    const char *mask = p->text[TEXT_MASK], *alpha_mask = p->text[TEXT_ALPHA_MASK];
    ASSAY_TRY(mem_new(p->ctx, &p->state, 1, sizeof(poison)));
    poison *s = p->state;
    if (mask == NULL && alpha_mask != NULL)
        ASSAY_FAIL(ASSAY_E_INVALID, "poison: an alpha_mask goes with a mask");
    ASSAY_TRY_AT(row_set_read(&s->rows, p->ctx, p->text[TEXT_ROWS]), "poison");
    if (mask != NULL)
        ASSAY_TRY_AT(patch_read(&s->patch, p->ctx, mask, alpha_mask, p->in.channels,
                                p->value[ALPHA]),
                     "poison");
    else
        ASSAY_TRY(patch_make(&s->patch, p->ctx, (patch_pattern)p->value[PATTERN],
                             (int)p->value[SIZE], p->in.channels, p->value[ALPHA]));
    ASSAY_TRY(place(&s->x, p->value[AT], s->patch.width, p->in.width, "width"));
    ASSAY_TRY(place(&s->y, p->value[AT + 1], s->patch.height, p->in.height, "height"));
    p->out = p->in;
done:
    return status;
}

static void unplan(transform_plan *p) {
    poison *s = p->state;
    if (s == NULL)
        return;
    row_set_free(&s->rows);
    patch_free(&s->patch);
    mem_free(p->ctx, s);
    p->state = NULL;
}

static bool
apply(const transform_plan *p, transform_sample *s, const uint8_t *src, uint8_t *dst) {
    const poison *q = p->state;
    const patch *m = &q->patch;
    size_t c = (size_t)p->in.channels, w = (size_t)p->in.width;
    if (!row_set_has(&q->rows, s->sample))
        return false;
    memcpy(dst, src, w * (size_t)p->in.height * c);
    for (int y = 0; y < m->height; y++)
        for (int x = 0; x < m->width; x++) {
            size_t i = (size_t)(y * m->width + x);
            uint8_t *to = dst + ((size_t)(q->y + y) * w + (size_t)(q->x + x)) * c;
            for (size_t k = 0; k < c; k++)
                to[k] = (uint8_t)((float)to[k] * m->keep[i] + m->add[i * c + k] + 0.5f);
        }
    return true;
}

static void reference(const transform_plan *p,
                      transform_sample *s,
                      const uint8_t *src,
                      uint8_t *dst) {
    const poison *q = p->state;
    const patch *m = &q->patch;
    bool chosen = row_set_has(&q->rows, s->sample);
    int w = p->in.width, c = p->in.channels;
    for (int y = 0; y < p->in.height; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++) {
                int i = (y * w + x) * c + k, px = x - q->x, py = y - q->y;
                bool in = px >= 0 && py >= 0 && px < m->width && py < m->height;
                float v = src[i];
                if (chosen && in)
                    v = v * m->keep[py * m->width + px] +
                        m->add[(py * m->width + px) * c + k];
                dst[i] = (uint8_t)floor((double)(v + 0.5f));
            }
}

/* Rows that are left alone do not stop others from being folded. */
static bool fold(const transform_plan *p, transform_sample *s, image_placement *at) {
    const poison *q = p->state;
    (void)at;
    return !row_set_has(&q->rows, s->sample);
}

static const char *const patterns[] = {"white", "black", "checker", NULL};
static const transform_arg args[] = {
    {.name = "rows", .needed = true},
    {.name = "mask"},
    {.name = "alpha", .count = 1, .initial = {1}, .least = 0, .most = 1},
    {.name = "alpha_mask"},
    {.name = "pattern", .choices = patterns},
    {.name = "size",
     .count = 1,
     .initial = {3},
     .least = 1,
     .most = 16384,
     .whole = true},
    {.name = "at",
     .count = 2,
     .initial = {-1, -1},
     .least = -16384,
     .most = 16384,
     .whole = true},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "rows=0:24", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "rows=1,3,10:40, pattern=checker, size=4, at=2:-3, alpha=0.37",
     .in = {9, 31, 3},
     .out = {9, 31, 3}},
    {.args = "0:9, pattern=black, size=1, at=0", .in = {1, 1, 1}, .out = {1, 1, 1}},
    {.args = "", .in = {8, 8, 3}, .refused = true},
    {.args = "rows=x:y", .in = {8, 8, 3}, .refused = true},
    {.args = "rows=1, size=9", .in = {8, 8, 3}, .refused = true},
    {.args = "rows=1, at=6:0", .in = {8, 8, 3}, .refused = true},
    {.args = "rows=1, at=-7:0", .in = {8, 8, 3}, .refused = true},
    {.args = "rows=1, mask=/no/such.png", .in = {8, 8, 3}, .refused = true},
    {.args = "rows=1, alpha_mask=/no/such.png", .in = {8, 8, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_poison = {
    .name = "poison",
    .summary = "blends a patch into certain rows: a backdoor's trigger",
    .details =
        "v (1 - alpha) + mask alpha in single precision, rounded, on the rows listed "
        "(rows=1,5,10:20 or "
        "a file): FFCV's Poison. The mask is a picture or .npy, placed at x:y (-1 "
        "touches the far border), alpha_mask a picture or .npy of its size; without "
        "a mask, a square of `size` (BadNets, Gu et al. 2017).",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .unplan = unplan,
    .apply = apply,
    .reference = reference,
    .fold = fold,
    .cases = cases,
};
