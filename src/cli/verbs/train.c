/* assay train: a model, or an ensemble, fitted to a dataset. */
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/recipe.h"

#include <assay/train.h>

#include <stdio.h>

static const cli_option options[] = {
    {.name = "output",
     .letter = 'o',
     .type = CLI_TEXT,
     .value = "DIR",
     .required = true,
     .no_trace = true,
     .help = "the run's folder"},
    CLI_RECIPE_SETTINGS{
        .name = "members",
        .type = CLI_INT,
        .value = "M",
        .initial = "0",
        .shown = "one model on all training rows",
        .low = 0,
        .high = 60,
        .help = "train an ensemble",
        .more = "Each member sees two thirds of the training rows, so that each row is "
                "unseen by a "
                "third of them; M is a multiple of 3."},
    {.name = "size",
     .type = CLI_INT,
     .value = "PIXELS",
     .initial = "0",
     .shown = "chosen from the data",
     .low = 0,
     .high = 512,
     .help = "side of the images trained on"},
    {.name = "init",
     .type = CLI_TEXT,
     .value = "FILE",
     .help = "start from weights in a .safetensors or .onnx",
     .more =
         "What has a parameter's name and shape there is taken; what has not, such as "
         "a head for other classes, starts anew and is named. --freeze and --group say "
         "what learns, and how fast."},
    {.name = "find-rate",
     .rare = true,
     .type = CLI_FLAG,
     .help = "only find the largest stable learning rate",
     .more =
         "It doubles every 50 steps from 1e-4 until training breaks; the answer is half "
         "of the last one at which it held, for --lr. No model is written."},
    {.name = "exclude",
     .type = CLI_TEXT,
     .value = "FILE",
     .help = "leave out the rows of an audit's exclude.txt",
     .more = "The file names the dataset it was made for; another dataset is refused."},
    CLI_OPTION_SEED,
    CLI_OPTION_LIMIT,
    CLI_OPTION_RESUME,
    {.type = CLI_NONE}};

static void tell_json(text *t, const assay_train_result *r, const char *out) {
    json_open(t, NULL);
    json_string(t, "schema", "assay.train/1");
    json_string(t, "run", out);
    json_real(t, "accuracy", r->accuracy);
    json_real(t, "accuracy_single", r->accuracy_single);
    json_real(t, "loss", r->loss);
    json_uint(t, "members", (uint64_t)r->members);
    json_uint(t, "train_rows", r->train_rows);
    json_uint(t, "test_rows", r->test_rows);
    json_uint(t, "excluded", r->excluded);
    if (r->train_tokens) {
        json_uint(t, "train_tokens", r->train_tokens);
        json_uint(t, "test_tokens", r->test_tokens);
        json_real(t, "bits_per_byte", r->bits_per_byte);
    }
    json_uint(t, "parameters", (uint64_t)r->parameters);
    json_real(t, "seconds", r->seconds);
    json_real(t, "cpu_seconds", r->cpu_seconds);
    json_real(t, "gflop", r->gflop);
    json_uint(t, "peak_bytes", assay_peak_bytes());
    json_close(t);
    text_add(t, "\n");
}

static void tell_text(text *t, const assay_train_result *r, const char *out) {
    text_add(t, "loss %.4f per token on the %s held out (%.4f bits per byte), %s right\n",
             r->loss, words_count(r->test_tokens).s, r->bits_per_byte,
             words_percent(r->accuracy).s);
    text_add(t, "trained on %s tokens; %s parameters; %s, %s of processor time\n%s\n",
             words_count(r->train_tokens).s, words_count((uint64_t)r->parameters).s,
             words_seconds(r->seconds).s, words_seconds(r->cpu_seconds).s, out);
}

static void tell(text *t, const assay_train_result *r, const char *out) {
    if (r->train_tokens) {
        tell_text(t, r, out);
        return;
    }
    if (r->test_rows)
        text_add(t, "test accuracy %s on %s rows", words_percent(r->accuracy).s,
                 words_count(r->test_rows).s);
    else
        text_add(t, "there are no rows to test on");
    if (r->members > 1)
        text_add(t, " (%d members together; %s each)", r->members,
                 words_percent(r->accuracy_single).s);
    if (r->test_rows)
        text_add(t, ", loss %.4f", r->loss);
    text_add(t, "\n");
    text_add(t, "trained on %s rows", words_count(r->train_rows).s);
    if (r->excluded)
        text_add(t, ", %s left out", words_count(r->excluded).s);
    text_add(t, "; %s parameters; %s, %s of processor time\n",
             words_count((uint64_t)r->parameters).s, words_seconds(r->seconds).s,
             words_seconds(r->cpu_seconds).s);
    text_add(t, "%s\n", out);
}

