/* Neighbours of a range of rows, for those who want the figures and not the findings. */
#include "detect/nearest.h"

static assay_status
check_ranges(const detect_input *in, uint64_t q0, uint64_t q1, uint64_t c0, uint64_t c1) {
    if (q0 > q1 || q1 > in->rows || c0 > c1 || c1 > in->rows)
        return err_set(ASSAY_E_SHAPE, "rows [%llu, %llu) against [%llu, %llu) of %llu",
                       (unsigned long long)q0, (unsigned long long)q1,
                       (unsigned long long)c0, (unsigned long long)c1,
                       (unsigned long long)in->rows);
    return ASSAY_OK;
}

assay_status detect_neighbours(const detect_input *in,
                               uint64_t q0,
                               uint64_t q1,
                               uint64_t c0,
                               uint64_t c1,
                               const detect_copy_options *options,
                               detect_neighbour *out) {
    assay_status status = ASSAY_OK;
    frame f = {0};
    uint32_t *first = NULL, *query = NULL, *candidate = NULL;
    nearest *list = NULL;
    size_t n = q1 - q0, m = 0;
    ASSAY_TRY(check_ranges(in, q0, q1, c0, c1));
    ASSAY_TRY(frame_make(&f, in));
    ASSAY_TRY(mem_new(in->ctx, &first, in->rows + 1, sizeof *first));
    ASSAY_TRY(mem_new(in->ctx, &query, n + 1, sizeof *query));
    ASSAY_TRY(mem_new(in->ctx, &candidate, c1 - c0 + 1, sizeof *candidate));
    ASSAY_TRY(mem_new(in->ctx, &list, n + 1, sizeof *list));
    ASSAY_TRY(nearest_equal(in, first));
    for (size_t i = 0; i < n; i++)
        query[i] = (uint32_t)(q0 + i);
    /* of equal pictures, the lowest row in the range */
    for (uint64_t c = c0; c < c1; c++)
        if (first[c] < c0 ? true : first[c] == c)
            candidate[m++] = (uint32_t)c;
    ASSAY_TRY(nearest_search(&f, query, n, candidate, m, list));
    for (size_t i = 0; i < n; i++) {
        nearest_verdict v = nearest_judge(&list[i], options);
        out[i] = (detect_neighbour){.row = UINT32_MAX};
        if (list[i].count)
            out[i] = (detect_neighbour){.row = list[i].item[0].row,
                                        .c1 = 1 - list[i].item[0].gap,
                                        .c2 = 1 - v.next,
                                        .mirrored = list[i].item[0].mirrored,
                                        .copy = v.copies && !v.maybe,
                                        .maybe = v.maybe};
    }
done:
    frame_free(&f);
    mem_free(in->ctx, first);
    mem_free(in->ctx, query);
    mem_free(in->ctx, candidate);
    mem_free(in->ctx, list);
    return status;
}
