/* How well copies are found: training pictures of a dataset are planted behind its test
 * rows, changed in several ways, and the detectors run over all of it. Prints recall, the
 * pairs reported that were not planted, and processor time.
 *
 *   copies DATA WORKDIR [planted=200] [seed=0]
 */
#include <assay/assay.h>

#include "base/os.h"
#include "base/rng.h"
#include "detect/detect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRAW_ROWS = 20, DRAW_NOISE = 21 };

static const char *const kinds[] = {"jpeg 50, +20 %, mirrored, noise",
                                    "+20 %, mirrored, noise, jpeg 50", "jpeg 50", "-20 %",
                                    "one pixel to the right"};
enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct study {
    assay_ctx *ctx;
    dataset *data;
    npy_array pixels; /* the dataset's rows, then `planted` of each kind */
    int32_t *labels;
    uint64_t rows, train, planted;
    int size, channels;
    uint64_t *source;
} study;

static uint8_t clip(double v) {
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : lrint(v));
}

static void brighten(uint8_t *p, size_t n, double gain, double noise, rng *r) {
    for (size_t i = 0; i < n; i++)
        p[i] = clip(p[i] * gain + (noise > 0 ? noise * rng_normal(r) : 0));
}

static void move(const study *s, const uint8_t *from, uint8_t *to, bool mirror) {
    int n = s->size, ch = s->channels;
    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++) {
            int u = mirror ? n - 1 - x : x ? x - 1 : 0;
            memcpy(to + (y * n + x) * ch, from + (y * n + u) * ch, (size_t)ch);
        }
}

static assay_status jpeg(const study *s, uint8_t *p) {
    assay_status status = ASSAY_OK;
    image im = image_make(s->ctx);
    buf out = buf_make(s->ctx);
    size_t n = (size_t)s->size * (size_t)s->size, ch = (size_t)s->channels;
    ASSAY_TRY(image_resize_storage(&im, s->size, s->size));
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 3; c++)
            im.rgb[i * 3 + c] = p[i * ch + (ch == 3 ? c : 0)];
    ASSAY_TRY(image_encode_jpeg(&out, &im, 50, true));
    ASSAY_TRY(image_decode(&im, (const uint8_t *)out.data, out.len, NULL));
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < ch; c++)
            p[i * ch + c] = im.rgb[i * 3 + c];
done:
    image_free(&im);
    buf_free(&out);
    return status;
}

static assay_status plant(const study *s, int kind, uint64_t i, uint64_t seed) {
    assay_status status = ASSAY_OK;
    size_t each = (size_t)s->size * (size_t)s->size * (size_t)s->channels;
    const uint8_t *from = s->pixels.data + s->source[i] * each;
    uint8_t *to = s->pixels.data + (s->rows + (uint64_t)kind * s->planted + i) * each;
    rng r = rng_at(seed, RNG_TEST, DRAW_NOISE, (uint64_t)kind * s->planted + i);
    memcpy(to, from, each);
    if (kind < 2 || kind == 4)
        move(s, from, to, kind < 2);
    if (kind == 0 || kind == 2)
        ASSAY_TRY(jpeg(s, to));
    if (kind < 2)
        brighten(to, each, 1.2, 4, &r);
    if (kind == 3)
        brighten(to, each, 0.8, 0, &r);
    if (kind == 1)
        ASSAY_TRY(jpeg(s, to));
done:
    return status;
}

static assay_status load(study *s, const char *source, const char *work, uint64_t seed) {
    assay_status status = ASSAY_OK;
    char path[4096];
    npy_array all = {0};
    ASSAY_TRY(os_mkdirs(work));
    snprintf(path, sizeof path, "%s/data.beton", work);
    ASSAY_TRY(dataset_open_any(&s->data, s->ctx, source, path, NULL));
    int least, median, most;
    dataset_sizes(s->data, &least, &median, &most);
    s->size = median < 64 ? median : 64;
    s->channels = dataset_channels(s->data);
    s->rows = dataset_rows(s->data);
    s->train = dataset_train_rows(s->data);
    snprintf(path, sizeof path, "%s/pixels.npy", work);
    ASSAY_TRY(dataset_pixels(s->data, s->ctx, s->size, s->channels, path, &all));
    uint64_t total = s->rows + KINDS * s->planted;
    const int64_t dim[4] = {(int64_t)total, s->size, s->size, s->channels};
    snprintf(path, sizeof path, "%s/planted.npy", work);
    ASSAY_TRY(npy_create(&s->pixels, s->ctx, path, ASSAY_U8, 4, dim));
    memcpy(s->pixels.data, all.data, all.bytes);
    ASSAY_TRY(mem_new(s->ctx, &s->labels, total, sizeof *s->labels));
    ASSAY_TRY(mem_new(s->ctx, &s->source, s->planted + 1, sizeof *s->source));
    for (uint64_t i = 0; i < s->rows; i++)
        s->labels[i] = dataset_label(s->data, i);
    rng_perm perm = rng_perm_make(s->train, seed, RNG_TEST, DRAW_ROWS);
    for (uint64_t i = 0; i < s->planted; i++) {
        s->source[i] = rng_perm_at(&perm, i);
        for (int k = 0; k < KINDS; k++) {
            s->labels[s->rows + (uint64_t)k * s->planted + i] = s->labels[s->source[i]];
            ASSAY_TRY(plant(s, k, i, seed));
        }
    }
done:
    npy_close(&all);
    return status;
}

