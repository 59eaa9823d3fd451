/* assay score: TRAK over features that other programs made. */
#include "cli/attribution.h"
#include "cli/json.h"

#include <assay/attribute.h>

#include <string.h>

static const cli_option options[] = {
    {.name = "features",
     .type = CLI_LIST,
     .value = "FILE",
     .help = "a model's gradients of the rows, .npy [rows, dim]",
     .more = "f16, f32 or f64; projected, or not if there are few. One file for each "
             "model, and --targets in the same order."},
    {.name = "targets",
     .type = CLI_LIST,
     .value = "FILE",
     .help = "its gradients of the targets, .npy [targets, dim]"},
    {.name = "weights",
     .type = CLI_LIST,
     .value = "FILE",
     .help = "its 1 - p of the rows, .npy [rows]",
     .more = "What turns the margin's derivative into the loss's. Without it rows weigh "
             "the same."},
    {.name = "traker",
     .type = CLI_TEXT,
     .value = "DIR",
     .help = "instead: the save_dir of a TRAKer"},
    {.name = "experiment",
     .type = CLI_TEXT,
     .value = "NAME",
     .help = "and the name its targets were scored under"},
    {.name = "ridge",
     .type = CLI_DOUBLE,
     .value = "X",
     .initial = "1",
     .low = 0,
     .high = 1e300,
     .help = "over the kernel's mean diagonal"},
    {.name = "compat",
     .type = CLI_CHOICE,
     .choices = "none|traker",
     .initial = "none",
     .help = "scores as TRAK's authors' code has them",
     .more = "The ridge is absolute, and 0 unless given; each model's inverse goes over "
             "the mean size of its elements."},
    {.name = "unweighed", .type = CLI_FLAG, .help = "leave the weights out"},
    CLI_OPTION_TOP,
    CLI_OPTION_SCORES,
    CLI_OPTION_CSV,
    {.name = "memory",
     .type = CLI_SIZE,
     .value = "SIZE",
     .initial = "512M",
     .low = 1048576,
     .high = 1099511627776,
     .rare = true,
     .no_trace = true,
     .help = "for targets at a time",
     .more = "More targets go through in blocks, each of which costs the kernels again."},
    CLI_OPTION_RESULT,
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

static void tell_rows(text *t, const char *title, json_view rows) {
    json_view next = {0};
    text_add(t, "  %s", title);
    while (json_next(rows, &next, NULL))
        text_add(t, "  %.0f (%+.3g)", json_number(json_member(next, "row"), 0),
                 json_number(json_member(next, "score"), 0));
    text_add(t, "\n");
}

static void tell(text *t, const char *json) {
    json_view next = {0}, targets = json_member(json_look(json), "targets");
    while (json_next(targets, &next, NULL)) {
        text_add(t, "target %.0f\n", json_number(json_member(next, "target"), 0));
        tell_rows(t, "helpful:", json_member(next, "helpful"));
        tell_rows(t, "harmful:", json_member(next, "harmful"));
    }
}

static assay_status run(cli_run *run) {
    const cli_args *a = &run->args;
    assay_score_options o = ASSAY_SCORE_OPTIONS_INIT;
    char *json = NULL;
    o.features = cli_list(a, "features");
    o.targets = cli_list(a, "targets");
    o.weights = cli_list(a, "weights");
    o.traker = cli_text(a, "traker");
    o.experiment = cli_text(a, "experiment");
    o.ridge = cli_real(a, "ridge");
    if (strcmp(cli_text(a, "compat"), "none") != 0) {
        o.compat = cli_text(a, "compat");
        o.ridge = cli_typed(a, "ridge") ? o.ridge : 0;
    }
    o.unweighed = cli_on(a, "unweighed");
    o.top = (int)cli_int(a, "top");
    o.scores = cli_text(a, "scores");
    o.csv = cli_text(a, "csv");
    o.memory = (uint64_t)cli_int(a, "memory");
    assay_status status = assay_score(run->ctx, &o, &json);
    return cli_answer(run, status, json, tell);
}

const assay_verb assay_verb_score = {
    .name = "score",
    .group = CLI_TRACE,
    .summary = "Score rows by gradients that another program made",
    .description =
        "TRAK over features from elsewhere, such as projected gradients computed in "
        "PyTorch on a GPU: arrays of rows and targets for one or several models, or the "
        "save_dir of a TRAKer as it lies on disk, in half precision or not. Rows stream "
        "by; all scores are written only if asked for.",
    .options = options,
    .examples = {{"assay score --features rows.npy --targets tests.npy --weights q.npy",
                  "one model"},
                 {"assay score --traker trak_results --experiment test --scores tau.npy",
                  "what a TRAKer left"}},
    .result_to_file = true,
    .run = run,
};
