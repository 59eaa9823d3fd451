/* The walk over an ONNX graph: inputs and tensors get names, nodes that anybody needs go
 * through their rules in the file's order, outputs are looked up. */
#include "nn/onnx/import_inside.h"

#include <stdio.h>
#include <string.h>

#define X(name) extern const imp_rules assay_onnx_rule_##name;
#include "onnx_rule_table.inc"
#undef X

static const imp_rules *const rules[] = {
#define X(name) &assay_onnx_rule_##name,
#include "onnx_rule_table.inc"
#undef X
};

static const imp_rule *find_rule(const char *op_type) {
    for (size_t k = 0; k < sizeof rules / sizeof *rules; k++)
        for (const imp_rule *r = rules[k]->rule; r->op_type; r++)
            if (strcmp(r->op_type, op_type) == 0)
                return r;
    return NULL;
}

const char *onnx_rule_name(size_t i) {
    for (size_t k = 0; k < sizeof rules / sizeof *rules; k++)
        for (const imp_rule *r = rules[k]->rule; r->op_type; r++)
            if (i-- == 0)
                return r->op_type;
    return NULL;
}

/* ---- memory ---- */

struct imp_block {
    imp_block *next;
    _Alignas(16) uint8_t data[];
};

/* What an import computes beforehand is bounded: a few bytes may ask for any amount. */
static const size_t most_taken = (size_t)1 << 28;

assay_status imp_take(imp *im, void *out, size_t count, size_t size) {
    assay_status status = ASSAY_OK;
    imp_block *b = NULL;
    *(void **)out = NULL;
    if (count > most_taken / size || im->taken + count * size > most_taken)
        return err_set(ASSAY_E_UNSUPPORTED,
                       "more than %zu bytes of numbers are to be known beforehand",
                       most_taken);
    ASSAY_TRY(mem_new(im->ctx, &b, sizeof *b + count * size, 1));
    im->taken += count * size;
    b->next = im->blocks;
    im->blocks = b;
    *(void **)out = b->data;
done:
    return status;
}

/* ---- names ---- */

static size_t slot_of(const imp *im, const char *name) {
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (const char *p = name; *p; p++)
        h = (h ^ (uint8_t)*p) * 1099511628211u;
    size_t at = (size_t)(h ^ h >> 32) & (im->table_size - 1);
    while (im->table[at] && strcmp(im->table[at]->name, name) != 0)
        at = (at + 1) & (im->table_size - 1);
    return at;
}

imp_value *imp_find(imp *im, const char *name) {
    return im->table[slot_of(im, name)];
}

assay_status imp_name(imp *im, const char *name, imp_value **out) {
    assay_status status = ASSAY_OK;
    size_t at = slot_of(im, name);
    *out = NULL;
    if (im->table[at])
        return err_set(ASSAY_E_FORMAT, "two values are named '%s'", name);
    ASSAY_TRY(imp_take(im, out, 1, sizeof **out));
    **out = (imp_value){.name = name, .v = -1, .param = -1, .buffer = -1, .input = -1};
    im->table[at] = *out;
done:
    return status;
}

static assay_status make_table(imp *im) {
    const onnx_graph *g = &im->model->graph;
    size_t names = g->n_init + g->n_in;
    for (size_t i = 0; i < g->n_node; i++)
        names += g->node[i].n_out;
    im->table_size = 16;
    while (im->table_size < 2 * names)
        im->table_size *= 2;
    return mem_new(im->ctx, &im->table, im->table_size, sizeof *im->table);
}

/* ---- tensors of the file, and inputs ---- */

static void set_array(imp_value *v, const onnx_array *a) {
    v->dtype = a->dtype;
    v->shape.ndim = a->ndim;
    memcpy(v->shape.dim, a->dim, sizeof v->shape.dim);
    v->empty = a->count == 0;
}

