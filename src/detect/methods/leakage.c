/* Leakage: test rows that are copies of training rows. One finding per test row, naming
 * the nearest. */
#include "detect/nearest.h"

static assay_status add(const detect_input *in,
                        uint32_t row,
                        nearest_item at,
                        bool exact,
                        bool maybe,
                        detect_findings *out) {
    const detect_finding f = {.kind = DETECT_LEAKAGE,
                              .row = row,
                              .other = at.row,
                              .group = -1,
                              .likely = -1,
                              .score = (1 - at.gap) * (maybe ? 0.5f : 1.0f),
                              .similarity = 1 - at.gap,
                              .mirrored = at.mirrored,
                              .maybe = maybe,
                              .labels_differ =
                                  in->labels && in->labels[row] != in->labels[at.row],
                              .exact = exact};
    return detect_findings_add(out, &f);
}

static assay_status run(const detect_input *in, detect_findings *out) {
    assay_status status = ASSAY_OK;
    frame f = {0};
    uint32_t *first = NULL, *query = NULL, *candidate = NULL;
    nearest *list = NULL;
    size_t n = 0, m = 0, tests = in->rows - in->train_rows;
    if (tests == 0 || in->train_rows == 0)
        goto done;
    ASSAY_TRY(mem_new(in->ctx, &first, in->rows, sizeof *first));
    ASSAY_TRY(mem_new(in->ctx, &query, tests, sizeof *query));
    ASSAY_TRY(mem_new(in->ctx, &candidate, in->train_rows, sizeof *candidate));
    ASSAY_TRY(mem_new(in->ctx, &list, tests, sizeof *list));
    ASSAY_TRY(nearest_equal(in, first));
    for (uint64_t i = 0; i < in->train_rows; i++)
        if (first[i] == i)
            candidate[m++] = (uint32_t)i;
    for (uint64_t i = in->train_rows; i < in->rows; i++)
        if (first[i] >= in->train_rows)
            query[n++] = (uint32_t)i;
        else
            ASSAY_TRY(
                add(in, (uint32_t)i, (nearest_item){first[i], 0, 0}, true, false, out));
    ASSAY_TRY(frame_make(&f, in));
    ASSAY_TRY(nearest_search(&f, query, n, candidate, m, list));
    for (size_t i = 0; i < n; i++) {
        nearest_verdict v = nearest_judge(&list[i], NULL);
        if (v.copies)
            ASSAY_TRY(add(in, query[i], list[i].item[0], false, v.maybe, out));
    }
done:
    frame_free(&f);
    mem_free(in->ctx, first);
    mem_free(in->ctx, query);
    mem_free(in->ctx, candidate);
    mem_free(in->ctx, list);
    return status;
}

extern const detect_method assay_detector_leakage;
const detect_method assay_detector_leakage = {
    "leakage", "test rows that are copies of training rows, also mirrored or brightened",
    run};
