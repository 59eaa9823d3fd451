/* The public functions over a real dataset: names and pictures come from the .beton,
 * planted rows and unreadable files have neither. */
#include "report/testing.h"

#include "base/json.h"

enum { PER_CLASS = 30, SIDE = 40 };

static const char *const CLASS[] = {"<script>a & b", "it's \"quoted\""};

static void put_picture(assay_ctx *ctx, const char *path, uint32_t seed) {
    image im = image_make(ctx);
    buf png = buf_make(ctx);
    assert_ok(image_resize_storage(&im, SIDE, SIDE));
    sample_draw(im.rgb, seed, (int)(seed % 6), SIDE, 3);
    assert_ok(image_encode_png(&png, &im));
    test_put(path, png.data, png.len);
    buf_free(&png);
    image_free(&im);
}

static dataset *make_dataset(assay_ctx *ctx, const test_scratch *dir) {
    dataset *d = NULL;
    test_path beton = test_in(dir, "data.beton");
    char path[700];
    for (uint32_t c = 0; c < 2; c++) {
        (void)snprintf(path, sizeof path, "%s/src/%s", dir->folder, CLASS[c]);
        assert_ok(os_mkdirs(path));
        for (uint32_t i = 0; i < PER_CLASS; i++) {
            (void)snprintf(path, sizeof path, "%s/src/%s/<img onerror='%u'>.png",
                           dir->folder, CLASS[c], (unsigned)i);
            put_picture(ctx, path, c * PER_CLASS + i);
        }
    }
    (void)snprintf(path, sizeof path, "%s/src/%s/cut, short.png", dir->folder, CLASS[0]);
    test_put(path, "\x89PNG\r\n\x1a\n", 8);
    assay_pack_options o = ASSAY_PACK_OPTIONS_INIT;
    o.skip_corrupt = 1;
    (void)snprintf(path, sizeof path, "%s/src", dir->folder);
    assert_ok(assay_pack(ctx, path, beton.text, &o, NULL));
    assert_ok(dataset_open(&d, ctx, beton.text));
    assert_int_equal(dataset_rows(d), 2 * PER_CLASS);
    assert_int_equal(dataset_skipped(d), 1);
    return d;
}

static void a_dataset_brings_names_and_pictures(void **state) {
    (void)state;
    enum { PLANTED = 4 };
    assay_ctx *ctx = test_ctx(2);
    test_scratch dir = test_scratch_begin();
    dataset *d = make_dataset(ctx, &dir);
    uint32_t train = (uint32_t)dataset_train_rows(d);
    uint32_t tests = (uint32_t)dataset_rows(d) - train + PLANTED;
    report_sample *s = report_sample_create(ctx, train, tests, 2, 8, 3);
    struct assay_audit *a = &s->a;
    a->data = d;
    a->planted_rows = PLANTED;
    for (size_t i = 0; i < a->findings.count; i++) /* of the made-up two, one is real */
        if (a->findings.item[i].kind == DETECT_CORRUPT && a->findings.item[i].other == 1)
            a->findings.count = i;

    assay_report_options o = ASSAY_REPORT_OPTIONS_INIT;
    assert_ok(assay_audit_report(ctx, a, dir.folder, &o));
    size_t n;
    char *text = (char *)test_get(ctx, test_in(&dir, "issues.csv").text, &n);
    assert_non_null(strstr(text, ",corrupt,1,,,\"<script>a & b/cut, short.png\"\n"));
    assert_non_null(strstr(text, "/<img onerror='"));
    mem_free(ctx, text);
    text = (char *)test_get(ctx, test_in(&dir, "audit.html").text, &n);
    assert_non_null(strstr(text, "--r:40/40;")); /* the stored size, not the audit's 8 */
    assert_non_null(strstr(text, "&lt;img onerror=&#39;"));
    assert_non_null(strstr(text, "it&#39;s &quot;quoted&quot;"));
    assert_null(strstr(text, "<img"));
    mem_free(ctx, text);

    char *json = NULL, *answer = NULL;
    json_doc *doc = NULL;
    assert_ok(assay_audit_json(ctx, a, &json));
    assert_ok(json_parse(&doc, ctx, json, strlen(json)));
    const json_val *first = json_at(json_get(json_root(doc), "classes"), 0);
    assert_string_equal(json_get_str(json_get(first, "name"), ""),
                        dataset_class_name(d, 0));
    assert_int_equal(
        json_get_int(json_get(json_get(json_root(doc), "dataset"), "rows"), 0),
        2 * PER_CLASS);
    json_doc_destroy(doc);
    assay_string_free(ctx, json);
    assert_ok(assay_audit_answer(ctx, a, &answer));
    assert_non_null(strstr(answer, "1 file could not be read."));
    assay_string_free(ctx, answer);

    o.struct_size = sizeof o + 8;
    struct {
        assay_report_options known;
        uint64_t unknown;
    } newer = {.known = o, .unknown = 1};
    assert_fails(ASSAY_E_INVALID, assay_audit_report(ctx, a, dir.folder, &newer.known));

    report_sample_destroy(s);
    dataset_close(d);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dataset_brings_names_and_pictures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
