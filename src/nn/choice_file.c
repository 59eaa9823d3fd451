/* Small files, read whole at each question: they are asked when executors are made. */
#include "nn/choice_file.h"

#include "base/os.h"
#include "file/atomic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool choice_find(char value[CHOICE_TEXT],
                 assay_ctx *ctx,
                 const char *path,
                 const char *key) {
    enum { LIMIT = 4 << 20 };
    uint8_t *bytes = NULL;
    size_t count = 0;
    const size_t length = strlen(key);
    bool found = false;
    if (!os_exists(path) || os_read_file(ctx, path, LIMIT, &bytes, &count) != ASSAY_OK)
        return false;
    const char *at = (const char *)bytes, *end;
    for (; !found && (end = strchr(at, '\n')) != NULL; at = end + 1) {
        if (strncmp(at, key, length) != 0 || strncmp(at + length, " = ", 3) != 0)
            continue;
        const char *from = at + length + 3;
        const size_t size = (size_t)(end - from);
        if (end < from || size >= CHOICE_TEXT)
            continue;
        memcpy(value, from, size);
        value[size] = '\0';
        found = true;
    }
    mem_free(ctx, bytes);
    return found;
}

bool choice_add(assay_ctx *ctx, const char *path, const char *key, const char *value) {
    buf line = buf_make(ctx);
    buf_fmt(&line, "%s = %s\n", key, value);
    bool done = buf_check(&line) == ASSAY_OK &&
                append_line(ctx, path, (const char *)line.data, line.len) == ASSAY_OK;
    buf_free(&line);
    return done;
}

static bool in_folder(char *out, size_t size, const char *variable, const char *rest) {
    const char *base = getenv(variable);
    if (!base || base[0] != '/')
        return false;
    int n = snprintf(out, size, "%s%s", base, rest);
    if (n < 0 || (size_t)n >= size || os_mkdirs(out) != ASSAY_OK)
        return false;
    int m = snprintf(out + n, size - (size_t)n, "/kernels.txt");
    return m > 0 && (size_t)m < size - (size_t)n;
}

bool choice_cache_path(char *out, size_t size) {
    return in_folder(out, size, "ASSAY_CACHE", "") ||
           in_folder(out, size, "XDG_CACHE_HOME", "/assay") ||
           in_folder(out, size, "HOME", "/.cache/assay");
}
