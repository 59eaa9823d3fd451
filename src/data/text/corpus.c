/* Texts from files. */
#include "data/text/corpus.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/os.h"

#include <string.h>

static bool ends_in(const char *name, const char *ending) {
    size_t n = strlen(name), end = strlen(ending);
    return n > end && strcmp(name + n - end, ending) == 0;
}

static bool is_txt(const char *name) {
    return ends_in(name, ".txt");
}

bool corpus_is(assay_ctx *ctx, const char *source) {
    os_names names = {0};
    bool found = false, images = false;
    if (!os_is_dir(source))
        return is_txt(source);
    if (os_list_dir(ctx, source, &names) == ASSAY_OK)
        for (size_t i = 0; i < names.count; i++) {
            found |= is_txt(names.name[i]);
            images |= ends_in(names.name[i], ".bin");
        }
    os_names_free(&names);
    return found && !images;
}

static assay_status add_file(buf *all, const char *path) {
    uint8_t *text;
    size_t bytes;
    assay_status status = os_read_file(all->ctx, path, SIZE_MAX / 4, &text, &bytes);
    if (status != ASSAY_OK)
        return status;
    buf_add(all, text, bytes);
    mem_free(all->ctx, text);
    return buf_check(all);
}

static assay_status read_folder(corpus *out, const char *folder) {
    assay_status status = ASSAY_OK;
    os_names names = {0};
    buf all = buf_make(out->ctx), path = buf_make(out->ctx);
    ASSAY_TRY(os_list_dir(out->ctx, folder, &names));
    for (size_t i = 0; i < names.count; i++) {
        if (!is_txt(names.name[i]))
            continue;
        buf_clear(&path);
        buf_fmt(&path, "%s/%s", folder, names.name[i]);
        ASSAY_TRY(buf_check(&path));
        ASSAY_TRY(ctx_check(out->ctx));
        ASSAY_TRY(add_file(&all, path.data));
    }
    out->text = (uint8_t *)all.data;
    out->bytes = all.len;
    all = (buf){.ctx = out->ctx};
done:
    os_names_free(&names);
    buf_free(&path);
    buf_free(&all);
    return status;
}

assay_status corpus_read(corpus *out, assay_ctx *ctx, const char *source) {
    assay_status status = ASSAY_OK;
    hash_sha256 h;
    uint8_t digest[32];
    *out = (corpus){.ctx = ctx};
    if (os_is_dir(source))
        ASSAY_TRY(read_folder(out, source));
    else
        ASSAY_TRY(os_read_file(ctx, source, SIZE_MAX / 4, &out->text, &out->bytes));
    if (out->bytes == 0) {
        (void)err_set(ASSAY_E_FORMAT, "there is no text in it");
        err_help("give a text file, or a folder with .txt files");
        ASSAY_TRY_AT(ASSAY_E_FORMAT, "%s", source);
    }
    hash_sha256_init(&h);
    hash_sha256_add(&h, out->text, out->bytes);
    hash_sha256_end(&h, digest);
    hash_hex(out->sha256, digest);
done:
    if (status != ASSAY_OK)
        corpus_free(out);
    return status;
}

void corpus_free(corpus *c) {
    if (c->ctx)
        mem_free(c->ctx, c->text);
    *c = (corpus){0};
}

size_t corpus_cut(const corpus *c, double share) {
    size_t held = (size_t)((double)c->bytes * share);
    size_t cut = c->bytes - (held < c->bytes ? held : c->bytes);
    while (cut < c->bytes && (c->text[cut] & 0xC0) == 0x80)
        cut++;
    return cut;
}
