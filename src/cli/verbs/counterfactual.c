/* assay counterfactual: train again without the rows that attribution names. */
#include "cli/attribution.h"
#include "cli/json.h"

#include <assay/attribute.h>

static const cli_option options[] = {
    {.name = "protocol",
     .type = CLI_TEXT,
     .value = "NAME",
     .initial = "a",
     .help = "data, model and recipe, as in 'assay lds'"},
    {.name = "methods",
     .type = CLI_TEXT,
     .value = "LIST",
     .initial = "trak,ekfac,replay,random,random-class",
     .help = "what names rows, with commas between",
     .more =
         "Methods of attribution, or baselines: random, random-class (of the target's "
         "class), pixels (the nearest of its class)."},
    {.name = "scores",
     .type = CLI_LIST,
     .value = "NAME=FILE",
     .help = "scores made elsewhere; may be repeated",
     .more = "An .npy of f32, the protocol's [rows, targets]."},
    {.name = "removals",
     .type = CLI_TEXT,
     .value = "LIST",
     .initial = "10,20,40,80,160,320",
     .help = "how many rows are removed"},
    {.name = "models",
     .type = CLI_INT,
     .value = "M",
     .initial = "5",
     .low = 1,
     .high = 1000,
     .help = "models that methods score on"},
    {.name = "seeds",
     .type = CLI_INT,
     .value = "R",
     .initial = "5",
     .low = 1,
     .high = 1000,
     .help = "models trained without each set"},
    {.name = "targets",
     .type = CLI_INT,
     .value = "N",
     .initial = "30",
     .low = 1,
     .high = 100000,
     .help = "the protocol's first N targets"},
    {.name = "keep",
     .type = CLI_TEXT,
     .value = "DIR",
     .no_trace = true,
     .keeps = true,
     .help = "keep retrained margins there, and go on"},
    {.name = "until-flipped",
     .type = CLI_FLAG,
     .help = "also search the fewest rows that flip each target",
     .more = "Of targets that are right: the predicted number is tried, then halves "
             "between too few and enough, up to half of the rows; models of other seeds "
             "confirm the last."},
    CLI_OPTIONS_METHODS(false, ""),
    {.name = "csv",
     .type = CLI_TEXT,
     .value = "FILE",
     .written = true,
     .help = "write each target's numbers there"},
    CLI_OPTION_SEED,
    CLI_OPTION_RESULT,
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

static void tell_number(text *t, json_view v, const char *form) {
    double x = json_number(v, 1e300);
    if (x < 1e299)
        text_add(t, form, x);
    else
        text_add(t, " %9s", "-");
}

static void tell(text *t, const char *json) {
    json_view all = json_look(json), next = {0};
    text_add(t,
             "mean margin with all rows %.3f, %.0f %% right; %.0f targets, %.0f seeds\n"
             "%-14s %7s %9s %7s %9s %9s %9s\n",
             json_number(json_member(all, "margin"), 0),
             100 * json_number(json_member(all, "right"), 0),
             json_number(json_member(all, "targets"), 0),
             json_number(json_member(all, "seeds"), 0), "method", "removed", "change",
             "+-", "predicted", "rank corr", "flipped");
    while (json_next(json_member(all, "methods"), &next, NULL)) {
        json_view cell = {0};
        text name = {0};
        json_words(&name, json_member(next, "method"));
        while (json_next(json_member(next, "removals"), &cell, NULL)) {
            json_view low = {0};
            double change = json_number(json_member(cell, "measured"), 0);
            (void)json_next(json_member(cell, "ci"), &low, NULL);
            text_add(t, "%-14s %7.0f %+9.3f %7.3f", name.data ? name.data : "",
                     json_number(json_member(cell, "removed"), 0), change,
                     change - json_number(low, 0));
            tell_number(t, json_member(cell, "predicted"), " %+9.3f");
            tell_number(t, json_member(cell, "correlation"), " %9.3f");
            text_add(t, " %7.0f %%\n",
                     100 * json_number(json_member(cell, "flipped"), 0));
        }
        json_view brittle = json_member(next, "brittle");
        if (json_number(json_member(brittle, "right"), -1) >= 0) {
            text_add(t, "%-14s %.0f of %.0f right ones flip, confirmed",
                     name.data ? name.data : "",
                     json_number(json_member(brittle, "confirmed"), 0),
                     json_number(json_member(brittle, "right"), 0));
            tell_number(t, json_member(brittle, "median"), "; median %.0f rows");
            text_add(t, "; %.0f %% without 1 %% of the rows\n",
                     100 * json_number(json_member(brittle, "within_1_percent"), 0));
        }
        text_free(&name);
    }
}

static assay_status run(cli_run *run) {
    const cli_args *a = &run->args;
    assay_counterfactual_options o = ASSAY_COUNTERFACTUAL_OPTIONS_INIT;
    char *json = NULL;
    CLI_TAKE_METHODS(o, a);
    o.protocol = cli_text(a, "protocol");
    o.methods = cli_text(a, "methods");
    o.scores = cli_list(a, "scores");
    o.removals = cli_text(a, "removals");
    o.models = (int)cli_int(a, "models");
    o.seeds = (int)cli_int(a, "seeds");
    o.targets = (int)cli_int(a, "targets");
    o.keep = cli_text(a, "keep");
    o.csv = cli_text(a, "csv");
    o.seed = (uint64_t)cli_int(a, "seed");
    o.until_flipped = cli_on(a, "until-flipped");
    assay_status status = assay_counterfactual(run->ctx, a->positional[0], &o, &json);
    return cli_answer(run, status, json, tell);
}

const assay_verb assay_verb_counterfactual = {
    .name = "counterfactual",
    .group = CLI_TRACE,
    .summary = "Train again without the rows that attribution names",
    .description =
        "For each target, removes the training rows with the largest scores, trains "
        "models on the rest for as many steps, and tells how the target's margin "
        "changed, "
        "beside the change that the scores predict, their rank correlation over targets, "
        "and the share of right predictions that flipped. Random rows stand beside them. "
        "Sums of scores become margins by one slope for each method, fitted on models of "
        "further subsets.",
    .options = options,
    .positionals = {{"DATA", "a .beton file, or anything that 'assay pack' reads",
                     false}},
    .examples = {{"assay counterfactual fashion-mnist/ --keep work/",
                  "three methods and random rows"},
                 {"assay counterfactual fashion-mnist/ --scores=mine=scores.npy",
                  "scores from elsewhere"}},
    .result_to_file = true,
    .run = run,
};
