/* Files that a table or a list names. */
#include "data/source/listed.h"

#include "base/os.h"
#include "data/source/values.h"

#include <stdio.h>
#include <string.h>

enum { FILE_LIMIT = 1 << 28 };

assay_status listed_add(import_list *list,
                        const char *folder,
                        import_split split,
                        uint64_t ref,
                        const char *path,
                        size_t n) {
    assay_status status = ASSAY_OK;
    char rel[IMPORT_PATH_BYTES], full[IMPORT_PATH_BYTES];
    value_trim(&path, &n);
    ASSAY_TRY(value_path(rel, path, n));
    ASSAY_TRY(import_path(full, folder, rel));
    if (!os_exists(full)) {
        err_set(ASSAY_E_NOTFOUND, "there is no file '%.300s'", rel);
        err_help("paths are relative to the folder of the file that lists them");
        return ASSAY_E_NOTFOUND;
    }
    status = import_add(list, split, 0, ref, rel);
done:
    return status;
}

assay_status listed_add_number(import_list *list, import_split split, uint64_t ref) {
    char id[40];
    snprintf(id, sizeof id, "%s/%zu", import_split_name(split), list->rows);
    return import_add(list, split, 0, ref, id);
}

assay_status
listed_fetch(const char *folder, const import_list *list, size_t row, import_image *out) {
    assay_status status = ASSAY_OK;
    char path[IMPORT_PATH_BYTES];
    mem_free(out->ctx, out->own);
    out->own = NULL;
    out->own_cap = 0;
    ASSAY_TRY(import_path(path, folder, import_id(list, row)));
    ASSAY_TRY(os_read_file(out->ctx, path, FILE_LIMIT, &out->own, &out->bytes));
    out->raw = false;
    out->data = out->own;
done:
    return status;
}

assay_status listed_copy(import_cell *out, const void *data, size_t n) {
    assay_status status = ASSAY_OK;
    if (out->own_cap < n + 1)
        ASSAY_TRY(mem_grow(out->ctx, &out->own, 0, &out->own_cap, n + 1, 1));
    memcpy(out->own, data, n);
    out->data = out->own;
    out->bytes = n;
done:
    return status;
}
