/* Our JPEG decoder: whole pictures and windows, with and without an index, by any
 * instruction set and in exact memory, against libjpeg-turbo. What ours decodes whole,
 * the library decodes as well; and all windows are those of the whole. */
#include "base/hash.h"
#include "image/inside.h"
#include "image/jpeg/decoder.h"
#include "image/testing.h"
#include "jpeg_seed.h"

enum { PIXEL_LIMIT = 1 << 18, WINDOWS = 3 };

typedef struct run {
    jpeg_decoder *decoder;
    const uint8_t *data;
    size_t n;
    bool whole; /* decoded by the library without complaint */
    image image;
    kept_rows kept;
} run;

static assay_status check_window(run *r, const jpeg_index *index, const image_box *box) {
    row_sink sink = kept_begin(&r->kept, box->width, box->height);
    assay_status status =
        jpeg_decode_window(r->decoder, r->data, r->n, index, box, &sink);
    if (r->kept.wrong || (status == ASSAY_OK && r->kept.next != box->height))
        abort();
    if (status == ASSAY_E_UNSUPPORTED && r->kept.next > 0)
        abort();
    if (status == ASSAY_OK && r->whole && !kept_equals(&r->kept, &r->image, box))
        abort();
    return status;
}

static void check_library(run *r, const image_box *box) {
    row_sink sink = kept_begin(&r->kept, box->width, box->height);
    assay_status status = jpeg_decode_rows(r->data, r->n, box, &sink);
    if (r->whole && (status != ASSAY_OK || !kept_equals(&r->kept, &r->image, box)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    assay_ctx *ctx = fuzz_ctx();
    image_info info;
    if (image_peek(ctx, data, n, &info) != ASSAY_OK || info.kind != IMAGE_JPEG ||
        (int64_t)info.width * info.height > PIXEL_LIMIT)
        return 0;
    rng random = rng_at(n, RNG_TEST, 0, hash_crc32c(0, data, n));
    run r = {.data = data, .n = n, .image = image_make(ctx)};
    buf index = buf_make(ctx);
    r.whole = image_decode(&r.image, data, n, NULL) == ASSAY_OK;
    fuzz_must(jpeg_decoder_create(&r.decoder, ctx));
    image_box all = {0, 0, info.width, info.height};
    jpg_decoder_tune(r.decoder, (cpu_isa)rng_below(&random, (uint64_t)cpu_detect() + 1),
                     1 + (int)rng_below(&random, JPG_STREAMS_MAX), true);
    if (check_window(&r, NULL, &all) == ASSAY_OK && !r.whole)
        abort();
    bool indexed = jpeg_index_build(&index, r.decoder, data, n,
                                    1 + (int)rng_below(&random, 9)) == ASSAY_OK;
    jpeg_index ix = {(const uint8_t *)index.data, index.len};
    if (indexed &&
        (!jpeg_index_matches(&ix, data, n) || check_window(&r, &ix, &all) != ASSAY_OK))
        abort();
    for (int i = 0; i < WINDOWS; i++) {
        image_box box = draw_window(&random, info.width, info.height, 100);
        (void)check_window(&r, NULL, &box);
        if (indexed && check_window(&r, &ix, &box) != ASSAY_OK)
            abort();
        check_library(&r, &box);
    }
    jpeg_decoder_destroy(r.decoder);
    image_free(&r.image);
    kept_free(&r.kept);
    buf_free(&index);
    return 0;
}

bool fuzz_seed(buf *out, int i) {
    return jpeg_seed(out, i);
}
