/* Choices kept as lines of text, "key = value": the first line with a key counts, so that
 * several writers agree. Damaged lines are nobody's. */
#ifndef NN_CHOICE_FILE_H
#define NN_CHOICE_FILE_H

#include "base/buf.h"

enum { CHOICE_TEXT = 192 };

/* The value of a key; false if there is none, or no file. */
bool choice_find(char value[CHOICE_TEXT],
                 assay_ctx *ctx,
                 const char *path,
                 const char *key);
/* Appends a line. False if that can't be done. */
bool choice_add(assay_ctx *ctx, const char *path, const char *key, const char *value);
/* The file in the user's cache folder: ASSAY_CACHE, else XDG_CACHE_HOME/assay, else
 * HOME/.cache/assay; the folder is made. False if there is none. */
bool choice_cache_path(char *out, size_t size);

#endif
