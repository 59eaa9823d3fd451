/* ONNX's tests of operators, where Debian's libonnx-testdata is installed: none may fail,
 * and what passed once goes on passing. */
#include "base/testing.h"

#include "base/json.h"

#include <assay/model.h>

static const char folder[] = "/usr/share/libonnx-testdata/data/node";
enum { TESTS = 932, PASS = 772 };

static void test_all(void **state) {
    (void)state;
    if (!os_is_dir(folder)) {
        print_message("skipped: there is no %s (libonnx-testdata)\n", folder);
        skip();
    }
    assay_ctx *ctx = test_ctx(1);
    char *json;
    json_doc *doc;
    assert_ok(assay_onnx_test(ctx, folder, &json));
    assert_ok(json_parse(&doc, ctx, json, strlen(json)));
    const json_val *root = json_root(doc);
    if (json_len(json_get(root, "failed")) > 0)
        fail_msg("%s", json);
    int64_t tests = json_get_int(json_get(root, "tests"), 0);
    int64_t passed = json_get_int(json_get(root, "passed"), 0);
    print_message("%lld of %lld passed\n", (long long)passed, (long long)tests);
    if (tests == TESTS)
        assert_true(passed >= PASS);
    json_doc_destroy(doc);
    mem_free(ctx, json);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
