/* The inside of assay_trace, shared by the uses: scores, the data they are of, and where
 * what is found goes. */
#ifndef DETECT_TRACE_H
#define DETECT_TRACE_H

#include <assay/trace.h>

#include "attribute/study/lab.h"
#include "base/json.h"
#include "detect/detect.h"
#include "detect/order.h"

typedef struct trace {
    assay_ctx *ctx;
    assay_trace_options o;
    att_protocol protocol;
    att_lab lab;             /* rows and targets are those of the scores */
    size_t n, m;             /* rows, targets */
    float *scores, *against; /* [n, m]; against: NULL unless the use takes two */
    buf text, csv, list;
    json_out json; /* into text: the object is open */
} trace;

/* Uses, one file each under detect/uses. */
typedef struct trace_use {
    const char *name, *summary;
    bool takes_two; /* wants --against */
    /* Adds members to t->json and lines to t->csv and t->list. */
    assay_status (*run)(trace *t);
} trace_use;

/* Members "row", "id", "class" of the object that is open. */
void trace_tell_row(trace *t, uint32_t row);
/* An array of the `top` places at one end of `values` [n], each with its value; rows of
 * the data are of[place]. Ties by place. @errors NOMEM */
ASSAY_MUST_CHECK assay_status trace_tell_end(trace *t,
                                             const char *key,
                                             const float *values,
                                             size_t n,
                                             const uint32_t *of,
                                             bool low);
#endif
