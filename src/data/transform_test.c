/* Every transform of the registry: arguments, shapes, refusals, agreement with its
 * reference and with what it folds into a placement. */
#include "data/augment/placement.h"
#include "data/transform.h"

#include "base/testing.h"

enum { DRAWS = 48 };

static size_t bytes_of(const transform_shape *s) {
    return (size_t)s->height * (size_t)s->width * (size_t)s->channels;
}

/* Memory of exactly so many bytes, so that the sanitizer sees a step outside. */
static uint8_t *exactly(size_t n) {
    uint8_t *m = malloc(n > 0 ? n : 1);
    assert_non_null(m);
    return m;
}

/* The hook that cases of `user` ask for. */
static void negate(void *user,
                   const uint8_t *src,
                   uint8_t *dst,
                   int height,
                   int width,
                   int channels,
                   uint64_t random,
                   uint64_t sample,
                   uint32_t epoch) {
    (void)user;
    for (int i = 0; i < height * width * channels; i++)
        dst[i] = (uint8_t)(255 - src[i] - (random % 2) * ((sample + epoch) % 3));
}
static const assay_hook hooks[] = {{"negate", negate, NULL}};

/* Parses and plans a case; false when it is one that is refused, and was. */
static bool plan_case(assay_ctx *ctx,
                      const data_transform *t,
                      const transform_case *c,
                      transform_plan *p) {
    *p = (transform_plan){.in = c->in, .ctx = ctx, .image = c->in};
    p->hooks = hooks;
    p->n_hooks = 1;
    p->of_labels = t->stage == TRANSFORM_LABEL;
    assay_status status = transform_args_parse(p, t, c->args, strlen(c->args));
    if (status == ASSAY_OK) {
        status = t->plan(p);
        if (status != ASSAY_OK) {
            transform_args_free(p);
            if (t->unplan != NULL)
                t->unplan(p);
        }
    }
    if (c->refused) {
        if (status != ASSAY_E_INVALID && status != ASSAY_E_SHAPE &&
            status != ASSAY_E_NOTFOUND)
            fail_msg("%s(%s) on %d x %d was not refused", t->name, c->args, c->in.width,
                     c->in.height);
        assert_true(strlen(assay_last_error()->message) > 10);
        return false;
    }
    if (status != ASSAY_OK)
        fail_msg("%s(%s): %s", t->name, c->args, assay_last_error()->message);
    return true;
}

static void unplan(const data_transform *t, transform_plan *p) {
    if (t->unplan != NULL)
        t->unplan(p);
    transform_args_free(p);
}

/* Noise, bands, or one colour: histograms of every kind. */
static void paint(uint8_t *src, const transform_shape *in, uint64_t k) {
    rng r = rng_at(9, RNG_TEST, 0, k);
    size_t n = bytes_of(in), row = (size_t)in->width * (size_t)in->channels;
    for (size_t i = 0; i < n; i++)
        src[i] = k % 4 == 0   ? (uint8_t)(40 + 5 * (k % 40))
                 : k % 4 == 1 ? (uint8_t)(i / row * 17 + i % 3 * 50)
                 : k % 4 == 2 ? (uint8_t)(60 + rng_below(&r, 120))
                              : (uint8_t)rng_u32(&r);
}

static transform_sample sample_of(uint64_t k, uint8_t *scratch) {
    uint32_t epoch = (uint32_t)(k % 5);
    return (transform_sample){.r = rng_at(5, RNG_TRANSFORM, epoch, k),
                              .seed = 5,
                              .sample = k,
                              .epoch = epoch,
                              .scratch = scratch};
}

static void assert_near(const data_transform *t,
                        const transform_case *c,
                        uint64_t k,
                        const uint8_t *got,
                        const uint8_t *want,
                        size_t n) {
    for (size_t i = 0; i < n; i++)
        if (abs(got[i] - want[i]) > t->tolerance)
            fail_msg("%s(%s), image %d: byte %zu is %d, not %d", t->name, c->args, (int)k,
                     i, got[i], want[i]);
}

static void compare_fold(const data_transform *t,
                         const transform_case *c,
                         const transform_plan *p,
                         uint64_t k,
                         const uint8_t *src,
                         const uint8_t *want) {
    image_output o = {.type = OUTPUT_U8, .channels = p->in.channels};
    image_placement at = placement_whole(p->in.width, p->in.height), whole = at;
    uint8_t *scratch = exactly(p->scratch_bytes), *got = exactly(bytes_of(&p->out));
    transform_sample s = sample_of(k, scratch), before = s, applied = s;
    if (t->fold(p, &s, &at)) {
        (void)t->apply(p, &applied, src, got);
        assert_memory_equal(&s.r, &applied.r, sizeof s.r);
        output_place(&o, &at, src, got);
        if (memcmp(got, want, bytes_of(&p->out)) != 0)
            fail_msg("%s(%s), image %d: folded it differs", t->name, c->args, (int)k);
    } else {
        assert_memory_equal(&s.r, &before.r, sizeof s.r);
        assert_memory_equal(&at, &whole, sizeof at);
    }
    free(scratch);
    free(got);
}