static assay_status add_initializers(imp *im) {
    assay_status status = ASSAY_OK;
    const onnx_graph *g = &im->model->graph;
    for (size_t i = 0; i < g->n_init; i++) {
        imp_value *v;
        onnx_array head;
        ASSAY_TRY(imp_name(im, g->init[i].name, &v));
        v->init = &g->init[i];
        /* What nothing uses may be of any kind. */
        if (onnx_array_head(&head, v->init) == ASSAY_OK)
            set_array(v, &head);
    }
done:
    return status;
}

static const onnx_bound *bound_for(const imp *im, const char *name, size_t place) {
    for (int i = 0; i < im->options->n_bound; i++) {
        const onnx_bound *b = &im->options->bound[i];
        if (b->name ? strcmp(b->name, name) == 0 : (size_t)i == place)
            return b;
    }
    return NULL;
}

/* Dimension i of an input: its size, or 0 for the batch. */
static assay_status
input_dim(imp *im, const onnx_value *in, const onnx_bound *b, size_t i, int64_t *out) {
    const onnx_dim *d = &in->dim[i];
    *out = d->size;
    bool open = d->size < 0;
    if (i == 0 && d->size == 1 && im->options->open_batch)
        open = true;
    else if (i == 0 && open && im->batch_name && strcmp(im->batch_name, d->name) != 0)
        open = false; /* open, but of another size than the batch */
    if (im->options->fix_batch && b && (size_t)b->ndim == in->ndim)
        open = false;
    if (i == 0 && open) {
        if (d->size < 0 && !im->batch_name)
            im->batch_name = d->name;
        *out = 0;
        return ASSAY_OK;
    }
    if (d->size >= 0)
        return ASSAY_OK;
    if (b && (size_t)b->ndim == in->ndim) {
        *out = b->dim[i];
        return ASSAY_OK;
    }
    assay_status status =
        err_set(ASSAY_E_UNSUPPORTED, "dimension %zu ('%s') of input '%s' is open", i,
                d->name, in->name);
    err_help("only the first may be; give the model its input, or fix the size");
    return status;
}

static assay_status
input_shape(imp *im, const onnx_value *in, const onnx_bound *b, imp_value *v) {
    assay_status status = ASSAY_OK;
    if (!in->has_shape) {
        if (!b)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "input '%s' has no shape", in->name);
        v->shape.ndim = b->ndim;
        memcpy(v->shape.dim, b->dim, sizeof v->shape.dim);
    } else {
        if (in->ndim > NN_MAX_DIMS)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "input '%s' has %zu dimensions", in->name,
                       in->ndim);
        v->shape.ndim = (int)in->ndim;
        for (size_t i = 0; i < in->ndim; i++) {
            ASSAY_TRY(input_dim(im, in, b, i, &v->shape.dim[i]));
            v->open |= i == 0 && v->shape.dim[0] == 0 && in->dim[0].size != 0;
        }
    }
    int64_t count = 1;
    for (int i = v->open; i < v->shape.ndim; i++) {
        if (v->shape.dim[i] < 0 || v->shape.dim[i] > ((int64_t)1 << 40) / count)
            ASSAY_FAIL(ASSAY_E_FORMAT, "dimension %d of input '%s' is %lld", i, in->name,
                       (long long)v->shape.dim[i]);
        v->empty |= v->shape.dim[i] == 0;
        count *= v->shape.dim[i] ? v->shape.dim[i] : 1;
    }
done:
    return status;
}

static assay_status add_inputs(imp *im) {
    assay_status status = ASSAY_OK;
    const onnx_graph *g = &im->model->graph;
    onnx_import *out = im->out;
    ASSAY_TRY(mem_new(im->ctx, &out->in, g->n_in + 1, sizeof *out->in));
    for (size_t i = 0; i < g->n_in; i++) {
        const onnx_value *in = &g->in[i];
        imp_value *v = imp_find(im, in->name);
        if (v && v->init) /* old files list tensors among the inputs */
            continue;
        ASSAY_TRY(imp_name(im, in->name, &v));
        if (!in->tensor)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "input '%s' is not a tensor", in->name);
        ASSAY_TRY_AT(onnx_dtype(&v->dtype, in->type), "input '%s'", in->name);
        ASSAY_TRY(input_shape(im, in, bound_for(im, in->name, out->n_in), v));
        v->input = (int)out->n_in;
        onnx_port *p = &out->in[out->n_in++];
        *p = (onnx_port){.dtype = v->dtype,
                         .shape = v->shape,
                         .empty = v->empty,
                         .value = -1,
                         .param = -1,
                         .buffer = -1};
        snprintf(p->name, sizeof p->name, "%s", in->name);
        out->open |= v->open;
    }
