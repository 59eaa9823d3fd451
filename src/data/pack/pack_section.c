/* Our section of a packed file: where it came from, without paths and times, so that the
 * same source gives the same bytes. */
#include "data/pack/pack.h"

#include "base/json.h"

static const char *id_of(const void *arg, uint64_t row) {
    const packer *p = arg;
    return import_id(&p->list, p->row[row]);
}

static assay_status write_info(packer *p, buf *out) {
    assay_status status = ASSAY_OK;
    json_out j = json_out_make(out, 0);
    json_obj(&j);
    json_kstr(&j, "assay", assay_version());
    json_kstr(&j, "importer", p->source.importer->name);
    json_kstr(&j, "mode", encode_mode_name(p->encode.mode));
    json_kint(&j, "quality", p->encode.quality);
    json_kint(&j, "max_resolution", p->encode.max_resolution);
    json_kint(&j, "limit", p->o.limit);
    json_kstr(&j, "split", p->o.split != NULL ? p->o.split : "all");
    if (!p->list.no_image)
        json_kint(&j, "channels", p->gray ? 1 : 3);
    json_key(&j, "notes");
    json_arr(&j);
    for (size_t i = 0; i < p->list.notes; i++)
        json_str(&j, p->list.note[i]);
    json_arr_end(&j);
    json_key(&j, "skipped");
    json_arr(&j);
    for (size_t i = 0; i < p->failures; i++) {
        json_obj(&j);
        json_kstr(&j, "split", import_split_name(p->list.row[p->failed[i].row].split));
        json_kstr(&j, "id", import_id(&p->list, p->failed[i].row));
        json_kstr(&j, "reason", p->failed[i].reason);
        json_obj_end(&j);
    }
    json_arr_end(&j);
    json_obj_end(&j);
    /* The pairs (row, EXIF orientation) are text already: they go before the closing
     * brace. */
    ASSAY_TRY(buf_check(out));
    ASSAY_TRY(buf_check(&p->orientation));
    out->len--;
    buf_fmt(out, ",\"orientation\":%s]}", p->orientation.data);
done:
    return status;
}

assay_status pack_finish(packer *p) {
    assay_status status = ASSAY_OK;
    buf info = buf_make(p->ctx);
    ASSAY_TRY(write_info(p, &info));
    ASSAY_TRY(
        emit_commit(&p->emit,
                    &(emit_names){.class_name = (const char *const *)p->list.class_name,
                                  .classes = p->list.classes,
                                  .split = p->split,
                                  .splits = p->splits,
                                  .id = id_of,
                                  .id_arg = p,
                                  .info = &info},
                    p->sha));
done:
    buf_free(&info);
    return status;
}
