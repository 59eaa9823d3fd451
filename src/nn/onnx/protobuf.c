/* protobuf-c and the code it makes from onnx.proto: bytes to ir.h's structures. Only this
 * file and protobuf_write.c include their headers. */
#include "nn/onnx/ir.h"
#include "nn/onnx/wire.h"

#include <onnx.pb-c.h>
#include <protobuf-c/protobuf-c.h>

#include <string.h>

/* ---- memory of a parsed file: blocks that live as long as it does ---- */

typedef struct block {
    struct block *next;
    _Alignas(16) uint8_t data[];
} block;

struct onnx_file {
    assay_ctx *ctx;
    ProtobufCAllocator allocator;
    ProtobufCMessage *message;
    block *blocks;
    onnx_model model;
    onnx_tensor tensor;
};

static void *pb_alloc(void *cookie, size_t bytes) {
    return mem_alloc(cookie, bytes ? bytes : 1);
}

static void pb_free(void *cookie, void *memory) {
    mem_free(cookie, memory);
}

/* A cleared array that goes with the file; NULL for none of them. */
static assay_status take(onnx_file *f, void *out, size_t count, size_t size) {
    assay_status status = ASSAY_OK;
    block *b = NULL;
    *(void **)out = NULL;
    if (count == 0)
        return ASSAY_OK;
    if (count > (SIZE_MAX / 2 - sizeof *b) / size)
        return err_set(ASSAY_E_NOMEM, "a list of %zu does not fit into memory", count);
    ASSAY_TRY(mem_new(f->ctx, &b, sizeof *b + count * size, 1));
    b->next = f->blocks;
    f->blocks = b;
    *(void **)out = b->data;
done:
    return status;
}

static const char *text(const char *s) {
    return s ? s : "";
}

/* ---- reading ---- */

static const void *child_of(const void *type, uint32_t field) {
    const ProtobufCMessageDescriptor *d = type;
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(d, field);
    return f && f->type == PROTOBUF_C_TYPE_MESSAGE ? f->descriptor : NULL;
}

static void read_tensor(onnx_tensor *out, const Onnx__TensorProto *t) {
    *out = (onnx_tensor){.name = text(t->name),
                         .type = t->data_type,
                         .ndim = t->n_dims,
                         .dim = t->dims,
                         .floats = t->float_data,
                         .n_floats = t->n_float_data,
                         .ints = t->int32_data,
                         .n_ints = t->n_int32_data,
                         .longs = t->int64_data,
                         .n_longs = t->n_int64_data,
                         .doubles = t->double_data,
                         .n_doubles = t->n_double_data,
                         .ulongs = t->uint64_data,
                         .n_ulongs = t->n_uint64_data,
                         .segmented = t->segment != NULL};
    if (t->has_raw_data) {
        out->raw = t->raw_data.data ? t->raw_data.data : (const uint8_t *)"";
        out->raw_bytes = t->raw_data.len;
    }
    out->external = t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    for (size_t i = 0; i < t->n_external_data; i++) {
        const char *key = text(t->external_data[i]->key);
        const char *value = text(t->external_data[i]->value);
        if (strcmp(key, "location") == 0)
            out->location = value;
        else if (strcmp(key, "offset") == 0)
            out->offset = value;
        else if (strcmp(key, "length") == 0)
            out->length = value;
    }
}

static onnx_attr_kind attr_kind(const Onnx__AttributeProto *a) {
    int type = a->has_type ? (int)a->type : 0;
    if (type > 0 && type <= ONNX_ATTR_INTS)
        return (onnx_attr_kind)type;
    if (type != 0)
        return ONNX_ATTR_OTHER;
    /* Files of the first versions do not say: what is there tells. */
    return a->has_f      ? ONNX_ATTR_FLOAT
           : a->has_i    ? ONNX_ATTR_INT
           : a->has_s    ? ONNX_ATTR_STRING
           : a->t        ? ONNX_ATTR_TENSOR
           : a->g        ? ONNX_ATTR_GRAPH
           : a->n_ints   ? ONNX_ATTR_INTS
           : a->n_floats ? ONNX_ATTR_FLOATS
                         : ONNX_ATTR_NONE;
}

