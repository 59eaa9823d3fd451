/* A label becomes one number for each class: 1 for its own, 0 elsewhere. */
#include "data/augment/label_spread.h"

static assay_status plan(transform_plan *p) {
    return spread_check(p, "one_hot", p->value[0]);
}

static int label_width(const transform_plan *p) {
    return spread_classes(p, p->value[0]);
}

static void spread(const transform_plan *p, int64_t label, float *to) {
    spread_fill(to, spread_classes(p, p->value[0]), label, 1, 0);
}

static const transform_arg args[] = {SPREAD_CLASSES_ARG, {.name = NULL}};

static const transform_case cases[] = {
    {.args = "10"},
    {.args = "classes=1"},
    {.args = "", .refused = true},
    {.args = "-1", .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_one_hot = {
    .name = "one_hot",
    .summary = "makes a label one number for each class",
    .details = "classes=0: as many as the data has. A label that is no class becomes "
               "zeros. torch's one_hot; FFCV's ToOneHot.",
    .stage = TRANSFORM_LABEL,
    .args = args,
    .plan = plan,
    .label_width = label_width,
    .spread = spread,
    .cases = cases,
};
