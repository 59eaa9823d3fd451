/* A text to train on: the bytes of a file, or of a folder's .txt files one behind the
 * other, in the order of their names. */
#ifndef DATA_TEXT_CORPUS_H
#define DATA_TEXT_CORPUS_H

#include "base/ctx.h"

typedef struct corpus {
    assay_ctx *ctx;
    uint8_t *text;
    size_t bytes;
    char sha256[65]; /* of the bytes */
} corpus;

/* Whether a source is a text: named .txt, or a folder that holds such a file,
 * and no .bin: CIFAR's images bring lists of their classes as .txt. */
bool corpus_is(assay_ctx *ctx, const char *source);
/* NOTFOUND, IO, NOMEM; FORMAT where there is no text in it. */
ASSAY_MUST_CHECK assay_status corpus_read(corpus *out,
                                          assay_ctx *ctx,
                                          const char *source);
void corpus_free(corpus *c); /* accepts a zeroed one */
/* Where the part that is held out begins: the last `share` of the bytes, from the start
 * of a character on. */
size_t corpus_cut(const corpus *c, double share);

#endif
