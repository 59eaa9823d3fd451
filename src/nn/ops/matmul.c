/* matmul: products of the last two dimensions, a [...,M,K] b [...,K,N] -> [...,M,N]; the
 * dimensions before them are broadcast, a vector counts as one row or one column that the
 * result does not have (NumPy's and ONNX's rules). Over the batch nothing is summed but
 * in gradients of what is the same for all of it. */
#include "nn/product.h"
#include "nn/tangent.h"

#include <string.h>

enum { OUTER = NN_MAX_DIMS };

/* Sizes of one run. Batches step by a_step, b_step elements, 0 where broadcast. */
typedef struct batches {
    int64_t m, n, k, count[OUTER], a_step[OUTER], b_step[OUTER];
    int dims;
} batches;

/* A shape with a vector made a matrix, and the batch filled in. */
static nn_shape filled(const nn_shape *s, bool column, int n) {
    nn_shape f = *s;
    if (nn_shape_open(s))
        f.dim[0] = n;
    if (s->ndim == 1) {
        f.ndim = 2;
        f.dim[1] = column ? 1 : s->dim[0];
        f.dim[0] = column ? s->dim[0] : 1;
    }
    return f;
}

/* Dimension i of the leading ones, counted as the longer shape's; 1 where there is none.
 */
static int64_t lead(const nn_shape *s, int i, int dims) {
    int at = i - (dims - (s->ndim - 2));
    return at < 0 ? 1 : s->dim[at];
}

static batches batches_of(const nn_node *node, int n) {
    nn_shape a = filled(&node->in_shape[0], false, n);
    nn_shape b = filled(&node->in_shape[1], true, n);
    batches r = {.m = a.dim[a.ndim - 2], .k = a.dim[a.ndim - 1], .n = b.dim[b.ndim - 1]};
    if (b.ndim == 2) { /* one matrix for all rows */
        for (int i = 0; i < a.ndim - 2; i++)
            r.m *= a.dim[i];
        r.count[0] = r.dims = 1;
        return r;
    }
    r.dims = (a.ndim > b.ndim ? a.ndim : b.ndim) - 2;
    int64_t a_step = r.m * r.k, b_step = r.k * r.n;
    for (int i = r.dims; i-- > 0;) {
        int64_t of_a = lead(&a, i, r.dims), of_b = lead(&b, i, r.dims);
        r.count[i] = of_a > of_b ? of_a : of_b;
        r.a_step[i] = of_a > 1 ? a_step : 0;
        r.b_step[i] = of_b > 1 ? b_step : 0;
        a_step *= of_a;
        b_step *= of_b;
    }
    return r;
}

static int64_t batch_count(const batches *r) {
    int64_t count = 1;
    for (int i = 0; i < r->dims; i++)
        count *= r->count[i];
    return count;
}

/* Where batch `index` begins in an operand. */
static int64_t
place(const batches *r, const int64_t step[OUTER], int64_t index, bool *first) {
    int64_t at = 0;
    *first = true;
    for (int i = r->dims; i-- > 0;) {
        int64_t here = index % r->count[i];
        index /= r->count[i];
        at += here * step[i];
        *first &= step[i] != 0 || here == 0;
    }
    return at;
}

static bool broadcast(const batches *r, const int64_t step[OUTER]) {
    for (int i = 0; i < r->dims; i++)
        if (step[i] == 0 && r->count[i] > 1)
            return true;
    return false;
}