static assay_status
read_attr(onnx_file *f, onnx_attr *out, const Onnx__AttributeProto *a) {
    assay_status status = ASSAY_OK;
    *out = (onnx_attr){.name = text(a->name),
                       .kind = attr_kind(a),
                       .reference = a->ref_attr_name && *a->ref_attr_name,
                       .f = a->f,
                       .i = a->i,
                       .s = "",
                       .floats = a->floats,
                       .ints = a->ints,
                       .count = a->n_floats};
    if (out->kind == ONNX_ATTR_INTS)
        out->count = a->n_ints;
    if (out->kind == ONNX_ATTR_STRING && a->s.len) {
        char *s;
        ASSAY_TRY(take(f, &s, a->s.len + 1, 1));
        memcpy(s, a->s.data, a->s.len);
        out->s = s;
    }
    if (out->kind == ONNX_ATTR_TENSOR && a->t) {
        onnx_tensor *t;
        ASSAY_TRY(take(f, &t, 1, sizeof *t));
        read_tensor(t, a->t);
        out->t = t;
    } else if (out->kind == ONNX_ATTR_TENSOR) {
        out->kind = ONNX_ATTR_NONE;
    }
done:
    return status;
}

static assay_status
read_names(onnx_file *f, const char *const **out, char *const *names, size_t n) {
    assay_status status = ASSAY_OK;
    const char **list;
    ASSAY_TRY(take(f, &list, n, sizeof *list));
    for (size_t i = 0; i < n; i++)
        list[i] = text(names[i]);
    *out = list;
done:
    return status;
}

static assay_status read_node(onnx_file *f, onnx_node *out, const Onnx__NodeProto *n) {
    assay_status status = ASSAY_OK;
    onnx_attr *attr;
    *out = (onnx_node){.name = text(n->name),
                       .op_type = text(n->op_type),
                       .domain = text(n->domain),
                       .n_in = n->n_input,
                       .n_out = n->n_output,
                       .n_attr = n->n_attribute};
    ASSAY_TRY(read_names(f, &out->in, n->input, n->n_input));
    ASSAY_TRY(read_names(f, &out->out, n->output, n->n_output));
    ASSAY_TRY(take(f, &attr, n->n_attribute, sizeof *attr));
    out->attr = attr;
    for (size_t i = 0; i < n->n_attribute; i++)
        ASSAY_TRY(read_attr(f, &attr[i], n->attribute[i]));
done:
    return status;
}

static assay_status
read_value(onnx_file *f, onnx_value *out, const Onnx__ValueInfoProto *v) {
    assay_status status = ASSAY_OK;
    *out = (onnx_value){.name = text(v->name)};
    const Onnx__TypeProto *type = v->type;
    if (!type || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ||
        !type->tensor_type)
        return ASSAY_OK;
    out->tensor = true;
    out->type = type->tensor_type->elem_type;
    const Onnx__TensorShapeProto *shape = type->tensor_type->shape;
    if (!shape)
        return ASSAY_OK;
    onnx_dim *dim;
    out->has_shape = true;
    out->ndim = shape->n_dim;
    ASSAY_TRY(take(f, &dim, shape->n_dim, sizeof *dim));
    out->dim = dim;
    for (size_t i = 0; i < shape->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *d = shape->dim[i];
        bool sized =
            d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        bool named =
            d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        dim[i].size = sized && d->dim_value >= 0 ? d->dim_value : -1;
        dim[i].name = named ? text(d->dim_param) : "";
    }
done:
    return status;
}

static assay_status
read_values(onnx_file *f, const onnx_value **out, Onnx__ValueInfoProto **v, size_t n) {
    assay_status status = ASSAY_OK;
    onnx_value *list;
    ASSAY_TRY(take(f, &list, n, sizeof *list));
    *out = list;
    for (size_t i = 0; i < n; i++)
        ASSAY_TRY(read_value(f, &list[i], v[i]));
done:
    return status;
}

