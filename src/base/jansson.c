/* The JSON reader: jansson parses; an index over its tree makes every child reachable in
 * O(1). */
#include "base/json.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#define READ_DEPTH 128

struct json_val {
    json_t *t;
    const char *key; /* when the parent is an object */
    json_val *child;
    size_t count;
};

struct json_doc {
    assay_ctx *ctx;
    json_t *tree;
    json_val *nodes; /* the root first */
};

/* jansson recurses to 2,048 levels; the depth is limited before it sees the text. */
static assay_status check_depth(const char *text, size_t n) {
    int depth = 0, line = 1;
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        line += c == '\n';
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > READ_DEPTH) {
                err_set(ASSAY_E_FORMAT, "JSON nested deeper than %d", READ_DEPTH);
                err_where("line %d", line);
                return ASSAY_E_FORMAT;
            }
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return ASSAY_OK;
}

static size_t count_nodes(json_t *t) {
    size_t n = 1;
    if (json_is_array(t)) {
        for (size_t i = 0; i < json_array_size(t); i++)
            n += count_nodes(json_array_get(t, i));
    } else if (json_is_object(t)) {
        for (void *it = json_object_iter(t); it; it = json_object_iter_next(t, it))
            n += count_nodes(json_object_iter_value(it));
    }
    return n;
}

/* Children of one parent lie side by side; *next is the first free node. */
static void fill_node(json_val *v, json_t *t, json_val **next) {
    v->t = t;
    v->count = json_is_array(t) ? json_array_size(t) : json_object_size(t);
    v->child = *next;
    *next += v->count;
    size_t i = 0;
    if (json_is_array(t)) {
        for (; i < v->count; i++)
            fill_node(&v->child[i], json_array_get(t, i), next);
    } else if (json_is_object(t)) {
        for (void *it = json_object_iter(t); it; it = json_object_iter_next(t, it), i++) {
            v->child[i].key = json_object_iter_key(it);
            fill_node(&v->child[i], json_object_iter_value(it), next);
        }
    }
}

assay_status json_parse(json_doc **out, assay_ctx *ctx, const char *text, size_t n) {
    assay_status status = ASSAY_OK;
    json_doc *doc = NULL;
    *out = NULL;
    ASSAY_TRY(check_depth(text, n));
    ASSAY_TRY(mem_new(ctx, &doc, 1, sizeof *doc));
    doc->ctx = ctx;
    json_error_t e;
    doc->tree = json_loadb(text, n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &e);
    if (!doc->tree) {
        if (json_error_code(&e) == json_error_out_of_memory)
            ASSAY_FAIL(ASSAY_E_NOMEM, "no memory for %zu bytes of JSON", n);
        status = err_set(ASSAY_E_FORMAT, "not JSON: %s", e.text);
        err_where("line %d, column %d", e.line, e.column);
        goto done;
    }
    ASSAY_TRY(mem_new(ctx, &doc->nodes, count_nodes(doc->tree), sizeof *doc->nodes));
    json_val *next = doc->nodes + 1;
    fill_node(doc->nodes, doc->tree, &next);
    *out = doc;
    doc = NULL;
done:
    json_doc_destroy(doc);
    return status;
}

void json_doc_destroy(json_doc *doc) {
    if (!doc)
        return;
    json_decref(doc->tree);
    mem_free(doc->ctx, doc->nodes);
    mem_free(doc->ctx, doc);
}

const json_val *json_root(const json_doc *doc) {
    return doc ? doc->nodes : NULL;
}

bool json_is_obj(const json_val *v) {
    return v && json_is_object(v->t);
}
bool json_is_arr(const json_val *v) {
    return v && json_is_array(v->t);
}
bool json_is_num(const json_val *v) {
    return v && json_is_number(v->t);
}
bool json_is_int(const json_val *v) {
    return v && json_is_integer(v->t);
}

const json_val *json_get(const json_val *obj, const char *key) {
    if (!json_is_obj(obj))
        return NULL;
    for (size_t i = 0; i < obj->count; i++)
        if (strcmp(obj->child[i].key, key) == 0)
            return &obj->child[i];
    return NULL;
}

size_t json_len(const json_val *arr) {
    return arr ? arr->count : 0;
}

const json_val *json_at(const json_val *arr, size_t i) {
    return json_is_arr(arr) && i < arr->count ? &arr->child[i] : NULL;
}

const char *json_key_at(const json_val *obj, size_t i, const json_val **value) {
    bool there = json_is_obj(obj) && i < obj->count;
    if (value)
        *value = there ? &obj->child[i] : NULL;
    return there ? obj->child[i].key : NULL;
}

const char *json_get_str(const json_val *v, const char *fallback) {
    return v && json_is_string(v->t) ? json_string_value(v->t) : fallback;
}

double json_get_num(const json_val *v, double fallback) {
    return json_is_num(v) ? json_number_value(v->t) : fallback;
}

int64_t json_get_int(const json_val *v, int64_t fallback) {
    if (!json_is_num(v))
        return fallback;
    if (json_is_integer(v->t))
        return json_integer_value(v->t);
    double d = json_real_value(v->t); /* 1e3 is a whole number too */
    return d >= -0x1p63 && d < 0x1p63 && floor(d) == d ? (int64_t)d : fallback;
}

bool json_get_bool(const json_val *v, bool fallback) {
    return v && json_is_boolean(v->t) ? json_is_true(v->t) : fallback;
}
