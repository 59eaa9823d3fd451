/* Every transform of the registry: shapes, refusals, and agreement with its reference. */
#include "data/transform.h"

#include "base/testing.h"

enum { DRAWS = 64 };

static void run_case(const data_transform *t, const transform_case *c) {
    transform_plan p = {.in = c->in};
    memcpy(p.value, c->value, sizeof p.value);
    if (c->refused) {
        assert_fails(ASSAY_E_INVALID, t->plan(&p));
        return;
    }
    assert_ok(t->plan(&p));
    assert_memory_equal(&p.out, &c->out, sizeof p.out);
    size_t in = (size_t)(c->in.height * c->in.width * c->in.channels);
    size_t out = (size_t)(c->out.height * c->out.width * c->out.channels);
    /* exact sizes, so that the sanitizer sees a step outside */
    uint8_t *src = malloc(in), *got = malloc(out), *want = malloc(out);
    assert_true(src && got && want);
    bool differs = false;
    for (uint64_t sample = 0; sample < DRAWS; sample++) {
        rng a = rng_at(5, RNG_TRANSFORM, 3, sample), b = a;
        for (size_t i = 0; i < in; i++)
            src[i] = (uint8_t)(i * 13 + sample + i / 7);
        memset(got, 0xee, out);
        bool wrote = t->apply(&p, &a, src, got);
        t->reference(&p, &b, src, want);
        if (wrote) {
            assert_memory_equal(got, want, out);
        } else {
            assert_int_equal(in, out);
            assert_memory_equal(src, want, out);
        }
        assert_memory_equal(&a, &b, sizeof a); /* the same draws were used */
        differs |= in != out || memcmp(src, want, out) != 0;
        rng again = rng_at(5, RNG_TRANSFORM, 3, sample);
        bool same = t->apply(&p, &again, src, got);
        assert_int_equal(same, wrote);
        if (wrote)
            assert_memory_equal(got, want, out);
    }
    if (c->value[0] != 0 && in > 3)
        assert_true(differs);
    free(src);
    free(got);
    free(want);
}

static void conformance(void **unused) {
    (void)unused;
    assert_true(transform_count() >= 2);
    for (size_t i = 0; i < transform_count(); i++) {
        const data_transform *t = transform_at(i), *found;
        assert_ok(transform_find(&found, t->name));
        assert_ptr_equal(found, t);
        assert_true(strlen(t->summary) > 10 && strlen(t->values) > 0);
        size_t cases = 0;
        for (const transform_case *c = t->cases; c->in.height > 0; c++, cases++)
            run_case(t, c);
        assert_true(cases > 0);
    }
    const data_transform *t;
    assert_fails(ASSAY_E_INVALID, transform_find(&t, "cutout"));
    assert_null(t);
}

/* Shares are what they should be: half mirrored, every shift as often as the others. */
static void draws_are_even(void **unused) {
    (void)unused;
    const data_transform *t;
    uint8_t src[25] = {0}, dst[25];
    int mirrored = 0, shifts[25] = {0};
    assert_ok(transform_find(&t, "flip"));
    transform_plan p = {.value = {0.5}, .in = {5, 5, 1}};
    assert_ok(t->plan(&p));
    for (uint64_t k = 0; k < 4000; k++) {
        rng r = rng_at(1, RNG_TRANSFORM, 0, k);
        mirrored += t->apply(&p, &r, src, dst);
    }
    assert_in_range(mirrored, 1880, 2120);
    assert_ok(transform_find(&t, "translate"));
    p = (transform_plan){.value = {2}, .in = {5, 5, 1}};
    assert_ok(t->plan(&p));
    src[12] = 1; /* the middle: where it goes tells the shift */
    for (uint64_t k = 0; k < 5000; k++) {
        rng r = rng_at(1, RNG_TRANSFORM, 0, k);
        const uint8_t *now = t->apply(&p, &r, src, dst) ? dst : src;
        for (int i = 0; i < 25; i++)
            shifts[i] += now[i];
    }
    for (int i = 0; i < 25; i++)
        assert_in_range(shifts[i], 140, 260);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(conformance),
                                       cmocka_unit_test(draws_are_even)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
