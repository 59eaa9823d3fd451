/* Indexes of JPEGs, from whom it may be: the first byte says of which JPEG, the rest is
 * the index. Each is decoded with as it stands and once more with the fields set right
 * that an index of that JPEG must have. */
#include "base/hash.h"
#include "image/jpeg/decoder.h"
#include "image/testing.h"
#include "jpeg_seed.h"

enum { JPEGS = 7, WINDOWS = 2, HEAD = 32 };

static const buf *jpeg_of(int i) {
    static buf jpeg[JPEGS];
    if (!jpeg[i].ctx) {
        jpeg[i] = buf_make(fuzz_ctx());
        if (!jpeg_seed(&jpeg[i], i))
            abort();
    }
    return &jpeg[i];
}

/* One for all runs: deriving its tables would take most of the time. */
static jpeg_decoder *the_decoder(void) {
    static jpeg_decoder *d;
    if (!d)
        fuzz_must(jpeg_decoder_create(&d, fuzz_ctx()));
    return d;
}

static void decode_with(jpeg_decoder *d,
                        const buf *jpeg,
                        const image *whole,
                        const jpeg_index *index,
                        rng *random) {
    kept_rows kept = {0};
    const uint8_t *data = (const uint8_t *)jpeg->data;
    bool own = jpeg_index_matches(index, data, jpeg->len);
    for (int i = 0; i < WINDOWS; i++) {
        image_box box = {0, 0, whole->width, whole->height};
        if (i > 0)
            box = draw_window(random, whole->width, whole->height, 100);
        jpg_decoder_tune(d, (cpu_isa)rng_below(random, (uint64_t)cpu_detect() + 1),
                         1 + (int)rng_below(random, JPG_STREAMS_MAX), true);
        row_sink sink = kept_begin(&kept, box.width, box.height);
        assay_status status = jpeg_decode_window(d, data, jpeg->len, index, &box, &sink);
        if (kept.wrong || (status != ASSAY_OK && status != ASSAY_E_FORMAT))
            abort();
        if (own && (status != ASSAY_OK || !kept_equals(&kept, whole, &box)))
            abort();
    }
    kept_free(&kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    assay_ctx *ctx = fuzz_ctx();
    if (n < 1)
        return 0;
    const buf *jpeg = jpeg_of(data[0] % JPEGS);
    image whole = image_make(ctx);
    buf right = buf_make(ctx);
    jpeg_decoder *d = the_decoder();
    rng random = rng_at(n, RNG_TEST, 0, hash_crc32c(0, data, n));
    fuzz_must(image_decode(&whole, (const uint8_t *)jpeg->data, jpeg->len, NULL));
    uint8_t *tight = malloc(n > 1 ? n - 1 : 1);
    if (!tight)
        abort();
    memcpy(tight, data + 1, n - 1);
    jpeg_index index = {tight, n - 1};
    decode_with(d, jpeg, &whole, &index, &random);
    if (n > HEAD) {
        int interval = 1 + tight[30] % 64;
        fuzz_must(jpeg_index_build(&right, d, (const uint8_t *)jpeg->data, jpeg->len,
                                   interval));
        memcpy(tight, right.data,
               HEAD); /* as long as it is: the entries are the input's */
        if (right.len <= n - 1) {
            index.bytes = right.len;
            decode_with(d, jpeg, &whole, &index, &random);
        }
    }
    free(tight);
    image_free(&whole);
    buf_free(&right);
    return 0;
}

bool fuzz_seed(buf *out, int i) {
    static const int intervals[] = {1, 4, 8, 32};
    uint8_t which = (uint8_t)i;
    if (i >= JPEGS)
        return false;
    const buf *jpeg = jpeg_of(which);
    buf_add(out, &which, 1);
    fuzz_must(jpeg_index_build(out, the_decoder(), (const uint8_t *)jpeg->data, jpeg->len,
                               intervals[i % 4]));
    return true;
}
