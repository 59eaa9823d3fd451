/* assay fleet: many models on parts of a dataset, and what each says of its rows. */
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/recipe.h"

#include <assay/fleet.h>

#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {.name = "output",
     .letter = 'o',
     .type = CLI_TEXT,
     .value = "DIR",
     .required = true,
     .no_trace = true,
     .help = "the fleet's folder"},
    {.name = "models",
     .letter = 'k',
     .type = CLI_INT,
     .value = "K",
     .initial = "100",
     .low = 1,
     .high = 10000000,
     .help = "how many in all",
     .more = "Subsets times seeds times settings. Model m has subset m / (seeds x "
             "settings), seed m / settings % seeds and setting m % settings."},
    {.name = "subset",
     .type = CLI_DOUBLE,
     .value = "SHARE",
     .initial = "0.5",
     .low = 0,
     .high = 1,
     .help = "share of the training rows in each subset"},
    {.name = "folds",
     .rare = true,
     .type = CLI_INT,
     .value = "N",
     .initial = "0",
     .shown = "none",
     .low = 0,
     .high = 1000,
     .help = "leave out one of N folds by turns instead",
     .more = "Stratified by class; every row is left out equally often when the subsets "
             "are a multiple of N."},
    {.name = "masks",
     .rare = true,
     .type = CLI_TEXT,
     .value = "FILE",
     .help = "subsets as a .npy of bytes, [subsets, training rows]"},
    {.name = "seeds",
     .type = CLI_INT,
     .value = "S",
     .initial = "1",
     .low = 1,
     .high = 10000000,
     .help = "models of each subset and setting"},
    {.name = "sweep",
     .type = CLI_LIST,
     .value = "NAME=A,B",
     .help = "vary a setting",
     .more = "May be repeated; all combinations are trained. The same subset and seed "
             "start alike in all settings."},
    {.name = "outputs",
     .type = CLI_TEXT,
     .value = "LIST",
     .initial = "margins",
     .help = "what is kept of each row",
     .more = "margins, logits, correct, loss, with commas between; each becomes a .npy "
             "with a row for each model. A "
             "margin is log p / (1 - p) of the label's probability."},
    {.name = "rows",
     .rare = true,
     .type = CLI_TEXT,
     .value = "WHICH",
     .initial = "test",
     .help = "which rows the outputs are about",
     .more = "test, train, all, or a .npy of whole numbers: those of the dataset, where "
             "training rows come first."},
    {.name = "keep-models",
     .rare = true,
     .type = CLI_FLAG,
     .help = "keep each model as models/member-<m>.safetensors"},
    {.name = "shard",
     .type = CLI_TEXT,
     .value = "I/N",
     .no_trace = true,
     .help = "train part I of N, for job arrays",
     .more = "Parts may share the folder and run at the same time. The same command "
             "without --shard gathers what they have done, trains what is missing, and "
             "leaves the same bytes as one run alone."},
    CLI_RECIPE_SETTINGS{.name = "size",
                        .rare = true,
                        .type = CLI_INT,
                        .value = "PIXELS",
                        .initial = "0",
                        .shown = "chosen from the data",
                        .low = 0,
                        .high = 512,
                        .help = "side of the images trained on"},
    {.name = "exclude",
     .rare = true,
     .type = CLI_TEXT,
     .value = "FILE",
     .help = "leave out the rows of an audit's exclude.txt"},
    CLI_OPTION_SEED,
    CLI_OPTION_LIMIT,
    CLI_OPTION_RESUME,
    {.type = CLI_NONE}};

static void sweep_join(text *out, const cli_args *args) {
    const char *const *list = cli_list(args, "sweep");
    for (size_t i = 0; list && list[i]; i++)
        text_add(out, "%s%s", i ? ";" : "", list[i]);
}

static void tell_json(text *t, const assay_fleet_result *r, const char *out) {
    json_open(t, NULL);
    json_string(t, "schema", "assay.fleet/1");
    json_string(t, "run", out);
    json_uint(t, "subsets", r->subsets);
    json_uint(t, "seeds", r->seeds);
    json_uint(t, "settings", r->settings);
    json_uint(t, "train_rows", r->train_rows);
    json_uint(t, "rows", r->rows);
    json_uint(t, "trained", r->trained);
    json_uint(t, "failed", r->failed);
    json_uint(t, "peak_bytes", assay_peak_bytes());
    json_real(t, "gflop", r->gflop);
    json_uint(t, "models", r->models);
    json_real(t, "seconds", r->seconds);
    json_real(t, "cpu_seconds", r->cpu_seconds);
    json_close(t);
    text_add(t, "\n");
}

