/* The adapter to oneDNN, for 2.x (operation descriptors, plain memory descriptors)
 * and 3.x (neither) alike: the few calls that differ stand in the first section, and
 * nothing below knows.
 *
 * A pass is one primitive with its operands. An operand has two faces, ours (f32,
 * channels-last or OIHW) and the library's (whatever it asked for: blocked weights,
 * bf16); where they differ a reorder through the scratch lies between. Passes allocate
 * nothing. */
#include "nn/onednn.h"

#include "base/cpu.h"

#include <dnnl.h>
#include <dnnl_version.h>
#include <stdio.h>
#include <string.h>

/* libgomp's, without its header, which not every compiler here brings along. */
extern void omp_set_num_threads(int n);
extern int omp_get_max_threads(void);

/* ---- what differs between 2.x and 3.x ---- */

typedef struct conv_shape {
    dnnl_dims_t stride, dilate, before, after;
} conv_shape;

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t md_own;
typedef const_dnnl_memory_desc_t md_ref;
#define MD_REF(md) (md)

static dnnl_status_t md_make(md_own *md,
                             int n,
                             const dnnl_dims_t dims,
                             dnnl_data_type_t type,
                             dnnl_format_tag_t tag) {
    return dnnl_memory_desc_create_with_tag(md, n, dims, type, tag);
}
static void md_drop(md_own *md) {
    if (*md)
        dnnl_memory_desc_destroy(*md);
    *md = NULL;
}
static dnnl_status_t conv_forward_desc(dnnl_primitive_desc_t *pd,
                                       dnnl_engine_t engine,
                                       md_ref x,
                                       md_ref w,
                                       md_ref b,
                                       md_ref y,
                                       const conv_shape *s,
                                       dnnl_primitive_attr_t attr) {
    return dnnl_convolution_forward_primitive_desc_create(
        pd, engine, dnnl_forward_training, dnnl_convolution_direct, x, w, b, y, s->stride,
        s->dilate, s->before, s->after, attr);
}
static dnnl_status_t conv_data_desc(dnnl_primitive_desc_t *pd,
                                    dnnl_engine_t engine,
                                    md_ref x,
                                    md_ref w,
                                    md_ref y,
                                    const conv_shape *s,
                                    dnnl_primitive_attr_t attr,
                                    dnnl_primitive_desc_t hint) {
    return dnnl_convolution_backward_data_primitive_desc_create(
        pd, engine, dnnl_convolution_direct, x, w, y, s->stride, s->dilate, s->before,
        s->after, hint, attr);
}
static dnnl_status_t conv_weights_desc(dnnl_primitive_desc_t *pd,
                                       dnnl_engine_t engine,
                                       md_ref x,
                                       md_ref w,
                                       md_ref y,
                                       const conv_shape *s,
                                       dnnl_primitive_attr_t attr,
                                       dnnl_primitive_desc_t hint) {
    return dnnl_convolution_backward_weights_primitive_desc_create(
        pd, engine, dnnl_convolution_direct, x, w, NULL, y, s->stride, s->dilate,
        s->before, s->after, hint, attr);
}
#else
typedef dnnl_memory_desc_t md_own;
typedef const dnnl_memory_desc_t *md_ref;
#define MD_REF(md) (&(md))

