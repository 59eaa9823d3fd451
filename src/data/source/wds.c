/* Finding WebDataset's shards and the samples in them. The rule of keys is that of the
 * webdataset library (tariterators.py, base_plus_ext). */
#include "data/source/wds.h"

#include "data/source/tar.h"
#include "data/source/values.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_SHARDS = 1 << 20, MAX_BRACES = 8 };

bool wds_is_shard(const char *path) {
    static const char *const ends[] = {".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (value_ends(path, ends[i]))
            return true;
    return false;
}

const char *wds_key(const wds *w, size_t sample) {
    return w->keys.data + w->sample[sample].key_at;
}

const char *wds_path(const wds *w, size_t sample) {
    return w->shard[w->sample[sample].shard].path;
}

const wds_member *wds_find(const wds *w, size_t sample, size_t column) {
    const wds_sample *s = &w->sample[sample];
    for (size_t i = 0; i < s->members; i++)
        if (w->kind[w->member[s->first + i].kind].column == column)
            return &w->member[s->first + i];
    return NULL;
}

const uint8_t *wds_bytes(const wds *w, size_t sample, const wds_member *m) {
    return w->shard[w->sample[sample].shard].bytes.data + m->at;
}

assay_status wds_failed_at(const wds *w, size_t sample, assay_status status) {
    err_where("%s: %s", wds_path(w, sample), wds_key(w, sample));
    return status;
}

/* ---- which shards ---- */

static assay_status add_shard(wds *w, const char *path) {
    assay_status status = ASSAY_OK;
    if (w->shards == MAX_SHARDS)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "more than %d shards", MAX_SHARDS);
    if (w->shards == w->shard_cap)
        ASSAY_TRY(mem_grow(w->ctx, &w->shard, w->shards, &w->shard_cap, w->shards + 1,
                           sizeof *w->shard));
    w->shard[w->shards] = (wds_shard){.bytes = {.map = {.fd = -1}}};
    ASSAY_TRY(mem_strdup(w->ctx, &w->shard[w->shards].path, path));
    w->shards++;
done:
    return status;
}

static assay_status add_folder(wds *w, const char *folder) {
    assay_status status = ASSAY_OK;
    os_names names = {0};
    char path[IMPORT_PATH_BYTES];
    ASSAY_TRY(os_list_dir(w->ctx, folder, &names));
    for (size_t i = 0; i < names.count; i++) {
        if (names.name[i][0] == '.' || !wds_is_shard(names.name[i]))
            continue;
        ASSAY_TRY(import_path(path, folder, names.name[i]));
        ASSAY_TRY(add_shard(w, path));
    }
    if (w->shards == 0) {
        err_set(ASSAY_E_FORMAT, "no tar shards in this folder");
        err_where("%s", folder);
        err_help("their names end in .tar, .tar.gz, .tar.zst or .tar.xz");
        status = ASSAY_E_FORMAT;
    }
done:
    os_names_free(&names);
    return status;
}

static assay_status bad_pattern(const char *path) {
    err_set(ASSAY_E_INVALID, "the braces are not of the form {0000..0012}");
    err_where("%s", path);
    err_help("a range of whole numbers, the first the smaller");
    return ASSAY_E_INVALID;
}

/* "{0000..0012}" at `open`; *close is its brace. */
static bool
range_at(const char *open, const char **close, uint64_t *a, uint64_t *b, int *width) {
    int64_t low, high;
    *close = strchr(open, '}');
    const char *dots = strstr(open, "..");
    if (*close == NULL || dots == NULL || dots > *close ||
        !value_int(&low, open + 1, (size_t)(dots - open - 1)) ||
        !value_int(&high, dots + 2, (size_t)(*close - dots - 2)) || low < 0 ||
        high < low || high - low >= MAX_SHARDS)
        return false;
    *a = (uint64_t)low;
    *b = (uint64_t)high;
    *width = (int)(dots - open - 1);
    return true;
}

/* Every file that a pattern stands for; its first range varies slowest. */
static assay_status add_pattern(wds *w, const char *pattern, int depth) {
    assay_status status = ASSAY_OK;
    char path[IMPORT_PATH_BYTES];
    const char *open = strchr(pattern, '{'), *close;
    uint64_t low, high;
    int width;
    if (open == NULL)
        return add_shard(w, pattern);
    if (depth == MAX_BRACES || !range_at(open, &close, &low, &high, &width))
        return bad_pattern(pattern);
    for (uint64_t i = low; i <= high; i++) {
        int n = snprintf(path, sizeof path, "%.*s%0*llu%s", (int)(open - pattern),
                         pattern, width, (unsigned long long)i, close + 1);
        if (n < 0 || n >= (int)sizeof path)
            ASSAY_FAIL(ASSAY_E_INVALID, "path of more than %d bytes",
                       IMPORT_PATH_BYTES - 1);
        ASSAY_TRY(add_pattern(w, path, depth + 1));
    }
done:
    return status;
}