static void tell_range_json(text *t, const assay_rate_range *r) {
    text rates = {0};
    for (int i = 0; i < r->rows; i++) {
        text_add(&rates, i ? ", " : "[");
        json_open(&rates, NULL);
        json_real(&rates, "rate", r->row[i].rate);
        json_real(&rates, "loss", r->row[i].loss);
        json_close(&rates);
    }
    text_add(&rates, "]");
    json_open(t, NULL);
    json_string(t, "schema", "assay.rate-range/1");
    json_real(t, "stable", r->stable);
    json_uint(t, "broke", (uint64_t)r->broke);
    json_raw(t, "rates", text_str(&rates));
    json_close(t);
    text_add(t, "\n");
    t->failed = t->failed || rates.failed;
    text_free(&rates);
}

static void tell_range(text *t, const assay_rate_range *r) {
    for (int i = 0; i < r->rows; i++)
        text_add(t, "rate %-9.4g loss %.4f%s\n", r->row[i].rate, r->row[i].loss,
                 r->broke && i == r->rows - 1 ? "  broke" : "");
    text_add(t, "--lr %.4g is stable%s\n", r->stable,
             r->broke ? "" : "; nothing larger was tried");
}

static assay_status
find_rate(cli_run *run, const assay_train_options *o, const char *out) {
    assay_rate_range range;
    assay_status status =
        assay_find_rate(run->ctx, run->args.positional[0], out, o, &range);
    if (status != ASSAY_OK)
        return status;
    if (run->json)
        tell_range_json(&run->result, &range);
    else
        tell_range(&run->result, &range);
    return ASSAY_OK;
}

static assay_status run(cli_run *run) {
    const cli_args *args = &run->args;
    const char *out = cli_text(args, "output");
    text settings = {0};
    assay_train_options o = ASSAY_TRAIN_OPTIONS_INIT;
    o.members = (int)cli_int(args, "members");
    o.size = (int)cli_int(args, "size");
    o.exclude = cli_text(args, "exclude");
    o.init = cli_text(args, "init");
    o.seed = (uint64_t)cli_int(args, "seed");
    o.limit = cli_int(args, "limit");
    o.no_resume = !cli_on(args, "resume");
    recipe_settings(&settings, args);
    o.settings = text_str(&settings);
    assay_train_result result;
    if (!settings.failed && cli_on(args, "find-rate")) {
        assay_status found = find_rate(run, &o, out);
        text_free(&settings);
        return found;
    }
    assay_status status =
        settings.failed
            ? cli_fail(&run->error, ASSAY_E_NOMEM, "no memory for the settings")
            : assay_train(run->ctx, args->positional[0], out, &o, &result);
    text_free(&settings);
    if (status != ASSAY_OK)
        return status;
    if (run->json)
        tell_json(&run->result, &result, out);
    else
        tell(&run->result, &result, out);
    return ASSAY_OK;
}

const assay_verb assay_verb_train = {
    .name = "train",
    .group = CLI_MODEL,
    .summary = "Train a model, or an ensemble, on a dataset",
    .description =
        "Fits a model of the zoo by a recipe, of which any setting can be changed, and "
        "tests it on the test rows. The run's folder receives model.safetensors (or "
        "member-<i>/model.safetensors), metrics.jsonl and run.json.\n\n"
        "Killed at any moment, the same command continues from the last epoch and ends "
        "with "
        "the same bytes. Size, channels, normalisation and class names are stored in the "
        "model "
        "and applied wherever it is used.\n\n"
        "A model of tokens (gpt-tiny) is fitted to a text: a .txt file, or a folder of "
        "them. "
        "Its "
        "last tenth (--held-out) is for the test; --tokens says what the text is cut "
        "into, "
        "--context how many of them the model sees. Loss and accuracy are then per "
        "token.",
    .options = options,
    .positionals = {{"DATA", "a .beton file, anything that 'assay pack' reads, or a text",
                     false}},
    .examples = {{"assay train photos.beton -o run/", "one model"},
                 {"assay train plays.txt -o run/ --model=gpt-tiny --tokens=bpe:1024",
                  "a model of text"},
                 {"assay train photos.beton -o six/ --members 6", "an ensemble"},
                 {"assay train photos/ -o clean/ --exclude photos.assay/exclude.txt",
                  "without what an audit found"}},
    .resumable = true,
    .run = run,
};
