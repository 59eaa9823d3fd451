/* Tables of texts and labels, read record by record. */
#include "data/text/sentences.h"

#include "base/hash.h"
#include "base/os.h"
#include "data/source/table.h"
#include "data/text/utf8.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_CLASSES = 1000, MOST_NUMBER = 999 };

static bool ends(const char *path, const char *end) {
    size_t n = strlen(path), m = strlen(end);
    return n >= m && strcmp(path + n - m, end) == 0;
}

bool sentences_is(const char *path) {
    return ends(path, ".tsv") || ends(path, ".csv");
}

/* ---- reading ---- */

typedef struct reading {
    sentences *s;
    table t;
    size_t text, label; /* columns */
    buf labels;         /* words, a NUL behind each */
    size_t *word;       /* [rows] places in them */
    size_t begins, words;
} reading;

static assay_status bad_line(const reading *r, const char *what, const char *help) {
    (void)err_set(ASSAY_E_FORMAT, "%s", what);
    err_where("line %llu", (unsigned long long)r->t.line);
    err_help("%s", help);
    return ASSAY_E_FORMAT;
}

static bool names_text(const char *cell) {
    return strcmp(cell, "text") == 0 || strcmp(cell, "sentence") == 0;
}

/* Whether the record just read is a header; then the columns are known. */
static bool header(reading *r) {
    size_t n;
    bool text = false, label = false;
    for (size_t i = 0; i < r->t.cells; i++) {
        const char *cell = table_cell(&r->t, i, &n);
        if (names_text(cell) && !text) {
            r->text = i;
            text = true;
        } else if (strcmp(cell, "label") == 0 && !label) {
            r->label = i;
            label = true;
        }
    }
    if (!text || !label) {
        r->text = 0;
        r->label = 1;
    }
    return text && label;
}

static bool is_utf8(const char *text, size_t n) {
    uint32_t c;
    for (size_t at = 0, one; at < n; at += one) {
        one = utf8_get(&c, (const uint8_t *)text + at, n - at);
        if (one == 0)
            return false;
    }
    return true;
}

static assay_status record(reading *r) {
    assay_status status = ASSAY_OK;
    sentences *s = r->s;
    size_t text, label;
    if (r->t.cells <= r->text || r->t.cells <= r->label)
        return bad_line(r, "a line without a label",
                        "give a text and a label with a tab between, on each line");
    const char *said = table_cell(&r->t, r->text, &text);
    const char *word = table_cell(&r->t, r->label, &label);
    if (text == 0 || label == 0)
        return bad_line(r, text ? "an empty label" : "an empty text",
                        "give each line a text and a label, or take it out");
    if (!is_utf8(said, text) || !is_utf8(word, label))
        return bad_line(r, "this is not UTF-8", "convert the file");
    ASSAY_TRY(
        mem_grow(s->ctx, &s->begin, s->rows, &r->begins, s->rows + 2, sizeof *s->begin));
    ASSAY_TRY(
        mem_grow(s->ctx, &r->word, s->rows, &r->words, s->rows + 1, sizeof *r->word));
    s->begin[s->rows] = s->text.len;
    r->word[s->rows++] = r->labels.len;
    buf_add(&s->text, said, text);
    buf_add(&r->labels, word, label);
    buf_add(&r->labels, "", 1);
    s->begin[s->rows] = s->text.len;
done:
    return status;
}

static assay_status records(reading *r) {
    assay_status status = ASSAY_OK;
    bool more = true, first = true;
    while (more) {
        ASSAY_TRY(table_next(&r->t, &more));
        if (more && !(first && header(r)))
            ASSAY_TRY(record(r));
        first = false;
    }
    ASSAY_TRY(buf_check(&r->s->text));
    ASSAY_TRY(buf_check(&r->labels));
    if (r->s->rows == 0)
        ASSAY_FAIL(ASSAY_E_FORMAT, "there is no line in it");
done:
    return status;
}

/* ---- classes ---- */

static const char *word_of(const reading *r, size_t row) {
    return r->labels.data + r->word[row];
}

/* A whole number of up to three digits; -1: none. */
static int number_of(const char *word) {
    int n = 0;
    for (const char *p = word; *p; p++) {
        if (*p < '0' || *p > '9' || p - word == 3)
            return -1;
        n = 10 * n + (*p - '0');
    }
    return n;
}

static assay_status classes_numbered(reading *r, int most) {
    assay_status status = ASSAY_OK;
    sentences *s = r->s;
    ASSAY_TRY(mem_new(s->ctx, &s->class_name, (size_t)most + 1, sizeof *s->class_name));
    s->classes = most + 1;
    for (int c = 0; c <= most; c++) {
        buf name = buf_make(s->ctx);
        buf_fmt(&name, "%d", c);
        status = buf_check(&name);
        if (status == ASSAY_OK)
            status = mem_strdup(s->ctx, &s->class_name[c], name.data);
        buf_free(&name);
        ASSAY_TRY(status);
    }
    for (size_t i = 0; i < s->rows; i++)
        s->label[i] = number_of(word_of(r, i));
done:
    return status;
}