assay_status wds_find_shards(wds *w, const char *path) {
    if (os_is_dir(path))
        return add_folder(w, path);
    if (os_exists(path))
        return add_shard(w, path);
    return add_pattern(w, path, 0);
}

/* ---- members ---- */

/* Splits a name into key and extension; false where it has none. */
static bool split_name(const char *name, size_t *key, const char **ext) {
    const char *base = value_base(name), *dot = strchr(base, '.');
    if (dot == NULL || dot == base || dot[1] == '\0')
        return false;
    *key = (size_t)(dot - name);
    *ext = dot + 1;
    return true;
}

static wds_form form_of(const char *ext) {
    const char *dot = strrchr(ext, '.');
    const char *last = dot != NULL ? dot + 1 : ext;
    if (strcmp(last, "json") == 0)
        return WDS_JSON;
    return strcmp(last, "npy") == 0 ? WDS_NPY : WDS_BYTES;
}

/* The number of an extension, in lower case. */
static assay_status find_kind(wds *w, const char *given, uint32_t *out) {
    assay_status status = ASSAY_OK;
    char ext[64];
    size_t n = strlen(given);
    if (n >= sizeof ext)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "an extension of more than %zu bytes",
                   sizeof ext - 1);
    for (size_t i = 0; i <= n; i++)
        ext[i] = (char)tolower((unsigned char)given[i]);
    for (size_t i = 0; i < w->kinds; i++)
        if (strcmp(w->kind[i].ext, ext) == 0) {
            *out = (uint32_t)i;
            return ASSAY_OK;
        }
    if (w->kinds == WDS_MAX_KINDS) {
        err_set(ASSAY_E_UNSUPPORTED, "more than %d kinds of members", WDS_MAX_KINDS);
        err_help("is this a WebDataset? Members of a sample are called KEY.jpg, KEY.cls");
        return ASSAY_E_UNSUPPORTED;
    }
    if (w->kinds == w->kind_cap)
        ASSAY_TRY(mem_grow(w->ctx, &w->kind, w->kinds, &w->kind_cap, w->kinds + 1,
                           sizeof *w->kind));
    w->kind[w->kinds] = (wds_kind){.form = form_of(ext), .column = WDS_UNSET};
    ASSAY_TRY(mem_strdup(w->ctx, &w->kind[w->kinds].ext, ext));
    *out = (uint32_t)w->kinds++;
done:
    return status;
}

static assay_status
begin_sample(wds *w, size_t shard, const char *name, size_t key_bytes) {
    assay_status status = ASSAY_OK;
    if (w->samples == w->sample_cap)
        ASSAY_TRY(mem_grow(w->ctx, &w->sample, w->samples, &w->sample_cap, w->samples + 1,
                           sizeof *w->sample));
    w->sample[w->samples++] = (wds_sample){
        .key_at = w->keys.len, .first = w->members, .shard = (uint32_t)shard};
    buf_add(&w->keys, name, key_bytes);
    buf_add(&w->keys, "", 1);
    ASSAY_TRY(buf_check(&w->keys));
done:
    return status;
}

static assay_status
add_member(wds *w, size_t shard, const tar_member *m, const char *name) {
    assay_status status = ASSAY_OK;
    size_t key_bytes;
    const char *ext;
    uint32_t kind = 0;
    if (!split_name(name, &key_bytes, &ext)) {
        if (w->nameless++ == 0)
            snprintf(w->first_nameless, sizeof w->first_nameless, "%.255s", name);
        return ASSAY_OK;
    }
    ASSAY_TRY(find_kind(w, ext, &kind));
    const char *last = w->samples > 0 ? wds_key(w, w->samples - 1) : "";
    if (w->samples == 0 || w->sample[w->samples - 1].shard != shard ||
        strlen(last) != key_bytes || memcmp(last, name, key_bytes) != 0)
        ASSAY_TRY(begin_sample(w, shard, name, key_bytes));
    wds_sample *s = &w->sample[w->samples - 1];
    for (size_t i = 0; i < s->members; i++)
        if (w->member[s->first + i].kind == kind)
            ASSAY_FAIL(ASSAY_E_FORMAT, "member '%.200s' is there twice", name);
    if (w->members == w->member_cap)
        ASSAY_TRY(mem_grow(w->ctx, &w->member, w->members, &w->member_cap, w->members + 1,
                           sizeof *w->member));
    w->member[w->members++] = (wds_member){.at = m->at, .bytes = m->bytes, .kind = kind};
    s->members++;
done:
    return status;
}

