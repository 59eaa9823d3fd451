/* The resampler against what other programs make of a small picture: Pillow 13.0 for the
 * antialiased filters, OpenCV 5.0 for the others. With
 *
 *   y, x = numpy.mgrid[0:6, 0:7]
 *   a = (64 + (37 * x + 59 * y + 7 * x * y) % 128).astype(numpy.uint8)
 *
 * the rows are Image.fromarray(a).resize((w, h), Image.BILINEAR) and BICUBIC, and
 * cv2.resize(a, (w, h), interpolation=cv2.INTER_AREA) and INTER_LINEAR. */
#include "base/testing.h"
#include "image/resample.h"

enum { WIDTH = 7, HEIGHT = 6, MOST = 9 * 8 };

static const struct golden {
    resample_filter filter;
    int width, height;
    uint8_t value[MOST];
} goldens[] = {
    {RESAMPLE_AREA, 3, 4, {106, 135, 127, 142, 119, 133, 139, 131, 122, 139, 152, 129}},
    {RESAMPLE_AREA, 9, 8, {64,  90,  117, 143, 175, 97,  105, 132, 158, 103, 133, 126,
                           107, 143, 142, 117, 110, 140, 142, 145, 130, 108, 111, 151,
                           135, 119, 122, 182, 127, 127, 145, 79,  123, 159, 159, 104,
                           113, 154, 141, 109, 159, 99,  122, 127, 77,  152, 136, 138,
                           146, 127, 144, 134, 130, 144, 149, 136, 141, 153, 137, 159,
                           128, 121, 169, 103, 154, 151, 129, 191, 143, 103, 100, 151}},
    {RESAMPLE_AREA, 5, 9, {75,  122, 170, 100, 147, 105, 121, 145, 117, 133, 136, 119,
                           121, 135, 118, 160, 134, 90,  152, 126, 145, 133, 120, 133,
                           111, 130, 131, 151, 114, 97,  154, 146, 120, 149, 159, 139,
                           145, 150, 130, 145, 124, 143, 181, 111, 130}},
    {RESAMPLE_TRIANGLE,
     3,
     4,
     {110, 133, 124, 139, 122, 132, 139, 132, 127, 140, 149, 129}},
    {RESAMPLE_TRIANGLE, 9, 8, {64,  89,  117, 146, 175, 104, 105, 133, 158, 101, 128,
                               125, 113, 145, 140, 117, 114, 141, 145, 144, 129, 110,
                               109, 145, 137, 122, 121, 173, 134, 130, 136, 89,  117,
                               153, 151, 101, 122, 149, 139, 117, 149, 107, 126, 128,
                               80,  150, 138, 139, 143, 129, 141, 134, 131, 140, 146,
                               138, 143, 151, 141, 156, 127, 123, 168, 103, 151, 150,
                               135, 191, 147, 104, 103, 151}},
    {RESAMPLE_TRIANGLE, 5, 9, {76,  122, 152, 100, 146, 107, 121, 140, 117, 131, 141, 122,
                               123, 137, 118, 153, 131, 106, 150, 128, 144, 133, 119, 134,
                               115, 135, 134, 136, 121, 109, 148, 143, 134, 142, 147, 139,
                               145, 151, 129, 142, 127, 144, 168, 110, 127}},
    {RESAMPLE_CUBIC, 3, 4, {107, 135, 125, 141, 119, 132, 141, 131, 126, 140, 151, 130}},
    {RESAMPLE_CUBIC, 9, 8, {59,  82,  116, 152, 178, 94,  97,  138, 161, 94,  134, 126,
                            104, 148, 147, 111, 106, 145, 151, 152, 130, 102, 103, 157,
                            142, 116, 121, 182, 127, 127, 144, 84,  111, 165, 161, 96,
                            114, 156, 141, 109, 154, 96,  126, 132, 71,  155, 135, 138,
                            147, 125, 144, 135, 130, 145, 152, 134, 142, 156, 137, 166,
                            124, 117, 178, 96,  158, 153, 127, 195, 149, 93,  96,  153}},
    {RESAMPLE_CUBIC, 5, 9, {69,  125, 159, 95,  151, 104, 121, 145, 114, 132, 146, 120,
                            121, 140, 114, 157, 130, 98,  154, 128, 146, 133, 114, 134,
                            112, 135, 135, 136, 118, 105, 149, 143, 134, 144, 151, 139,
                            145, 156, 128, 144, 125, 145, 175, 107, 125}},
    {RESAMPLE_BILINEAR,
     3,
     4,
     {104, 163, 125, 136, 91, 142, 146, 147, 126, 146, 171, 111}},
    {RESAMPLE_BILINEAR, 9, 8, {64,  89,  117, 146, 175, 104, 104, 133, 158, 101, 128,
                               125, 113, 145, 140, 117, 114, 141, 145, 144, 129, 110,
                               109, 145, 137, 122, 121, 173, 133, 129, 136, 89,  117,
                               154, 151, 101, 122, 149, 138, 117, 149, 106, 126, 127,
                               80,  150, 138, 138, 143, 129, 140, 133, 130, 140, 146,
                               138, 142, 151, 141, 156, 127, 123, 168, 103, 151, 150,
                               135, 191, 147, 104, 103, 151}},
    {RESAMPLE_BILINEAR, 5, 9, {71,  123, 175, 99,  151, 101, 120, 151, 118, 136, 137, 120,
                               119, 140, 122, 161, 132, 87,  148, 120, 146, 132, 119, 131,
                               105, 130, 132, 151, 119, 103, 153, 145, 119, 144, 153, 138,
                               145, 151, 132, 151, 117, 141, 191, 112, 136}},
};

static void feed(const row_sink *sink) {
    for (int y = 0; y < HEIGHT; y++) {
        size_t stride;
        uint8_t *to = sink->get(sink->to, y, &stride);
        for (size_t c = 0; c < 3; c++)
            for (int x = 0; x < WIDTH; x++)
                to[c * stride + (size_t)x] =
                    (uint8_t)(64 + (37 * x + 59 * y + 7 * x * y) % 128);
        sink->put(sink->to, y, 0);
    }
}

/* At most one level away, two fifths in the mean. */
static void as_others_do(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    resampler *r = NULL;
    assert_ok(resampler_create(&r, ctx));
    for (size_t g = 0; g < sizeof goldens / sizeof *goldens; g++) {
        const struct golden *want = &goldens[g];
        int n = want->width * want->height, sum = 0;
        uint8_t out[MOST * 3];
        resample_job job = {
            WIDTH,        HEIGHT, want->width, want->height,
            want->filter, false,  false,       {.type = OUTPUT_U8, .channels = 3},
            out};
        assert_ok(resampler_begin(r, &job));
        row_sink sink = resampler_sink(r);
        feed(&sink);
        for (int i = 0; i < 3 * n; i++) {
            int off = abs(out[i] - want->value[i / 3]);
            if (off > 1)
                fail_msg("%s, %d x %d, value %d: %d, not %d",
                         resample_filter_name(want->filter), want->width, want->height, i,
                         out[i], want->value[i / 3]);
            sum += off;
        }
        print_message("%-9s %d x %d: %d of %d differ by one\n",
                      resample_filter_name(want->filter), want->width, want->height,
                      sum / 3, n);
        assert_true(5 * sum <= 2 * 3 * n);
    }
    resampler_destroy(r);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_others_do)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