static dnnl_status_t md_make(md_own *md,
                             int n,
                             const dnnl_dims_t dims,
                             dnnl_data_type_t type,
                             dnnl_format_tag_t tag) {
    return dnnl_memory_desc_init_by_tag(md, n, dims, type, tag);
}
static void md_drop(md_own *md) {
    (void)md;
}
static dnnl_status_t conv_forward_desc(dnnl_primitive_desc_t *pd,
                                       dnnl_engine_t engine,
                                       md_ref x,
                                       md_ref w,
                                       md_ref b,
                                       md_ref y,
                                       const conv_shape *s,
                                       dnnl_primitive_attr_t attr) {
    dnnl_convolution_desc_t d;
    dnnl_status_t r = dnnl_dilated_convolution_forward_desc_init(
        &d, dnnl_forward_training, dnnl_convolution_direct, x, w, b, y, s->stride,
        s->dilate, s->before, s->after);
    return r ? r : dnnl_primitive_desc_create(pd, &d, attr, engine, NULL);
}
static dnnl_status_t conv_data_desc(dnnl_primitive_desc_t *pd,
                                    dnnl_engine_t engine,
                                    md_ref x,
                                    md_ref w,
                                    md_ref y,
                                    const conv_shape *s,
                                    dnnl_primitive_attr_t attr,
                                    dnnl_primitive_desc_t hint) {
    dnnl_convolution_desc_t d;
    dnnl_status_t r = dnnl_dilated_convolution_backward_data_desc_init(
        &d, dnnl_convolution_direct, x, w, y, s->stride, s->dilate, s->before, s->after);
    return r ? r : dnnl_primitive_desc_create(pd, &d, attr, engine, hint);
}
static dnnl_status_t conv_weights_desc(dnnl_primitive_desc_t *pd,
                                       dnnl_engine_t engine,
                                       md_ref x,
                                       md_ref w,
                                       md_ref y,
                                       const conv_shape *s,
                                       dnnl_primitive_attr_t attr,
                                       dnnl_primitive_desc_t hint) {
    dnnl_convolution_desc_t d;
    dnnl_status_t r = dnnl_dilated_convolution_backward_weights_desc_init(
        &d, dnnl_convolution_direct, x, w, NULL, y, s->stride, s->dilate, s->before,
        s->after);
    return r ? r : dnnl_primitive_desc_create(pd, &d, attr, engine, hint);
}
#endif

/* ---- engine ---- */

struct dn_engine {
    assay_ctx *ctx;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_attr_t attr; /* scratch is ours */
    uint64_t primitives;        /* made so far */
};

static assay_status check(dnnl_status_t r, const char *what) {
    if (r == dnnl_success)
        return ASSAY_OK;
    assay_status code = r == dnnl_out_of_memory   ? ASSAY_E_NOMEM
                        : r == dnnl_unimplemented ? ASSAY_E_UNSUPPORTED
                                                  : ASSAY_E_INTERNAL;
    return err_set(code, "oneDNN: %s failed (%d)", what, (int)r);
}

/* Lowers the library's instruction set to ours. Only the first call before the first
 * primitive can; later ones are refused, which is as it should be. */
static void limit_isa(void) {
    cpu_isa isa = cpu_isa_used();
    if (isa < CPU_AVX512)
        (void)dnnl_set_max_cpu_isa(isa == CPU_AVX2 ? dnnl_cpu_isa_avx2
                                                   : dnnl_cpu_isa_sse41);
}

assay_status dn_engine_create(dn_engine **out, assay_ctx *ctx) {
    assay_status status = ASSAY_OK;
    dn_engine *e = NULL;
    *out = NULL;
    limit_isa();
    ASSAY_TRY(mem_new(ctx, &e, 1, sizeof *e));
    e->ctx = ctx;
    ASSAY_TRY(check(dnnl_engine_create(&e->engine, dnnl_cpu, 0), "making an engine"));
    ASSAY_TRY(check(dnnl_stream_create(&e->stream, e->engine, dnnl_stream_default_flags),
                    "making a stream"));
    ASSAY_TRY(check(dnnl_primitive_attr_create(&e->attr), "making attributes"));
    ASSAY_TRY(
        check(dnnl_primitive_attr_set_scratchpad_mode(e->attr, dnnl_scratchpad_mode_user),
              "setting attributes"));
    *out = e;
    e = NULL;
done:
    dn_engine_destroy(e);
    return status;
}

