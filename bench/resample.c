/* Resizing and placing: CPU time of one thread for an image, and how many copies of the
 * output (memcpy, in the same run) that is; for each instruction set.
 *
 *   windows   random-resized crops (.08 to 1 of the area, 3/4 to 4/3) of 500 x 375 pixels
 *             to 224 x 224, mirrored half of the time
 *   raw       the same of images of 256 pixels on the long side, out of 300 MB
 *   cifar     32 x 32: mirror, shift by up to 4, a hole of 8 x 8; samples drawn at
 * random; results stay in a cache of 120 MB, if there is one whole     224 x 224 in, 224
 * x 224 out, mirrored half of the time
 *
 * usage: resample [ISA]...
 */
#include "base/os.h"
#include "base/rng.h"
#include "image/output_kernels.h"
#include "image/resample_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { OUT = 224, RING = 256, IMAGES = 1500, CIFAR = 50000, BATCH = 512, REPEATS = 3 };

static const char *const type_names[] = {"u8", "f32", "f16", "bf16"};

static double cpu_seconds(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static image_output normalised(output_type type) {
    static const float mean[3] = {123.675f, 116.28f, 103.53f},
                       std[3] = {58.395f, 57.12f, 57.375f};
    image_output o = {.type = type, .channels = 3, .stream = true};
    for (int c = 0; c < 3; c++) {
        o.scale[c] = 1 / std[c];
        o.shift[c] = -mean[c] / std[c];
    }
    return o;
}

static image_box random_window(rng *r, int width, int height) {
    for (int i = 0; i < 10; i++) {
        double area = width * height * (.08 + .92 * rng_uniform(r)),
               ratio = exp(log(.75) + log(16 / 9.) * rng_uniform(r));
        int w = (int)lround(sqrt(area * ratio)), h = (int)lround(sqrt(area / ratio));
        if (w > 0 && h > 0 && w <= width && h <= height)
            return (image_box){(int)rng_below(r, (uint64_t)(width - w + 1)),
                               (int)rng_below(r, (uint64_t)(height - h + 1)), w, h};
    }
    return (image_box){0, 0, width, height};
}

/* Images in a store that no cache holds, and a ring of results. */
typedef struct bench {
    assay_ctx *ctx;
    uint8_t *store, *out;
    size_t store_bytes, out_bytes;
} bench;

static double resize_once(const bench *b,
                          resampler *r,
                          int long_side,
                          int short_side,
                          resample_filter filter,
                          output_type type) {
    size_t image = (size_t)long_side * (size_t)short_side * 3, n = b->store_bytes / image;
    double start = cpu_seconds();
    for (uint64_t i = 0; i < IMAGES; i++) {
        rng random = rng_at(7, RNG_TEST, 0, i);
        bool tall = i % 4 == 0;
        int width = tall ? short_side : long_side, height = tall ? long_side : short_side;
        image_box box = random_window(&random, width, height);
        const uint8_t *from = b->store + i * 997 % n * image +
                              ((size_t)box.y * (size_t)width + (size_t)box.x) * 3;
        resample_job job = {box.width,
                            box.height,
                            OUT,
                            OUT,
                            filter,
                            rng_below(&random, 2) != 0,
                            false,
                            normalised(type),
                            b->out + i % RING * OUT * OUT * 3 * output_type_bytes(type)};
        if (resampler_begin(r, &job) != ASSAY_OK)
            return 0;
        row_sink sink = resampler_sink(r);
        for (int y = 0; y < box.height; y++) {
            size_t stride;
            uint8_t *to = sink.get(sink.to, y, &stride);
            output_split(to, stride, from + (size_t)y * (size_t)width * 3,
                         (size_t)box.width);
            sink.put(sink.to, y, 0);
        }
    }
    return (cpu_seconds() - start) / IMAGES;
}

static double cifar_once(const bench *b, const output_kernels *k, output_type type) {
    const size_t image = 32 * 32 * 3,
                 n = b->store_bytes / image < CIFAR ? b->store_bytes / image : CIFAR;
    image_output o = normalised(type);
    o.stream = false;
    double start = cpu_seconds();
    for (uint64_t i = 0; i < CIFAR; i++) {
        uint64_t u = rng_mix64(i);
        image_placement p = {.width = 32,
                             .height = 32,
                             .out_width = 32,
                             .out_height = 32,
                             .mirror_x = (u & 1) != 0,
                             .dx = (int)((u >> 8) % 9) - 4,
                             .dy = (int)((u >> 16) % 9) - 4,
                             .fill = {125, 122, 113},
                             .hole_x = (int)((u >> 24) % 25),
                             .hole_y = (int)((u >> 32) % 25),
                             .hole_width = 8,
                             .hole_height = 8,
                             .hole_fill = {125, 122, 113}};
        output_place_by(k, &o, &p, b->store + (u >> 16) % n * image,
                        b->out + i % (20 * BATCH) * image * output_type_bytes(type));
    }
    return (cpu_seconds() - start) / CIFAR;
}

static double whole_once(const bench *b, const output_kernels *k, output_type type) {
    const size_t image = OUT * OUT * 3, n = b->store_bytes / image;
    const image_output o = normalised(type);
    double start = cpu_seconds();
    for (uint64_t i = 0; i < IMAGES; i++) {
        image_placement p = {.width = OUT,
                             .height = OUT,
                             .out_width = OUT,
                             .out_height = OUT,
                             .mirror_x = i % 2 != 0};
        output_place_by(k, &o, &p, b->store + i * 997 % n * image,
                        b->out + i % RING * image * output_type_bytes(type));
    }
    return (cpu_seconds() - start) / IMAGES;
}

/* A batch's worth of outputs, copied to where the results go. */
static double copy_once(const bench *b, size_t bytes, size_t slots, int count) {
    double start = cpu_seconds();
    for (size_t i = 0; i < (size_t)count; i++)
        memcpy(b->out + i % slots * bytes, b->store + i * 997 % slots * bytes, bytes);
    return (cpu_seconds() - start) / count;
}

static void show(const char *what,
                 const char *isa,
                 const char *filter,
                 output_type type,
                 double seconds,
                 double copy) {
    (void)printf("%-8s %-8s %-9s %-5s %8.4f ms %9.0f images/s %6.2f x memcpy\n", what,
                 isa, filter, type_names[type], seconds * 1e3, 1 / seconds,
                 seconds / copy);
}

static double least(double a, double b) {
    return a < b ? a : b;
}

static void resize_cases(const bench *b,
                         resampler *r,
                         const char *isa,
                         const char *what,
                         int long_side,
                         int short_side) {
    static const resample_filter filters[] = {RESAMPLE_AREA, RESAMPLE_TRIANGLE,
                                              RESAMPLE_CUBIC};
    for (size_t f = 0; f < 3; f++)
        for (int t = OUTPUT_U8; t <= OUTPUT_BF16; t++) {
            double best = 1e9, copy = 1e9;
            size_t bytes = (size_t)OUT * OUT * 3 * output_type_bytes((output_type)t);
            if (t == OUTPUT_F16 || (f > 0 && t == OUTPUT_BF16))
                continue;
            for (int i = 0; i < REPEATS; i++) {
                best = least(best, resize_once(b, r, long_side, short_side, filters[f],
                                               (output_type)t));
                copy = least(copy, copy_once(b, bytes, RING, IMAGES));
            }
            show(what, isa, resample_filter_name(filters[f]), (output_type)t, best, copy);
        }
}

/* Placing: small images and large ones. */
static void place_cases(const bench *b, cpu_isa isa, bool small) {
    const output_kernels *k = output_kernels_for(isa);
    const size_t side = small ? 32 : OUT, slots = small ? 20 * BATCH : RING;
    for (int t = OUTPUT_U8; t <= OUTPUT_BF16; t++) {
        double best = 1e9, copy = 1e9;
        size_t bytes = side * side * 3 * output_type_bytes((output_type)t);
        for (int i = 0; i < REPEATS; i++) {
            best = least(best, small ? cifar_once(b, k, (output_type)t)
                                     : whole_once(b, k, (output_type)t));
            copy = least(copy, copy_once(b, bytes, slots, small ? CIFAR : IMAGES));
        }
        show(small ? "cifar" : "whole", cpu_isa_word(isa), "-", (output_type)t, best,
             copy);
    }
}

static int run(bench *b, cpu_isa isa) {
    resampler *r = NULL;
    if (resampler_create_for(&r, b->ctx, isa) != ASSAY_OK)
        return 1;
    resize_cases(b, r, cpu_isa_word(isa), "windows", 500, 375);
    resize_cases(b, r, cpu_isa_word(isa), "raw", 256, 192);
    place_cases(b, isa, true);
    place_cases(b, isa, false);
    resampler_destroy(r);
    return 0;
}

int main(int argc, char **argv) {
    static const cpu_isa sets[] = {CPU_AVX512V, CPU_AVX2, CPU_NONE};
    assay_ctx_options options = ASSAY_CTX_OPTIONS_INIT;
    bench b = {.store_bytes = (size_t)300 << 20,
               .out_bytes = (size_t)RING * OUT * OUT * 3 * 4};
    int bad = assay_ctx_create(&b.ctx, &options) != ASSAY_OK;
    b.store = malloc(b.store_bytes);
    b.out = aligned_alloc(64, b.out_bytes);
    bad = bad || !b.store || !b.out;
    if (!bad) {
        memset(b.out, 1, b.out_bytes);
        for (size_t i = 0; i < b.store_bytes; i++)
            b.store[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    for (int i = 0; i < 3 && !bad; i++) {
        bool wanted = argc < 2;
        for (int k = 1; k < argc; k++)
            wanted = wanted || strcmp(argv[k], cpu_isa_word(sets[i])) == 0;
        if (wanted && sets[i] <= cpu_detect())
            bad = run(&b, sets[i]);
    }
    free(b.store);
    free(b.out);
    assay_ctx_destroy(b.ctx);
    return bad;
}
