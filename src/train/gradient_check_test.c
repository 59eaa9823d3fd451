/* The gradients of whole networks: at most twice as far from float64 as PyTorch's f32 is
 * on the same weights and data (bench/gradients.json). Networks with turns (signs at
 * ReLUs, winners of maxima) by medians over seeds, since one turn that rounding decides
 * can make a seed's error large on either side; smooth ones on each seed. */
#include "train/gradient_check.h"

#include "base/json.h"
#include "base/testing.h"

#include <stdlib.h>

enum { SEEDS = 5 };

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double middle(const double v[SEEDS]) {
    double sorted[SEEDS];
    memcpy(sorted, v, sizeof sorted);
    qsort(sorted, SEEDS, sizeof *sorted, by_value);
    return sorted[SEEDS / 2];
}

/* One line of the record, run again. */
static void compare(
    assay_ctx *ctx, const char *name, const json_val *row, double *ours, double *theirs) {
    gradient_check c;
    int batch = (int)json_get_int(json_get(row, "batch"), 0);
    uint64_t seed = (uint64_t)json_get_int(json_get(row, "seed"), 0);
    assert_ok(gradient_check_run(&c, ctx, name, batch, seed));
    *ours = c.error;
    *theirs = json_get_num(json_get(row, "f32_error"), 0);
    assert_true(*ours > 0 && *theirs > 0);
    gradient_check_free(&c);
}

static void within_twice(const char *name, double ours, double theirs) {
    if (ours > 2 * theirs)
        print_error("%s: %g, PyTorch %g\n", name, ours, theirs);
    assert_true(ours <= 2 * theirs);
}

static void as_exact_as_pytorch(void **state) {
    (void)state;
    /* The larger ones take their float64 reference seconds a seed, hence fewer seeds. */
    static const struct {
        const char *name;
        size_t seeds;
    } nets[] = {{"mlp", SEEDS}, {"cnn", SEEDS}, {"cnn-smooth", SEEDS}, {"gpt-tiny", 1}};
    assay_ctx *ctx = test_ctx(1);
    size_t bytes;
    uint8_t *text = test_get(ctx, ASSAY_SOURCE_DIR "/bench/gradients.json", &bytes);
    json_doc *doc;
    assert_ok(json_parse(&doc, ctx, (const char *)text, bytes));
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        const char *name = nets[i].name;
        const json_val *rows = json_get(json_get(json_root(doc), "nets"), name);
        double ours[SEEDS], theirs[SEEDS];
        assert_int_equal(json_len(rows), SEEDS);
        for (size_t k = 0; k < nets[i].seeds; k++) {
            compare(ctx, name, json_at(rows, k), &ours[k], &theirs[k]);
            if (nets[i].seeds == 1 || gradient_check_smooth(name))
                within_twice(name, ours[k], theirs[k]);
        }
        if (nets[i].seeds == SEEDS)
            within_twice(name, middle(ours), middle(theirs));
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
