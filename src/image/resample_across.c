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

/* The inputs that the group from x on spans. */
static resample_span group_span(const resample_across *a, int x, int group) {
    int32_t low = INT32_MAX, high = 0;
    for (int i = 0; i < group; i++) {
        resample_span s = a->axis->span[output_at(a, x + i)];
        low = s.begin < low ? s.begin : low;
        high = s.begin + s.count > high ? s.begin + s.count : high;
    }
    return (resample_span){low, high - low};
}

static int largest_span(const resample_across *a, int group) {
    int largest = 0;
    for (int x = 0; x < a->axis->out; x += group) {
        int span = group_span(a, x, group).count;
        largest = span > largest ? span : largest;
    }
    return largest;
}

/* Lane i of step t takes inputs 2 t and 2 t + 1 of output i: bytes widened to words by a
 * zero (index 128) behind each, or words as they are. `apart`: lanes between steps. */
static void group_tables(const resample_across *a,
                         int x,
                         int32_t begin,
                         size_t apart,
                         uint8_t *pick,
                         int16_t *weight) {
    const resample_axis *axis = a->axis;
    for (int i = 0; i < a->group && x + i < axis->out; i++) {
        size_t o = output_at(a, x + i), lane = 2 * (size_t)i;
        const resample_span s = axis->span[o];
        const int32_t *from = axis->weight + o * (size_t)axis->stride;
        for (int32_t t = 0; t < s.count; t += 2, lane += apart) {
            int32_t input = s.begin + t - begin;
            weight[lane] = (int16_t)from[t];
            if (t + 1 < s.count)
                weight[lane + 1] = (int16_t)from[t + 1];
            for (int32_t k = 0; k < 2 && t + k < s.count; k++) {
                uint8_t *to = pick + 2 * (lane + (size_t)k);
                to[0] = (uint8_t)(a->words ? 2 * (input + k) : input + k);
                to[1] = (uint8_t)(a->words ? 2 * (input + k) + 1 : 128);
            }
        }
    }
}

static assay_status by_groups(resample_across *a, assay_ctx *ctx, int group, int side) {
    assay_status status = ASSAY_OK;
    const int block = group * side;
    const size_t blocks = (size_t)((a->axis->out + block - 1) / block),
                 groups = blocks * (size_t)side;
    a->group = group;
    a->steps = (a->axis->taps + 1) / 2;
    const size_t lanes = 2 * (size_t)block, each = lanes * (size_t)a->steps;
    ASSAY_TRY(mem_grow(ctx, &a->begin, 0, &a->begin_cap, groups, sizeof *a->begin));
    ASSAY_TRY(
        mem_grow(ctx, &a->weight, 0, &a->weight_cap, blocks * each, sizeof *a->weight));
    ASSAY_TRY(mem_grow(ctx, &a->pick, 0, &a->pick_cap, blocks * 2 * each, 1));
    memset(a->weight, 0, blocks * each * sizeof *a->weight);
    memset(a->pick, 128, blocks * 2 * each); /* where weights are zero, any will do */
    for (size_t g = 0; g < groups; g++) {
        const int x = (int)g * group;
        const size_t at = g / (size_t)side * each + g % (size_t)side * 2 * (size_t)group;
        a->begin[g] = group_span(a, x, group).begin;
        group_tables(a, x, a->begin[g], lanes, a->pick + 2 * at, a->weight + at);
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
    const int window = a->words ? k->window_words : k->window;
    a->group = a->steps = 0;
    if (!k->tables || a->axis->bits != RESAMPLE_ACROSS_BITS)
        goto done;
    a->sums_stride = (size_t)a->axis->out + RESAMPLE_PAD;
    ASSAY_TRY(
        mem_grow(ctx, &a->sums, 0, &a->sums_cap, 3 * a->sums_stride, sizeof *a->sums));
    a->reach = largest_span(a, k->group);
    if (a->reach <= window)
        ASSAY_TRY(by_groups(a, ctx, k->group, k->side));
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
