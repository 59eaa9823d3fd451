/* assay attribute: the training rows that help and harm predictions on test rows. */
#include "cli/cli.h"
#include "cli/json.h"

#include <assay/attribute.h>
#include <assay/data.h>
#include <assay/report.h>

static const cli_option options[] = {
    {.name = "method",
     .type = CLI_CHOICE,
     .choices = "ekfac|trak|kernel|replay|grad-dot|grad-cos|tracin|repsim",
     .initial = "ekfac",
     .help = "how rows are scored"},
    {.name = "model",
     .type = CLI_TEXT,
     .value = "NAME",
     .initial = "mlp",
     .help = "a model of the zoo"},
    {.name = "checkpoint",
     .type = CLI_LIST,
     .value = "PATH",
     .help = "a run's folder or a .safetensors, instead of training",
     .more = "What 'assay train' left; of a folder all its members. Several make an "
             "ensemble. Methods that want to train again (replay) refuse."},
    {.name = "models",
     .type = CLI_INT,
     .value = "M",
     .initial = "5",
     .low = 1,
     .high = 1000,
     .help = "models that scores are averaged over"},
    {.name = "centre",
     .type = CLI_CHOICE,
     .choices = "matched|full",
     .initial = "matched",
     .help = "how long they train",
     .more =
         "matched: for as many steps as models on random halves of the rows would, for "
         "which scores foretell best. full: for all epochs."},
    {.name = "rows",
     .type = CLI_INT,
     .value = "N",
     .initial = "0",
     .shown = "all",
     .low = 0,
     .high = 4294967295.0,
     .help = "the first N training rows"},
    {.name = "targets",
     .type = CLI_INT,
     .value = "N",
     .initial = "20",
     .low = 1,
     .high = 4294967295.0,
     .help = "the first N test rows"},
    {.name = "top",
     .type = CLI_INT,
     .value = "K",
     .initial = "10",
     .low = 1,
     .high = 1000,
     .help = "rows named for each target, of either sign"},
    {.name = "epochs",
     .type = CLI_INT,
     .value = "N",
     .initial = "15",
     .low = 1,
     .high = 100000,
     .help = "passes over the rows"},
    {.name = "batch",
     .type = CLI_INT,
     .value = "N",
     .initial = "50",
     .low = 1,
     .high = 65536,
     .help = "rows in a step"},
    {.name = "lr",
     .type = CLI_DOUBLE,
     .value = "X",
     .initial = "0.02",
     .low = 1e-9,
     .high = 1e3,
     .help = "peak of the learning rate"},
    {.name = "dim",
     .type = CLI_INT,
     .value = "D",
     .initial = "4096",
     .low = 1,
     .high = 1048576,
     .help = "of trak's projection"},
    {.name = "keep",
     .type = CLI_TEXT,
     .value = "DIR",
     .no_trace = true,
     .help = "keep trak's features there, and stream from them",
     .more = "Memory then does not grow with rows and targets, and what is there need "
             "not be made again, as after a kill."},
    {.name = "scores",
     .type = CLI_TEXT,
     .value = "FILE",
     .help = "write all scores there, .npy [rows, targets]"},
    {.name = "csv",
     .type = CLI_TEXT,
     .value = "FILE",
     .help = "write what is named there, as a table"},
    {.name = "page",
     .type = CLI_TEXT,
     .value = "FILE",
     .help = "write a page that shows them, HTML"},
    CLI_OPTION_SEED,
    CLI_OPTION_RESULT,
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

static void tell_rows(text *t, const char *title, json_view rows) {
    json_view next = {0};
    text_add(t, "  %s", title);
    while (json_next(rows, &next, NULL)) {
        text class = {0};
        json_words(&class, json_member(next, "class"));
        text_add(t, "  %.0f (%s, %+.3g)", json_number(json_member(next, "row"), 0),
                 class.data ? class.data : "",
                 json_number(json_member(next, "score"), 0));
        text_free(&class);
    }
    text_add(t, "\n");
}

static void tell(text *t, const char *json) {
    json_view next = {0}, targets = json_member(json_look(json), "targets");
    while (json_next(targets, &next, NULL)) {
        text id = {0}, class = {0};
        json_words(&id, json_member(next, "id"));
        json_words(&class, json_member(next, "class"));
        text_add(t, "%s, %s, margin %.2f\n", id.data ? id.data : "",
                 class.data ? class.data : "",
                 json_number(json_member(next, "margin"), 0));
        tell_rows(t, "helpful:", json_member(next, "helpful"));
        tell_rows(t, "harmful:", json_member(next, "harmful"));
        text_free(&id);
        text_free(&class);
    }
}

static assay_status run(cli_run *run) {
    const cli_args *a = &run->args;
    assay_attribute_options o = ASSAY_ATTRIBUTE_OPTIONS_INIT;
    char *json = NULL;
    o.method = cli_text(a, "method");
    o.model = cli_text(a, "model");
    o.models = (int)cli_int(a, "models");
    o.centre = cli_text(a, "centre");
    o.rows = cli_int(a, "rows");
    o.targets = cli_int(a, "targets");
    o.top = (int)cli_int(a, "top");
    o.epochs = (int)cli_int(a, "epochs");
    o.batch = (int)cli_int(a, "batch");
    o.rate = cli_real(a, "lr");
    o.checkpoints = cli_list(a, "checkpoint");
    o.dim = (int)cli_int(a, "dim");
    o.keep = cli_text(a, "keep");
    o.scores = cli_text(a, "scores");
    o.csv = cli_text(a, "csv");
    o.seed = (uint64_t)cli_int(a, "seed");
    assay_status status = assay_attribute(run->ctx, a->positional[0], &o, &json);
    if (status == ASSAY_OK && cli_text(a, "page"))
        status =
            assay_attribution_page(run->ctx, a->positional[0], json, cli_text(a, "page"));
    return cli_answer(run, status, json, tell);
}

const assay_verb assay_verb_attribute = {
    .name = "attribute",
    .group = CLI_TRACE,
    .summary = "Name the training rows behind predictions on test rows",
    .description =
        "Trains small models on the training rows, scores every row for every target by "
        "one method, and names the rows that raise (helpful) and lower (harmful) the "
        "target's margin most. 'assay lds' measures how far such scores can be believed.",
    .options = options,
    .positionals = {{"DATA", "a .beton file, or anything that 'assay pack' reads",
                     false}},
    .examples = {{"assay attribute fashion-mnist/ --rows 2000 --targets 5",
                  "five test rows"},
                 {"assay attribute photos.beton --method trak --scores scores.npy --json",
                  "all scores, for a program"}},
    .result_to_file = true,
    .run = run,
};
