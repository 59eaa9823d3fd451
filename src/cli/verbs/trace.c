/* assay trace: what a table of attribution scores is good for. */
#include "cli/attribution.h"
#include "cli/json.h"

#include <assay/data.h>
#include <assay/trace.h>

#include <string.h>

static const cli_option options[] = {
    {.name = "for",
     .type = CLI_CHOICE,
     .choices = "leaks|select|clusters|compare",
     .required = true,
     .help = "what the scores are used for",
     .more =
         "leaks: test rows that are copies of training rows, by scores and by pixels. "
         "select: training rows for the targets. clusters: groups of training rows that "
         "do the same to the targets. compare: what one algorithm goes by and another "
         "does not."},
    {.name = "scores",
     .type = CLI_TEXT,
     .value = "FILE",
     .required = true,
     .help = "the table, .npy [rows, targets]",
     .more = "As 'assay attribute --scores' writes it: f32 or f64, of the first training "
             "and test rows."},
    {.name = "against",
     .type = CLI_TEXT,
     .value = "FILE",
     .help = "of compare: the other algorithm's table"},
    {.name = "count",
     .type = CLI_INT,
     .value = "N",
     .initial = "0",
     .shown = "a tenth of the rows; 2 per class; 3",
     .low = 0,
     .high = 1000000,
     .help = "of rows to choose, clusters, components"},
    {.name = "how",
     .type = CLI_CHOICE,
     .choices = "sum|votes",
     .initial = "sum",
     .help = "of select: by sums of scores, or by targets helped",
     .more = "votes: by how many targets a row helps, whatever the scale."},
    {.name = "dim",
     .type = CLI_INT,
     .value = "D",
     .initial = "16",
     .low = 1,
     .high = 1024,
     .rare = true,
     .help = "of clusters: principal components"},
    {.name = "threshold",
     .type = CLI_DOUBLE,
     .value = "X",
     .initial = "2",
     .low = 0.001,
     .high = 1e9,
     .rare = true,
     .help = "of leaks: the first row over the second"},
    CLI_OPTION_TOP,
    CLI_OPTION_CSV,
    {.name = "list",
     .type = CLI_TEXT,
     .value = "FILE",
     .written = true,
     .help = "of select: numbers for 'assay select --rows'"},
    CLI_OPTION_SEED,
    CLI_OPTION_RESULT,
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

static const char *word(text *t, json_view object, const char *key) {
    json_words(t, json_member(object, key));
    return t->data ? t->data : "";
}

static double number(json_view object, const char *key) {
    return json_number(json_member(object, key), 0);
}

/* "  title: row (class, value) ..." */
static void tell_rows(text *t, const char *title, json_view rows) {
    json_view next = {0};
    text_add(t, "  %s:", title);
    while (json_next(rows, &next, NULL)) {
        text class = {0};
        text_add(t, " %.0f (%s, %.3g)", number(next, "row"), word(&class, next, "class"),
                 number(next, "value"));
        text_free(&class);
    }
    text_add(t, "\n");
}

static void tell_leaks(text *t, json_view all) {
    json_view counts = json_member(all, "counts"), next = {0};
    text_add(t,
             "%.0f leaks, %.0f copies that no score stands out for, %.0f that may be "
             "copies, %.0f by scores alone\n",
             number(counts, "leak"), number(counts, "copy"), number(counts, "maybe"),
             number(counts, "alike"));
    while (json_next(json_member(all, "named"), &next, NULL)) {
        json_view of = json_member(next, "of");
        text id = {0}, copy = {0}, say = {0};
        text_add(t, "  %-5s %s of %s: out by %.1f, rank %.0f",
                 word(&say, next, "verdict"), word(&id, next, "id"),
                 word(&copy, of, "id"), number(next, "out"), number(next, "rank"));
        if (json_has(json_member(next, "similarity")) && number(next, "similarity") > 0)
            text_add(t, ", alike by %.3f", number(next, "similarity"));
        text_add(t, "\n");
        text_free(&id);
        text_free(&copy);
        text_free(&say);
    }
}

static void tell_select(text *t, json_view all) {
    json_view next = {0};
    text class = {0};
    text_add(t, "%.0f rows of %.0f for %.0f targets:", number(all, "chosen"),
             number(all, "rows"), number(all, "targets"));
    while (json_next(json_member(all, "classes"), &next, &class)) {
        text_add(t, " %s %.0f", class.data ? class.data : "", json_number(next, 0));
    }
    text_free(&class);
    text_add(t, "\n");
    tell_rows(t, "first", json_member(all, "named"));
}

static void tell_clusters(text *t, json_view all) {
    json_view next = {0};
    text_add(t, "%.0f components hold %.0f %% of the scores\n", number(all, "dimensions"),
             100 * number(all, "explained"));
    while (json_next(json_member(all, "clusters"), &next, NULL)) {
        text class = {0};
        text_add(t, "cluster %.0f: %.0f rows, %.0f %% %s, distance %.3f\n",
                 number(next, "cluster"), number(next, "size"),
                 100 * number(next, "purity"), word(&class, next, "class"),
                 number(next, "distance"));
        tell_rows(t, "nearest", json_member(next, "nearest"));
        text_free(&class);
    }
}

static void tell_compare(text *t, json_view all) {
    json_view way = {0};
    while (json_next(json_member(all, "ways"), &way, NULL)) {
        json_view next = {0};
        text name = {0};
        int at = 0;
        text_add(t, "of %s, %.1f %% are not explained by the other\n",
                 word(&name, way, "of"), 100 * number(way, "residual"));
        while (json_next(json_member(way, "components"), &next, NULL)) {
            text_add(t,
                     "component %d: %.1f %% of that; %.2f %% of the scores, %.2f %% of "
                     "the other's\n",
                     at++, 100 * number(next, "of_residual"),
                     100 * number(next, "of_own"), 100 * number(next, "of_other"));
            tell_rows(t, "rows at one end", json_member(next, "rows_high"));
            tell_rows(t, "at the other", json_member(next, "rows_low"));
            tell_rows(t, "targets at one end", json_member(next, "targets_high"));
            tell_rows(t, "at the other", json_member(next, "targets_low"));
        }
        text_free(&name);
    }
}

static void tell(text *t, const char *json) {
    json_view all = json_look(json);
    text use = {0};
    const char *name = word(&use, all, "use");
    if (strcmp(name, "leaks") == 0)
        tell_leaks(t, all);
    else if (strcmp(name, "select") == 0)
        tell_select(t, all);
    else if (strcmp(name, "clusters") == 0)
        tell_clusters(t, all);
    else
        tell_compare(t, all);
    text_free(&use);
}

static assay_status run(cli_run *run) {
    const cli_args *a = &run->args;
    assay_trace_options o = ASSAY_TRACE_OPTIONS_INIT;
    char *json = NULL;
    o.use = cli_text(a, "for");
    o.scores = cli_text(a, "scores");
    o.against = cli_text(a, "against");
    o.count = (int)cli_int(a, "count");
    o.how = cli_text(a, "how");
    o.dim = (int)cli_int(a, "dim");
    o.threshold = cli_real(a, "threshold");
    o.top = (int)cli_int(a, "top");
    o.csv = cli_text(a, "csv");
    o.list = cli_text(a, "list");
    o.seed = (uint64_t)cli_int(a, "seed");
    assay_status status = assay_trace(run->ctx, a->positional[0], &o, &json);
    return cli_answer(run, status, json, tell);
}

const assay_verb assay_verb_trace = {
    .name = "trace",
    .group = CLI_TRACE,
    .summary = "Use attribution scores: leaks, selection, clusters, differences",
    .description =
        "Takes a table of scores, of training rows for test rows, that 'assay attribute' "
        "or another program made, and the data that it is of. Finds test rows that "
        "leaked "
        "into the training rows, chooses rows for the targets, groups rows by what they "
        "do, or tells two algorithms apart by what they go by (ModelDiff).",
    .options = options,
    .positionals = {{"DATA", "the data that the scores are of", false}},
    .examples = {{"assay trace photos/ --for leaks --scores s.npy",
                  "test rows that models know by heart"},
                 {"assay trace photos.beton --for select --scores s.npy --list best.txt",
                  "rows for 'assay select --rows best.txt'"},
                 {"assay trace photos/ --for compare --scores a.npy --against b.npy",
                  "how two algorithms differ"}},
    .result_to_file = true,
    .run = run,
};
