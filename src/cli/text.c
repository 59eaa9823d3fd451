/* Text being put together in memory, and numbers as a person reads them. */
#include "cli/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(text *t, size_t more) {
    if (t->failed)
        return false;
    if (t->used + more + 1 <= t->cap)
        return true;
    size_t cap = (t->used + more + 1) * 3 / 2 + 64;
    char *data = realloc(t->data, cap);
    if (!data) {
        t->failed = true;
        return false;
    }
    t->data = data;
    t->cap = cap;
    return true;
}

void text_put(text *t, const char *bytes, size_t n) {
    if (!reserve(t, n))
        return;
    memcpy(t->data + t->used, bytes, n);
    t->used += n;
    t->data[t->used] = '\0';
}

void text_add(text *t, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0 || !reserve(t, (size_t)n)) {
        t->failed = true;
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(t->data + t->used, (size_t)n + 1, fmt, args);
    va_end(args);
    t->used += (size_t)n;
}

static size_t column_now(const text *t) {
    size_t n = 0;
    while (n < t->used && t->data[t->used - n - 1] != '\n')
        n++;
    return n;
}

void text_pad(text *t, size_t column) {
    if (column_now(t) > column)
        text_put(t, "\n", 1);
    while (!t->failed && column_now(t) < column)
        text_put(t, " ", 1);
}

void text_fill(text *t, const char *fill, size_t indent, size_t width) {
    bool first = true;
    for (const char *p = fill;;) {
        p += strspn(p, " \n");
        size_t n = strcspn(p, " \n");
        if (n == 0)
            return;
        if (!first) {
            bool fits = column_now(t) + 1 + n <= width;
            text_put(t, fits ? " " : "\n", 1);
            if (!fits)
                text_pad(t, indent);
        }
        text_put(t, p, n);
        first = false;
        p += n;
    }
}

const char *text_str(const text *t) {
    return t->data ? t->data : "";
}

void text_free(text *t) {
    free(t->data);
    *t = (text){0};
}

void text_shell(text *t, const char *argument) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789@%+=:,./_-";
    if (*argument && argument[strspn(argument, plain)] == '\0') {
        text_add(t, "%s", argument);
        return;
    }
    text_put(t, "'", 1);
    for (const char *p = argument; *p; p++) {
        if (*p == '\'')
            text_add(t, "'\\''");
        else
            text_put(t, p, 1);
    }
    text_put(t, "'", 1);
}

phrase words_count(uint64_t n) {
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
    phrase w = {""};
    size_t at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            w.s[at++] = ',';
        w.s[at++] = digits[i];
    }
    w.s[at] = '\0';
    return w;
}

phrase words_bytes(uint64_t bytes) {
    static const char *const unit[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
    double v = (double)bytes;
    size_t u = 0;
    while (v >= 999.5 && u + 1 < sizeof unit / sizeof *unit) {
        v /= 1000;
        u++;
    }
    phrase w;
    (void)snprintf(w.s, sizeof w.s, u > 0 && v < 9.95 ? "%.1f %s" : "%.0f %s", v,
                   unit[u]);
    return w;
}

phrase words_seconds(double seconds) {
    uint64_t s = seconds > 0 ? (uint64_t)(seconds + 0.5) : 0;
    phrase w;
    if (s >= 3600)
        (void)snprintf(w.s, sizeof w.s, "%" PRIu64 ":%02d:%02d", s / 3600,
                       (int)(s / 60 % 60), (int)(s % 60));
    else
        (void)snprintf(w.s, sizeof w.s, "%d:%02d", (int)(s / 60), (int)(s % 60));
    return w;
}

phrase words_percent(double part) {
    phrase w;
    (void)snprintf(w.s, sizeof w.s, "%.2f %%", 100 * part);
    return w;
}
