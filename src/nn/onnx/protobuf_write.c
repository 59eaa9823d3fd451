/* The way from ir.h's structures to the bytes of an ONNX file, through protobuf-c. */
#include "nn/onnx/ir.h"

#include <onnx.pb-c.h>
#include <protobuf-c/protobuf-c.h>

#include <string.h>

/* The messages of a file to be, in blocks that live until it is written. */
typedef struct packer {
    assay_ctx *ctx;
    struct block {
        struct block *next;
        _Alignas(16) uint8_t data[];
    } * blocks;
} packer;

static assay_status take(packer *f, void *out, size_t count, size_t size) {
    assay_status status = ASSAY_OK;
    struct block *b = NULL;
    *(void **)out = NULL;
    if (count == 0)
        return ASSAY_OK;
    ASSAY_TRY(mem_new(f->ctx, &b, sizeof *b + count * size, 1));
    b->next = f->blocks;
    f->blocks = b;
    *(void **)out = b->data;
done:
    return status;
}

static assay_status
pack_tensor(packer *f, const onnx_tensor *t, Onnx__TensorProto **out) {
    assay_status status = ASSAY_OK;
    Onnx__TensorProto *m;
    *out = NULL;
    ASSAY_TRY(take(f, &m, 1, sizeof *m));
    onnx__tensor_proto__init(m);
    m->name = (char *)t->name;
    m->has_data_type = 1;
    m->data_type = t->type;
    m->n_dims = t->ndim;
    m->dims = (int64_t *)t->dim;
    m->has_raw_data = 1;
    m->raw_data = (ProtobufCBinaryData){t->raw_bytes, (uint8_t *)t->raw};
    *out = m;
done:
    return status;
}

static assay_status pack_attr(packer *f, const onnx_attr *a, Onnx__AttributeProto **out) {
    assay_status status = ASSAY_OK;
    Onnx__AttributeProto *m;
    *out = NULL;
    ASSAY_TRY(take(f, &m, 1, sizeof *m));
    onnx__attribute_proto__init(m);
    m->name = (char *)a->name;
    m->has_type = 1;
    m->type = (Onnx__AttributeProto__AttributeType)a->kind;
    m->has_f = a->kind == ONNX_ATTR_FLOAT;
    m->f = a->f;
    m->has_i = a->kind == ONNX_ATTR_INT;
    m->i = a->i;
    m->has_s = a->kind == ONNX_ATTR_STRING;
    m->s = (ProtobufCBinaryData){strlen(a->s), (uint8_t *)a->s};
    if (a->kind == ONNX_ATTR_TENSOR)
        ASSAY_TRY(pack_tensor(f, a->t, &m->t));
    if (a->kind == ONNX_ATTR_INTS) {
        m->n_ints = a->count;
        m->ints = (int64_t *)a->ints;
    }
    if (a->kind == ONNX_ATTR_FLOATS) {
        m->n_floats = a->count;
        m->floats = (float *)a->floats;
    }
    *out = m;
done:
    return status;
}

static assay_status pack_node(packer *f, const onnx_node *n, Onnx__NodeProto **out) {
    assay_status status = ASSAY_OK;
    Onnx__NodeProto *m;
    *out = NULL;
    ASSAY_TRY(take(f, &m, 1, sizeof *m));
    onnx__node_proto__init(m);
    m->name = (char *)n->name;
    m->op_type = (char *)n->op_type;
    m->n_input = n->n_in;
    m->input = (char **)n->in;
    m->n_output = n->n_out;
    m->output = (char **)n->out;
    ASSAY_TRY(take(f, &m->attribute, n->n_attr, sizeof *m->attribute));
    for (size_t i = 0; i < n->n_attr; i++)
        ASSAY_TRY(pack_attr(f, &n->attr[i], &m->attribute[m->n_attribute++]));
    *out = m;
done:
    return status;
}