void dn_engine_destroy(dn_engine *e) {
    if (!e)
        return;
    if (e->attr)
        dnnl_primitive_attr_destroy(e->attr);
    if (e->stream)
        dnnl_stream_destroy(e->stream);
    if (e->engine)
        dnnl_engine_destroy(e->engine);
    mem_free(e->ctx, e);
}

const char *dn_version(char out[24]) {
    const dnnl_version_t *v = dnnl_version();
    snprintf(out, 24, "%d.%d.%d", v->major, v->minor, v->patch);
    return out;
}

uint64_t dn_primitive_count(const dn_engine *e) {
    return e->primitives;
}

int dn_enter(void) {
    int before = omp_get_max_threads();
    omp_set_num_threads(1);
    return before;
}

void dn_leave(int before) {
    omp_set_num_threads(before);
}

static bool isa_has(int isa) {
    limit_isa();
    return ((int)dnnl_get_effective_cpu_isa() & isa) == isa;
}

bool dn_bf16_runs(void) {
    return isa_has(dnnl_cpu_isa_avx512_core);
}

bool dn_bf16_pays(void) {
    return isa_has(dnnl_cpu_isa_avx512_core_amx);
}

/* ---- a pass ---- */

enum { MAX_OPERANDS = 4 };

typedef struct task {
    dnnl_primitive_t primitive;
    dnnl_memory_t scratch; /* NULL: needs none */
    size_t scratch_bytes;
} task;

typedef struct operand {
    int arg;
    bool output;
    dnnl_memory_t ours, theirs; /* theirs NULL: the same */
    task reorder;
    size_t offset, bytes; /* theirs, in the scratch */
} operand;

typedef struct pass {
    task main;
    operand operand[MAX_OPERANDS];
    int n;
    size_t scratch_at,
        scratch_bytes; /* the tasks' own scratch lies behind the operands */
} pass;

struct dn_conv {
    dn_engine *engine;
    pass forward, data, weights;
};

static size_t round_up(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

static assay_status task_make(task *t, dn_engine *e, dnnl_primitive_desc_t pd) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(check(dnnl_primitive_create(&t->primitive, pd), "making a primitive"));
    e->primitives++;
    md_ref scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    t->scratch_bytes = scratch ? dnnl_memory_desc_get_size(scratch) : 0;
    if (t->scratch_bytes)
        ASSAY_TRY(
            check(dnnl_memory_create(&t->scratch, scratch, e->engine, DNNL_MEMORY_NONE),
                  "making a memory"));
done:
    return status;
}

static void task_drop(task *t) {
    if (t->primitive)
        dnnl_primitive_destroy(t->primitive);
    if (t->scratch)
        dnnl_memory_destroy(t->scratch);
}

static dnnl_status_t
task_run(const task *t, dn_engine *e, dnnl_exec_arg_t *args, int n, void *scratch) {
    if (t->scratch) {
        dnnl_status_t r = dnnl_memory_set_data_handle(t->scratch, scratch);
        if (r)
            return r;
        args[n++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, t->scratch};
    }
    return dnnl_primitive_execute(t->primitive, e->stream, n, args);
}

/* Adds an operand: `ours` as it lies here, `theirs` as the primitive wants it. */
static assay_status
add_operand(pass *p, dn_engine *e, int arg, bool output, md_ref ours, md_ref theirs) {
    assay_status status = ASSAY_OK;
    dnnl_primitive_desc_t pd = NULL;
    operand *o = &p->operand[p->n++];
    o->arg = arg;
    o->output = output;
    ASSAY_TRY(check(dnnl_memory_create(&o->ours, ours, e->engine, DNNL_MEMORY_NONE),
                    "making a memory"));
    if (dnnl_memory_desc_equal(ours, theirs))
        goto done;
    ASSAY_TRY(check(dnnl_memory_create(&o->theirs, theirs, e->engine, DNNL_MEMORY_NONE),
                    "making a memory"));
    ASSAY_TRY(check(dnnl_reorder_primitive_desc_create(&pd, output ? theirs : ours,
                                                       e->engine, output ? ours : theirs,
                                                       e->engine, e->attr),
                    "planning a reorder"));
    ASSAY_TRY(task_make(&o->reorder, e, pd));
    o->bytes = dnnl_memory_desc_get_size(theirs);
    o->offset = p->scratch_at;
    p->scratch_at += round_up(o->bytes);
    if (o->reorder.scratch_bytes > p->scratch_bytes)
        p->scratch_bytes = o->reorder.scratch_bytes;
done:
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return status;
}

