/* assay eval: how well a model does on a dataset. */
#include "cli/cli.h"
#include "cli/json.h"

#include <assay/train.h>

static const cli_option options[] = {{.name = "split",
                                      .type = CLI_CHOICE,
                                      .choices = "test|train|all",
                                      .initial = "test",
                                      .help = "the rows to test on"},
                                     {.name = "tta",
                                      .type = CLI_CHOICE,
                                      .choices = "auto|none|mirror|mirror-shift",
                                      .initial = "auto",
                                      .help = "views of an image to average over",
                                      .more = "The image, also its mirror, and both also "
                                              "shifted by a pixel. Automatic: as the "
                                              "model's recipe has it."},
                                     CLI_OPTION_RESULT,
                                     CLI_OPTION_FORCE,
                                     {.type = CLI_NONE}};

static assay_status run(cli_run *run) {
    const cli_args *args = &run->args;
    const char *model = args->positional[0], *split = cli_text(args, "split");
    assay_eval_result r;
    assay_eval_options o = ASSAY_EVAL_OPTIONS_INIT;
    o.split = split;
    o.tta = cli_text(args, "tta");
    assay_status status = assay_eval_with(run->ctx, model, args->positional[1], &o, &r);
    if (status != ASSAY_OK)
        return status;
    text *t = &run->result;
    if (run->json) {
        json_open(t, NULL);
        json_string(t, "schema", "assay.eval/1");
        json_string(t, "model", model);
        json_string(t, "split", r.whole ? "all" : split);
        json_real(t, "accuracy", r.accuracy);
        json_real(t, "loss", r.loss);
        json_uint(t, "rows", r.rows);
        if (r.tokens) {
            json_uint(t, "tokens", r.tokens);
            json_real(t, "bits_per_byte", r.bits_per_byte);
        }
        json_uint(t, "members", (uint64_t)r.members);
        json_close(t);
        text_add(t, "\n");
    } else if (r.tokens) {
        text_add(t, "loss %.4f per token (%.4f bits per byte), %s of %s right (%s)\n",
                 r.loss, r.bits_per_byte, words_percent(r.accuracy).s,
                 words_count(r.tokens).s, split);
    } else {
        text_add(t, "accuracy %s on %s rows (%s), loss %.4f", words_percent(r.accuracy).s,
                 words_count(r.rows).s, r.whole ? "all" : split, r.loss);
        if (r.members > 1)
            text_add(t, "; %d members averaged", r.members);
        text_add(t, "\n");
    }
    return ASSAY_OK;
}

const assay_verb assay_verb_eval = {
    .name = "eval",
    .group = CLI_MODEL,
    .summary = "Test a model on a dataset",
    .description =
        "Runs a model over the rows of a split and tells accuracy and mean "
        "cross-entropy. Of a run with members the predictions are averaged. Size, "
        "channels and normalisation come from the model.\n\n"
        "A model of text is tested on a text, each token from those before it: \"test\" "
        "is the "
        "part that training would hold out of that text, \"train\" the rest. A model of "
        "sentences is tested on a table of them: all of it, unless it is the one that "
        "the model was trained on.",
    .options = options,
    .positionals = {{"MODEL", "a .safetensors model of assay's, or a run's folder",
                     false},
                    {"DATA", "a .beton file, anything that 'assay pack' reads, or a text",
                     false}},
    .examples = {{"assay eval run/ photos.beton", "on the test rows"},
                 {"assay eval run/model.safetensors photos.beton --split train --json",
                  "on the training rows, for a program"}},
    .result_to_file = true,
    .run = run,
};
