/* Opening whatever audit and train are given: a .beton where it lies, or a source that is
 * packed once. What it was packed from is noted beside the pack, so that a change is
 * seen. */
#include "data/dataset.h"

#include "base/hash.h"
#include "base/options.h"
#include "data/source/values.h"
#include "file/atomic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096, DEPTH = 4, KEY_BYTES = 128 };

static bool is_same_folder(const char *a, const char *b) {
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

/* Names, sizes and times of all files below a path. Hidden files belong to nobody, and
 * what lies in the folder `without` is our own. */
static assay_status add_files(
    hash_sha256 *s, assay_ctx *ctx, const char *path, int depth, const char *without) {
    assay_status status = ASSAY_OK;
    os_names names = {.ctx = ctx};
    struct stat st;
    char below[PATH_BYTES];
    if (stat(path, &st) != 0) {
        status = err_errno(errno == ENOENT ? ASSAY_E_NOTFOUND : ASSAY_E_IO, errno,
                           "can't look at");
        err_where("%s", path);
        goto done;
    }
    if (!S_ISDIR(st.st_mode)) {
        hash_sha256_u64(s, (uint64_t)st.st_size);
        hash_sha256_u64(s, (uint64_t)st.st_mtim.tv_sec);
        hash_sha256_u64(s, (uint64_t)st.st_mtim.tv_nsec);
        goto done;
    }
    if (depth == DEPTH)
        goto done;
    ASSAY_TRY(os_list_dir(ctx, path, &names));
    hash_sha256_str(s, "folder");
    for (size_t i = 0; i < names.count; i++) {
        if (names.name[i][0] == '.')
            continue;
        int n = snprintf(below, sizeof below, "%s/%s", path, names.name[i]);
        if (n < 0 || n >= (int)sizeof below)
            ASSAY_FAIL(ASSAY_E_INVALID, "path of more than %d bytes", PATH_BYTES - 1);
        if (is_same_folder(below, without))
            continue;
        hash_sha256_str(s, names.name[i]);
        ASSAY_TRY(add_files(s, ctx, below, depth + 1, without));
    }
    hash_sha256_str(s, "end");
done:
    os_names_free(&names);
    return status;
}

/* Whether an importer may look at a file beside the source: labels, class names. */
static bool is_companion(const char *name) {
    const char *dot = strrchr(name, '.');
    return strstr(name, "labels") != NULL || strncmp(name, "classes.", 8) == 0 ||
           (dot != NULL && (strcmp(dot, ".txt") == 0 || strcmp(dot, ".npy") == 0));
}

/* A list of files that lie in its folder: all of that counts. */
static bool stands_for_folder(const char *source) {
    static const char *const ends[] = {".csv", ".tsv", ".jsonl", ".ndjson"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (strstr(source, ends[i]) != NULL)
            return true;
    return false;
}

/* A file alone, and those beside it that an importer may look for. */
static assay_status
add_source(hash_sha256 *s, assay_ctx *ctx, const char *source, const char *without) {
    assay_status status = ASSAY_OK;
    os_names names = {.ctx = ctx};
    char folder[PATH_BYTES] = ".", path[PATH_BYTES];
    const char *slash = strrchr(source, '/');
    if (os_is_dir(source))
        return add_files(s, ctx, source, 0, without);
    ASSAY_TRY(add_files(s, ctx, source, 0, without));
    if (slash != NULL) {
        int n =
            snprintf(folder, sizeof folder, "%.*s", (int)(slash - source) + 1, source);
        if (n < 0 || n >= (int)sizeof folder)
            ASSAY_FAIL(ASSAY_E_INVALID, "path of more than %d bytes", PATH_BYTES - 1);
    }
    if (stands_for_folder(source)) {
        hash_sha256_str(s, value_base(source));
        return add_files(s, ctx, folder, 0, without);
    }
    ASSAY_TRY(os_list_dir(ctx, folder, &names));
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.name[i];
        if (!is_companion(name))
            continue;
        int n = snprintf(path, sizeof path, "%s/%s", folder, name);
        if (n < 0 || n >= (int)sizeof path)
            ASSAY_FAIL(ASSAY_E_INVALID, "path of more than %d bytes", PATH_BYTES - 1);
        hash_sha256_str(s, name);
        if (!os_is_dir(path))
            ASSAY_TRY(add_files(s, ctx, path, 0, without));
    }
done:
    os_names_free(&names);
    return status;
}

static assay_status source_key(char key[KEY_BYTES],
                               assay_ctx *ctx,
                               const char *source,
                               const char *packed,
                               const assay_pack_options *o) {
    assay_status status = ASSAY_OK;
    hash_sha256 s;
    uint8_t digest[32];
    char hex[65], own[IMPORT_PATH_BYTES];
    hash_sha256_init(&s);
    hash_sha256_str(&s, assay_version());
    hash_sha256_str(&s, o->from != NULL ? o->from : "");
    hash_sha256_str(&s, o->split != NULL ? o->split : "");
    hash_sha256_str(&s, o->mode != NULL ? o->mode : "");
    hash_sha256_u64(&s, (uint64_t)o->quality);
    hash_sha256_u64(&s, (uint64_t)o->max_resolution);
    hash_sha256_u64(&s, o->page_size);
    hash_sha256_u64(&s, (uint64_t)o->limit);
    hash_sha256_u64(&s, (uint64_t)o->skip_corrupt);
    hash_sha256_u64(&s, o->smart_threshold);
    hash_sha256_add(&s, &o->proportion, sizeof o->proportion);
    hash_sha256_u64(&s, o->seed);
    hash_sha256_u64(&s, (uint64_t)o->shuffle);
    hash_sha256_str(&s, o->rows != NULL ? o->rows : "");
    ASSAY_TRY(value_folder(own, packed));
    ASSAY_TRY(add_source(&s, ctx, source, own));
    hash_sha256_end(&s, digest);
    hash_hex(hex, digest);
    snprintf(key, KEY_BYTES, "packed from 1 %s\n", hex);
done:
    return status;
}

static bool same_key(assay_ctx *ctx, const char *path, const char *key) {
    uint8_t *text = NULL;
    size_t bytes = 0;
    bool same = os_exists(path) &&
                os_read_file(ctx, path, KEY_BYTES, &text, &bytes) == ASSAY_OK &&
                strcmp((const char *)text, key) == 0;
    mem_free(ctx, text);
    return same;
}

static bool is_beton(const char *path) {
    size_t n = strlen(path);
    return n > 6 && strcmp(path + n - 6, ".beton") == 0 && !os_is_dir(path);
}

static void warn_of_skipped(assay_ctx *ctx, const dataset *d) {
    const char *split, *id, *reason;
    size_t n = dataset_skipped(d);
    if (!n)
        return;
    dataset_skipped_at(d, 0, &split, &id, &reason);
    log_line(ctx, ASSAY_LOG_WARN,
             "%zu image%s could not be read and %s left out, for example %s: %s", n,
             n == 1 ? "" : "s", n == 1 ? "is" : "are", id, reason);
}

assay_status dataset_open_any(dataset **out,
                              assay_ctx *ctx,
                              const char *source,
                              const char *packed,
                              const assay_pack_options *options) {
    assay_status status = ASSAY_OK;
    assay_pack_options o = ASSAY_PACK_OPTIONS_INIT;
    char key_path[PATH_BYTES], key[KEY_BYTES];
    *out = NULL;
    if (is_beton(source))
        return dataset_open(out, ctx, source);
    ASSAY_TRY(options_take(&o, sizeof o, options, "assay_pack_options"));
    o.skip_corrupt = 1;
    int n = snprintf(key_path, sizeof key_path, "%s.source", packed);
    if (n < 0 || n >= (int)sizeof key_path)
        ASSAY_FAIL(ASSAY_E_INVALID, "path of more than %d bytes", PATH_BYTES - 8);
    if (!os_exists(source)) {
        err_set(ASSAY_E_NOTFOUND, "no such file or folder");
        err_where("%s", source);
        status = ASSAY_E_NOTFOUND;
        goto done;
    }
    ASSAY_TRY(source_key(key, ctx, source, packed, &o));
    if (os_exists(packed) && same_key(ctx, key_path, key)) {
        ASSAY_TRY(dataset_open(out, ctx, packed));
        goto done;
    }
    o.force = 1;
    ASSAY_TRY(os_remove_tree(key_path));
    ASSAY_TRY(assay_pack(ctx, source, packed, &o, NULL));
    ASSAY_TRY(atomic_put(ctx, key_path, key, strlen(key)));
    ASSAY_TRY(dataset_open(out, ctx, packed));
done:
    if (status == ASSAY_OK)
        warn_of_skipped(ctx, *out);
    return status;
}