static void pass_drop(pass *p) {
    task_drop(&p->main);
    for (int i = 0; i < p->n; i++) {
        operand *o = &p->operand[i];
        task_drop(&o->reorder);
        if (o->ours)
            dnnl_memory_destroy(o->ours);
        if (o->theirs)
            dnnl_memory_destroy(o->theirs);
    }
}

static dnnl_status_t reorder_operand(dn_engine *e, const operand *o, void *scratch) {
    dnnl_exec_arg_t args[3] = {{DNNL_ARG_FROM, o->output ? o->theirs : o->ours},
                               {DNNL_ARG_TO, o->output ? o->ours : o->theirs}};
    return task_run(&o->reorder, e, args, 2, scratch);
}

/* Runs a pass; data[i] belongs to operand i. */
static assay_status
pass_run(const pass *p, dn_engine *e, void *const *data, uint8_t *scratch) {
    dnnl_exec_arg_t args[MAX_OPERANDS + 1];
    dnnl_status_t r = dnnl_success;
    uint8_t *inner = scratch + p->scratch_at;
    for (int i = 0; !r && i < p->n; i++) {
        const operand *o = &p->operand[i];
        r = dnnl_memory_set_data_handle(o->ours, data[i]);
        if (!r && o->theirs)
            r = dnnl_memory_set_data_handle(o->theirs, scratch + o->offset);
        if (!r && o->theirs && !o->output)
            r = reorder_operand(e, o, inner);
        args[i] = (dnnl_exec_arg_t){o->arg, o->theirs ? o->theirs : o->ours};
    }
    if (!r)
        r = task_run(&p->main, e, args, p->n, inner);
    for (int i = 0; !r && i < p->n; i++)
        if (p->operand[i].output && p->operand[i].theirs)
            r = reorder_operand(e, &p->operand[i], inner);
    return check(r, "running a convolution");
}

/* ---- convolutions ---- */

/* The layouts of one geometry: ours, and what the library is offered. */
typedef struct conv_mds {
    md_own x, w, b, y, half_x, half_y, any_w, any_half_w;
} conv_mds;

static assay_status mds_make(conv_mds *m, const dn_conv_geometry *g) {
    const dnnl_dims_t x = {g->n, g->c, g->h, g->w}, y = {g->n, g->o, g->oh, g->ow};
    const dnnl_dims_t plain_w = {g->o, g->c, g->kh, g->kw}, b = {g->o};
    const int64_t groups = g->groups > 1 ? g->groups : 1;
    const dnnl_dims_t group_w = {groups, g->o / groups, g->c / groups, g->kh, g->kw};
    const int64_t *w = groups > 1 ? group_w : plain_w;
    const int w_dims = groups > 1 ? 5 : 4;
    const dnnl_format_tag_t w_tag = groups > 1 ? dnnl_goihw : dnnl_oihw;
    dnnl_status_t r = md_make(&m->x, 4, x, dnnl_f32, dnnl_nhwc);
    r = r ? r : md_make(&m->y, 4, y, dnnl_f32, dnnl_nhwc);
    r = r ? r : md_make(&m->w, w_dims, w, dnnl_f32, w_tag);
    r = r ? r : md_make(&m->b, 1, b, dnnl_f32, dnnl_a);
    r = r ? r : md_make(&m->half_x, 4, x, dnnl_bf16, dnnl_nhwc);
    r = r ? r : md_make(&m->half_y, 4, y, dnnl_bf16, dnnl_nhwc);
    r = r ? r : md_make(&m->any_w, w_dims, w, dnnl_f32, dnnl_format_tag_any);
    r = r ? r : md_make(&m->any_half_w, w_dims, w, dnnl_bf16, dnnl_format_tag_any);
    return check(r, "describing a convolution");
}