done:
    return status;
}

/* ---- nodes ---- */

static assay_status run_node(imp *im, const onnx_node *node) {
    assay_status status = ASSAY_OK;
    bool folded = false;
    bool ours = *node->domain == '\0' || strcmp(node->domain, "ai.onnx") == 0;
    const imp_rule *rule = ours ? find_rule(node->op_type) : NULL;
    if (!rule)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "there is no rule for %s%s%s", node->domain,
                   *node->domain ? "." : "", node->op_type);
    int since = rule->since ? rule->since : 7;
    if (im->model->opset < since)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "as of opset %lld; from %d on it is read",
                   (long long)im->model->opset, since);
    for (size_t i = 0; i < node->n_attr; i++)
        if (node->attr[i].reference)
            ASSAY_FAIL(ASSAY_E_FORMAT,
                       "attribute '%s' refers to a function's, outside of one",
                       node->attr[i].name);
    for (size_t i = 0; i < node->n_in; i++)
        if (*node->in[i] && !imp_find(im, node->in[i]))
            ASSAY_FAIL(ASSAY_E_FORMAT, "input '%s' is not there yet", node->in[i]);
    ASSAY_TRY(imp_fold(im, node, &folded));
    if (!folded)
        ASSAY_TRY(rule->run(im, node, rule));
    for (size_t k = 0; k < node->n_out; k++)
        if (*node->out[k] && !imp_find(im, node->out[k]))
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "its output %zu ('%s') is not made", k,
                       node->out[k]);
done:
    if (status != ASSAY_OK) {
        snprintf(im->blame, sizeof im->blame, "%s%s%s", node->domain,
                 *node->domain ? "." : "", node->op_type);
        err_where("node '%s' (%s)",
                  *node->name   ? node->name
                  : node->n_out ? node->out[0]
                                : "",
                  node->op_type);
    }
    return status;
}

/* Which nodes an output depends on; the others are left out. */
static assay_status mark_needed(imp *im, bool *needed) {
    assay_status status = ASSAY_OK;
    const onnx_graph *g = &im->model->graph;
    imp_value **table = NULL;
    /* A table of its own: who is wanted, by name. */
    imp_value **kept = im->table;
    ASSAY_TRY(mem_new(im->ctx, &table, im->table_size, sizeof *table));
    im->table = table;
    size_t room = im->table_size - 1, used = 0;
    for (size_t i = 0; i < g->n_out && used < room; i++)
        if (!imp_find(im, g->out[i].name)) {
            imp_value *v;
            ASSAY_TRY(imp_name(im, g->out[i].name, &v));
            used++;
        }
    for (size_t k = g->n_node; k-- > 0;) {
        const onnx_node *node = &g->node[k];
        for (size_t i = 0; i < node->n_out; i++)
            needed[k] |= *node->out[i] && imp_find(im, node->out[i]);
        for (size_t i = 0; needed[k] && i < node->n_in; i++)
            if (*node->in[i] && !imp_find(im, node->in[i])) {
                imp_value *v;
                if (++used >= room)
                    ASSAY_FAIL(ASSAY_E_FORMAT, "nodes use names that nothing makes");
                ASSAY_TRY(imp_name(im, node->in[i], &v));
            }
    }
done:
    im->table = kept;
    mem_free(im->ctx, table);
    return status;
}