static int by_word(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static assay_status classes_named(reading *r) {
    assay_status status = ASSAY_OK;
    sentences *s = r->s;
    const char **sorted = NULL;
    ASSAY_TRY(mem_new(s->ctx, &sorted, s->rows, sizeof *sorted));
    ASSAY_TRY(mem_new(s->ctx, &s->class_name, MOST_CLASSES, sizeof *s->class_name));
    for (size_t i = 0; i < s->rows; i++)
        sorted[i] = word_of(r, i);
    qsort(sorted, s->rows, sizeof *sorted, by_word);
    for (size_t i = 0; i < s->rows; i++) {
        if (i && strcmp(sorted[i], sorted[i - 1]) == 0)
            continue;
        if (s->classes == MOST_CLASSES)
            ASSAY_FAIL(ASSAY_E_FORMAT, "more than %d labels", MOST_CLASSES);
        ASSAY_TRY(mem_strdup(s->ctx, &s->class_name[s->classes++], sorted[i]));
    }
    for (size_t i = 0; i < s->rows; i++) {
        const char *word = word_of(r, i);
        char **at = bsearch(&word, s->class_name, (size_t)s->classes,
                            sizeof *s->class_name, by_word);
        s->label[i] = (int32_t)(at - s->class_name);
    }
done:
    mem_free(s->ctx, sorted);
    return status;
}

static assay_status classes_find(reading *r) {
    assay_status status = ASSAY_OK;
    int most = 0;
    ASSAY_TRY(mem_new(r->s->ctx, &r->s->label, r->s->rows, sizeof *r->s->label));
    for (size_t i = 0; most >= 0 && i < r->s->rows; i++) {
        int n = number_of(word_of(r, i));
        most = n < 0 ? -1 : n > most ? n : most;
    }
    ASSAY_TRY(most < 0 ? classes_named(r) : classes_numbered(r, most));
    if (r->s->classes < 2)
        ASSAY_FAIL(ASSAY_E_FORMAT, "all lines have one label");
done:
    return status;
}

assay_status sentences_parse(
    sentences *out, assay_ctx *ctx, const void *bytes, size_t n, char separator) {
    assay_status status = ASSAY_OK;
    hash_sha256 h;
    uint8_t digest[32];
    reading r = {.s = out, .labels = buf_make(ctx)};
    *out = (sentences){.ctx = ctx, .text = buf_make(ctx)};
    hash_sha256_init(&h);
    hash_sha256_add(&h, bytes, n);
    hash_sha256_end(&h, digest);
    hash_hex(out->sha256, digest);
    table_begin(&r.t, ctx, bytes, n, separator);
    ASSAY_TRY(records(&r));
    ASSAY_TRY(classes_find(&r));
done:
    table_end(&r.t);
    buf_free(&r.labels);
    mem_free(ctx, r.word);
    if (status != ASSAY_OK)
        sentences_free(out);
    return status;
}

assay_status sentences_read(sentences *out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    uint8_t *bytes = NULL;
    size_t n;
    *out = (sentences){0};
    ASSAY_TRY(os_read_file(ctx, path, SIZE_MAX / 4, &bytes, &n));
    ASSAY_TRY_AT(sentences_parse(out, ctx, bytes, n, ends(path, ".tsv") ? '\t' : ','),
                 "%s", path);
done:
    mem_free(ctx, bytes);
    return status;
}

void sentences_free(sentences *s) {
    if (!s->ctx)
        return;
    for (int c = 0; s->class_name && c < s->classes; c++)
        mem_free(s->ctx, s->class_name[c]);
    mem_free(s->ctx, s->class_name);
    buf_free(&s->text);
    mem_free(s->ctx, s->begin);
    mem_free(s->ctx, s->label);
    token_list_free(&s->tokens);
    mem_free(s->ctx, s->at);
    *s = (sentences){0};
}

/* ---- tokens ---- */

assay_status sentences_cut(
    sentences *s, const tokenizer *t, size_t context, int32_t pad, int32_t start) {
    assay_status status = ASSAY_OK;
    s->context = context;
    s->pad = pad;
    s->start = start;
    ASSAY_TRY(mem_new(s->ctx, &s->at, s->rows + 1, sizeof *s->at));
    for (size_t i = 0; i < s->rows; i++) {
        s->at[i] = s->tokens.count;
        ASSAY_TRY_AT(tokenizer_encode(t, &s->tokens,
                                      (const uint8_t *)s->text.data + s->begin[i],
                                      s->begin[i + 1] - s->begin[i]),
                     "row %zu", i);
        if (s->tokens.count - s->at[i] > context - 1) {
            s->tokens.count = s->at[i] + context - 1;
            s->longer++;
        }
    }
    s->at[s->rows] = s->tokens.count;
done:
    return status;
}

void sentences_feed(int32_t *in, const sentences *s, const uint32_t *rows, size_t n) {
    for (size_t k = 0; k < n; k++, in += s->context) {
        size_t from = s->at[rows[k]], count = s->at[rows[k] + 1] - from;
        in[0] = s->start;
        for (size_t i = 1; i < s->context; i++)
            in[i] = i <= count ? s->tokens.token[from + i - 1] : s->pad;
    }
}
