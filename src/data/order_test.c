/* Every order of the registry visits each sample once, and the same way again. */
#include "data/order.h"

#include "base/testing.h"

static void conformance(void **unused) {
    (void)unused;
    static const uint64_t sizes[] = {1, 2, 3, 17, 64, 1000};
    assert_true(order_count() >= 2);
    for (size_t k = 0; k < order_count(); k++) {
        const data_order *o = order_at(k);
        assert_ptr_equal(order_find(o->name), o);
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
            for (uint32_t epoch = 0; epoch < 3; epoch++) {
                bool seen[1000] = {false};
                order_state a, b;
                o->begin(&a, sizes[s], 9, epoch);
                o->begin(&b, sizes[s], 9, epoch);
                for (uint64_t i = 0; i < sizes[s]; i++) {
                    uint64_t at = o->at(&a, i);
                    assert_true(at < sizes[s] && !seen[at]);
                    seen[at] = true;
                    assert_int_equal(at, o->at(&b, i));
                }
            }
    }
    assert_null(order_find("sideways"));
}

static void random_differs(void **unused) {
    (void)unused;
    const data_order *o = order_find("random");
    order_state a, b, c;
    int same_epoch = 0, same_seed = 0, in_place = 0;
    o->begin(&a, 1000, 1, 0);
    o->begin(&b, 1000, 1, 1);
    o->begin(&c, 1000, 2, 0);
    for (uint64_t i = 0; i < 1000; i++) {
        same_epoch += o->at(&a, i) == o->at(&b, i);
        same_seed += o->at(&a, i) == o->at(&c, i);
        in_place += o->at(&a, i) == i;
    }
    assert_true(same_epoch < 10 && same_seed < 10 && in_place < 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(conformance),
                                       cmocka_unit_test(random_differs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
