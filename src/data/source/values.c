/* Reading the words of text sources. */
#include "data/source/values.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NUMBER_BYTES = 64 };

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool value_int(int64_t *out, const char *text, size_t n) {
    uint64_t v = 0;
    size_t i = n > 0 && (text[0] == '-' || text[0] == '+');
    bool minus = i == 1 && text[0] == '-';
    if (i == n)
        return false;
    for (; i < n; i++) {
        if (!is_digit(text[i]) || v > (UINT64_C(1) << 63) / 10)
            return false;
        v = v * 10 + (uint64_t)(text[i] - '0');
    }
    if (v > (uint64_t)INT64_MAX + minus)
        return false;
    *out = minus ? (int64_t) - (v - 1) - 1 : (int64_t)v;
    if (minus && v == 0)
        *out = 0;
    return true;
}

/* [sign] digits [. digits] [e [sign] digits], with a digit before or after the point. */
static bool looks_like_number(const char *text, size_t n) {
    size_t i = n > 0 && (text[0] == '-' || text[0] == '+'), digits = 0;
    for (; i < n && is_digit(text[i]); i++)
        digits++;
    if (i < n && text[i] == '.')
        for (i++; i < n && is_digit(text[i]); i++)
            digits++;
    if (digits == 0)
        return false;
    if (i < n && (text[i] == 'e' || text[i] == 'E')) {
        i++;
        i += i < n && (text[i] == '-' || text[i] == '+');
        size_t first = i;
        while (i < n && is_digit(text[i]))
            i++;
        if (i == first)
            return false;
    }
    return i == n;
}

bool value_number(double *out, const char *text, size_t n) {
    char copy[NUMBER_BYTES], *end;
    if (n >= sizeof copy || !looks_like_number(text, n))
        return false;
    memcpy(copy, text, n);
    copy[n] = '\0';
    *out = strtod(copy, &end);
    return *end == '\0';
}

void value_trim(const char **text, size_t *n) {
    while (*n > 0 && (**text == ' ' || **text == '\t')) {
        (*text)++;
        (*n)--;
    }
    while (*n > 0 && ((*text)[*n - 1] == ' ' || (*text)[*n - 1] == '\t'))
        (*n)--;
}

static bool is_word(const char *text, size_t n, const char *word) {
    return strlen(word) == n && strncasecmp(text, word, n) == 0;
}

bool value_split(import_split *out, const char *text, size_t n) {
    static const struct {
        const char *name;
        import_split split;
    } known[] = {{"train", IMPORT_TRAIN}, {"training", IMPORT_TRAIN},
                 {"test", IMPORT_TEST},   {"val", IMPORT_VAL},
                 {"valid", IMPORT_VAL},   {"validation", IMPORT_VAL},
                 {"dev", IMPORT_VAL}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (is_word(text, n, known[i].name)) {
            *out = known[i].split;
            return true;
        }
    return false;
}

bool value_split_prefix(import_split *out, const char *name) {
    size_t n = 0;
    while (isalpha((unsigned char)name[n]))
        n++;
    return value_split(out, name, n);
}

value_role value_role_of(const char *name, size_t n) {
    static const struct {
        const char *name;
        value_role role;
    } known[] = {
        {"path", ROLE_PATH},      {"file", ROLE_PATH},    {"filename", ROLE_PATH},
        {"file_name", ROLE_PATH}, {"image", ROLE_PATH},   {"label", ROLE_LABEL},
        {"class", ROLE_LABEL},    {"target", ROLE_LABEL}, {"y", ROLE_LABEL},
        {"split", ROLE_SPLIT},    {"set", ROLE_SPLIT}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (is_word(name, n, known[i].name))
            return known[i].role;
    return ROLE_NONE;
}

assay_status value_path(char out[IMPORT_PATH_BYTES], const char *text, size_t n) {
    size_t used = 0;
    if (n > 0 && text[0] == '/') {
        err_set(ASSAY_E_INVALID, "'%.*s' is an absolute path", (int)(n < 200 ? n : 200),
                text);
        err_help("give paths relative to the file that lists them");
        return ASSAY_E_INVALID;
    }
    if (n >= IMPORT_PATH_BYTES || memchr(text, '\0', n) != NULL)
        return err_set(ASSAY_E_INVALID, n >= IMPORT_PATH_BYTES
                                            ? "a path of more than 4,095 bytes"
                                            : "a path with a NUL in it");
    for (size_t i = 0; i < n;) {
        size_t len = 0;
        while (i + len < n && text[i + len] != '/')
            len++;
        if (len == 2 && memcmp(text + i, "..", 2) == 0) {
            err_set(ASSAY_E_INVALID, "'%.*s' leads out of the source's folder",
                    (int)(n < 200 ? n : 200), text);
            err_help("paths that hold '..' are refused");
            return ASSAY_E_INVALID;
        }
        if (len > 0 && !(len == 1 && text[i] == '.')) {
            if (used > 0)
                out[used++] = '/';
            memcpy(out + used, text + i, len);
            used += len;
        }
        i += len + 1;
    }
    out[used] = '\0';
    return used > 0 ? ASSAY_OK : err_set(ASSAY_E_INVALID, "an empty path");
}

void value_file_name(char *out, size_t room, const char *text) {
    size_t n = strlen(text);
    if (n > room - 1)
        for (n = room - 1; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80;)
            n--;
    for (size_t i = 0; i < n; i++) {
        bool bad = (unsigned char)text[i] < 0x20 || text[i] == '/' || text[i] == 0x7F ||
                   (i == 0 && text[i] == '.');
        out[i] = bad ? '_' : text[i];
    }
    if (n == 0)
        out[n++] = '_';
    out[n] = '\0';
}

const char *value_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

assay_status value_folder(char out[IMPORT_PATH_BYTES], const char *path) {
    int n =
        snprintf(out, IMPORT_PATH_BYTES, "%.*s", (int)(value_base(path) - path), path);
    if (n < 0 || n >= IMPORT_PATH_BYTES)
        return err_set(ASSAY_E_INVALID, "path of more than %d bytes",
                       IMPORT_PATH_BYTES - 1);
    if (n == 0)
        (void)snprintf(out, IMPORT_PATH_BYTES, ".");
    return ASSAY_OK;
}

bool value_ends(const char *name, const char *end) {
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcasecmp(name + n - m, end) == 0;
}

bool value_ends_packed(const char *name, const char *end) {
    static const char *const packed[] = {"", ".gz", ".xz", ".zst"};
    char whole[32];
    for (size_t i = 0; i < sizeof packed / sizeof packed[0]; i++) {
        (void)snprintf(whole, sizeof whole, "%s%s", end, packed[i]);
        if (value_ends(name, whole))
            return true;
    }
    return false;
}

bool value_is_image(const char *name) {
    return value_ends(name, ".jpg") || value_ends(name, ".jpeg") ||
           value_ends(name, ".png");
}
