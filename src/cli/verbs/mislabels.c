/* assay mislabels: rows ranked by how likely their labels are wrong. */
#include "cli/attribution.h"
#include "cli/json.h"

#include <assay/data.h>
#include <assay/detect.h>

static const cli_option options[] = {
    {.name = "method",
     .type = CLI_TEXT,
     .value = "LIST",
     .initial = "probability",
     .help = "names with commas between; the first ranks",
     .more =
         "probability: 1 - p of the label, p the mean of the members that did not see "
         "the row. loss: the mean of their losses. margin: the best other p less the "
         "label's. confident: confident learning's filter first. Of these "
         "NAME:seen asks the members that did see it. self-influence:HOW and "
         "harm:HOW (to test rows) by attribution: trak (the usual), ekfac, kernel, "
         "grad-dot."},
    {.name = "models",
     .type = CLI_INT,
     .value = "K",
     .initial = "6",
     .low = 3,
     .high = 60,
     .help = "models to train, a multiple of 3",
     .more = "Each sees two thirds of the rows; a row is judged by those that did not "
             "see it."},
    {.name = "flip",
     .type = CLI_DOUBLE,
     .value = "PERCENT",
     .initial = "0",
     .low = 0,
     .high = 50,
     .help = "spoil so many labels, to see what is found",
     .more = "For each method: the area under the ROC curve with a 95 % interval, the "
             "share of spoiled labels among as many first rows, and how many labels are "
             "wrong in all, reckoned from that. Spoiled rows are not named."},
    {.name = "top",
     .type = CLI_INT,
     .value = "N",
     .initial = "20",
     .low = 1,
     .high = 1000000,
     .help = "rows named"},
    {.name = "rows",
     .type = CLI_INT,
     .value = "N",
     .initial = "0",
     .shown = "all",
     .low = 0,
     .high = 4294967295.0,
     .help = "the first N training rows"},
    {.name = "tests",
     .type = CLI_INT,
     .value = "N",
     .initial = "500",
     .low = 1,
     .high = 4294967295.0,
     .help = "of harm: to the first N test rows"},
    {.name = "model",
     .type = CLI_TEXT,
     .value = "NAME",
     .initial = "cnn",
     .help = "a model of the zoo"},
    {.name = "epochs",
     .type = CLI_INT,
     .value = "N",
     .initial = "0",
     .shown = "the recipe's",
     .low = 0,
     .high = 10000,
     .help = "passes over the rows"},
    CLI_OPTION_DAMPING(false, ""),
    CLI_OPTION_RIDGE(false, ""),
    CLI_OPTION_DIM("512"),
    {.name = "csv",
     .type = CLI_TEXT,
     .value = "FILE",
     .written = true,
     .help = "write all rows there, worst first, as a table"},
    CLI_OPTION_SEED,
    CLI_OPTION_RESULT,
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

static void tell_methods(text *t, json_view list) {
    json_view next = {0};
    text_add(t, "%-24s %6s  %-15s %9s  %12s\n", "method", "AUROC", "95 %", "precision",
             "wrong labels");
    while (json_next(list, &next, NULL)) {
        json_view at = {0}, ci = json_member(next, "ci");
        double bound[2] = {0};
        text name = {0};
        for (int i = 0; i < 2 && json_next(ci, &at, NULL); i++)
            bound[i] = json_number(at, 0);
        json_words(&name, json_member(next, "method"));
        text_add(t, "%-24s %6.4f  %.4f - %.4f %8.1f %%  %12.0f\n",
                 name.data ? name.data : "", json_number(json_member(next, "auroc"), 0),
                 bound[0], bound[1], 100 * json_number(json_member(next, "precision"), 0),
                 json_number(json_member(next, "wrong_labels"), 0));
        text_free(&name);
    }
    text_add(t, "\n");
}

static void tell(text *t, const char *json) {
    json_view all = json_look(json), next = {0}, named = json_member(all, "named");
    if (json_number(json_member(all, "planted"), 0) > 0)
        tell_methods(t, json_member(all, "methods"));
    text_add(t, "%8s  %8s  %-21s %s\n", "row", "score", "members say", "label, and file");
    while (json_next(named, &next, NULL)) {
        text id = {0}, given = {0}, said = {0}, range = {0};
        json_words(&id, json_member(next, "id"));
        json_words(&given, json_member(next, "given"));
        json_words(&said, json_member(next, "suggested"));
        if (json_has(json_member(next, "low")))
            text_add(&range, "%.4g - %.4g", json_number(json_member(next, "low"), 0),
                     json_number(json_member(next, "high"), 0));
        text_add(t, "%8.0f  %8.4g  %-21s %s", json_number(json_member(next, "row"), 0),
                 json_number(json_member(next, "score"), 0), range.data ? range.data : "",
                 given.data ? given.data : "");
        if (said.data && json_number(json_member(next, "p_suggested"), 0) >
                             json_number(json_member(next, "p_given"), 0))
            text_add(t, ", rather %s", said.data);
        text_add(t, "  (%s)\n", id.data ? id.data : "");
        text_free(&id);
        text_free(&given);
        text_free(&said);
        text_free(&range);
    }
}

static assay_status run(cli_run *run) {
    const cli_args *a = &run->args;
    assay_mislabels_options o = ASSAY_MISLABELS_OPTIONS_INIT;
    char *json = NULL;
    o.methods = cli_text(a, "method");
    o.model = cli_text(a, "model");
    o.members = (int)cli_int(a, "models");
    o.epochs = (int)cli_int(a, "epochs");
    o.rows = cli_int(a, "rows");
    o.tests = cli_int(a, "tests");
    o.flip = cli_real(a, "flip") / 100;
    o.top = (int)cli_int(a, "top");
    o.dim = (int)cli_int(a, "dim");
    o.damping = cli_real(a, "damping");
    o.ridge = cli_real(a, "ridge");
    o.csv = cli_text(a, "csv");
    o.seed = (uint64_t)cli_int(a, "seed");
    assay_status status = assay_mislabels(run->ctx, a->positional[0], &o, &json);
    return cli_answer(run, status, json, tell);
}

const assay_verb assay_verb_mislabels = {
    .name = "mislabels",
    .group = CLI_TRACE,
    .summary = "Rank training rows by how likely their labels are wrong",
    .description =
        "Trains several models, each on two thirds of the training rows, asks those that "
        "did not see a row what they think of its label, and names the rows they doubt "
        "most, with the label they suggest and the range of what single models say. "
        "Other scores can be asked for beside it, or to rank by: losses, confident "
        "learning, influence.\n\n"
        "With --flip some labels are spoiled first, and each method's table line says "
        "how "
        "well it finds them: the way to choose a method for one's own data. 'assay "
        "audit' "
        "ranks labels by the first method, beside its other checks.",
    .options = options,
    .positionals = {{"DATA", "a .beton file, or anything that 'assay pack' reads",
                     false}},
    .examples = {{"assay mislabels photos/", "the twenty labels most in doubt"},
                 {"assay mislabels photos/ --flip 5 --method probability,loss,harm",
                  "which method finds wrong labels best"}},
    .result_to_file = true,
    .run = run,
};
