/* Just enough JSON for the command: small flat documents are written, and the library's
 * documents are looked into so that they can be told as words. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "cli/text.h"

/* ---- writing: members of the object that is open ---- */
void json_open(text *t, const char *key); /* a new object; NULL: the document itself */
void json_close(text *t);
void json_string(text *t, const char *key, const char *value);
void json_uint(text *t, const char *key, uint64_t value);
void json_real(text *t, const char *key, double value); /* null if not finite */
void json_raw(text *t, const char *key, const char *json);

/* ---- looking: a view is a place in a text that outlives it ---- */
typedef struct json_view {
    const char *at, *end; /* the value; NULL: absent */
} json_view;

json_view json_look(const char *document);
json_view json_member(json_view object, const char *key); /* absent if there is none */
/* The elements of an array, or the members of an object, one after the other: false at
 * the end. Start with *next = {0}; `key` is filled for members and may be NULL. */
bool json_next(json_view of, json_view *next, text *key);
size_t json_count(json_view of);
bool json_has(json_view v);
double json_number(json_view v, double otherwise);
uint64_t json_whole(json_view v, uint64_t otherwise);
bool json_true(json_view v);
/* A string decoded, anything else as it is written; control characters, which would speak
 * to the terminal, become question marks. */
void json_words(text *t, json_view v);
/* The same on one line: white space is one blank, and what is longer than `most` letters
 * is cut. */
void json_line(text *t, json_view v, size_t most);

#endif