static assay_status
pack_value(packer *f, const onnx_value *v, Onnx__ValueInfoProto **out) {
    assay_status status = ASSAY_OK;
    struct {
        Onnx__ValueInfoProto info;
        Onnx__TypeProto type;
        Onnx__TypeProto__Tensor tensor;
        Onnx__TensorShapeProto shape;
    } * m;
    Onnx__TensorShapeProto__Dimension *dim;
    *out = NULL;
    ASSAY_TRY(take(f, &m, 1, sizeof *m));
    ASSAY_TRY(take(f, &dim, v->ndim, sizeof *dim));
    onnx__value_info_proto__init(&m->info);
    onnx__type_proto__init(&m->type);
    onnx__type_proto__tensor__init(&m->tensor);
    onnx__tensor_shape_proto__init(&m->shape);
    m->info.name = (char *)v->name;
    m->info.type = &m->type;
    m->type.value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    m->type.tensor_type = &m->tensor;
    m->tensor.has_elem_type = 1;
    m->tensor.elem_type = v->type;
    m->tensor.shape = &m->shape;
    ASSAY_TRY(take(f, &m->shape.dim, v->ndim, sizeof *m->shape.dim));
    m->shape.n_dim = v->ndim;
    for (size_t i = 0; i < v->ndim; i++) {
        onnx__tensor_shape_proto__dimension__init(&dim[i]);
        m->shape.dim[i] = &dim[i];
        if (v->dim[i].size >= 0) {
            dim[i].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            dim[i].dim_value = v->dim[i].size;
        } else {
            dim[i].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            dim[i].dim_param = (char *)v->dim[i].name;
        }
    }
    *out = &m->info;
done:
    return status;
}

static assay_status pack_graph(packer *f, const onnx_graph *g, Onnx__GraphProto *m) {
    assay_status status = ASSAY_OK;
    onnx__graph_proto__init(m);
    m->name = (char *)g->name;
    ASSAY_TRY(take(f, &m->node, g->n_node, sizeof *m->node));
    ASSAY_TRY(take(f, &m->initializer, g->n_init, sizeof *m->initializer));
    ASSAY_TRY(take(f, &m->input, g->n_in, sizeof *m->input));
    ASSAY_TRY(take(f, &m->output, g->n_out, sizeof *m->output));
    for (size_t i = 0; i < g->n_node; i++)
        ASSAY_TRY(pack_node(f, &g->node[i], &m->node[m->n_node++]));
    for (size_t i = 0; i < g->n_init; i++)
        ASSAY_TRY(pack_tensor(f, &g->init[i], &m->initializer[m->n_initializer++]));
    for (size_t i = 0; i < g->n_in; i++)
        ASSAY_TRY(pack_value(f, &g->in[i], &m->input[m->n_input++]));
    for (size_t i = 0; i < g->n_out; i++)
        ASSAY_TRY(pack_value(f, &g->out[i], &m->output[m->n_output++]));
done:
    return status;
}

static assay_status pack_meta(packer *f, const onnx_model *m, Onnx__ModelProto *to) {
    assay_status status = ASSAY_OK;
    Onnx__StringStringEntryProto *pairs;
    ASSAY_TRY(take(f, &pairs, m->n_meta, sizeof *pairs));
    ASSAY_TRY(take(f, &to->metadata_props, m->n_meta, sizeof *to->metadata_props));
    for (size_t i = 0; i < m->n_meta; i++) {
        onnx__string_string_entry_proto__init(&pairs[i]);
        pairs[i].key = (char *)m->meta[i].key;
        pairs[i].value = (char *)m->meta[i].value;
        to->metadata_props[to->n_metadata_props++] = &pairs[i];
    }
done:
    return status;
}

assay_status onnx_pack(buf *out, assay_ctx *ctx, const onnx_model *m) {
    assay_status status = ASSAY_OK;
    packer f = {.ctx = ctx};
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    Onnx__GraphProto graph;
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets = &opset;
    uint8_t *bytes = NULL;
    opset.domain = (char *)"";
    opset.has_version = 1;
    opset.version = m->opset;
    model.has_ir_version = 1;
    model.ir_version = m->ir_version;
    model.producer_name = (char *)m->producer;
    model.producer_version = (char *)m->producer_version;
    model.n_opset_import = 1;
    model.opset_import = &opsets;
    model.graph = &graph;
    ASSAY_TRY(pack_graph(&f, &m->graph, &graph));
    ASSAY_TRY(pack_meta(&f, m, &model));
    size_t n = protobuf_c_message_get_packed_size(&model.base);
    ASSAY_TRY(mem_new(ctx, &bytes, n + 1, 1));
    protobuf_c_message_pack(&model.base, bytes);
    buf_add(out, bytes, n);
    ASSAY_TRY(buf_check(out));
done:
    while (f.blocks) {
        struct block *next = f.blocks->next;
        mem_free(ctx, f.blocks);
        f.blocks = next;
    }
    mem_free(ctx, bytes);
    return status;
}
