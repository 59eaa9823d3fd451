/* A digest of what a graph computes: kinds, shapes and contents of its values, and its
 * nodes in order with their attributes. Names and the values of weights are left out. */
#include "nn/graph_inside.h"

#include "base/hash.h"

#include <string.h>

static void shape_add(hash_sha256 *h, const nn_shape *s) {
    hash_sha256_u64(h, (uint64_t)s->ndim);
    for (int d = 0; d < s->ndim; d++)
        hash_sha256_u64(h, (uint64_t)s->dim[d]);
}

static void value_add(hash_sha256 *h, const nn_value_info *v) {
    hash_sha256_u64(h, (uint64_t)v->kind);
    hash_sha256_u64(h, (uint64_t)v->dtype);
    shape_add(h, &v->shape);
    if (v->kind == NN_KIND_PARAM || v->kind == NN_KIND_BUFFER)
        hash_sha256_u64(h, (uint64_t)v->offset);
    if (v->kind == NN_KIND_CONSTANT)
        hash_sha256_add(h, v->constant, v->count * assay_dtype_size(v->dtype));
}

static void node_add(hash_sha256 *h, const nn_node *n) {
    hash_sha256_str(h, n->op->name);
    hash_sha256_u64(h, (uint64_t)n->n_in);
    for (int i = 0; i < n->n_in; i++)
        hash_sha256_u64(h, (uint64_t)n->in[i]);
    hash_sha256_u64(h, (uint64_t)n->out);
    hash_sha256_u64(h, (uint64_t)n->n_attr);
    for (int i = 0; i < n->n_attr; i++) {
        const nn_attr *a = &n->attr[i];
        uint64_t bits;
        memcpy(&bits, &a->f, sizeof bits);
        hash_sha256_str(h, a->name);
        hash_sha256_u64(h, bits);
        hash_sha256_u64(h, (uint64_t)a->count);
        for (int k = 0; k < a->count; k++)
            hash_sha256_u64(h, (uint64_t)a->i[k]);
    }
}

void nn_graph_digest(uint8_t out[32], const nn_graph *g) {
    hash_sha256 h;
    hash_sha256_init(&h);
    hash_sha256_u64(&h, g->n_values);
    for (size_t i = 0; i < g->n_values; i++)
        value_add(&h, &g->value[i]);
    hash_sha256_u64(&h, g->n_nodes);
    for (size_t i = 0; i < g->n_nodes; i++)
        node_add(&h, &g->node[i]);
    hash_sha256_end(&h, out);
}