static void mds_drop(conv_mds *m) {
    md_drop(&m->x);
    md_drop(&m->y);
    md_drop(&m->w);
    md_drop(&m->b);
    md_drop(&m->half_x);
    md_drop(&m->half_y);
    md_drop(&m->any_w);
    md_drop(&m->any_half_w);
}

static md_ref asks(dnnl_primitive_desc_t pd, dnnl_query_t what, int index) {
    return dnnl_primitive_desc_query_md(pd, what, index);
}

static assay_status finish_pass(pass *p, dn_engine *e, dnnl_primitive_desc_t pd) {
    assay_status status = task_make(&p->main, e, pd);
    if (p->main.scratch_bytes > p->scratch_bytes)
        p->scratch_bytes = p->main.scratch_bytes;
    return status;
}

assay_status
dn_conv_create(dn_conv **out, dn_engine *e, const dn_conv_geometry *g, unsigned what) {
    assay_status status = ASSAY_OK;
    dn_conv *c = NULL;
    dnnl_primitive_desc_t forward = NULL, pd = NULL;
    conv_mds m;
    memset(&m, 0, sizeof m);
    *out = NULL;
    int before =
        dn_enter(); /* primitives remember the number of threads they were made for */
    conv_shape s = {{g->stride[0], g->stride[1]},
                    {g->dilation[0] - 1, g->dilation[1] - 1},
                    {g->pad[0], g->pad[1]},
                    {g->pad[2], g->pad[3]}};
    ASSAY_TRY(mem_new(e->ctx, &c, 1, sizeof *c));
    c->engine = e;
    ASSAY_TRY(mds_make(&m, g));
    md_ref x = g->bf16 ? MD_REF(m.half_x) : MD_REF(m.x);
    md_ref y = g->bf16 ? MD_REF(m.half_y) : MD_REF(m.y);
    md_ref w = g->bf16 ? MD_REF(m.any_half_w) : MD_REF(m.any_w);
    md_ref our_x = g->x_half ? MD_REF(m.half_x) : MD_REF(m.x);
    md_ref our_y = g->y_half ? MD_REF(m.half_y) : MD_REF(m.y);
    md_ref bias = g->bias ? MD_REF(m.b) : NULL;
    ASSAY_TRY(
        check(conv_forward_desc(&forward, e->engine, x, w, bias, our_y, &s, e->attr),
              "planning a convolution"));
    if (what & DN_FORWARD) {
        pass *p = &c->forward;
        ASSAY_TRY(add_operand(p, e, DNNL_ARG_SRC, false, our_x,
                              asks(forward, dnnl_query_src_md, 0)));
        ASSAY_TRY(add_operand(p, e, DNNL_ARG_WEIGHTS, false, MD_REF(m.w),
                              asks(forward, dnnl_query_weights_md, 0)));
        ASSAY_TRY(add_operand(p, e, DNNL_ARG_DST, true, our_y,
                              asks(forward, dnnl_query_dst_md, 0)));
        if (g->bias)
            ASSAY_TRY(add_operand(p, e, DNNL_ARG_BIAS, false, MD_REF(m.b), MD_REF(m.b)));
        ASSAY_TRY(finish_pass(p, e, forward));
    }
    if (what & DN_BACKWARD_DATA) {
        pass *p = &c->data;
        ASSAY_TRY(check(conv_data_desc(&pd, e->engine, our_x, w, y, &s, e->attr, forward),
                        "planning a convolution's backward-data"));
        ASSAY_TRY(add_operand(p, e, DNNL_ARG_DIFF_DST, false, our_y,
                              asks(pd, dnnl_query_diff_dst_md, 0)));
        ASSAY_TRY(add_operand(p, e, DNNL_ARG_WEIGHTS, false, MD_REF(m.w),
                              asks(pd, dnnl_query_weights_md, 0)));
        ASSAY_TRY(add_operand(p, e, DNNL_ARG_DIFF_SRC, true, our_x,
                              asks(pd, dnnl_query_diff_src_md, 0)));
        ASSAY_TRY(finish_pass(p, e, pd));
        dnnl_primitive_desc_destroy(pd);
        pd = NULL;
    }
    if (what & DN_BACKWARD_WEIGHTS) {
        pass *p = &c->weights;
        ASSAY_TRY(check(conv_weights_desc(&pd, e->engine, x, MD_REF(m.any_w), y, &s,
                                          e->attr, forward),
                        "planning a convolution's backward-weights"));
        ASSAY_TRY(add_operand(p, e, DNNL_ARG_SRC, false, our_x,
                              asks(pd, dnnl_query_src_md, 0)));
        ASSAY_TRY(add_operand(p, e, DNNL_ARG_DIFF_DST, false, our_y,
                              asks(pd, dnnl_query_diff_dst_md, 0)));
        ASSAY_TRY(add_operand(p, e, DNNL_ARG_DIFF_WEIGHTS, true, MD_REF(m.w),
                              asks(pd, dnnl_query_diff_weights_md, 0)));
        ASSAY_TRY(finish_pass(p, e, pd));
    }
    *out = c;
    c = NULL;
done:
    dn_leave(before);
    mds_drop(&m);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (forward)
        dnnl_primitive_desc_destroy(forward);
    dn_conv_destroy(c);
    return status;
}