static assay_status matmul_infer(nn_node *node) {
    const nn_shape *a = &node->in_shape[0], *b = &node->in_shape[1];
    bool a_open = nn_shape_open(a), b_open = nn_shape_open(b);
    for (int i = 0; i < 2; i++)
        if (node->in_shape[i].ndim < 1 ||
            (node->in_shape[i].ndim == 1 && nn_shape_open(&node->in_shape[i])))
            return nn_op_bad_shape(node, i, "matrices are needed");
    if (b_open && b->ndim < 3)
        return nn_op_bad_shape(node, 1, "a product can't sum over the batch");
    if (a_open && a->ndim == 2 && b->ndim > 2)
        return nn_op_bad_shape(node, 1, "the batch meets no batch here");
    nn_shape x = filled(a, false, 0), y = filled(b, true, 0);
    if (x.dim[x.ndim - 1] != y.dim[y.ndim - 2])
        return nn_op_bad_shape(node, 1, "rows as many as input 0 has columns are needed");
    int dims = (x.ndim > y.ndim ? x.ndim : y.ndim) - 2;
    nn_shape out = {.ndim = dims};
    for (int i = 0; i < dims; i++) {
        int64_t of_a = lead(&x, i, dims), of_b = lead(&y, i, dims);
        if (of_a != of_b && of_a != 1 && of_b != 1)
            return nn_op_bad_shape(node, 1, "the leading dimensions don't broadcast");
        if (i > 0 && (of_a == 0 || of_b == 0))
            return nn_op_bad_shape(node, of_a == 0 ? 0 : 1, "the batch must come first");
        out.dim[i] = of_a == 0 || of_b == 0 ? 0 : of_a > of_b ? of_a : of_b;
    }
    if (a->ndim > 1)
        out.dim[out.ndim++] = x.dim[x.ndim - 2];
    if (b->ndim > 1)
        out.dim[out.ndim++] = y.dim[y.ndim - 1];
    node->out_shape = out;
    return ASSAY_OK;
}

typedef struct matmul_state {
    bool tiles;
} matmul_state;

static product product_of(const batches *r, bool tiles, int which, bool add) {
    size_t m = (size_t)r->m, n = (size_t)r->n, k = (size_t)r->k;
    product p = {.tiles = tiles && !add, .add = add};
    if (which < 0)
        p.job = (half_job){.m = m,
                           .n = n,
                           .k = k,
                           .a = {NULL, false, k, 1},
                           .b = {NULL, false, n, 1},
                           .ldc = n};
    else if (which == 0)
        p.job = (half_job){.m = m,
                           .n = k,
                           .k = n,
                           .a = {NULL, false, n, 1},
                           .b = {NULL, false, 1, n},
                           .ldc = k};
    else
        p.job = (half_job){.m = k,
                           .n = n,
                           .k = m,
                           .a = {NULL, false, 1, k},
                           .b = {NULL, false, n, 1},
                           .ldc = n};
    return p;
}

static size_t scratch_of(const batches *r, bool tiles, int which) {
    product p = product_of(r, tiles, which, false),
            add = product_of(r, tiles, which, true);
    size_t one = product_scratch(&p), two = product_scratch(&add);
    return one > two ? one : two;
}

static assay_status matmul_plan(nn_plan *p) {
    matmul_state *s;
    const nn_shape *b = &p->node->in_shape[1];
    if (p->mode == NN_CAPTURE && p->backward && !p->want_d[1] && b->ndim > 2 &&
        !nn_shape_open(b))
        return err_set(ASSAY_E_UNSUPPORTED,
                       "matmul: no per-example gradients of an input 1 that is the same "
                       "for all examples and not a matrix");
    assay_status status = mem_new(p->ctx, &s, 1, sizeof *s);
    if (status != ASSAY_OK)
        return status;
    p->state = s;
    s->tiles = p->dtype == ASSAY_BF16 && gemm_half_runs();
    batches r = batches_of(p->node, p->batch);
    p->forward_scratch = scratch_of(&r, s->tiles, -1);
    size_t d_a = scratch_of(&r, s->tiles, 0), d_b = scratch_of(&r, s->tiles, 1);
    p->backward_scratch = d_a > d_b ? d_a : d_b;
    p->backward_reads = (p->want_d[1] ? 1u : 0u) | (p->want_d[0] ? 2u : 0u);
    p->factor_reads_x = p->factor_reads_d = true;
    return ASSAY_OK;
}

static void matmul_unplan(nn_plan *p) {
    mem_free(p->ctx, p->state);
    p->state = NULL;
}

static assay_status matmul_forward(nn_io *io) {
    assay_status status = ASSAY_OK;
    const matmul_state *s = io->state;
    batches r = batches_of(io->node, io->n);
    product p = product_of(&r, s->tiles, -1, false);
    for (int64_t i = 0; i < batch_count(&r); i++) {
        bool first;
        p.job.a.at = (const float *)io->in[0] + place(&r, r.a_step, i, &first);
        p.job.b.at = (const float *)io->in[1] + place(&r, r.b_step, i, &first);
        p.job.c.at = (float *)io->out + i * r.m * r.n;
        ASSAY_TRY(product_run(&p, io->scratch));
    }
done:
    return status;
}

