/* Reading exclude.txt. */
#include "train/exclude.h"

#include "train/trainer.h"

#include "base/os.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MOST_BYTES = 1 << 30, HEX = 64, SHORT = 8 };

/* Digits at *p; false if there are none or they overflow. */
static bool number(const char **p, uint64_t *out) {
    const char *s = *p;
    uint64_t v = 0;
    for (; *s >= '0' && *s <= '9'; s++) {
        uint64_t digit = (uint64_t)(*s - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    bool any = s != *p;
    *p = s;
    *out = v;
    return any;
}

static bool after(const char **p, const char *word) {
    *p += strspn(*p, " ");
    size_t n = strlen(word);
    if (strncmp(*p, word, n) != 0)
        return false;
    *p += n;
    return true;
}

static assay_status header(const char *line, const exclude_for *of) {
    const char *p = line;
    uint64_t version, rows;
    if (!after(&p, "# assay-exclude") || !after(&p, "") || !number(&p, &version))
        return err_set(ASSAY_E_FORMAT, "the first line is not '# assay-exclude 1 ...'");
    if (version != 1)
        return err_set(ASSAY_E_VERSION,
                       "version %" PRIu64 " of the format is not known here", version);
    if (!after(&p, "dataset=sha256:"))
        return err_set(ASSAY_E_FORMAT, "the first line names no dataset=sha256:...");
    char sha[HEX + 1] = "";
    size_t n = strspn(p, "0123456789abcdef");
    if (n != HEX)
        return err_set(ASSAY_E_FORMAT, "the dataset's sha256 has %zu digits, not %d", n,
                       HEX);
    memcpy(sha, p, HEX);
    p += n;
    if (!after(&p, "rows=") || !number(&p, &rows))
        return err_set(ASSAY_E_FORMAT, "the first line has no rows=...");
    if (strcmp(sha, of->sha256) != 0 || rows != of->rows) {
        (void)err_set(ASSAY_E_INVALID, "exclude.txt belongs to another dataset");
        err_where("made for sha256:%.*s.. (%" PRIu64
                  " rows), this is sha256:%.*s.. (%" PRIu64 ")",
                  SHORT, sha, rows, SHORT, of->sha256, of->rows);
        err_help("run 'assay audit %s --resume' for a new one", of->source);
        return ASSAY_E_INVALID;
    }
    return ASSAY_OK;
}

static assay_status row_line(const char *line, const exclude_for *of, uint8_t *active) {
    const char *p = line;
    uint64_t row;
    if (!number(&p, &row) || (*p != '\t' && *p != '\0'))
        return err_set(ASSAY_E_FORMAT,
                       "a line does not begin with a row number and a tab");
    if (row >= of->rows)
        return err_set(ASSAY_E_FORMAT,
                       "row %" PRIu64 " does not exist, there are %" PRIu64, row,
                       of->rows);
    if (row < of->train_rows)
        active[row] = 0;
    return ASSAY_OK;
}

static assay_status line_read(
    char *line, size_t number_of, bool *titled, const exclude_for *of, uint8_t *active) {
    size_t n = strlen(line);
    if (n && line[n - 1] == '\r')
        line[n - 1] = '\0';
    if (number_of == 1)
        return header(line, of);
    if (!*line || *line == '#')
        return ASSAY_OK;
    if (!*titled) {
        *titled = true;
        return strncmp(line, "row\t", 4) == 0
                   ? ASSAY_OK
                   : err_set(
                         ASSAY_E_FORMAT,
                         "the column titles 'row, split, reason, score, id' are missing");
    }
    return row_line(line, of, active);
}

assay_status
exclude_read(assay_ctx *ctx, const char *path, const exclude_for *of, uint8_t *active) {
    assay_status status = ASSAY_OK;
    uint8_t *text = NULL;
    size_t bytes, line = 1;
    bool titled = false;
    ASSAY_TRY(os_read_file(ctx, path, MOST_BYTES, &text, &bytes));
    if (memchr(text, 0, bytes)) {
        (void)err_set(ASSAY_E_FORMAT, "this is not a text file");
        err_where("%s", path);
        status = ASSAY_E_FORMAT;
        goto done;
    }
    for (char *p = (char *)text, *end = p + bytes; p < end || line == 1; line++) {
        char *stop = memchr(p, '\n', (size_t)(end - p));
        if (stop)
            *stop = '\0';
        status = line_read(p, line, &titled, of, active);
        if (status != ASSAY_OK) {
            if (status == ASSAY_E_INVALID)
                goto done;
            ASSAY_TRY_AT(status, "%s: line %zu", path, line);
        }
        p = stop ? stop + 1 : end;
    }
done:
    mem_free(ctx, text);
    return status;
}

assay_status
train_exclude_load(assay_ctx *ctx, const char *path, const dataset *d, uint8_t *active) {
    const exclude_for of = {dataset_sha256(d), dataset_rows(d), dataset_train_rows(d),
                            dataset_path(d)};
    return exclude_read(ctx, path, &of, active);
}