static void run_pixels(const data_transform *t,
                       const transform_case *c,
                       const transform_plan *p,
                       bool *differs) {
    size_t in = bytes_of(&p->in), out = bytes_of(&p->out);
    uint8_t *src = exactly(in), *got = exactly(out), *want = exactly(out),
            *again = exactly(out), *scratch = exactly(p->scratch_bytes),
            *lent = exactly(p->scratch_bytes);
    for (uint64_t k = 0; k < DRAWS; k++) {
        paint(src, &p->in, k);
        memset(got, 0xee, out);
        memset(scratch, 0x55, p->scratch_bytes);
        transform_sample a = sample_of(k, scratch), b = sample_of(k, lent);
        bool wrote = t->apply(p, &a, src, got);
        t->reference(p, &b, src, want);
        if (!wrote) {
            assert_int_equal(in, out);
            memcpy(got, src, out);
        }
        assert_near(t, c, k, got, want, out);
        assert_memory_equal(&a.r, &b.r, sizeof a.r); /* the same draws were used */
        *differs |= in != out || memcmp(src, want, out) != 0;
        memset(scratch, 0xaa, p->scratch_bytes); /* nothing is carried over in it */
        transform_sample twice = sample_of(k, scratch);
        assert_int_equal(t->apply(p, &twice, src, again), wrote);
        if (wrote)
            assert_memory_equal(again, got, out);
        if (t->fold != NULL)
            compare_fold(t, c, p, k, src, got);
    }
    free(src);
    free(got);
    free(want);
    free(again);
    free(scratch);
    free(lent);
}

static void run_window(const data_transform *t, const transform_plan *p) {
    static const int sizes[][2] = {{500, 375}, {375, 500}, {32, 32},
                                   {1, 1},     {7, 900},   {900, 7}};
    bool given = p->in.height > 0;
    for (uint64_t k = 0; k < 600; k++) {
        int w = given ? p->in.width : sizes[k % 6][0];
        int h = given ? p->in.height : sizes[k % 6][1];
        transform_sample a = sample_of(k, NULL), b = a;
        image_box box, again;
        t->window(p, &a, w, h, &box);
        t->window(p, &b, w, h, &again);
        assert_memory_equal(&box, &again, sizeof box);
        assert_memory_equal(&a.r, &b.r, sizeof a.r);
        assert_true(box.width >= 1 && box.height >= 1 && box.x >= 0 && box.y >= 0);
        assert_true(box.x + box.width <= w && box.y + box.height <= h);
    }
    assert_true(t->filter(p) < RESAMPLE_FILTERS);
}

static void run_case(assay_ctx *ctx,
                     const data_transform *t,
                     const transform_case *c,
                     bool *differs) {
    transform_plan p;
    if (!plan_case(ctx, t, c, &p))
        return;
    if (t->stage != TRANSFORM_LABEL)
        assert_memory_equal(&p.out, &c->out, sizeof p.out);
    if (t->stage == TRANSFORM_PIXELS)
        run_pixels(t, c, &p, differs);
    else if (t->stage == TRANSFORM_WINDOW)
        run_window(t, &p);
    unplan(t, &p);
}

static void check_args(const data_transform *t) {
    size_t values = 0, n = 0;
    for (const transform_arg *a = t->args; a->name != NULL; a++, n++) {
        values += a->choices != NULL ? 1 : (size_t)a->count;
        assert_true(a->choices != NULL || a->count == 0 || a->least < a->most);
        for (int i = 0; i < a->count && a->choices == NULL && !a->needed; i++)
            assert_true(a->initial[i] >= a->least && a->initial[i] <= a->most);
    }
    assert_true(n <= TRANSFORM_ARGS && values <= TRANSFORM_VALUES);
}

static void check_functions(const data_transform *t) {
    assert_non_null(t->plan);
    switch (t->stage) {
    case TRANSFORM_WINDOW:
        assert_true(t->window && t->filter);
        return;
    case TRANSFORM_PIXELS:
        assert_true(t->apply && t->reference);
        assert_true(t->fold == NULL || t->tolerance == 0);
        return;
    case TRANSFORM_OUTPUT:
        assert_non_null(t->output);
        return;
    case TRANSFORM_BATCH:
        assert_non_null(t->mix);
        return;
    case TRANSFORM_LABEL:
        assert_true(t->integer != NULL || (t->spread != NULL && t->label_width != NULL));
        return;
    }
    fail_msg("%s stands nowhere", t->name);
}

static void conformance(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    assert_int_equal(assay_transform_count(), transform_count());
    for (size_t i = 0; i < transform_count(); i++) {
        const data_transform *t = transform_at(i), *found;
        assert_ok(transform_find(&found, t->name));
        assert_ptr_equal(found, t);
        assert_string_equal(assay_transform_name(i), t->name);
        assert_string_equal(assay_transform_summary(i), t->summary);
        assert_true(strlen(t->summary) > 10 && strlen(t->details) > 10);
        check_args(t);
        check_functions(t);
        size_t cases = 0, refused = 0;
        bool differs = false;
        for (const transform_case *c = t->cases; c->args != NULL; c++, cases++) {
            refused += c->refused;
            run_case(ctx, t, c, &differs);
        }
        assert_true(cases > refused);
        if (t->stage == TRANSFORM_PIXELS && !differs)
            fail_msg("%s changed nothing in any case", t->name);
    }
    assert_null(transform_at(transform_count()));
    assert_null(assay_transform_name(transform_count()));
    assay_ctx_destroy(ctx);
}