static assay_status run_nodes(imp *im) {
    assay_status status = ASSAY_OK;
    const onnx_graph *g = &im->model->graph;
    bool *needed = NULL;
    ASSAY_TRY(mem_new(im->ctx, &needed, g->n_node + 1, sizeof *needed));
    ASSAY_TRY(mark_needed(im, needed));
    for (size_t k = 0; k < g->n_node; k++)
        if (needed[k])
            ASSAY_TRY(run_node(im, &g->node[k]));
done:
    mem_free(im->ctx, needed);
    return status;
}

/* ---- outputs ---- */

static assay_status add_outputs(imp *im) {
    assay_status status = ASSAY_OK;
    const onnx_graph *g = &im->model->graph;
    onnx_import *out = im->out;
    if (g->n_out == 0)
        ASSAY_FAIL(ASSAY_E_FORMAT, "the graph has no outputs");
    ASSAY_TRY(mem_new(im->ctx, &out->out, g->n_out, sizeof *out->out));
    for (size_t i = 0; i < g->n_out; i++) {
        imp_value *v = imp_find(im, g->out[i].name);
        if (!v)
            ASSAY_FAIL(ASSAY_E_FORMAT, "nothing makes the output '%s'", g->out[i].name);
        onnx_port *p = &out->out[out->n_out++];
        *p = (onnx_port){.dtype = v->dtype,
                         .shape = v->shape,
                         .empty = v->empty,
                         .value = -1,
                         .param = -1,
                         .buffer = -1};
        snprintf(p->name, sizeof p->name, "%s", v->name);
        if (!v->empty)
            ASSAY_TRY_AT(imp_get(im, v, &p->value), "output '%s'", v->name);
    }
done:
    return status;
}

/* ---- the whole ---- */

static assay_status check_model(const onnx_model *m) {
    assay_status status = ASSAY_OK;
    bool own = false;
    for (size_t i = 0; i < m->graph.n_node; i++)
        own |= *m->graph.node[i].domain == '\0';
    if (own && (m->opset < ONNX_MIN_OPSET || m->opset > ONNX_MAX_OPSET))
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "opset %lld; %d to %d are read",
                   (long long)m->opset, ONNX_MIN_OPSET, ONNX_MAX_OPSET);
    if (m->graph.n_sparse)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "sparse tensors are not handled");
done:
    return status;
}

assay_status onnx_load(onnx_import *out,
                       assay_ctx *ctx,
                       const onnx_model *model,
                       const onnx_options *options) {
    assay_status status = ASSAY_OK;
    static const onnx_options none = {0};
    imp im = {
        .ctx = ctx, .model = model, .options = options ? options : &none, .out = out};
    memset(out, 0, sizeof *out);
    out->ctx = ctx;
    out->opset = model->opset;
    ASSAY_TRY(check_model(model));
    ASSAY_TRY(make_table(&im));
    ASSAY_TRY(nn_graph_create(&out->graph, ctx));
    im.graph = out->graph;
    ASSAY_TRY(add_initializers(&im));
    ASSAY_TRY(add_inputs(&im));
    ASSAY_TRY(run_nodes(&im));
    ASSAY_TRY(add_outputs(&im));
    ASSAY_TRY(imp_fill_weights(&im));
done:
    while (im.blocks) {
        imp_block *next = im.blocks->next;
        mem_free(ctx, im.blocks);
        im.blocks = next;
    }
    mem_free(ctx, im.table);
    mem_free(ctx, im.weights);
    if (status != ASSAY_OK) {
        onnx_import_free(out);
        memcpy(out->blame, im.blame, sizeof out->blame);
    }
    return status;
}

void onnx_import_free(onnx_import *m) {
    if (m->graph) {
        nn_weights_destroy(&m->weights, m->ctx);
        nn_graph_destroy(m->graph);
    }
    if (m->ctx) {
        mem_free(m->ctx, m->in);
        mem_free(m->ctx, m->out);
    }
    memset(m, 0, sizeof *m);
}
