/* The gradients of whole networks: at most twice as far from float64 as PyTorch's f32 is
 * on the same weights and data (bench/gradients.json), medians over three seeds, since
 * one seed's rounding can be large by chance on either side. The larger networks:
 * bench/gradients. */
#include "train/gradient_check.h"

#include "base/json.h"
#include "base/testing.h"

enum { SEEDS = 3 };

static double middle(const double v[SEEDS]) {
    double low = v[0] < v[1] ? v[0] : v[1], high = v[0] < v[1] ? v[1] : v[0];
    return v[2] < low ? low : v[2] > high ? high : v[2];
}

static void as_exact_as_pytorch(void **state) {
    (void)state;
    static const char *const names[] = {"mlp", "cnn"};
    assay_ctx *ctx = test_ctx(1);
    size_t bytes;
    uint8_t *text = test_get(ctx, ASSAY_SOURCE_DIR "/bench/gradients.json", &bytes);
    json_doc *doc;
    assert_ok(json_parse(&doc, ctx, (const char *)text, bytes));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_val *rows = json_get(json_get(json_root(doc), "nets"), names[i]);
        double ours[SEEDS], pytorch[SEEDS];
        assert_int_equal(json_len(rows), SEEDS);
        for (size_t k = 0; k < SEEDS; k++) {
            const json_val *row = json_at(rows, k);
            int batch = (int)json_get_int(json_get(row, "batch"), 0);
            uint64_t seed = (uint64_t)json_get_int(json_get(row, "seed"), 0);
            gradient_check c;
            assert_ok(gradient_check_run(&c, ctx, names[i], batch, seed));
            ours[k] = c.error;
            pytorch[k] = json_get_num(json_get(row, "f32_error"), 0);
            assert_true(ours[k] > 0 && pytorch[k] > 0);
            gradient_check_free(&c);
        }
        if (middle(ours) > 2 * middle(pytorch))
            print_error("%s: %g, PyTorch %g\n", names[i], middle(ours), middle(pytorch));
        assert_true(middle(ours) <= 2 * middle(pytorch));
    }
    json_doc_destroy(doc);
    mem_free(ctx, text);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_exact_as_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