/* A table of labels in the shard itself, at its top. */
static bool take_table(wds_shard *s, const tar_member *m, const char *name) {
    bool comma = strcmp(name, "labels.csv") == 0;
    if (!comma && strcmp(name, "labels.tsv") != 0)
        return false;
    s->table_at = m->at;
    s->table_bytes = m->bytes;
    s->table_separator = comma ? ',' : '\t';
    return true;
}

static assay_status take_member(wds *w, size_t shard, const tar_member *m) {
    assay_status status = ASSAY_OK;
    char name[IMPORT_PATH_BYTES];
    if (m->kind == TAR_FOLDER)
        return ASSAY_OK;
    if (m->kind != TAR_FILE) {
        if (w->links++ == 0)
            snprintf(w->first_link, sizeof w->first_link, "%.255s", m->name);
        return ASSAY_OK;
    }
    status = value_path(name, m->name, strlen(m->name));
    if (status != ASSAY_OK)
        return err_set(ASSAY_E_FORMAT, "member '%.200s' leads out of the archive",
                       m->name);
    const char *base = value_base(name);
    bool meta = strncmp(base, "__", 2) == 0 && value_ends(base, "__");
    if (meta || take_table(&w->shard[shard], m, name))
        return ASSAY_OK;
    return add_member(w, shard, m, name);
}

/* ---- one shard ---- */

/* What UX asks for: how far it goes, and what was read. */
static assay_status
ended(const wds *w, const wds_shard *s, size_t first, const tar_reader *r) {
    char a[32], b[32], c[32];
    size_t n = w->samples - first;
    const char *last = n > 0 ? wds_key(w, w->samples - 1) : "";
    err_set(ASSAY_E_FORMAT, "shard '%s' ends early", value_base(s->path));
    err_where("byte %s of %s; %s samples read%s%.200s%s", import_number(a, r->bytes),
              import_number(b, r->wanted), import_number(c, n), n > 0 ? ", last '" : "",
              last, n > 0 ? "'" : "");
    err_help("fetch it again");
    return ASSAY_E_FORMAT;
}

static assay_status walk(wds *w, size_t shard, tar_reader *r) {
    assay_status status = ASSAY_OK;
    tar_member m;
    size_t first = w->samples;
    const wds_shard *s = &w->shard[shard];
    for (bool more = true; more;) {
        status = tar_next(r, &m, &more);
        if (status == ASSAY_E_FORMAT && r->wanted > r->bytes)
            return ended(w, s, first, r);
        ASSAY_TRY_AT(status, "%s", s->path);
        if (more)
            ASSAY_TRY_AT(take_member(w, shard, &m), "%s, byte %llu", s->path,
                         (unsigned long long)(m.at - TAR_BLOCK));
        ASSAY_TRY(ctx_check(w->ctx));
    }
    w->unmarked += !r->ended;
done:
    return status;
}

assay_status wds_read_shard(wds *w, size_t shard) {
    assay_status status = ASSAY_OK;
    wds_shard *s = &w->shard[shard];
    err_record why;
    char n[32], b[32];
    size_t first = w->samples;
    status = spool_open(&s->bytes, w->ctx, s->path);
    if (status != ASSAY_OK && status != ASSAY_E_FORMAT)
        return status;
    if (status == ASSAY_E_FORMAT)
        err_save(&why);
    tar_reader r = tar_begin(s->bytes.data, s->bytes.bytes);
    assay_status walked = walk(w, shard, &r);
    if (status == ASSAY_OK)
        return walked;
    /* Packed data that end early or are damaged: what came before is counted. */
    size_t read = w->samples - first;
    err_restore(&why);
    err_set(ASSAY_E_FORMAT, "shard '%s' is damaged or ends early: %.300s",
            value_base(s->path), why.message);
    err_where("byte %s unpacked; %s samples read%s%.200s%s",
              import_number(b, s->bytes.bytes), import_number(n, read),
              read > 0 ? ", last '" : "", read > 0 ? wds_key(w, w->samples - 1) : "",
              read > 0 ? "'" : "");
    err_help("fetch it again");
    return ASSAY_E_FORMAT;
}
