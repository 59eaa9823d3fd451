/* CIFAR-100's binary version (Krizhevsky 2009): records of a coarse and a fine label byte
 * and an image. A folder of train.bin and test.bin (gzip and xz are unpacked), or one
 * such file alone. The fine label is the class; the coarse one is a column of its own. */
#include "base/os.h"
#include "data/source/cifar.h"
#include "data/source/values.h"

enum { RECORD = 3074 };

static const cifar_layout layout = {
    .name = "CIFAR-100",
    .first = {"train.bin", "test.bin"},
    .files = "they are called train.bin and test.bin",
    .labels = 2,
    .most = {20, 100},
    .coarse = "coarse",
    .classes_file = "fine_label_names.txt",
};

/* The batches' names are everybody's: the names of the classes must lie beside them, or
 * a batch that is not packed must be of whole records. */
static int detect(assay_ctx *ctx, const char *path) {
    static const char *const plain[] = {"train.bin", "test.bin"};
    char folder[IMPORT_PATH_BYTES], file[IMPORT_PATH_BYTES];
    bool whole = false;
    os_map map;
    if (!cifar_is(ctx, &layout, path))
        return 0;
    if (os_is_dir(path) ? import_path(folder, path, "") != ASSAY_OK
                        : value_folder(folder, path) != ASSAY_OK)
        return 0;
    if (import_path(file, folder, layout.classes_file) == ASSAY_OK && os_exists(file))
        return 20;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (import_path(file, folder, plain[i]) == ASSAY_OK && os_exists(file) &&
            os_map_file(&map, file, false) == ASSAY_OK) {
            whole = whole || (map.bytes > 0 && map.bytes % RECORD == 0);
            os_unmap(&map);
        }
    return whole ? 20 : 0;
}

static assay_status
open_batches(void **state, import_list *list, assay_ctx *ctx, const char *path) {
    return cifar_open(state, list, ctx, &layout, path);
}

const data_importer assay_importer_cifar100 = {
    .name = "cifar100",
    .summary = "CIFAR-100's binary train.bin and test.bin, .gz and .xz too; the coarse "
               "label becomes a column",
    .detect = detect,
    .open = open_batches,
    .fetch = cifar_fetch,
    .fetch_cell = cifar_fetch_coarse,
    .close = cifar_close,
};
