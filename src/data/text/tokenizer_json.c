/* A vocabulary as JSON, as a model keeps it:
 *   {"tokens":"byte"}
 *   {"tokens":"char","characters":[10,32,33]}
 *   {"tokens":"bpe","merges":[[116,104],[256,101]]} */
#include "data/text/tokenizer_inside.h"

#include "base/json.h"

#include <string.h>

assay_status tokenizer_write(const tokenizer *t, buf *out) {
    json_out j = json_out_make(out, 0);
    json_obj(&j);
    json_kstr(&j, "tokens", tokenizer_name(t));
    if (t->wish.kind == TOKENS_CHAR) {
        json_key(&j, "characters");
        json_arr(&j);
        for (int i = 0; i < t->count; i++)
            json_int(&j, t->character[i]);
        json_arr_end(&j);
    } else if (t->wish.kind == TOKENS_BPE) {
        json_key(&j, "merges");
        json_arr(&j);
        for (int i = 0; i < t->count - BYTES; i++) {
            json_arr(&j);
            json_int(&j, t->merge[i].a);
            json_int(&j, t->merge[i].b);
            json_arr_end(&j);
        }
        json_arr_end(&j);
    }
    json_obj_end(&j);
    return buf_check(out);
}

static assay_status not_list(const char *what) {
    return err_set(ASSAY_E_FORMAT, "the vocabulary has no list of %s", what);
}

static assay_status
read_characters(tokenizer **out, assay_ctx *ctx, const json_val *list) {
    assay_status status = ASSAY_OK;
    uint32_t *character = NULL;
    size_t n = json_len(list);
    if (!json_is_arr(list) || n > TOKENIZER_MOST)
        return not_list("characters");
    ASSAY_TRY(mem_new(ctx, &character, n + 1, sizeof *character));
    for (size_t i = 0; i < n; i++) {
        int64_t c = json_get_int(json_at(list, i), -1);
        character[i] = c >= 0 && c <= UINT32_MAX ? (uint32_t)c : UINT32_MAX;
    }
    ASSAY_TRY(tokenizer_of_characters(out, ctx, character, n));
done:
    return status;
}

static assay_status read_merges(tokenizer **out, assay_ctx *ctx, const json_val *list) {
    assay_status status = ASSAY_OK;
    token_pair *merge = NULL;
    size_t n = json_len(list);
    if (!json_is_arr(list) || n > TOKENIZER_MOST - BYTES)
        return not_list("merges");
    ASSAY_TRY(mem_new(ctx, &merge, n + 1, sizeof *merge));
    for (size_t i = 0; i < n; i++) {
        const json_val *pair = json_at(list, i);
        int64_t a = json_get_int(json_at(pair, 0), -1);
        int64_t b = json_get_int(json_at(pair, 1), -1);
        if (!json_is_arr(pair) || json_len(pair) != 2 || a < 0 || b < 0 ||
            a >= TOKENIZER_MOST || b >= TOKENIZER_MOST) {
            mem_free(ctx, merge);
            return err_set(ASSAY_E_FORMAT, "merge %zu is not two tokens", i);
        }
        merge[i] = (token_pair){(uint16_t)a, (uint16_t)b};
    }
    ASSAY_TRY(tokenizer_of_merges(out, ctx, merge, n));
done:
    return status;
}

assay_status tokenizer_read(tokenizer **out, assay_ctx *ctx, const char *json, size_t n) {
    assay_status status = ASSAY_OK;
    json_doc *doc = NULL;
    *out = NULL;
    ASSAY_TRY(json_parse(&doc, ctx, json, n));
    const json_val *root = json_root(doc);
    const char *kind = json_get_str(json_get(root, "tokens"), "");
    if (strcmp(kind, "byte") == 0)
        ASSAY_TRY(tokenizer_of_bytes(out, ctx));
    else if (strcmp(kind, "char") == 0)
        ASSAY_TRY(read_characters(out, ctx, json_get(root, "characters")));
    else if (strcmp(kind, "bpe") == 0)
        ASSAY_TRY(read_merges(out, ctx, json_get(root, "merges")));
    else
        ASSAY_FAIL(ASSAY_E_FORMAT, "the vocabulary is of no known kind");
done:
    json_doc_destroy(doc);
    return status;
}
