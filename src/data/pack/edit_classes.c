/* One table of classes out of several: by name, in order of appearance. */
#include "data/pack/edit.h"

#include <string.h>

typedef struct name_table {
    size_t *slot; /* class + 1; 0: free */
    size_t slots; /* a power of two */
} name_table;

/* Class names have no NUL, and there are no more than 2^20: FNV-1a spreads them well, and
 * a table that is at most half full stays short of chains. */
static size_t *find_slot(const edit *e, const name_table *t, const char *name) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (const char *c = name; *c; c++)
        h = (h ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    for (size_t i = (size_t)(h ^ h >> 32);; i++) {
        size_t *slot = &t->slot[i & (t->slots - 1)];
        if (*slot == 0 || strcmp(e->class_name[*slot - 1], name) == 0)
            return slot;
    }
}

static assay_status add_file(edit *e, name_table *t, edit_file *f) {
    assay_status status = ASSAY_OK;
    bool same = true;
    ASSAY_TRY(mem_new(e->ctx, &f->label, f->said.classes, sizeof *f->label));
    for (size_t c = 0; c < f->said.classes; c++) {
        const char *name = f->said.class_name[c];
        size_t *slot = find_slot(e, t, name);
        if (*slot == 0) {
            if (e->classes == e->class_cap)
                ASSAY_TRY(mem_grow(e->ctx, &e->class_name, e->classes, &e->class_cap,
                                   e->classes + 1, sizeof *e->class_name));
            ASSAY_TRY(mem_strdup(e->ctx, &e->class_name[e->classes], name));
            *slot = ++e->classes;
        }
        f->label[c] = (int64_t)*slot - 1;
        same = same && f->label[c] == (int64_t)c;
    }
    if (same) {
        mem_free(e->ctx, f->label);
        f->label = NULL;
    }
done:
    return status;
}

/* A single file's table stays as it is, whatever it holds. */
static assay_status copy_table(edit *e) {
    assay_status status = ASSAY_OK;
    const data_section *said = &e->file[0].said;
    ASSAY_TRY(mem_new(e->ctx, &e->class_name, said->classes + 1, sizeof *e->class_name));
    for (; e->classes < said->classes; e->classes++)
        ASSAY_TRY(
            mem_strdup(e->ctx, &e->class_name[e->classes], said->class_name[e->classes]));
done:
    return status;
}

assay_status edit_unite_classes(edit *e) {
    assay_status status = ASSAY_OK;
    name_table t = {.slots = 16};
    size_t all = 0, with = 0, without = 0;
    if (e->files == 1)
        return copy_table(e);
    for (size_t i = 0; i < e->files; i++) {
        size_t n = e->file[i].said.classes;
        all += n;
        if (n > 0)
            with = i + 1;
        else
            without = i + 1;
    }
    if (with > 0 && without > 0) {
        err_set(ASSAY_E_INVALID, "only one of the files names its classes");
        err_where("%s and %s", e->file[with - 1].path, e->file[without - 1].path);
        err_help("labels can't be matched; pack the other from its source");
        return ASSAY_E_INVALID;
    }
    while (t.slots < 2 * all)
        t.slots *= 2;
    ASSAY_TRY(mem_new(e->ctx, &t.slot, t.slots, sizeof *t.slot));
    for (size_t i = 0; i < e->files; i++) {
        ASSAY_TRY(add_file(e, &t, &e->file[i]));
        if (e->file[i].label != NULL && e->label_field < 0) {
            err_set(ASSAY_E_INVALID,
                    "the files order their classes differently, and no field is known to "
                    "hold labels");
            err_where("%s and %s", e->file[0].path, e->file[i].path);
            err_help("labels are the integer field called 'label', or the only one");
            status = ASSAY_E_INVALID;
            goto done;
        }
    }
done:
    mem_free(e->ctx, t.slot);
    return status;
}
