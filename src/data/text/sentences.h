/* Labelled sequences: lines of a table, each a text and the class it belongs to. */
#ifndef DATA_TEXT_SENTENCES_H
#define DATA_TEXT_SENTENCES_H

#include "data/text/tokenizer.h"

typedef struct sentences {
    assay_ctx *ctx;
    buf text;      /* of all rows, one behind the other */
    size_t *begin; /* [rows + 1] places in it */
    int32_t *label;
    size_t rows;
    char **class_name; /* [classes] */
    int classes;
    char sha256[65]; /* of the file */
    /* ---- after sentences_cut ---- */
    size_t context;
    int32_t pad, start; /* tokens of their own */
    token_list tokens;
    size_t *at;    /* [rows + 1] places in the tokens */
    size_t longer; /* rows that were cut off at the context */
} sentences;

/* Whether a file is named as such a table: .tsv, .csv. */
bool sentences_is(const char *path);
/** Reads a table of two columns, text and label, without a header or with one that names
 * them "text" (or "sentence") and "label". Labels that are all whole numbers from 0 to
 * 999 are classes' numbers, whose names they are; others are names, numbered in their
 * order.
 *  @errors NOTFOUND, IO, NOMEM; FORMAT with the line: no second column, nothing in a
 *  column, not UTF-8; too many classes */
ASSAY_MUST_CHECK assay_status sentences_read(sentences *out,
                                             assay_ctx *ctx,
                                             const char *path);
/* The same of bytes in memory, which may go afterwards. */
ASSAY_MUST_CHECK assay_status sentences_parse(
    sentences *out, assay_ctx *ctx, const void *bytes, size_t n, char separator);
void sentences_free(sentences *s); /* accepts a zeroed one */

/** Makes tokens of all rows: each stands behind `start`, and what does not fit a context
 * is cut off.
 *  @param pad, start  numbers of tokens that the vocabulary has not
 *  @errors FORMAT: the vocabulary has not a character, with the row; NOMEM */
ASSAY_MUST_CHECK assay_status sentences_cut(
    sentences *s, const tokenizer *t, size_t context, int32_t pad, int32_t start);

/* Rows as a model of sequences takes them: in [n, context]. */
void sentences_feed(int32_t *in, const sentences *s, const uint32_t *rows, size_t n);

#endif