static void report_leakage(const study *s, const detect_findings *f) {
    uint64_t natural[2] = {0}, wrong = 0, exact = 0, found[KINDS][2] = {{0}};
    for (size_t i = 0; i < f->count; i++) {
        const detect_finding *x = &f->item[i];
        if (x->row < s->rows) {
            natural[x->maybe]++;
            exact += x->exact;
        } else if (x->other == s->source[(x->row - s->rows) % s->planted]) {
            found[(x->row - s->rows) / s->planted][x->maybe]++;
        } else {
            wrong++;
        }
    }
    for (int k = 0; k < KINDS; k++)
        printf("  %-32s %llu of %llu, %llu more perhaps\n", kinds[k],
               (unsigned long long)found[k][0], (unsigned long long)s->planted,
               (unsigned long long)found[k][1]);
    printf("  not planted: %llu (%llu equal), %llu more perhaps; wrong source: %llu\n",
           (unsigned long long)natural[0], (unsigned long long)exact,
           (unsigned long long)natural[1], (unsigned long long)wrong);
}

static void report_copies(const detect_findings *f) {
    size_t count[DETECT_KINDS] = {0}, maybe = 0;
    for (size_t i = 0; i < f->count; i++)
        if (f->item[i].maybe)
            maybe++;
        else
            count[f->item[i].kind]++;
    printf("  equal %zu, near %zu, %zu more perhaps\n", count[DETECT_COPY_EXACT],
           count[DETECT_COPY_NEAR], maybe);
}

static assay_status run(const study *s, const char *name) {
    assay_status status = ASSAY_OK;
    detect_findings f = {.ctx = s->ctx};
    const detect_input in = {.ctx = s->ctx,
                             .rows = s->rows + KINDS * s->planted,
                             .train_rows = s->train,
                             .classes = dataset_classes(s->data),
                             .size = s->size,
                             .channels = s->channels,
                             .labels = s->labels,
                             .pixels = &s->pixels};
    uint64_t cpu = os_cpu_ns(), wall = os_now_ns();
    ASSAY_TRY(detect_find(name)->run(&in, &f));
    printf("%s: %.1f processor seconds, %.1f s\n", name,
           (double)(os_cpu_ns() - cpu) * 1e-9, (double)(os_now_ns() - wall) * 1e-9);
    if (strcmp(name, "leakage") == 0)
        report_leakage(s, &f);
    else
        report_copies(&f);
done:
    detect_findings_free(&f);
    return status;
}

int main(int argc, char **argv) {
    assay_status status = ASSAY_OK;
    study s = {.planted = argc > 3 ? strtoull(argv[3], NULL, 10) : 200};
    uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
    if (argc < 3 || s.planted < 1) {
        fprintf(stderr, "copies DATA WORKDIR [planted=200] [seed=0]\n");
        return 2;
    }
    ASSAY_TRY(assay_ctx_create(&s.ctx, NULL));
    ASSAY_TRY(load(&s, argv[1], argv[2], seed));
    printf("%llu training, %llu test rows, %d x %d x %d\n", (unsigned long long)s.train,
           (unsigned long long)(s.rows - s.train), s.size, s.size, s.channels);
    ASSAY_TRY(run(&s, "leakage"));
    ASSAY_TRY(run(&s, "copies"));
done:
    if (status != ASSAY_OK)
        fprintf(stderr, "error: %s\n  --> %s\n", assay_last_error()->message,
                assay_last_error()->where);
    npy_close(&s.pixels);
    mem_free(s.ctx, s.labels);
    mem_free(s.ctx, s.source);
    dataset_close(s.data);
    assay_ctx_destroy(s.ctx);
    return status == ASSAY_OK ? 0 : 1;
}
