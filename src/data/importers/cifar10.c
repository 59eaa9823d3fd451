/* CIFAR-10's binary version (Krizhevsky 2009): records of one label byte and an image. A
 * folder of data_batch_*.bin and test_batch.bin (gzip and xz are unpacked), or one such
 * file alone. */
#include "data/source/cifar.h"

static const char *const known[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                    "dog",      "frog",       "horse", "ship", "truck"};

static const cifar_layout layout = {
    .name = "CIFAR-10",
    .first = {"data_batch", "test_batch"},
    .files = "they are called data_batch_1.bin to data_batch_5.bin and test_batch.bin",
    .labels = 1,
    .most = {10},
    .classes_file = "batches.meta.txt",
    .known = known,
};

static int detect(assay_ctx *ctx, const char *path) {
    return cifar_is(ctx, &layout, path) ? 20 : 0;
}

static assay_status
open_batches(void **state, import_list *list, assay_ctx *ctx, const char *path) {
    return cifar_open(state, list, ctx, &layout, path);
}

const data_importer assay_importer_cifar10 = {
    .name = "cifar10",
    .summary =
        "CIFAR-10's binary batches: data_batch_*.bin and test_batch.bin, .gz and .xz too",
    .detect = detect,
    .open = open_batches,
    .fetch = cifar_fetch,
    .close = cifar_close,
};
