/* Opening a .beton with the types of its columns. */
#include "data/opened.h"

void opened_close(opened *o) {
    data_section_free(&o->said);
    mem_free(o->ctx, o->type);
    beton_close(o->file);
}

assay_status opened_open(opened *o, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    *o = (opened){.ctx = ctx};
    ASSAY_TRY(beton_open(&o->file, ctx, path));
    o->fields = beton_fields(o->file);
    ASSAY_TRY(mem_new(ctx, &o->type, (size_t)o->fields, sizeof *o->type));
    for (int i = 0; i < o->fields; i++) {
        const beton_field *f = beton_field_at(o->file, i);
        o->kind[i] = field_for(f->type);
        if (o->kind[i] == NULL) {
            err_set(ASSAY_E_UNSUPPORTED, "fields of type %d are not read", (int)f->type);
            err_where("%s: field '%s'", path, f->name);
            status = ASSAY_E_UNSUPPORTED;
            goto done;
        }
        ASSAY_TRY_AT(o->kind[i]->plan(&o->type[i], ctx, f), "%s: field '%s'", path,
                     f->name);
    }
    ASSAY_TRY(data_section_read(&o->said, ctx, o->file));
done:
    if (status != ASSAY_OK) {
        opened_close(o);
        *o = (opened){.ctx = ctx};
    }
    return status;
}
