/* A label becomes one number for each class, a little of it spread over all. */
#include "data/augment/label_spread.h"

enum { EPSILON, CLASSES };

static assay_status plan(transform_plan *p) {
    return spread_check(p, "label_smoothing", p->value[CLASSES]);
}

static int label_width(const transform_plan *p) {
    return spread_classes(p, p->value[CLASSES]);
}

static void spread(const transform_plan *p, int64_t label, float *to) {
    int n = label_width(p);
    double low = p->value[EPSILON] / n;
    spread_fill(to, n, label, (float)(1 - p->value[EPSILON] + low), (float)low);
}

static const transform_arg args[] = {
    {.name = "epsilon", .count = 1, .initial = {0.1}, .least = 0, .most = 1},
    SPREAD_CLASSES_ARG,
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "0.1, 10"},
    {.args = "classes=7"},
    {.args = "0.1", .refused = true},
    {.args = "1.1, 10", .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_label_smoothing = {
    .name = "label_smoothing",
    .summary = "makes a label numbers, epsilon of it spread over all classes",
    .details = "1 - epsilon + epsilon / n for the label, epsilon / n for the others "
               "(Szegedy et al. 2015): torch's CrossEntropyLoss(label_smoothing).",
    .stage = TRANSFORM_LABEL,
    .args = args,
    .plan = plan,
    .label_width = label_width,
    .spread = spread,
    .cases = cases,
};
