/* docs/transforms.md is what the registry says: a table built here, compared with the
 * page byte for byte. ASSAY_WRITE_DOCS=1 writes the page instead. */
#include "data/transform.h"

#include "base/buf.h"
#include "base/testing.h"

static const char page[] = ASSAY_SOURCE_DIR "/docs/transforms.md";

static const char head[] =
    "# Transforms\n"
    "\n"
    "What a pipeline's steps are called, what they take and what they do. A step is a "
    "name "
    "with arguments\nin parentheses, by place or by name: `random_resized_crop(224, "
    "scale=0.25:1)`. Several numbers are\njoined by `:`, and one number stands for all; "
    "a "
    "list of rows goes on behind its commas\n(`rows=1,5,10:20`); quotes keep a comma in "
    "a "
    "file's name. docs/loading.md has the pipeline's grammar.\n"
    "\n"
    "What a transform does to a sample depends on the seed, the epoch, the sample's "
    "number "
    "and the step's\nplace in the pipeline, and on nothing else: neither on threads nor "
    "on "
    "other samples. What mixes a batch\ndepends on the seed, the epoch and the batch's "
    "place. Steps on pixels work on bytes; each is tested\nagainst a reference in plain "
    "words, and the column *off by* says by how many levels it may differ from\nit. "
    "*Folds* "
    "means that the step costs no pass of its own.\n"
    "\n"
    "This page is generated: `ASSAY_WRITE_DOCS=1 "
    "build/dev/tests/data_augment_transform_doc_test` "
    "writes it from\n`src/data/transforms`, and a test compares.\n";

static const struct {
    transform_stage stage;
    const char *title, *text;
} sections[] = {
    {TRANSFORM_WINDOW, "Windows",
     "A box of the picture becomes an image of a fixed size. The first step of a "
     "pipeline "
     "of images, or\nnone where all pictures are of one size. Only the box is decoded. "
     "Filters: `area` is exact box\ncoverage (OpenCV's INTER_AREA), `triangle` and "
     "`cubic` "
     "are Pillow's antialiased bilinear and bicubic,\n`bilinear` and `nearest` take "
     "single "
     "samples (OpenCV)."},
    {TRANSFORM_PIXELS, "Pixels", "Bytes to bytes, of the same shape."},
    {TRANSFORM_OUTPUT, "Output",
     "How images are stored in the batch; behind all steps on pixels. Bytes, height x "
     "width x channels, when\nnothing is said."},
    {TRANSFORM_BATCH, "Batch",
     "Mixes the finished images of a batch, and in the pipeline of the label the labels "
     "alike: a step of the\nsame name and arguments, at the same place among the batch "
     "steps of its pipeline."},
    {TRANSFORM_LABEL, "Labels", "Steps of an integer field."},
};

static void put_number(buf *b, double v) {
    buf_fmt(b, "%.7g", v);
}

static void put_argument(buf *b, const transform_arg *a, bool first) {
    buf_fmt(b, "%s`%s`", first ? "" : "<br>", a->name);
    if (a->choices != NULL) {
        for (int i = 0; a->choices[i] != NULL; i++)
            buf_fmt(b, "%s%s%s%s", i == 0 ? ": " : ", ",
                    i == (int)a->initial[0] ? "**" : "", a->choices[i],
                    i == (int)a->initial[0] ? "**" : "");
        return;
    }
    if (a->count == 0) {
        buf_str(b, a->needed ? ": text, needed" : ": text");
        return;
    }
    buf_str(b, ": ");
    put_number(b, a->least);
    buf_str(b, " to ");
    put_number(b, a->most);
    if (a->count > 1)
        buf_fmt(b, ", %d of them", a->count);
    if (a->whole)
        buf_str(b, ", whole");
    if (a->needed) {
        buf_str(b, ", needed");
        return;
    }
    bool same = true;
    for (int i = 1; i < a->count; i++)
        same &= a->initial[i] == a->initial[0];
    buf_str(b, "; **");
    for (int i = 0; i < (same ? 1 : a->count); i++) {
        buf_str(b, i > 0 ? ":" : "");
        put_number(b, a->initial[i]);
    }
    buf_str(b, "**");
}

static void put_row(buf *b, const data_transform *t) {
    buf_fmt(b, "| `%s` | ", t->name);
    for (const transform_arg *a = t->args; a->name != NULL; a++)
        put_argument(b, a, a == t->args);
    buf_fmt(b, " | %c%s. %s |", t->summary[0] - 'a' + 'A', t->summary + 1, t->details);
    if (t->stage == TRANSFORM_PIXELS)
        buf_fmt(b, " %d | %s |", t->tolerance,
                t->fold == NULL     ? ""
                : t->unplan != NULL ? "other rows"
                                    : "yes");
    buf_str(b, "\n");
}

static void build(buf *b) {
    buf_str(b, head);
    for (size_t k = 0; k < sizeof sections / sizeof sections[0]; k++) {
        bool pixels = sections[k].stage == TRANSFORM_PIXELS;
        buf_fmt(b, "\n## %s\n\n%s\n\n", sections[k].title, sections[k].text);
        buf_fmt(
            b,
            "| name | arguments (**default**) | what it does, and what it equals |%s\n",
            pixels ? " off by | folds |" : "");
        buf_fmt(b, "|---|---|---|%s\n", pixels ? "---|---|" : "");
        for (size_t i = 0; i < transform_count(); i++)
            if (transform_at(i)->stage == sections[k].stage)
                put_row(b, transform_at(i));
    }
}

static void page_is_true(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    buf b = buf_make(ctx);
    build(&b);
    assert_ok(buf_check(&b));
    const char *write = getenv("ASSAY_WRITE_DOCS");
    if (write != NULL && strcmp(write, "1") == 0)
        test_put(page, b.data, b.len);
    size_t bytes;
    uint8_t *text = test_get(ctx, page, &bytes);
    if (bytes != b.len || memcmp(text, b.data, bytes) != 0)
        fail_msg("docs/transforms.md is not what the registry says; ASSAY_WRITE_DOCS=1 "
                 "data_augment_transform_doc_test writes it");
    mem_free(ctx, text);
    buf_free(&b);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(page_is_true)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
