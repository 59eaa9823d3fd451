/* What is too long is scaled to the length, in its direction; the rest keeps its bits. */
#include "train/clip.h"

#include "base/testing.h"

#include <math.h>

static void scales_what_is_too_long(void **state) {
    (void)state;
    float g[5] = {3, 0, -4, 0, 12};
    const float kept[5] = {3, 0, -4, 0, 12};
    assert_true(fabs(gradient_clip(g, 5, 13) - 13) < 1e-12);
    assert_memory_equal(g, kept, sizeof g);
    assert_true(fabs(gradient_clip(g, 5, 6.5) - 13) < 1e-12);
    for (size_t i = 0; i < 5; i++)
        assert_true(fabs((double)g[i] - 0.5 * (double)kept[i]) < 1e-6);
    assert_true(fabs(gradient_clip(g, 0, 1)) <= 0);
}

/* The loss's check says what went wrong; clipping must not hide it. */
static void leaves_what_is_not_finite(void **state) {
    (void)state;
    float g[2] = {INFINITY, 1};
    assert_false(isfinite(gradient_clip(g, 2, 1)));
    assert_true(isinf(g[0]) && g[1] >= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales_what_is_too_long),
        cmocka_unit_test(leaves_what_is_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
