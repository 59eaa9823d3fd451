/* The JSON writer: equal values give equal bytes, in any locale. */
#include "base/json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_DEPTH (int)(sizeof((json_out *)0)->first / sizeof(bool))

json_out json_out_make(buf *b, int indent) {
    return (json_out){.b = b, .indent = indent, .first = {true}};
}

static void json_line(json_out *j) {
    if (j->indent == 0)
        return;
    buf_str(j->b, "\n");
    for (int i = 0; i < j->depth * j->indent; i++)
        buf_add(j->b, " ", 1);
}

/* What stands before a value or a key: nothing behind a key or at the top, else comma and
 * line. */
static void json_before(json_out *j) {
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    if (!j->first[j->depth])
        buf_str(j->b, ",");
    if (j->depth > 0 || !j->first[0])
        json_line(j);
    j->first[j->depth] = false;
}

static void json_open(json_out *j, const char *bracket) {
    json_before(j);
    buf_str(j->b, bracket);
    assert(j->depth + 1 < JSON_DEPTH);
    j->first[++j->depth] = true;
}

static void json_close(json_out *j, const char *bracket) {
    assert(j->depth > 0);
    bool empty = j->first[j->depth--];
    if (!empty)
        json_line(j);
    buf_str(j->b, bracket);
}

void json_obj(json_out *j) {
    json_open(j, "{");
}
void json_obj_end(json_out *j) {
    json_close(j, "}");
}
void json_arr(json_out *j) {
    json_open(j, "[");
}
void json_arr_end(json_out *j) {
    json_close(j, "]");
}

/* Bytes of the valid UTF-8 sequence at p (which ends with a NUL), or 0. */
static size_t utf8_length(const unsigned char *p) {
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0; /* overlong, surrogate, beyond U+10FFFF */
    return n;
}

static void json_quoted(buf *b, const char *text) {
    const unsigned char *p = (const unsigned char *)text;
    buf_add(b, "\"", 1);
    while (*p) {
        size_t run = 0; /* what needs no care */
        while (p[run] >= 0x20 && p[run] < 0x80 && p[run] != '"' && p[run] != '\\' &&
               p[run] != '<')
            run++;
        buf_add(b, p, run);
        p += run;
        if (!*p)
            break;
        size_t n = utf8_length(p);
        if (n == 0) {
            buf_add(b, "\xEF\xBF\xBD", 3);
            n = 1;
        } else if (n == 3 && p[0] == 0xE2 && p[1] == 0x80 && (p[2] & 0xFE) == 0xA8) {
            buf_str(b, p[2] == 0xA8 ? "\\u2028" : "\\u2029"); /* line ends in scripts */
        } else if (n > 1) {
            buf_add(b, p, n);
        } else if (*p == '"' || *p == '\\') {
            buf_add(b, "\\", 1);
            buf_add(b, p, 1);
        } else if (*p == '\n') {
            buf_str(b, "\\n");
        } else if (*p == '\t') {
            buf_str(b, "\\t");
        } else {
            buf_fmt(b, "\\u%04x", *p);
        }
        p += n;
    }
    buf_add(b, "\"", 1);
}

void json_key(json_out *j, const char *key) {
    json_before(j);
    json_quoted(j->b, key);
    buf_str(j->b, j->indent ? ": " : ":");
    j->after_key = true;
}

void json_str(json_out *j, const char *text) {
    json_before(j);
    json_quoted(j->b, text);
}

void json_int(json_out *j, int64_t v) {
    json_before(j);
    buf_fmt(j->b, "%" PRId64, v);
}

void json_u64(json_out *j, uint64_t v) {
    json_before(j);
    buf_fmt(j->b, "%" PRIu64, v);
}

void json_num(json_out *j, double v) {
    if (!isfinite(v)) {
        json_none(j);
        return;
    }
    json_before(j);
    char text[40];
    if (fabs(v) < 1e15 && floor(v) == v) {
        (void)snprintf(text, sizeof text, "%.0f", v);
        buf_str(j->b, text);
        return;
    }
    bool is_float = (double)(float)v == v;
    for (int digits = 6; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, v);
        if (is_float ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v)
            break;
    }
    /* The locale's decimal sign, of whatever length, becomes a point. */
    static const char plain[] = "0123456789+-e";
    size_t n = strspn(text, plain);
    buf_add(j->b, text, n);
    if (text[n]) {
        size_t sign = strcspn(text + n, plain);
        buf_add(j->b, ".", 1);
        buf_str(j->b, text + n + sign);
    }
}

void json_bool(json_out *j, bool v) {
    json_before(j);
    buf_str(j->b, v ? "true" : "false");
}

void json_none(json_out *j) {
    json_before(j);
    buf_str(j->b, "null");
}

void json_kstr(json_out *j, const char *key, const char *text) {
    json_key(j, key);
    json_str(j, text);
}

void json_kint(json_out *j, const char *key, int64_t v) {
    json_key(j, key);
    json_int(j, v);
}

void json_knum(json_out *j, const char *key, double v) {
    json_key(j, key);
    json_num(j, v);
}

void json_kbool(json_out *j, const char *key, bool v) {
    json_key(j, key);
    json_bool(j, v);
}