void dn_conv_destroy(dn_conv *c) {
    if (!c)
        return;
    pass_drop(&c->forward);
    pass_drop(&c->data);
    pass_drop(&c->weights);
    mem_free(c->engine->ctx, c);
}

size_t dn_conv_scratch(const dn_conv *c, unsigned what) {
    const pass *p = what == DN_FORWARD         ? &c->forward
                    : what == DN_BACKWARD_DATA ? &c->data
                                               : &c->weights;
    return p->scratch_at + round_up(p->scratch_bytes);
}

/* The library's handles are not const; it does not write through those of inputs. */
static void *handle(const void *p) {
    union {
        const void *in;
        void *out;
    } u = {p};
    return u.out;
}

assay_status dn_conv_forward(dn_conv *c,
                             const void *x,
                             const float *weight,
                             const float *bias,
                             void *y,
                             void *scratch) {
    void *const data[] = {handle(x), handle(weight), y, handle(bias)};
    return pass_run(&c->forward, c->engine, data, scratch);
}

assay_status dn_conv_backward_data(
    dn_conv *c, const void *d_y, const float *weight, void *d_x, void *scratch) {
    void *const data[] = {handle(d_y), handle(weight), d_x};
    return pass_run(&c->data, c->engine, data, scratch);
}

assay_status dn_conv_backward_weights(
    dn_conv *c, const void *x, const void *d_y, float *d_weight, void *scratch) {
    void *const data[] = {handle(x), handle(d_y), d_weight};
    return pass_run(&c->weights, c->engine, data, scratch);
}

assay_status dn_gemm(bool ta,
                     bool tb,
                     int64_t m,
                     int64_t n,
                     int64_t k,
                     float alpha,
                     const float *a,
                     int64_t lda,
                     const float *b,
                     int64_t ldb,
                     float beta,
                     float *c,
                     int64_t ldc) {
    return check(dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, alpha, a, lda, b,
                            ldb, beta, c, ldc),
                 "a matrix product");
}
