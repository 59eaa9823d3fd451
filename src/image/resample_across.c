/* Tables of the horizontal pass: which input each lane of a register fetches, and its
 * weight. */
#include "image/resample_inside.h"

#include <string.h>

/* The output of the axis that is stored at x; behind the end, the last again. */
static size_t output_at(const resample_across *a, int x) {
    int last = a->axis->out - 1;
    x = x < last ? x : last;
    return (size_t)(a->mirror ? last - x : x);
}

/* The first input of the group from x on; false if its inputs span more than `window`. */
static bool
group_begin(const resample_across *a, int x, int group, int window, int32_t *out) {
    int32_t low = INT32_MAX, high = 0;
    for (int i = 0; i < group; i++) {
        resample_span s = a->axis->span[output_at(a, x + i)];
        low = s.begin < low ? s.begin : low;
        high = s.begin + s.count > high ? s.begin + s.count : high;
    }
    *out = low;
    return high - low <= window;
}

static bool groups_fit(const resample_across *a, int group, int window) {
    int32_t begin;
    for (int x = 0; x < a->axis->out; x += group)
        if (!group_begin(a, x, group, window, &begin))
            return false;
    return true;
}

/* Lane i of step t takes inputs 2 t and 2 t + 1 of output i: bytes widened to words by a
 * zero (index 128) behind each, or words as they are. */
static void
group_tables(resample_across *a, int x, uint8_t *pick, int16_t *weight, int32_t begin) {
    const resample_axis *axis = a->axis;
    size_t lanes = 2 * (size_t)a->group;
    memset(weight, 0, (size_t)a->steps * lanes * sizeof *weight);
    for (size_t k = 0; k < (size_t)a->steps * lanes; k++) {
        pick[2 * k] = 0;
        pick[2 * k + 1] = a->words ? 1 : 128;
    }
    for (int i = 0; i < a->group && x + i < axis->out; i++) {
        size_t o = output_at(a, x + i);
        resample_span s = axis->span[o];
        const int32_t *from = axis->weight + o * (size_t)axis->stride;
        for (int32_t t = 0; t < s.count; t++) {
            size_t lane = (size_t)(t / 2) * lanes + 2 * (size_t)i + (size_t)(t % 2);
            int32_t input = s.begin + t - begin;
            weight[lane] = (int16_t)from[t];
            pick[2 * lane] = (uint8_t)(a->words ? 2 * input : input);
            if (a->words)
                pick[2 * lane + 1] = (uint8_t)(2 * input + 1);
        }
    }
}

static assay_status by_groups(resample_across *a, assay_ctx *ctx, int group, int window) {
    assay_status status = ASSAY_OK;
    size_t groups = (size_t)((a->axis->out + group - 1) / group),
           /* AVX2 takes two groups at once */
        padded = groups + 1;
    a->group = group;
    a->steps = (a->axis->taps + 1) / 2;
    size_t lanes = 2 * (size_t)group * (size_t)a->steps;
    ASSAY_TRY(mem_grow(ctx, &a->begin, 0, &a->begin_cap, padded, sizeof *a->begin));
    ASSAY_TRY(
        mem_grow(ctx, &a->weight, 0, &a->weight_cap, padded * lanes, sizeof *a->weight));
    ASSAY_TRY(mem_grow(ctx, &a->pick, 0, &a->pick_cap, padded * 2 * lanes, 1));
    a->begin[groups] = 0;
    memset(a->pick + groups * 2 * lanes, 0, 2 * lanes);
    memset(a->weight + groups * lanes, 0, lanes * sizeof *a->weight);
    for (size_t g = 0; g < groups; g++) {
        int x = (int)g * group;
        (void)group_begin(a, x, group, window, &a->begin[g]);
        group_tables(a, x, a->pick + g * 2 * lanes, a->weight + g * lanes, a->begin[g]);
    }
done:
    return status;
}

static assay_status by_dots(resample_across *a, assay_ctx *ctx) {
    assay_status status = ASSAY_OK;
    const resample_axis *axis = a->axis;
    a->group = 0;
    a->steps = (axis->taps + 7) / 8;
    size_t out = (size_t)axis->out, each = 8 * (size_t)a->steps;
    ASSAY_TRY(mem_grow(ctx, &a->begin, 0, &a->begin_cap, out, sizeof *a->begin));
    ASSAY_TRY(
        mem_grow(ctx, &a->weight, 0, &a->weight_cap, out * each, sizeof *a->weight));
    memset(a->weight, 0, out * each * sizeof *a->weight);
    for (size_t x = 0; x < out; x++) {
        size_t o = output_at(a, (int)x);
        a->begin[x] = axis->span[o].begin;
        for (int t = 0; t < axis->span[o].count; t++)
            a->weight[x * each + (size_t)t] =
                (int16_t)axis->weight[o * (size_t)axis->stride + (size_t)t];
    }
done:
    return status;
}

assay_status
resample_across_make(resample_across *a, assay_ctx *ctx, const resample_kernels *k) {
    assay_status status = ASSAY_OK;
    int window = a->words ? k->window / 2 : k->window;
    a->group = a->steps = 0;
    if (!k->dots || a->axis->bits != RESAMPLE_ACROSS_BITS)
        goto done;
    a->sums_stride = (size_t)a->axis->out + RESAMPLE_PAD;
    ASSAY_TRY(
        mem_grow(ctx, &a->sums, 0, &a->sums_cap, 3 * a->sums_stride, sizeof *a->sums));
    if (k->group > 0 && groups_fit(a, k->group, window))
        ASSAY_TRY(by_groups(a, ctx, k->group, window));
    else
        ASSAY_TRY(by_dots(a, ctx));
done:
    return status;
}

void resample_across_free(resample_across *a, assay_ctx *ctx) {
    mem_free(ctx, a->begin);
    mem_free(ctx, a->pick);
    mem_free(ctx, a->weight);
    mem_free(ctx, a->sums);
}
