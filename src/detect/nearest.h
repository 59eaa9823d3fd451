/* The nearest pictures of each picture, and whether they are copies of it. */
#ifndef DETECT_NEAREST_H
#define DETECT_NEAREST_H

#include "detect/frame.h"

enum { NEAREST = 12 };

/* How far two pictures are apart: 1 - correlation. */
typedef struct nearest_item {
    uint32_t row;
    float gap;
    uint8_t mirrored;
} nearest_item;

/* Nearest first, ties by row; only what lies within NEAREST_REACH (a third of it is more
 * than the gap of any copy). */
typedef struct nearest {
    int count;
    nearest_item item[NEAREST];
} nearest;

#define NEAREST_REACH 0.18f

/* For each of the query rows the nearest of the candidate rows, itself excluded. out
 * [n_query] */
ASSAY_MUST_CHECK assay_status nearest_search(const frame *f,
                                             const uint32_t *query,
                                             size_t n_query,
                                             const uint32_t *candidate,
                                             size_t n_candidate,
                                             nearest *out);

/* What the list says: the first `copies` entries are copies (or may be), the next picture
 * is at `next`. */
typedef struct nearest_verdict {
    int copies;
    float next;
    bool maybe;
} nearest_verdict;
nearest_verdict nearest_judge(const nearest *list, const detect_copy_options *options);

/* Equal pictures by hash: first[row] is the lowest row that equals it. out [in->rows] */
ASSAY_MUST_CHECK assay_status nearest_equal(const detect_input *in, uint32_t *first);

#endif
