/* What the data room takes on a source: packing, verifying, bringing all images to one
 * size, and an epoch of the feeder from pixels and from the file, inline and with
 * threads.
 *
 *   data SOURCE WORKDIR [size=28] [channels=1] [batch=256]
 */
#include "data/load/feeder.h"

#include <stdio.h>
#include <stdlib.h>

enum { EPOCHS = 3, MAX_THREADS = 2 };

typedef struct bench {
    assay_ctx *ctx;
    dataset *data;
    npy_array pixels;
    char beton[512], work[512];
    int size, channels, batch;
} bench;

static void done(const char *what, uint64_t wall, uint64_t cpu, uint64_t rows) {
    double s = (double)(os_now_ns() - wall) / 1e9, c = (double)(os_cpu_ns() - cpu) / 1e9;
    (void)printf("%-28s %8.3f s  %8.3f cpu s  %9.0f images/s\n", what, s, c,
                 (double)rows / s);
}

static assay_status
run_epochs(bench *b, const feeder_source *source, int threads, const char *name) {
    assay_status status = ASSAY_OK;
    static const feeder_transform transforms[] = {{"translate", {2}}, {"flip", {0.5}}};
    feeder *l = NULL;
    feeder_batch batch;
    char what[64];
    feeder_options o = {.batch = b->batch,
                        .order = FEEDER_RANDOM,
                        .seed = 1,
                        .threads = threads,
                        .transforms = transforms,
                        .n_transforms = 2};
    dataset_statistics(&b->pixels, dataset_train_rows(b->data), o.mean, o.std);
    ASSAY_TRY(feeder_create(&l, b->ctx, source, &o));
    uint64_t wall = os_now_ns(), cpu = os_cpu_ns();
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        ASSAY_TRY(feeder_epoch(l, epoch));
        do
            ASSAY_TRY(feeder_next(l, &batch));
        while (batch.n > 0);
    }
    (void)snprintf(what, sizeof what, "%s, %d threads", name, threads);
    done(what, wall, cpu, EPOCHS * dataset_rows(b->data));
done:
    feeder_destroy(l);
    return status;
}

static assay_status run(bench *b, const char *source) {
    assay_status status = ASSAY_OK;
    assay_pack_options o = ASSAY_PACK_OPTIONS_INIT;
    assay_pack_result r;
    o.force = 1;
    uint64_t wall = os_now_ns(), cpu = os_cpu_ns();
    ASSAY_TRY(assay_pack(b->ctx, source, b->beton, &o, &r));
    done("pack", wall, cpu, r.rows);
    wall = os_now_ns(), cpu = os_cpu_ns();
    ASSAY_TRY(assay_beton_verify(b->ctx, b->beton, 0, NULL));
    done("verify", wall, cpu, r.rows);
    wall = os_now_ns(), cpu = os_cpu_ns();
    ASSAY_TRY(dataset_open(&b->data, b->ctx, b->beton));
    done("open", wall, cpu, r.rows);
    wall = os_now_ns(), cpu = os_cpu_ns();
    ASSAY_TRY(dataset_pixels(b->data, b->ctx, b->size, b->channels, b->work, &b->pixels));
    done("pixels", wall, cpu, r.rows);
    feeder_source pixels = {.ds = b->data, .pixels = &b->pixels};
    feeder_source file = {.ds = b->data, .size = b->size, .channels = b->channels};
    for (int threads = 0; threads <= MAX_THREADS; threads++) {
        ASSAY_TRY(run_epochs(b, &pixels, threads, "feeder from pixels"));
        ASSAY_TRY(run_epochs(b, &file, threads, "feeder from file"));
    }
done:
    npy_close(&b->pixels);
    dataset_close(b->data);
    return status;
}

static int number(int argc, char **argv, int i, int fallback) {
    return argc > i ? (int)strtol(argv[i], NULL, 10) : fallback;
}

int main(int argc, char **argv) {
    assay_ctx_options options = ASSAY_CTX_OPTIONS_INIT;
    char marker[520];
    if (argc < 3) {
        (void)fprintf(stderr,
                      "usage: data SOURCE WORKDIR [size=28] [channels=1] [batch=256]\n");
        return 2;
    }
    bench b = {.size = number(argc, argv, 3, 28),
               .channels = number(argc, argv, 4, 1),
               .batch = number(argc, argv, 5, 256)};
    (void)snprintf(b.beton, sizeof b.beton, "%s/data.beton", argv[2]);
    (void)snprintf(b.work, sizeof b.work, "%s/pixels.npy", argv[2]);
    (void)snprintf(marker, sizeof marker, "%s.done", b.work);
    (void)remove(marker); /* so that the work is done */
    if (assay_ctx_create(&b.ctx, &options) != ASSAY_OK || run(&b, argv[1]) != ASSAY_OK) {
        const assay_error *e = assay_last_error();
        (void)fprintf(stderr, "error: %s\n  --> %s\n  help: %s\n", e->message, e->where,
                      e->help);
        return 1;
    }
    assay_ctx_destroy(b.ctx);
    return 0;
}
