/* A folder of one input's files, and an importer's way through it: listing, then every
 * sample. */
#ifndef FUZZ_DATA_SOURCE_H
#define FUZZ_DATA_SOURCE_H

#include "base/os.h"
#include "data/importer.h"
#include "fuzz.h"

#include <stdio.h>

typedef struct data_source {
    char folder[64];
} data_source;

static inline data_source data_source_begin(void) {
    data_source s;
    (void)snprintf(s.folder, sizeof s.folder, "%s/assay-fuzz-XXXXXX",
                   os_is_dir("/dev/shm") ? "/dev/shm" : "/tmp");
    if (!mkdtemp(s.folder))
        abort();
    return s;
}

static inline void
data_source_put(const data_source *s, const char *name, const void *data, size_t n) {
    char path[160];
    (void)snprintf(path, sizeof path, "%s/%s", s->folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || (n > 0 && fwrite(data, 1, n, f) != n) || fclose(f) != 0)
        abort();
}

/* Every value of a row. Sources whose files are only looked at when they are fetched may
 * fail then. */
static inline void data_source_row(const data_importer *d,
                                   const void *state,
                                   const import_list *list,
                                   size_t row,
                                   import_image *im,
                                   import_cell *cell) {
    if (!list->no_label &&
        (list->row[row].label < 0 || (size_t)list->row[row].label >= list->classes))
        abort();
    fuzz_touch(import_id(list, row), 1);
    if (!list->no_image && d->fetch(state, list, row, im) == ASSAY_OK)
        fuzz_touch(im->data, im->bytes);
    for (size_t c = 0; c < list->columns; c++) {
        beton_type type = list->column[c].type;
        if (d->fetch_cell(state, list, row, c, cell) == ASSAY_OK && type != BETON_INT &&
            type != BETON_FLOAT)
            fuzz_touch(cell->data, cell->bytes);
    }
}

/* `name`: the file that is opened; NULL: the folder. */
static inline void
data_source_run(const data_source *s, const char *importer, const char *name) {
    const data_importer *d;
    void *state;
    char path[160];
    import_list list = import_list_make(fuzz_ctx());
    import_image im = {.ctx = fuzz_ctx()};
    import_cell cell = {.ctx = fuzz_ctx()};
    (void)snprintf(path, sizeof path, "%s%s%s", s->folder, name ? "/" : "",
                   name ? name : "");
    fuzz_must(importer_find(&d, importer));
    (void)d->detect(fuzz_ctx(), path);
    if (d->open(&state, &list, fuzz_ctx(), path) == ASSAY_OK) {
        for (size_t row = 0; row < list.rows; row++)
            data_source_row(d, state, &list, row, &im, &cell);
        d->close(state);
    }
    import_image_free(&im);
    import_cell_free(&cell);
    import_list_free(&list);
}

static inline void data_source_end(data_source *s) {
    fuzz_must(os_remove_tree(s->folder));
}

#endif
