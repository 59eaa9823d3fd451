/* Gives certain rows another label. */
#include "data/augment/row_set.h"
#include "data/transform.h"

enum { ROWS, LABEL }; /* places of the arguments; the label is the first number */

static assay_status plan(transform_plan *p) {
    assay_status status = ASSAY_OK;
    if (p->label_width > 0)
        ASSAY_FAIL(ASSAY_E_INVALID, "replace_label: the label is %d numbers already",
                   p->label_width);
    ASSAY_TRY(mem_new(p->ctx, &p->state, 1, sizeof(row_set)));
    ASSAY_TRY_AT(row_set_read(p->state, p->ctx, p->text[ROWS]), "replace_label");
done:
    return status;
}

static void unplan(transform_plan *p) {
    if (p->state != NULL)
        row_set_free(p->state);
    mem_free(p->ctx, p->state);
    p->state = NULL;
}

static void integer(const transform_plan *p, transform_sample *s, int64_t *label) {
    if (row_set_has(p->state, s->sample))
        *label = (int64_t)p->value[0];
}

static const transform_arg args[] = {
    {.name = "rows", .needed = true},
    {.name = "label",
     .count = 1,
     .least = -2147483648.0,
     .most = 2147483647,
     .whole = true,
     .needed = true},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "rows=1,5,10:20, label=3"},
    {.args = "7, 0"},
    {.args = "rows=1,5", .refused = true},
    {.args = "label=3", .refused = true},
    {.args = "rows=5:1, label=3", .refused = true},
    {.args = "rows=/no/such/file, label=3", .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_replace_label = {
    .name = "replace_label",
    .summary = "gives certain rows another label",
    .details = "rows: a list such as rows=1,5,10:20 (20 is left out) or a file of such. "
               "FFCV's ReplaceLabel, for any number of rows.",
    .stage = TRANSFORM_LABEL,
    .args = args,
    .plan = plan,
    .unplan = unplan,
    .integer = integer,
    .cases = cases,
};
