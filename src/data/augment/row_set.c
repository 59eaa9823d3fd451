/* Reading lists of rows, and looking rows up by halving. */
#include "data/augment/row_set.h"

#include "base/os.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 28 };

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_gap(char c) {
    return c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool read_row(const char **at, uint64_t *row) {
    uint64_t v = 0;
    if (!is_digit(**at))
        return false;
    for (; is_digit(**at); ++*at) {
        uint64_t digit = (uint64_t)(**at - '0');
        if (v > (UINT64_MAX - 1 - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *row = v;
    return true;
}

static assay_status add(row_set *s, uint64_t first, uint64_t end) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_grow(s->ctx, &s->range, s->n, &s->cap, s->n + 1, sizeof *s->range));
    s->range[s->n++] = (row_range){first, end};
done:
    return status;
}

static assay_status parse(row_set *s, const char *text) {
    assay_status status = ASSAY_OK;
    const char *at = text;
    for (;;) {
        uint64_t first, end;
        while (is_gap(*at))
            at++;
        if (*at == '#') {
            at += strcspn(at, "\n");
            continue;
        }
        if (*at == '\0')
            break;
        const char *word = at;
        bool good = read_row(&at, &first);
        end = first + 1;
        if (good && *at == ':') {
            at++;
            good = read_row(&at, &end) && end > first;
        }
        if (!good || !(is_gap(*at) || *at == '\0' || *at == '#'))
            ASSAY_FAIL(ASSAY_E_INVALID,
                       "'%.*s' is no row (5) and no range of rows (10:20)",
                       (int)strcspn(word, ", \r\n\t"), word);
        ASSAY_TRY(add(s, first, end));
    }
    if (s->n == 0)
        ASSAY_FAIL(ASSAY_E_INVALID, "a list of rows is empty");
done:
    return status;
}

static int compare(const void *a, const void *b) {
    const row_range *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static void sort(row_set *s) {
    size_t n = 0;
    qsort(s->range, s->n, sizeof *s->range, compare);
    for (size_t i = 0; i < s->n; i++) {
        if (n > 0 && s->range[i].first <= s->range[n - 1].end) {
            if (s->range[i].end > s->range[n - 1].end)
                s->range[n - 1].end = s->range[i].end;
        } else {
            s->range[n++] = s->range[i];
        }
    }
    s->n = n;
}

assay_status row_set_read(row_set *out, assay_ctx *ctx, const char *text) {
    assay_status status = ASSAY_OK;
    uint8_t *bytes = NULL;
    size_t n;
    *out = (row_set){.ctx = ctx};
    if (text[strspn(text, "0123456789:, ")] == '\0') {
        ASSAY_TRY(parse(out, text));
    } else {
        ASSAY_TRY(os_read_file(ctx, text, MOST_BYTES, &bytes, &n));
        if (memchr(bytes, 0, n) != NULL)
            ASSAY_FAIL(ASSAY_E_FORMAT, "%s: not a text file", text);
        ASSAY_TRY_AT(parse(out, (const char *)bytes), "%s", text);
    }
    sort(out);
done:
    mem_free(ctx, bytes);
    if (status != ASSAY_OK)
        row_set_free(out);
    return status;
}

void row_set_free(row_set *s) {
    if (s->ctx != NULL)
        mem_free(s->ctx, s->range);
    *s = (row_set){0};
}

bool row_set_has(const row_set *s, uint64_t row) {
    size_t low = 0, high = s->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->range[middle].end <= row)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->n && s->range[low].first <= row;
}
