/* Row numbers from a text or a file. */
#include "data/pack/pick.h"

#include "base/os.h"

#include <ctype.h>
#include <string.h>

enum { MAX_FILE = 1 << 30, HASH_DIGITS = 64 };

static bool is_ranges(const char *text) {
    return text[0] != '\0' && text[strspn(text, "0123456789:,")] == '\0';
}

/* Digits at *at; false when there are none, or too many for a number. */
static bool take_number(const char **at, uint64_t *out) {
    const char *p = *at;
    *out = 0;
    for (; isdigit((unsigned char)*p); p++) {
        if (*out > (UINT64_MAX - 9) / 10)
            return false;
        *out = *out * 10 + (uint64_t)(*p - '0');
    }
    bool any = p != *at;
    *at = p;
    return any;
}

static assay_status no_row(uint64_t row, uint64_t rows) {
    err_set(ASSAY_E_INVALID, "no row %llu", (unsigned long long)row);
    err_help("there are %llu, counted from 0", (unsigned long long)rows);
    return ASSAY_E_INVALID;
}

/* "a", "a:b", "a:", ":b"; ends behind it. */
static assay_status
take_range(const char **at, uint8_t *on, uint64_t rows, uint8_t value) {
    uint64_t begin = 0, end = rows;
    const char *whole = *at;
    bool first = take_number(at, &begin);
    if (**at == ':') {
        (*at)++;
        if (isdigit((unsigned char)**at) && !take_number(at, &end))
            return no_row(UINT64_MAX, rows);
    } else if (first) {
        end = begin + 1;
    }
    if ((!first && isdigit((unsigned char)*whole)) || begin >= UINT64_MAX - 1)
        return no_row(UINT64_MAX, rows);
    if ((!first && *at == whole) || (**at != ',' && **at != '\0') || end < begin) {
        err_set(ASSAY_E_INVALID, "'%.40s' is no range of rows", whole);
        err_help("a range is 7, 0:1000 (row 1000 not included), 5000: or :10");
        return ASSAY_E_INVALID;
    }
    if (end > rows || begin > rows)
        return no_row(end > rows ? end - 1 : begin, rows);
    memset(on + begin, value, (size_t)(end - begin));
    return ASSAY_OK;
}

static assay_status
pick_ranges(const char *text, uint8_t *on, uint64_t rows, uint8_t value) {
    for (const char *at = text;; at++) {
        assay_status status = take_range(&at, on, rows, value);
        if (status != ASSAY_OK || *at == '\0')
            return status;
    }
}

/* A list that was made for another dataset must not be used for this one. */
static assay_status check_dataset(const char *line, const char *sha256) {
    const char *mark = "dataset=sha256:";
    const char *hash = strstr(line, mark), *end = strchr(line, '\n');
    if (strncmp(line, "# assay-exclude", 15) != 0 || sha256 == NULL || hash == NULL ||
        (end != NULL && hash > end))
        return ASSAY_OK;
    if (strncmp(hash + strlen(mark), sha256, HASH_DIGITS) == 0)
        return ASSAY_OK;
    err_set(ASSAY_E_INVALID, "the list belongs to another dataset");
    err_help("it was made for one with another sha256; see assay info");
    return ASSAY_E_INVALID;
}

static assay_status
take_line(const char *line, uint8_t *on, uint64_t rows, uint8_t value) {
    uint64_t row;
    while (*line == ' ' || *line == '\t')
        line++;
    if (*line == '#' || *line == '\n' || *line == '\r' || *line == '\0')
        return ASSAY_OK;
    if (!take_number(&line, &row) || (*line != '\0' && !isspace((unsigned char)*line)))
        return err_set(ASSAY_E_FORMAT, "the line does not begin with a row's number");
    if (row >= rows)
        return no_row(row, rows);
    on[row] = value;
    return ASSAY_OK;
}

assay_status pick_rows(assay_ctx *ctx,
                       uint8_t *on,
                       uint64_t rows,
                       const char *text,
                       uint8_t value,
                       const char *sha256) {
    assay_status status = ASSAY_OK;
    uint8_t *file = NULL;
    size_t bytes, number = 1;
    if (is_ranges(text))
        return pick_ranges(text, on, rows, value);
    ASSAY_TRY(os_read_file(ctx, text, MAX_FILE, &file, &bytes));
    ASSAY_TRY_AT(check_dataset((const char *)file, sha256), "%s: line 1", text);
    for (const char *line = (const char *)file; line != NULL; number++) {
        ASSAY_TRY_AT(take_line(line, on, rows, value), "%s: line %zu", text, number);
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
done:
    mem_free(ctx, file);
    return status;
}