static assay_status read_graph(onnx_file *f, onnx_graph *out, const Onnx__GraphProto *g) {
    assay_status status = ASSAY_OK;
    onnx_node *node;
    onnx_tensor *init;
    *out = (onnx_graph){.name = text(g->name),
                        .n_node = g->n_node,
                        .n_init = g->n_initializer,
                        .n_sparse = g->n_sparse_initializer,
                        .n_in = g->n_input,
                        .n_out = g->n_output};
    ASSAY_TRY(take(f, &node, g->n_node, sizeof *node));
    ASSAY_TRY(take(f, &init, g->n_initializer, sizeof *init));
    out->node = node;
    out->init = init;
    for (size_t i = 0; i < g->n_node; i++)
        ASSAY_TRY(read_node(f, &node[i], g->node[i]));
    for (size_t i = 0; i < g->n_initializer; i++)
        read_tensor(&init[i], g->initializer[i]);
    ASSAY_TRY(read_values(f, &out->in, g->input, g->n_input));
    ASSAY_TRY(read_values(f, &out->out, g->output, g->n_output));
done:
    return status;
}

static assay_status read_model(onnx_file *f, const Onnx__ModelProto *m) {
    assay_status status = ASSAY_OK;
    onnx_model *out = &f->model;
    onnx_pair *meta;
    out->ir_version = m->ir_version;
    out->producer = text(m->producer_name);
    out->producer_version = text(m->producer_version);
    out->n_functions = m->n_functions;
    for (size_t i = 0; i < m->n_opset_import; i++) {
        const char *domain = text(m->opset_import[i]->domain);
        if (*domain == '\0' || strcmp(domain, "ai.onnx") == 0)
            out->opset = m->opset_import[i]->version;
    }
    ASSAY_TRY(take(f, &meta, m->n_metadata_props, sizeof *meta));
    out->meta = meta;
    out->n_meta = m->n_metadata_props;
    for (size_t i = 0; i < out->n_meta; i++)
        meta[i] = (onnx_pair){text(m->metadata_props[i]->key),
                              text(m->metadata_props[i]->value)};
    if (!m->graph)
        ASSAY_FAIL(ASSAY_E_FORMAT, "the file holds no graph");
    ASSAY_TRY(read_graph(f, &out->graph, m->graph));
done:
    return status;
}

/* Checks and parses the bytes of one message. */
static assay_status unpack(onnx_file **out,
                           assay_ctx *ctx,
                           const uint8_t *bytes,
                           size_t n,
                           const ProtobufCMessageDescriptor *type) {
    assay_status status = ASSAY_OK;
    onnx_file *f = NULL;
    ASSAY_TRY(wire_check(bytes, n, type, child_of));
    ASSAY_TRY(mem_new(ctx, &f, 1, sizeof *f));
    f->ctx = ctx;
    f->allocator = (ProtobufCAllocator){pb_alloc, pb_free, ctx};
    f->message = protobuf_c_message_unpack(type, &f->allocator, n, bytes);
    if (!f->message)
        ASSAY_FAIL(ASSAY_E_FORMAT, "protobuf-c can't read the message");
    *out = f;
    f = NULL;
done:
    onnx_file_destroy(f);
    return status;
}

assay_status onnx_parse(
    onnx_file **out, assay_ctx *ctx, const uint8_t *bytes, size_t n, const char *where) {
    assay_status status = ASSAY_OK;
    onnx_file *f = NULL;
    *out = NULL;
    ASSAY_TRY_AT(unpack(&f, ctx, bytes, n, &onnx__model_proto__descriptor), "%s", where);
    ASSAY_TRY_AT(read_model(f, (const Onnx__ModelProto *)f->message), "%s", where);
    *out = f;
    f = NULL;
done:
    onnx_file_destroy(f);
    return status;
}

assay_status onnx_parse_tensor(
    onnx_file **out, assay_ctx *ctx, const uint8_t *bytes, size_t n, const char *where) {
    assay_status status = ASSAY_OK;
    *out = NULL;
    ASSAY_TRY_AT(unpack(out, ctx, bytes, n, &onnx__tensor_proto__descriptor), "%s",
                 where);
    read_tensor(&(*out)->tensor, (const Onnx__TensorProto *)(*out)->message);
done:
    return status;
}

void onnx_file_destroy(onnx_file *f) {
    if (!f)
        return;
    assay_ctx *ctx = f->ctx;
    while (f->blocks) {
        block *next = f->blocks->next;
        mem_free(ctx, f->blocks);
        f->blocks = next;
    }
    if (f->message)
        protobuf_c_message_free_unpacked(f->message, &f->allocator);
    mem_free(ctx, f);
}

const onnx_model *onnx_file_model(const onnx_file *f) {
    return &f->model;
}

const onnx_tensor *onnx_file_tensor(const onnx_file *f) {
    return &f->tensor;
}
