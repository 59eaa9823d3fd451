/* assay datamodels: a target's margin as a linear function of which rows are trained on.
 */
#include "cli/attribution.h"
#include "cli/json.h"

#include <assay/attribute.h>
#include <assay/report.h>

static const cli_option options[] = {
    {.name = "models",
     .type = CLI_INT,
     .value = "M",
     .initial = "1000",
     .low = 20,
     .high = 10000000,
     .help = "models to fit, each on its own random subset",
     .more = "A tenth of them chooses the penalty; then all are fitted."},
    {.name = "share",
     .type = CLI_DOUBLE,
     .value = "X",
     .initial = "0.5",
     .low = 0.001,
     .high = 0.999,
     .help = "of the rows that each is trained on"},
    {.name = "fit",
     .type = CLI_CHOICE,
     .choices = "ridge|lasso",
     .initial = "ridge",
     .help = "how weights are fitted",
     .more = "ridge: all targets at once, by eigenvectors. lasso: each target along a "
             "path of penalties, most weights being nought."},
    {.name = "penalty",
     .type = CLI_DOUBLE,
     .value = "X",
     .initial = "auto",
     .low = 0,
     .high = 1e9,
     .automatic = true,
     .help = "of the fit",
     .more = "Of ridge over the masks' variance, of lasso for masks of deviation 1."},
    {.name = "held-subsets",
     .type = CLI_INT,
     .value = "N",
     .initial = "100",
     .low = 3,
     .high = 100000,
     .help = "further subsets that judge"},
    {.name = "held-seeds",
     .type = CLI_INT,
     .value = "N",
     .initial = "4",
     .low = 1,
     .high = 100,
     .help = "models of each of those"},
    {.name = "keep",
     .type = CLI_TEXT,
     .value = "DIR",
     .no_trace = true,
     .keeps = true,
     .help = "keep margins there, to go on after a kill"},
    {.name = "weights",
     .type = CLI_TEXT,
     .value = "FILE",
     .written = true,
     .help = "write all weights there, .npy [rows, targets]"},
    CLI_OPTIONS_STUDY("passes over a subset"),
    CLI_OPTION_TOP,
    CLI_OPTION_CSV,
    CLI_OPTION_PAGE,
    CLI_OPTION_SEED,
    CLI_OPTION_RESULT,
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

static double number(json_view all, const char *key) {
    return json_number(json_member(all, key), 0);
}

static void tell(text *t, const char *json) {
    json_view all = json_look(json);
    text_add(t, "%.0f models in %s, fitted in %s: penalty %.3g, %.0f weights a target\n",
             number(all, "models"), words_seconds(number(all, "train_seconds")).s,
             words_seconds(number(all, "fit_seconds")).s, number(all, "penalty"),
             number(all, "nonzero"));
    text_add(t, "on %.0f further subsets, %.0f models each (noise ceiling %.3f):\n",
             number(all, "held_subsets"), number(all, "held_seeds"),
             number(all, "ceiling"));
    text_add(t, "  correlation of a target's foretold and true margins  %.3f\n",
             number(all, "pearson"));
    text_add(t, "  of their ranks (LDS)                                 %.3f +- %.3f\n",
             number(all, "lds"), number(all, "ci_targets"));
    text_add(t, "  of all margins of all targets                        %.3f\n",
             number(all, "pearson_pooled"));
    text_add(t, "  share of the variance explained                      %.3f\n",
             number(all, "explained"));
}

static assay_status run(cli_run *run) {
    const cli_args *a = &run->args;
    assay_datamodels_options o = ASSAY_DATAMODELS_OPTIONS_INIT;
    char *json = NULL;
    CLI_TAKE_STUDY(o, a);
    o.models = (int)cli_int(a, "models");
    o.share = cli_real(a, "share");
    o.fit = cli_text(a, "fit");
    o.penalty = cli_real_or(a, "penalty", -1);
    o.held_subsets = (int)cli_int(a, "held-subsets");
    o.held_seeds = (int)cli_int(a, "held-seeds");
    o.top = (int)cli_int(a, "top");
    o.keep = cli_text(a, "keep");
    o.weights = cli_text(a, "weights");
    o.csv = cli_text(a, "csv");
    o.seed = (uint64_t)cli_int(a, "seed");
    assay_status status = assay_datamodels_with_page(run->ctx, a->positional[0], &o,
                                                     cli_text(a, "page"), &json);
    return cli_answer(run, status, json, tell);
}

const assay_verb assay_verb_datamodels = {
    .name = "datamodels",
    .group = CLI_TRACE,
    .summary = "Fit margins by which rows models were trained on",
    .description =
        "Trains many models on random subsets of the training rows and fits, for each "
        "target, a weight for each row: by how much the target's margin changes when the "
        "row is trained on. The costliest way to attribute, and the only one that looks "
        "at nothing but what models say. Models on further subsets tell how well it "
        "foretells.\n\n"
        "With --keep a command that was stopped goes on where it was.",
    .options = options,
    .positionals = {{"DATA", "a .beton file, or anything that 'assay pack' reads",
                     false}},
    .examples = {{"assay datamodels fashion-mnist/ --rows 2000 --targets 300 "
                  "--keep dm/",
                  "a thousand models"},
                 {"assay datamodels fashion-mnist/ --fit lasso --weights w.npy",
                  "sparse weights, for a program"}},
    .result_to_file = true,
    .run = run,
};
