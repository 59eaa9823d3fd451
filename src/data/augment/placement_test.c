/* Chains of steps: folded into one placement, they give what they give one by one. */
#include "data/augment/placement.h"
#include "data/transform.h"

#include "base/testing.h"

enum { W = 9, H = 7, MOST = 4 };

static const char *const chains[][MOST][2] = {
    {{"flip", "0.5"}, {"translate", "3, fill=9:8:7"}, {"cutout", "3, fill=1:2:3"}},
    {{"translate", "3, fill=9:8:7"}, {"flip", "0.5"}, {"vertical_flip", "0.5"}},
    {{"flip", "0.5"}, {"cutout", "4:3"}, {"vertical_flip", "0.5"}, {"flip", "0.5"}},
    {{"translate", "2"}, {"vertical_flip", "0.7"}, {"random_erasing", "0.8, fill=77"}},
    {{"vertical_flip", "1"}, {"flip", "1"}, {"translate", "6"}, {"alternating_flip", ""}},
};

static void chains_fold(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    const image_output o = {.type = OUTPUT_U8, .channels = 3};
    uint8_t image[2][H * W * 3], folded[H * W * 3];
    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++)
        for (uint64_t k = 0; k < 200; k++) {
            image_placement at = placement_whole(W, H);
            int turn = 0;
            for (size_t b = 0; b < sizeof image[0]; b++)
                image[0][b] = (uint8_t)(b * 31 + 5);
            uint8_t src[sizeof image[0]];
            memcpy(src, image[0], sizeof src);
            for (uint32_t j = 0; j < MOST && chains[i][j][0] != NULL; j++) {
                const data_transform *t;
                transform_plan p = {.in = {H, W, 3}, .ctx = ctx};
                const char *args = chains[i][j][1];
                assert_ok(transform_find(&t, chains[i][j][0]));
                assert_ok(transform_args_parse(&p, t, args, strlen(args)));
                assert_ok(t->plan(&p));
                transform_sample s = {
                    .r = rng_at(3, RNG_TRANSFORM + j, 1, k), .sample = k, .epoch = 1};
                transform_sample again = s;
                assert_true(t->fold(&p, &s, &at));
                if (t->apply(&p, &again, image[turn], image[1 - turn]))
                    turn = 1 - turn;
                assert_memory_equal(&s.r, &again.r, sizeof s.r);
            }
            output_place(&o, &at, src, folded);
            assert_memory_equal(folded, image[turn], sizeof folded);
        }
    assay_ctx_destroy(ctx);
}

static void what_cant_be_folded(void **unused) {
    (void)unused;
    static const uint8_t fill[3] = {1, 2, 3};
    image_placement at = placement_whole(W, H), before;
    assert_true(placement_shift(&at, 2, 0, fill));
    before = at;
    assert_false(placement_shift(&at, -2, 0, fill)); /* two columns are gone */
    assert_true(placement_shift(&at, 0, 0, fill));
    assert_memory_equal(&at, &before, sizeof at);
    assert_true(placement_erase(&at, 1, 1, 2, 2, fill));
    before = at;
    assert_false(placement_erase(&at, 1, 1, 2, 2, fill));
    assert_memory_equal(&at, &before, sizeof at);
    at = placement_whole(W, H);
    assert_true(placement_erase(&at, 1, 1, 2, 2, fill));
    assert_false(placement_shift(&at, 1, 1, fill));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(chains_fold),
                                       cmocka_unit_test(what_cant_be_folded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
