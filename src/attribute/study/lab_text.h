/* A study's data where they are a text: rows are the windows of the part that is trained
 * on, side by side; targets are windows of passages. */
#ifndef ATTRIBUTE_LAB_TEXT_H
#define ATTRIBUTE_LAB_TEXT_H

#include "data/text/passages.h"
#include "train/text.h"

/* What one asks about: windows of one stretch of text, whose answers are averaged with
 * the numbers of their tokens as weights. */
typedef struct att_passage {
    const char *kind;    /* "held-out", "given", "generated" */
    size_t first, count; /* of the study's targets */
    char *prompt, *said; /* NUL-terminated copies of its bytes: read only, asked for */
    size_t tokens;       /* asked for */
    uint64_t byte;       /* held out: of `said`, in the source */
} att_passage;

typedef struct att_lab_text {
    assay_ctx *ctx;
    corpus corpus;
    text_data data;
    passages windows;
    att_passage *passage;
    size_t count, cap; /* passages */
    size_t rows;       /* windows that are rows; those behind them are targets */
} att_lab_text;

/** Reads a text. @errors as corpus_read */
ASSAY_MUST_CHECK assay_status att_lab_text_open(att_lab_text *out,
                                                assay_ctx *ctx,
                                                const char *source);
/** Cuts it into a model's tokens and the part that is trained on into windows.
 *  @param rows  the first so many windows, and the rest is as if it were not there; 0:
 *  all   @errors FORMAT where the vocabulary has not a character; SHAPE: fewer windows
 *  than that */
ASSAY_MUST_CHECK assay_status att_lab_text_cut(att_lab_text *t,
                                               const model_card *card,
                                               size_t rows);
void att_lab_text_close(att_lab_text *t); /* accepts a zeroed one */

/** Adds a passage: what is asked for stands behind a prompt, which may be empty. Half a
 * context is shown again where it fills several windows.
 *  @param kind  static   @errors FORMAT (a character that the vocabulary has not), SHAPE
 *  (nothing to ask for), NOMEM */
ASSAY_MUST_CHECK assay_status att_lab_text_add(att_lab_text *t,
                                               const model_card *card,
                                               const char *kind,
                                               const char *prompt,
                                               const char *said,
                                               size_t bytes);
/** Adds the first windows of what is held out, each a passage. SHAPE: there are fewer */
ASSAY_MUST_CHECK assay_status att_lab_text_held(att_lab_text *t,
                                                const model_card *card,
                                                size_t n);

/* Values of windows, [rows, windows] with windows those of the targets, as values of
 * passages: out [rows, passages], which may be the same array. */
void att_lab_text_mean(float *out, const att_lab_text *t, const float *x, size_t rows);

/* The text that a row is asked for, borrowed, and where it begins in the source. */
const uint8_t *
att_lab_text_row(const att_lab_text *t, size_t row, size_t *bytes, uint64_t *at);

#endif
