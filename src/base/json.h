/* JSON: a streaming writer of our own (stable number formatting, so equal data gives
 * equal bytes) and a reader over jansson (base/jansson.c). */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

/* ---- writing; commas, quotes and escapes are taken care of ---- */
typedef struct json_out {
    buf *b;
    int depth;
    int indent; /* spaces per level; 0 = one line */
    bool first[32];
    bool after_key;
} json_out;
json_out json_out_make(buf *b, int indent);
void json_obj(json_out *j);     /* { */
void json_obj_end(json_out *j); /* } */
void json_arr(json_out *j);     /* [ */
void json_arr_end(json_out *j); /* ] */
void json_key(json_out *j, const char *key);
void json_str(json_out *j,
              const char *text); /* invalid UTF-8 becomes U+FFFD; '<' is escaped */
void json_int(json_out *j, int64_t v);
void json_u64(json_out *j, uint64_t v);
void json_num(json_out *j,
              double v); /* shortest of %.9g that reads back as float; NaN, inf: null */
void json_bool(json_out *j, bool v);
void json_none(json_out *j);
/* key and value in one call */
void json_kstr(json_out *j, const char *key, const char *text);
void json_kint(json_out *j, const char *key, int64_t v);
void json_knum(json_out *j, const char *key, double v);
void json_kbool(json_out *j, const char *key, bool v);

/* ---- reading; FORMAT with line and column on bad input, depth limited ---- */
typedef struct json_doc json_doc; /* owns the tree */
typedef struct json_val
    json_val; /* borrowed from the doc; NULL is accepted everywhere below */
ASSAY_MUST_CHECK assay_status json_parse(json_doc **out,
                                         assay_ctx *ctx,
                                         const char *text,
                                         size_t n);
void json_doc_destroy(json_doc *doc);
const json_val *json_root(const json_doc *doc);
const json_val *json_get(const json_val *obj, const char *key); /* NULL if absent */
size_t json_len(const json_val *arr);                   /* of an array or an object */
const json_val *json_at(const json_val *arr, size_t i); /* of an array */
const char *
json_key_at(const json_val *obj, size_t i, const json_val **value); /* in file order */
bool json_is_obj(const json_val *v);
bool json_is_arr(const json_val *v);
bool json_is_num(const json_val *v);
bool json_is_int(const json_val *v); /* written without point and exponent */
const char *json_get_str(const json_val *v,
                         const char *fallback); /* v itself is the string */
double json_get_num(const json_val *v, double fallback);
int64_t json_get_int(const json_val *v, int64_t fallback);
bool json_get_bool(const json_val *v, bool fallback);

#endif