/* The gradient of input `which`, added up where it was broadcast. */
static assay_status back(nn_io *io, const batches *r, int which) {
    assay_status status = ASSAY_OK;
    const matmul_state *s = io->state;
    const int64_t *step = which == 0 ? r->a_step : r->b_step;
    const int64_t *other = which == 0 ? r->b_step : r->a_step;
    bool adds = broadcast(r, step);
    product p = product_of(r, s->tiles, which, adds);
    if (adds)
        memset(io->d_in[which], 0,
               (size_t)nn_shape_elements(&io->node->in_shape[which], io->n) *
                   sizeof(float));
    for (int64_t i = 0; i < batch_count(r); i++) {
        bool first;
        const float *d = (const float *)io->d_out + i * r->m * r->n;
        const float *x = (const float *)io->in[1 - which] + place(r, other, i, &first);
        p.job.a.at = which == 0 ? d : x;
        p.job.b.at = which == 0 ? x : d;
        p.job.c.at = (float *)io->d_in[which] + place(r, step, i, &first);
        ASSAY_TRY(product_run(&p, io->scratch));
    }
done:
    return status;
}

static assay_status matmul_backward(nn_io *io) {
    assay_status status = ASSAY_OK;
    batches r = batches_of(io->node, io->n);
    for (int i = 0; i < 2; i++)
        if (io->d_in[i])
            ASSAY_TRY(back(io, &r, i));
done:
    return status;
}

/* A weight [K,N] has the gradient a^T d: the outer product the other way round. */
static void matmul_factors(const nn_io *io, nn_factor *f) {
    batches r = batches_of(io->node, io->n);
    f->kind = NN_FACTOR_OUTER;
    f->transposed = true; /* x is the derivative */
    f->d = io->in[0];
    f->x = io->d_out;
    f->t = r.m / io->n;
    f->in = r.n;
    f->out = r.k;
}

static void matmul_reference(const nn_node *node,
                             int n,
                             bool training,
                             const double *const *in,
                             double *out,
                             const double *d_out,
                             double *const *d_in) {
    (void)training;
    batches r = batches_of(node, n);
    for (int64_t e = 0; e < batch_count(&r); e++) {
        bool first;
        int64_t a = place(&r, r.a_step, e, &first), b = place(&r, r.b_step, e, &first);
        for (int64_t i = 0; i < r.m * r.n; i++) {
            int64_t row = i / r.n, column = i % r.n, at = e * r.m * r.n + i;
            out[at] = 0;
            for (int64_t k = 0; k < r.k; k++) {
                int64_t of_a = a + row * r.k + k, of_b = b + k * r.n + column;
                out[at] += in[0][of_a] * in[1][of_b];
                if (d_out && d_in[0])
                    d_in[0][of_a] += d_out[at] * in[1][of_b];
                if (d_out && d_in[1])
                    d_in[1][of_b] += d_out[at] * in[0][of_a];
            }
        }
    }
}

static const nn_op_case matmul_cases[] = {
    {.name = "tokens by a weight",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {3, {0, 5, 7}}}, {NN_CASE_PARAM, {2, {7, 9}}}}},
    {.name = "batched",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 2, 5, 7}}}, {NN_CASE_VALUE, {4, {0, 2, 7, 3}}}}},
    {.name = "broadcast",
     .batch = 2,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 1, 5, 7}}}, {NN_CASE_VALUE, {3, {3, 7, 4}}}}},
    {.name = "a row by what is batched",
     .batch = 2,
     .n = 1,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {1, {6}}}, {NN_CASE_VALUE, {3, {0, 6, 4}}}}},
    {.name = "by a column",
     .batch = 4,
     .n = 3,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {3, {0, 2, 6}}}, {NN_CASE_VALUE, {1, {6}}}}},
    {.name = "static",
     .batch = 2,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {17, 6}}}, {NN_CASE_VALUE, {2, {6, 19}}}}},
    {0}};

const nn_op_def assay_op_matmul = {
    .name = "matmul",
    .summary = "products of matrices, batch by batch",
    .min_inputs = 2,
    .max_inputs = 2,
    .layout = NN_ROWS,
    .dtypes = 1u << ASSAY_F32,
    .infer = matmul_infer,
    .plan = matmul_plan,
    .unplan = matmul_unplan,
    .forward = matmul_forward,
    .backward = matmul_backward,
    .factors = matmul_factors,
    .tangent = nn_tangent_product,
    .reference = matmul_reference,
    .cases = matmul_cases,
};