static void names(void **unused) {
    (void)unused;
    const data_transform *t;
    assert_fails(ASSAY_E_INVALID, transform_find(&t, "translat"));
    assert_null(t);
    assert_string_equal(assay_last_error()->help, "did you mean 'translate'?");
    assert_fails(ASSAY_E_INVALID, transform_find(&t, "zzzzzzzzzz"));
    assert_non_null(strstr(assay_last_error()->help, "there are: "));
}

static const char *const words[] = {"one", "two", NULL};
static const transform_arg test_args[] = {
    {.name = "size", .count = 2, .least = 1, .most = 100, .whole = true, .needed = true},
    {.name = "scale", .count = 2, .initial = {0.25, 1}, .least = 0, .most = 1},
    {.name = "word", .choices = words, .initial = {1}},
    {.name = "rows"},
    {.name = "p", .count = 1, .initial = {0.5}, .least = 0, .most = 1},
    {.name = NULL},
};
static const data_transform test_transform = {.name = "made", .args = test_args};

static void args_are_read(void **unused) {
    (void)unused;
    static const struct {
        const char *text;
        double value[6];
        const char *rows;
    } good[] = {
        {"7", {7, 7, .25, 1, 1, .5}, NULL},
        {" 7:9 , 0.5 , one ", {7, 9, .5, .5, 0, .5}, NULL},
        {"size=8:1,scale = 0:1e-1,p=1", {8, 1, 0, .1, 1, 1}, NULL},
        {"3, rows=1,5,10:20, p=0", {3, 3, .25, 1, 1, 0}, "1,5,10:20"},
        {"3, rows=\"a,=b.txt\"", {3, 3, .25, 1, 1, .5}, "a,=b.txt"},
        {"3, 1, two, a/b.txt, 1", {3, 3, 1, 1, 1, 1}, "a/b.txt"},
    };
    static const char *const bad[] = {
        "",
        "p=1",
        "0",
        "101",
        "1.5",
        "1:2:3",
        "1:",
        ":1",
        "x",
        "nan",
        "0x10",
        "1,,2",
        "1, size=2",
        "1, colour=2",
        "1, word=three",
        "1, p=2",
        "1, p=",
        "1, p=0.5, 7",
        "1,1,one,a,1,1",
        "1, 1 2",
    };
    assay_ctx *ctx = test_ctx(1);
    transform_plan p = {.ctx = ctx};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_ok(transform_args_parse(&p, &test_transform, good[i].text,
                                       strlen(good[i].text)));
        assert_memory_equal(p.value, good[i].value, sizeof good[i].value);
        if (good[i].rows != NULL)
            assert_string_equal(p.text[3], good[i].rows);
        else
            assert_null(p.text[3]);
        assert_int_equal(p.given & 1, 1);
        assert_ok(transform_values_check(&p, &test_transform));
        transform_args_free(&p);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (transform_args_parse(&p, &test_transform, bad[i], strlen(bad[i])) !=
            ASSAY_E_INVALID)
            fail_msg("'%s' was not refused", bad[i]);
    assert_fails(ASSAY_E_INVALID,
                 transform_args_parse(&p, &test_transform, "1, sise=2", 9));
    assert_string_equal(assay_last_error()->help, "did you mean 'size'?");
    /* only the bytes given are read */
    assert_ok(transform_args_parse(&p, &test_transform, "12345", 2));
    assert_true(p.value[0] == 12);
    p.value[4] = 2;
    assert_fails(ASSAY_E_INVALID, transform_values_check(&p, &test_transform));
    transform_args_free(&p);
    assay_ctx_destroy(ctx);
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
        transform_sample s = {.r = rng_at(1, RNG_TRANSFORM, 0, k)};
        mirrored += t->apply(&p, &s, src, dst);
    }
    assert_in_range(mirrored, 1880, 2120);
    assert_ok(transform_find(&t, "translate"));
    p = (transform_plan){.value = {2}, .in = {5, 5, 1}};
    assert_ok(t->plan(&p));
    src[12] = 1; /* the middle: where it goes tells the shift */
    for (uint64_t k = 0; k < 5000; k++) {
        transform_sample s = {.r = rng_at(1, RNG_TRANSFORM, 0, k)};
        const uint8_t *now = t->apply(&p, &s, src, dst) ? dst : src;
        for (int i = 0; i < 25; i++)
            shifts[i] += now[i];
    }
    for (int i = 0; i < 25; i++)
        assert_in_range(shifts[i], 140, 260);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conformance), cmocka_unit_test(names),
        cmocka_unit_test(args_are_read), cmocka_unit_test(draws_are_even)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
