/* assay lds: how well methods of attribution foretell what a model does without rows. */
#include "cli/attribution.h"
#include "cli/json.h"

#include <assay/attribute.h>
#include <assay/data.h>

#include <string.h>

static const cli_option options[] = {
    {.name = "protocol",
     .type = CLI_TEXT,
     .value = "NAME",
     .initial = "a",
     .help = "what is measured: a, a25, cifar, sst2 or toy",
     .more =
         "a: an MLP 784-128-64-10 on the first 2,000 training rows, 120 random halves "
         "with 4 models each, margins on the first 300 test rows. a25: the same on "
         "quarters. cifar: a small CNN on CIFAR-10, 100 halves. sst2: an encoder on a "
         "table of labelled sentences, 40 halves. toy: in small, for a first look."},
    {.name = "methods",
     .type = CLI_TEXT,
     .value = "LIST",
     .shown = "all",
     .help = "names with commas between",
     .more =
         "kernel, ekfac, replay, grad-dot, grad-cos and others; stack is ten models of "
         "ekfac and as many replays as were asked for, added up with weights fitted "
         "on further subsets."},
    {.name = "models",
     .type = CLI_TEXT,
     .value = "LIST",
     .initial = "1",
     .help = "sizes of ensembles, as in 1,5,10"},
    {.name = "centre",
     .type = CLI_CHOICE,
     .choices = "matched|full",
     .initial = "matched",
     .help = "how long attributed models train",
     .more =
         "matched: on all rows, for as many steps as the truth's models take on their "
         "subsets, so that derivatives are taken where the truth lives. full: for as "
         "many epochs, hence more steps."},
    {.name = "truth-only", .type = CLI_FLAG, .help = "train the truth's models and stop"},
    {.name = "keep",
     .type = CLI_TEXT,
     .value = "DIR",
     .no_trace = true,
     .keeps = true,
     .help = "keep the truth's margins there for next time"},
    {.name = "threshold",
     .type = CLI_DOUBLE,
     .value = "Q",
     .initial = "0",
     .low = 0,
     .high = 0.999,
     .automatic = true,
     .rare = true,
     .help = "soft threshold of scores, or auto",
     .more = "auto, as of --ridge and --damping: the best of a grid on further subsets, "
             "which the truth shares nothing with. The quantile Q, below 1, of a "
             "target's scores by size is taken away from "
             "all of them, down to nought."},
    {.name = "unweighed",
     .type = CLI_FLAG,
     .rare = true,
     .help = "kernels without q = 1 - p",
     .more = "trak, kernel, grad-dot and grad-cos multiply a row's score with 1 - p of "
             "its label, mean over models; with this they do not."},
    {.name = "scores",
     .type = CLI_LIST,
     .value = "NAME=FILE",
     .help = "scores made elsewhere; may be repeated",
     .more = "An .npy of f32, the protocol's [rows, targets]: an entry of its own."},
    {.name = "precision",
     .type = CLI_CHOICE,
     .choices = "f32|bf16",
     .initial = "f32",
     .rare = true,
     .help = "of trak's passes over rows and targets"},
    {.name = "compat",
     .type = CLI_CHOICE,
     .choices = "none|traker",
     .initial = "none",
     .rare = true,
     .help = "trak as its authors' code has it",
     .more = "The ridge is absolute, and 0 unless given; each model's inverse goes over "
             "the mean size of its elements."},
    CLI_OPTIONS_METHODS(true, ", or auto"),
    CLI_OPTION_SEED,
    CLI_OPTION_RESULT,
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

static void tell(text *t, const char *json) {
    json_view all = json_look(json), list = json_member(all, "methods"), next = {0};
    text_add(t, "noise ceiling %.3f (reliability of the truth %.3f); truth in %s\n",
             json_number(json_member(all, "ceiling"), 0),
             json_number(json_member(all, "reliability"), 0),
             words_seconds(json_number(json_member(all, "truth_seconds"), 0)).s);
    if (json_count(list) == 0)
        return;
    text_add(t, "%-12s %6s  %6s  %-7s %-7s %-7s %9s\n", "method", "models", "LDS",
             "+- sets", "+- rows", "seed sd", "seconds");
    while (json_next(list, &next, NULL)) {
        text name = {0};
        json_words(&name, json_member(next, "method"));
        text_add(t, "%-12s %6.0f  %6.3f  %-7.3f %-7.3f %-7.3f %9.1f\n",
                 name.data ? name.data : "", json_number(json_member(next, "models"), 0),
                 json_number(json_member(next, "lds"), 0),
                 json_number(json_member(next, "ci_subsets"), 0),
                 json_number(json_member(next, "ci_targets"), 0),
                 json_number(json_member(next, "seed_sd"), 0),
                 json_number(json_member(next, "seconds"), 0));
        text_free(&name);
    }
}

static assay_status run(cli_run *run) {
    const cli_args *a = &run->args;
    assay_lds_options o = ASSAY_LDS_OPTIONS_INIT;
    char *json = NULL;
    o.protocol = cli_text(a, "protocol");
    o.methods = cli_text(a, "methods");
    o.models = cli_text(a, "models");
    o.centre = cli_text(a, "centre");
    o.truth_only = cli_on(a, "truth-only");
    o.keep = cli_text(a, "keep");
    CLI_TAKE_METHODS(o, a);
    o.threshold = cli_real_or(a, "threshold", -1);
    o.unweighed = cli_on(a, "unweighed");
    o.precision = cli_text(a, "precision");
    if (strcmp(cli_text(a, "compat"), "none") != 0) {
        o.compat = cli_text(a, "compat");
        o.ridge = cli_typed(a, "ridge") ? o.ridge : 0;
    }
    o.scores = cli_list(a, "scores");
    o.seed = (uint64_t)cli_int(a, "seed");
    assay_status status = assay_lds(run->ctx, a->positional[0], &o, &json);
    return cli_answer(run, status, json, tell);
}

const assay_verb assay_verb_lds = {
    .name = "lds",
    .group = CLI_TRACE,
    .summary = "Measure methods of attribution against retrained models",
    .description =
        "Trains models on random subsets of the training rows and notes their margins on "
        "test rows: the truth. Then each method scores rows for targets on models of its "
        "own, the sums of scores over subsets are compared with the truth by Spearman's "
        "correlation, and the mean over targets is told: the linear datamodelling score "
        "(LDS).\n\n"
        "Beside each stand half-widths of 95 % intervals (drawing subsets again, drawing "
        "targets again), the spread over models, and the seconds it took, training "
        "included. The noise ceiling is what a perfect predictor would reach, since the "
        "truth itself has noise. Seeds of the truth and of attributed models are "
        "disjoint.",
    .options = options,
    .positionals =
        {{"DATA",
          "a .beton file, or anything that 'assay pack' reads; of sst2 a table "
          "of sentences",
          false}},
    .examples = {{"assay lds fashion-mnist/ --methods ekfac,replay --models 1,5,10",
                  "two methods, three ensembles"},
                 {"assay lds fashion-mnist/ --truth-only --json",
                  "the truth alone, for a program"}},
    .result_to_file = true,
    .run = run,
};
