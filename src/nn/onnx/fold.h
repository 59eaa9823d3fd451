/* Nodes over known numbers computed at import: what the files of that share. fold.c moves
 * and chooses, fold_elements.c calculates. */
#ifndef NN_ONNX_FOLD_H
#define NN_ONNX_FOLD_H

#include "nn/onnx/import_inside.h"

enum { FOLD_INPUTS = 8 };

typedef struct fold {
    imp *im;
    const onnx_node *node;
    const imp_known *in[FOLD_INPUTS]; /* NULL where left out */
    int n_in;
} fold;

/* What a fold function says: not for it. The node goes to its rule then. */
#define FOLD_NOT ASSAY_E_UNSUPPORTED

/* ---- shared ---- */

bool fold_has_batch(const imp_known *k, int64_t i);
/* Room for saying which numbers are the size of the batch. */
ASSAY_MUST_CHECK assay_status fold_note_batch(imp *im, imp_known *k);
/* Element `from` of `src` becomes element `to` of `dst`, of the same kind. */
ASSAY_MUST_CHECK assay_status
fold_move(imp *im, imp_known *dst, int64_t to, const imp_known *src, int64_t from);
/* The result's room, of the first input's element type. */
ASSAY_MUST_CHECK assay_status fold_make_like(fold *f,
                                             int ndim,
                                             const int64_t *dim,
                                             imp_known **out);
/* Axes from an input or, in older opsets, from an attribute; *count -1: not said. */
ASSAY_MUST_CHECK assay_status
fold_read_axes(fold *f, int input, int ndim, bool *out, int *count);

/* ---- fold_elements.c ---- */

ASSAY_MUST_CHECK assay_status fold_pair(fold *f, char op, imp_known **out);
ASSAY_MUST_CHECK assay_status fold_single(fold *f, char op, imp_known **out);
ASSAY_MUST_CHECK assay_status fold_reduce(fold *f, char op, imp_known **out);
ASSAY_MUST_CHECK assay_status fold_where(fold *f, imp_known **out);
ASSAY_MUST_CHECK assay_status fold_expand(fold *f, imp_known **out);
ASSAY_MUST_CHECK assay_status fold_cast(fold *f, imp_known **out);

#endif