static void tell(text *t, const assay_fleet_result *r, const char *out) {
    text_add(t, "%s models, %s of them trained now, on %s subsets of %s rows\n",
             words_count(r->models).s, words_count(r->trained).s,
             words_count(r->subsets).s, words_count(r->train_rows).s);
    text_add(t, "outputs for %s rows each; %s, %s of processor time, %.0f GFLOP\n",
             words_count(r->rows).s, words_seconds(r->seconds).s,
             words_seconds(r->cpu_seconds).s, r->gflop);
    text_add(t, "%s\n", out);
}

static void take_options(assay_fleet_options *o, const cli_args *args) {
    o->models = (int)cli_int(args, "models");
    o->subset = cli_real(args, "subset");
    o->folds = (int)cli_int(args, "folds");
    o->masks = cli_text(args, "masks");
    o->seeds = (int)cli_int(args, "seeds");
    o->outputs = cli_text(args, "outputs");
    o->rows = cli_text(args, "rows");
    o->keep_models = cli_on(args, "keep-models");
}

static void take_training(assay_train_options *t, const cli_args *args) {
    t->size = (int)cli_int(args, "size");
    t->exclude = cli_text(args, "exclude");
    t->seed = (uint64_t)cli_int(args, "seed");
    t->limit = cli_int(args, "limit");
    t->no_resume = !cli_on(args, "resume");
}

static assay_status run(cli_run *run) {
    const cli_args *args = &run->args;
    const char *out = cli_text(args, "output"), *shard = cli_text(args, "shard");
    text settings = {0}, sweep = {0};
    assay_train_options t = ASSAY_TRAIN_OPTIONS_INIT;
    assay_fleet_options o = ASSAY_FLEET_OPTIONS_INIT;
    assay_fleet_result result = {0};
    assay_status status;
    take_options(&o, args);
    take_training(&t, args);
    recipe_settings(&settings, args);
    sweep_join(&sweep, args);
    t.settings = text_str(&settings);
    o.sweep = text_str(&sweep);
    o.train = &t;
    if (settings.failed || sweep.failed) {
        status = cli_fail(&run->error, ASSAY_E_NOMEM, "no memory for the settings");
    } else if (shard && !cli_shard(shard, &o.shard, &o.shards)) {
        status = cli_fail(&run->error, ASSAY_E_INVALID, "--shard can't be \"%s\"", shard);
        cli_fail_help(&run->error, "give a part and how many there are: 1/8 to 8/8");
    } else {
        status = assay_fleet(run->ctx, args->positional[0], out, &o, &result);
    }
    text_free(&settings);
    text_free(&sweep);
    if (status == ASSAY_E_NUMERIC && result.models)
        tell_json(&run->report, &result, out);
    if (status != ASSAY_OK)
        return status;
    if (run->json)
        tell_json(&run->result, &result, out);
    else
        tell(&run->result, &result, out);
    return ASSAY_OK;
}

const assay_verb assay_verb_fleet = {
    .name = "fleet",
    .group = CLI_MODEL,
    .summary = "Train many models on parts of a dataset",
    .description =
        "Trains K models over random subsets, folds or given masks of the training rows, "
        "over seeds, and over settings of the recipe, one model per core, and keeps what "
        "each says of the test rows: margins, logits, hits or losses as .npy, [models, "
        "rows]. masks.npy, seeds.npy and rows.npy lie beside.\n\n"
        "Killed at any moment, the same command continues; only what was being trained "
        "is lost, and the bytes are those of a run without interruption. A model whose "
        "loss is not finite is noted as failed (its outputs are NaN), and the others go "
        "on; the command then ends with exit code 3 and names it.",
    .options = options,
    .positionals = {{"DATA", "a .beton file, or anything that 'assay pack' reads",
                     false}},
    .examples = {{"assay fleet photos.beton -o halves/ --models 480 --seeds 4",
                  "120 random halves, four models on each"},
                 {"assay fleet photos.beton -o halves/ --models 480 --shard 3/8",
                  "one part of eight, on another machine"}},
    .resumable = true,
    .run = run,
};
