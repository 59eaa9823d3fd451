/* Text being put together in memory, and numbers as a person reads them. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <assay/base.h>

#include <stdbool.h>
#include <stdint.h>

/* Grows by itself; zero-initialise. Out of memory sets `failed` and drops what follows,
 * so that writers need no checks and the reader checks once. */
typedef struct text {
    char *data;
    size_t used, cap;
    bool failed;
} text;

void text_put(text *t, const char *bytes, size_t n);
void text_add(text *t, const char *fmt, ...) ASSAY_PRINTF(2, 3);
/* Spaces until the current line is `column` wide; a new line first if it is wider
 * already. */
void text_pad(text *t, size_t column);
/* Words filled into lines of `width` columns; lines after the first begin with `indent`
 * spaces. The first starts where the text stands. Ends without a newline. */
void text_fill(text *t, const char *words, size_t indent, size_t width);
const char *text_str(const text *t); /* never NULL */
void text_free(text *t);

/* One argument as a shell reads it back: quoted only if it must be. */
void text_shell(text *t, const char *argument);

typedef struct phrase {
    char s[48];
} phrase;
phrase words_count(uint64_t n);       /* 60,000 */
phrase words_bytes(uint64_t bytes);   /* 310 MB */
phrase words_seconds(double seconds); /* 0:42, 1:02:03 */
phrase words_percent(double part);    /* 0.925 -> 92.5 % */

#endif
