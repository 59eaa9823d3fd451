/* Looking into a JSON document without building a tree. The documents come from the
 * library and are well-formed; a malformed one yields absent values, never a read outside
 * the text. */
#include "cli/json.h"

#include <stdlib.h>
#include <string.h>

static const char *blank(const char *p) {
    return p + strspn(p, " \t\r\n");
}

/* Behind the string that begins at p, or NULL. */
static const char *past_string(const char *p) {
    if (*p != '"')
        return NULL;
    for (p++; *p && *p != '"'; p++) {
        if (*p == '\\' && !*++p)
            return NULL;
    }
    return *p ? p + 1 : NULL;
}

/* Behind the value that begins at p, or NULL. Brackets are counted, not paired. */
static const char *past_value(const char *p) {
    size_t depth = 0;
    do {
        p = blank(p);
        if (*p == '"') {
            p = past_string(p);
            if (!p)
                return NULL;
        } else if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (*p == '}' || *p == ']') {
            if (depth-- == 0)
                return NULL;
            p++;
        } else if (depth > 0 && (*p == ',' || *p == ':')) {
            p++;
        } else {
            size_t n = strcspn(p, " \t\r\n,:{}[]\"");
            if (n == 0)
                return NULL;
            p += n;
        }
    } while (depth > 0);
    return p;
}

static json_view value_at(const char *p) {
    json_view v = {NULL, NULL};
    p = blank(p);
    const char *end = past_value(p);
    if (end)
        v = (json_view){p, end};
    return v;
}

json_view json_look(const char *document) {
    return value_at(document);
}

static void decode(text *t, const char *p, const char *end);

bool json_next(json_view of, json_view *next, text *key) {
    if (!of.at || (*of.at != '{' && *of.at != '['))
        return false;
    const char *p = blank(next->at ? next->end : of.at + 1);
    if (next->at && *p == ',')
        p = blank(p + 1);
    if (p >= of.end - 1)
        return false;
    if (*of.at == '{') {
        const char *after = past_string(p);
        if (!after)
            return false;
        if (key) {
            key->used = 0;
            decode(key, p + 1, after - 1);
        }
        p = blank(after);
        if (*p != ':')
            return false;
        p++;
    }
    *next = value_at(p);
    return next->at != NULL;
}

json_view json_member(json_view object, const char *key) {
    json_view v = {NULL, NULL}, absent = {NULL, NULL};
    text name = {0};
    bool found = false;
    if (object.at && *object.at == '{') {
        while (!found && json_next(object, &v, &name))
            found = strcmp(text_str(&name), key) == 0;
    }
    text_free(&name);
    return found ? v : absent;
}

size_t json_count(json_view of) {
    json_view v = {NULL, NULL};
    size_t n = 0;
    while (json_next(of, &v, NULL))
        n++;
    return n;
}

bool json_has(json_view v) {
    return v.at && strncmp(v.at, "null", 4) != 0;
}

double json_number(json_view v, double otherwise) {
    if (!v.at || !strchr("-0123456789", *v.at))
        return otherwise;
    return strtod(v.at, NULL);
}

uint64_t json_whole(json_view v, uint64_t otherwise) {
    if (!v.at || !strchr("0123456789", *v.at))
        return otherwise;
    return strtoull(v.at, NULL, 10);
}

bool json_true(json_view v) {
    return v.at && strncmp(v.at, "true", 4) == 0;
}

static void put_utf8(text *t, unsigned c) {
    char b[4];
    size_t n = 0;
    if (c < 0x80) {
        b[n++] = (char)c;
    } else if (c < 0x800) {
        b[n++] = (char)(0xc0 | c >> 6);
        b[n++] = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        b[n++] = (char)(0xe0 | c >> 12);
        b[n++] = (char)(0x80 | (c >> 6 & 63));
        b[n++] = (char)(0x80 | (c & 63));
    } else {
        b[n++] = (char)(0xf0 | c >> 18);
        b[n++] = (char)(0x80 | (c >> 12 & 63));
        b[n++] = (char)(0x80 | (c >> 6 & 63));
        b[n++] = (char)(0x80 | (c & 63));
    }
    text_put(t, b, n);
}

static unsigned hex4(const char *p, const char *end) {
    char digits[5] = "";
    if (end - p >= 4)
        memcpy(digits, p, 4);
    return (unsigned)strtoul(digits, NULL, 16);
}

static void decode(text *t, const char *p, const char *end) {
    static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
    text_put(t, "", 0);
    while (p < end) {
        if (*p != '\\') {
            text_put(t, p++, 1);
            continue;
        }
        p++;
        const char *simple = p < end ? strchr(from, *p) : NULL;
        if (p < end && *p == 'u') {
            unsigned c = hex4(p + 1, end);
            p += end - p >= 5 ? 5 : end - p;
            if (c >= 0xd800 && c < 0xdc00 && end - p >= 6 && p[0] == '\\' &&
                p[1] == 'u') {
                c = 0x10000 + ((c - 0xd800) << 10) +
                    ((hex4(p + 2, end) - 0xdc00) & 0x3ff);
                p += 6;
            }
            put_utf8(t, c);
        } else if (p < end) {
            text_put(t, simple && *simple ? &to[simple - from] : p, 1);
            p++;
        }
    }
}

static void put_words(text *t, json_view v, char control) {
    if (!v.at)
        return;
    size_t start = t->used;
    if (*v.at == '"')
        decode(t, v.at + 1, v.end - 1);
    else
        text_put(t, v.at, (size_t)(v.end - v.at));
    for (size_t i = start; i < t->used; i++) {
        if ((unsigned char)t->data[i] < 0x20 || t->data[i] == 0x7f)
            t->data[i] = control;
    }
}

void json_words(text *t, json_view v) {
    put_words(t, v, '?');
}

void json_line(text *t, json_view v, size_t most) {
    text said = {0};
    size_t used = 0;
    bool blank = true;
    put_words(&said, v, ' ');
    for (const char *p = text_str(&said); *p; p++) {
        if (used >= most && ((unsigned char)*p & 0xC0) != 0x80) {
            text_add(t, "...");
            break;
        }
        if (*p != ' ' || !blank) {
            text_put(t, p, 1);
            used++;
        }
        blank = *p == ' ';
    }
    text_free(&said);
}
