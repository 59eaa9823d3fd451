/* What the result of an edit says of itself: what its sources agree on, and per sample
 * what follows it. */
#include "data/pack/edit.h"

#include "base/json.h"

#include <string.h>

assay_status edit_read_info(edit *e, edit_file *f) {
    assay_status status = ASSAY_OK;
    const json_val *list = json_get(json_root(f->said.info), "orientation");
    uint64_t samples = beton_samples(f->f);
    if (json_len(list) == 0)
        return ASSAY_OK;
    ASSAY_TRY(mem_new(e->ctx, &f->orientation, (size_t)samples + 1, 1));
    for (size_t i = 0; i < json_len(list); i++) {
        const json_val *pair = json_at(list, i);
        int64_t sample = json_get_int(json_at(pair, 0), -1);
        int64_t turn = json_get_int(json_at(pair, 1), 0);
        if (sample >= 0 && (uint64_t)sample < samples && turn >= 1 && turn <= 8)
            f->orientation[sample] = (uint8_t)turn;
    }
done:
    return status;
}

static const json_val *said(const edit *e, size_t file, const char *key) {
    return json_get(json_root(e->file[file].said.info), key);
}

/* A text or number that all sources have in common. */
static void put_common(const edit *e, json_out *j, const char *key) {
    const json_val *first = said(e, 0, key);
    const char *text = json_get_str(first, NULL);
    if (text == NULL && !json_is_num(first))
        return;
    for (size_t i = 1; i < e->files; i++) {
        const json_val *v = said(e, i, key);
        const char *other = json_get_str(v, NULL);
        if (text != NULL
                ? other == NULL || strcmp(text, other) != 0
                : !json_is_num(v) || json_get_int(v, 0) != json_get_int(first, 0))
            return;
    }
    if (text != NULL)
        json_kstr(j, key, text);
    else
        json_kint(j, key, json_get_int(first, 0));
}

/* 1 when all are grey, 3 when any is not, nothing when one does not say. */
static void put_channels(const edit *e, json_out *j) {
    int64_t most = 1;
    for (size_t i = 0; i < e->files; i++) {
        int64_t n = json_get_int(said(e, i, "channels"), 0);
        if (n != 1 && n != 3)
            return;
        most = n > most ? n : most;
    }
    json_kint(j, "channels", most);
}

static void put_skipped(const edit *e, json_out *j) {
    json_key(j, "skipped");
    json_arr(j);
    for (size_t i = 0; i < e->files; i++) {
        const json_val *list = said(e, i, "skipped");
        for (size_t k = 0; k < json_len(list); k++) {
            const json_val *v = json_at(list, k);
            json_obj(j);
            json_kstr(j, "split", json_get_str(json_get(v, "split"), ""));
            json_kstr(j, "id", json_get_str(json_get(v, "id"), ""));
            json_kstr(j, "reason", json_get_str(json_get(v, "reason"), ""));
            json_obj_end(j);
        }
    }
    json_arr_end(j);
}

static void put_orientation(const edit *e, json_out *j) {
    json_key(j, "orientation");
    json_arr(j);
    for (size_t i = 0; i < e->picks; i++) {
        uint64_t sample;
        const edit_file *f = edit_file_of(e, e->pick[i], &sample);
        if (f->orientation == NULL || f->orientation[sample] == 0)
            continue;
        json_arr(j);
        json_int(j, (int64_t)i);
        json_int(j, f->orientation[sample]);
        json_arr_end(j);
    }
    json_arr_end(j);
}

assay_status edit_write_info(const edit *e, buf *out) {
    static const char *const common[] = {"importer",       "mode",  "quality",
                                         "max_resolution", "limit", "split"};
    json_out j = json_out_make(out, 0);
    json_obj(&j);
    json_kstr(&j, "assay", assay_version());
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        put_common(e, &j, common[i]);
    put_channels(e, &j);
    json_key(&j, "notes");
    json_arr(&j);
    for (size_t i = 0; i < e->files; i++) {
        const json_val *list = said(e, i, "notes");
        for (size_t k = 0; k < json_len(list); k++)
            json_str(&j, json_get_str(json_at(list, k), ""));
    }
    json_arr_end(&j);
    put_skipped(e, &j);
    put_orientation(e, &j);
    json_obj_end(&j);
    return buf_check(out);
}
