/* Words and numbers as people read them. */
#include "report/text.h"

#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void text_count(buf *b, uint64_t n) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, n);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            buf_add(b, ",", 1);
        buf_add(b, digits + i, 1);
    }
}

void text_counted(buf *b, uint64_t n, const char *noun) {
    text_count(b, n);
    buf_fmt(b, " %s%s", noun, n == 1 ? "" : "s");
}

void text_fixed(buf *b, double v, int decimals) {
    uint64_t unit = 1;
    for (int i = 0; i < decimals; i++)
        unit *= 10;
    double scaled = round(fabs(v) * (double)unit);
    if (!(scaled < 1e18)) {
        buf_str(b, "-");
        return;
    }
    uint64_t whole = (uint64_t)scaled;
    buf_fmt(b, "%s%" PRIu64, v < 0 && whole > 0 ? "-" : "", whole / unit);
    if (decimals > 0)
        buf_fmt(b, ".%0*" PRIu64, decimals, whole % unit);
}

void text_percent(buf *b, double share) {
    text_fixed(b, share * 100, 1);
    buf_str(b, " %");
}

void text_number(buf *b, double v) {
    if (!isfinite(v))
        return;
    json_out j = json_out_make(b, 0);
    json_num(&j, v);
}

/* Bytes of the UTF-8 sequence at p (NUL-terminated), 0 if it is invalid or a control
 * character. */
static size_t sound_length(const unsigned char *p) {
    if (p[0] < 0x80)
        return (p[0] >= 0x20 || p[0] == '\t' || p[0] == '\n') && p[0] != 0x7F;
    size_t n = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F) ||
        (p[0] == 0xC2 && p[1] < 0xA0))
        return 0; /* overlong, surrogate, beyond U+10FFFF, C1 control */
    return n;
}

void text_html(buf *b, const char *text) {
    const unsigned char *p = (const unsigned char *)text;
    while (*p) {
        size_t n = sound_length(p);
        if (n == 0) {
            buf_str(b, "\xEF\xBF\xBD");
            n = 1;
        } else if (*p == '&') {
            buf_str(b, "&amp;");
        } else if (*p == '<') {
            buf_str(b, "&lt;");
        } else if (*p == '>') {
            buf_str(b, "&gt;");
        } else if (*p == '"') {
            buf_str(b, "&quot;");
        } else if (*p == '\'') {
            buf_str(b, "&#39;");
        } else if (*p == ' ' && p[1] == '%') {
            buf_str(b, "\xC2\xA0");
        } else {
            buf_add(b, p, n);
        }
        p += n;
    }
}

void text_csv(buf *b, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        buf_str(b, text);
        return;
    }
    buf_add(b, "\"", 1);
    for (const char *p = text; *p; p++)
        buf_add(b, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1);
    buf_add(b, "\"", 1);
}

void text_tsv(buf *b, const char *text) {
    for (const char *p = text; *p; p++) {
        if (*p == '\\')
            buf_str(b, "\\\\");
        else if (*p == '\t')
            buf_str(b, "\\t");
        else if (*p == '\n')
            buf_str(b, "\\n");
        else if (*p == '\r')
            buf_str(b, "\\r");
        else
            buf_add(b, p, 1);
    }
}

void text_base64(buf *b, const void *data, size_t bytes) {
    static const char digit[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = data;
    char line[1024]; /* 768 bytes at a time */
    size_t used = 0;
    for (size_t i = 0; i < bytes; i += 3) {
        size_t left = bytes - i;
        uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                     (left > 2 ? p[i + 2] : 0);
        line[used++] = digit[v >> 18];
        line[used++] = digit[v >> 12 & 63];
        line[used++] = left > 1 ? digit[v >> 6 & 63] : '=';
        line[used++] = left > 2 ? digit[v & 63] : '=';
        if (used == sizeof line) {
            buf_add(b, line, used);
            used = 0;
        }
    }
    buf_add(b, line, used);
}
