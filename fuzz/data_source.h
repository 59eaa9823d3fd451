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

static inline void data_source_run(const data_source *s, const char *importer) {
    const data_importer *d;
    void *state;
    import_list list = import_list_make(fuzz_ctx());
    import_image im = {.ctx = fuzz_ctx()};
    fuzz_must(importer_find(&d, importer));
    (void)d->detect(fuzz_ctx(), s->folder);
    if (d->open(&state, &list, fuzz_ctx(), s->folder) == ASSAY_OK) {
        for (size_t row = 0; row < list.rows; row++) {
            if (list.row[row].label < 0 || (size_t)list.row[row].label >= list.classes)
                abort();
            fuzz_touch(import_id(&list, row), 1);
            fuzz_must(d->fetch(state, &list, row, &im));
            fuzz_touch(im.data, im.bytes);
        }
        d->close(state);
    }
    import_image_free(&im);
    import_list_free(&list);
}

static inline void data_source_end(data_source *s) {
    fuzz_must(os_remove_tree(s->folder));
}

#endif
