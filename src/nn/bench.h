/* A table of single ops: ours beside what else could do it, on random data, on the
 * calling thread. A kind of op adds its rows through a function in the list of bench.c.
 */
#ifndef NN_BENCH_H
#define NN_BENCH_H

#include "base/ctx.h"

typedef struct nn_bench_row {
    const char *op, *pass; /* "conv2d", "backward-weights"; static */
    char shape[64];
    double own_ms, other_ms; /* best of several; 0: not measured */
    const char *other;       /* "oneDNN", "plain C"; static */
    double gflop;            /* padding counted; 0: bytes matter, not products */
    double
        error; /* from the reference, in its root mean square; of kernels whose versions
                  give the same bits, the share that differs; < 0: unchecked */
    char note[64];
} nn_bench_row;

typedef struct nn_bench nn_bench;
assay_ctx *nn_bench_ctx(const nn_bench *b);
/* Whether rows of this op and shape were asked for. */
bool nn_bench_wants(const nn_bench *b, const char *op, const char *shape);
ASSAY_MUST_CHECK assay_status nn_bench_add(nn_bench *b, const nn_bench_row *row);

/* Milliseconds of the thread's processor time that a call takes, the least of several. */
double nn_bench_time(void (*call)(void *arg), void *arg);

/* Those there are. */
ASSAY_MUST_CHECK assay_status nn_bench_conv(nn_bench *b);
ASSAY_MUST_CHECK assay_status nn_bench_product(nn_bench *b);
ASSAY_MUST_CHECK assay_status nn_bench_image(nn_bench *b);

#endif
