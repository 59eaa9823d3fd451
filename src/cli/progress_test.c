/* The words of the progress line, and numbers as a person reads them. */
#include "cli/audit_folder.h"
#include "cli/screen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void words_are(const assay_progress *p, double lately, const char *want) {
    text t = {0};
    screen_progress_words(&t, p, lately);
    assert_string_equal(text_str(&t), want);
    text_free(&t);
}

static void test_words(void **state) {
    (void)state;
    assay_progress p = {.phase = "training",
                        .phase_index = 3,
                        .phase_count = 6,
                        .done = 0,
                        .total = 60000,
                        .unit = "images"};
    words_are(&p, 0, "[3/6] training  0/60,000 images");
    p.done = 2900; /* below a twentieth: nothing is promised */
    p.elapsed_ns = UINT64_C(1000000000);
    words_are(&p, 2900, "[3/6] training  2,900/60,000 images  2,900 images/s");
    p.done = 30000;
    p.elapsed_ns = UINT64_C(10000000000);
    words_are(&p, 3000,
              "[3/6] training  30,000/60,000 images  3,000 images/s  0:10-0:11 left");
    words_are(&p, 1500,
              "[3/6] training  30,000/60,000 images  3,000 images/s  0:10-0:21 left");
    words_are(&p, 1,
              "[3/6] training  30,000/60,000 images  3,000 images/s  0:10-0:38 left");
    p.done = 60000;
    words_are(&p, 3000, "[3/6] training  60,000/60,000 images  6,000 images/s");
    p = (assay_progress){.phase = "scanning", .done = 1234, .unit = "files"};
    words_are(&p, 0, "scanning  1,234 files");
    p = (assay_progress){.phase = "training",
                         .done = 2,
                         .total = 6,
                         .unit = "models",
                         .elapsed_ns = UINT64_C(40000000000)};
    words_are(&p, 0, "training  2/6 models  0.05 models/s  1:16-1:24 left");
}

static void test_numbers(void **state) {
    (void)state;
    assert_string_equal(words_count(0).s, "0");
    assert_string_equal(words_count(999).s, "999");
    assert_string_equal(words_count(1000).s, "1,000");
    assert_string_equal(words_count(UINT64_MAX).s, "18,446,744,073,709,551,615");
    assert_string_equal(words_bytes(999).s, "999 bytes");
    assert_string_equal(words_bytes(1000).s, "1.0 kB");
    assert_string_equal(words_bytes(310000000).s, "310 MB");
    assert_string_equal(words_bytes(UINT64_MAX).s, "18 EB");
    assert_string_equal(words_seconds(41.6).s, "0:42");
    assert_string_equal(words_seconds(59.9).s, "1:00");
    assert_string_equal(words_seconds(3723).s, "1:02:03");
    assert_string_equal(words_seconds(-1).s, "0:00");
    assert_string_equal(words_percent(0.92345).s, "92.34 %");
}

static void folder_is(const char *source, const char *given, const char *want) {
    text t = {0};
    audit_folder(&t, source, given);
    assert_string_equal(text_str(&t), want);
    text_free(&t);
}

static void test_folder(void **state) {
    (void)state;
    folder_is("photos", NULL, "photos.assay");
    folder_is("data/photos//", NULL, "photos.assay");
    folder_is("data/photos.beton", NULL, "photos.assay");
    folder_is(".beton", NULL, ".beton.assay");
    folder_is("/", NULL, "data.assay");
    folder_is("..", NULL, "data.assay");
    folder_is("./", NULL, "data.assay");
    folder_is("photos", "out/", "out");
    folder_is("photos", "/", "/");
}

static void test_text(void **state) {
    (void)state;
    text t = {0};
    text_shell(&t, "plain-word.txt");
    text_add(&t, " ");
    text_shell(&t, "");
    text_add(&t, " ");
    text_shell(&t, "a b'c");
    assert_string_equal(text_str(&t), "plain-word.txt '' 'a b'\\''c'");
    text_free(&t);
    text_add(&t, "x: ");
    text_fill(&t, "one two  three\nfour", 3, 11);
    assert_string_equal(text_str(&t), "x: one two\n   three\n   four");
    text_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_folder),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
