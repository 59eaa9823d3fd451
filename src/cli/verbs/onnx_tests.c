/* assay onnx-test: ONNX's own tests of operators. */
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/screen.h"

#include <assay/data.h>
#include <assay/model.h>

#include <string.h>

static const cli_option options[] = {
    CLI_OPTION_RESULT, CLI_OPTION_FORCE, {.type = CLI_NONE}};

static void tell(text *out, json_view doc) {
    json_view failed = json_member(doc, "failed"), next = {NULL, NULL};
    text key = {0};
    while (json_next(failed, &next, NULL)) {
        text_add(out, "failed: ");
        json_words(out, json_member(next, "test"));
        text_add(out, ": ");
        json_words(out, json_member(next, "why"));
        text_add(out, "\n");
    }
    next = (json_view){NULL, NULL};
    uint64_t tests = json_whole(json_member(doc, "tests"), 0);
    uint64_t passed = json_whole(json_member(doc, "passed"), 0);
    uint64_t wrong = json_count(failed);
    text_add(out, "not supported:");
    while (json_next(json_member(doc, "unsupported"), &next, &key)) {
        text_add(out, " %s %s", text_str(&key), words_count(json_whole(next, 0)).s);
        text_free(&key);
        key = (text){0};
    }
    text_add(out, "\n%s tests: %s passed, %s not supported, %s failed\n",
             words_count(tests).s, words_count(passed).s,
             words_count(tests - passed - wrong).s, words_count(wrong).s);
    text_free(&key);
}

static assay_status run(cli_run *run) {
    char *json = NULL;
    assay_status status = assay_onnx_test(run->ctx, run->args.positional[0], &json);
    if (status != ASSAY_OK)
        return status;
    if (run->json)
        text_put(&run->result, json, strlen(json));
    else
        tell(&run->result, json_look(json));
    assay_string_free(run->ctx, json);
    return status;
}

const assay_verb assay_verb_onnx_tests = {
    .name = "onnx-test",
    .group = CLI_MODEL,
    .summary = "Run ONNX's own tests of operators",
    .description =
        "Runs every test of a folder in ONNX's official layout: test_*/model.onnx with "
        "test_data_set_N/input_i.pb and output_i.pb. A test whose model is refused "
        "counts as not supported, under the operator that is the reason; one that runs "
        "must give the outputs of the file (relative 1e-3, absolute 1e-7, whole numbers "
        "exactly).\n\n"
        "Sizes and axes that an operator takes as an input are read from the test's data "
        "before the model is planned, since shapes are fixed then.",
    .options = options,
    .positionals = {{"DIR", "a folder of tests", false}},
    .examples = {{"assay onnx-test /usr/share/libonnx-testdata/data/node",
                  "the tests that Debian's libonnx-testdata brings"}},
    .result_to_file = true,
    .run = run,
};
