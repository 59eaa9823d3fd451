/* assay bench: what loading a file costs here. */
#include "cli/cli.h"
#include "cli/json.h"

#include <assay/bench.h>
#include <assay/data.h>

#include <string.h>

static const cli_option options[] = {
    {.name = "pipeline",
     .type = CLI_TEXT,
     .value = "TEXT",
     .shown = "fields as they are",
     .help = "what is done to each field, or a preset",
     .more = "Presets are rrc224-f32, rrc224-u8, cifar-f32 and cifar-u8. A pipeline "
             "written out looks like 'image: random_resized_crop(224) | flip | "
             "normalize(imagenet) ; label'."},
    {.name = "batch",
     .type = CLI_INT,
     .value = "N",
     .initial = "32",
     .low = 1,
     .high = 1048576,
     .help = "samples in a batch"},
    {.name = "epochs",
     .type = CLI_INT,
     .value = "N",
     .initial = "5",
     .low = 1,
     .high = 1000,
     .help = "rounds that are measured, at least"},
    {.name = "seconds",
     .type = CLI_DURATION,
     .value = "TIME",
     .initial = "0",
     .shown = "as long as the rounds take",
     .low = 0,
     .high = 86400,
     .help = "go on until so much time has passed"},
    {.name = "index",
     .type = CLI_TEXT,
     .value = "WHICH",
     .initial = "auto",
     .help = "JPEG index: auto, none, build or a path"},
    {.name = "order",
     .type = CLI_CHOICE,
     .choices = "sequential|random|quasi-random",
     .initial = "random",
     .help = "in which order samples come"},
    {.name = "cache",
     .type = CLI_CHOICE,
     .choices = "map|read",
     .initial = "map",
     .help = "the system's page cache, or one of our own"},
    CLI_OPTION_LIMIT,
    CLI_OPTION_SEED,
    CLI_OPTION_RESULT,
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

static double number(json_view all, const char *key) {
    return json_number(json_member(all, key), 0);
}

static void tell_row(text *t, const char *what, double ms, double ratio) {
    text_add(t, "%s", what);
    text_pad(t, 30);
    text_add(t, "%10.4f ms", ms);
    if (ratio > 0)
        text_add(t, "   the loader takes %.2f of it", ratio);
    text_add(t, "\n");
}

static void tell(text *t, const char *json) {
    json_view all = json_look(json);
    text_add(t, "%s images per second, %s per second of one core\n",
             words_count((uint64_t)number(all, "images_per_second")).s,
             words_count((uint64_t)number(all, "images_per_cpu_second")).s);
    tell_row(t, "CPU time per image", number(all, "cpu_ms_per_image"), 0);
    if (json_has(json_member(all, "turbo_full_decode_ms_per_image")))
        tell_row(t, "libjpeg-turbo, full decode",
                 number(all, "turbo_full_decode_ms_per_image"),
                 number(all, "ratio_to_turbo"));
    tell_row(t, "copy of the output", number(all, "memcpy_ms_per_image"),
             number(all, "ratio_to_memcpy"));
    tell_row(t, "first batch of 32", number(all, "first_batch_ms"), 0);
    text_add(t, "peak of its own memory");
    text_pad(t, 30);
    text_add(t, "%13s\n", words_bytes((uint64_t)number(all, "peak_rss_bytes")).s);
    text_add(t, "%s threads, batches of %s in %s slots, %s index, %s rounds\n",
             words_count((uint64_t)number(all, "threads")).s,
             words_count((uint64_t)number(all, "batch")).s,
             words_count((uint64_t)number(all, "slots")).s,
             json_true(json_member(all, "index")) ? "with an" : "no",
             words_count((uint64_t)number(all, "rounds")).s);
}

static assay_status run(cli_run *run) {
    const cli_args *a = &run->args;
    assay_bench_load_options o = ASSAY_BENCH_LOAD_OPTIONS_INIT;
    char *json = NULL;
    if (strcmp(a->positional[0], "load") != 0) {
        cli_fail(&run->error, ASSAY_E_INVALID, "there is no benchmark '%s'",
                 a->positional[0]);
        cli_fail_help(&run->error, "there is: load");
        return ASSAY_E_INVALID;
    }
    o.batch = (int)cli_int(a, "batch");
    o.epochs = (int)cli_int(a, "epochs");
    o.seconds = cli_real(a, "seconds");
    o.index = cli_text(a, "index");
    o.order = cli_text(a, "order");
    o.cache = cli_text(a, "cache");
    o.limit = (uint64_t)cli_int(a, "limit");
    o.seed = (uint64_t)cli_int(a, "seed");
    assay_status status =
        assay_bench_load(run->ctx, a->positional[1], cli_text(a, "pipeline"), &o, &json);
    if (status != ASSAY_OK)
        return status;
    if (run->json)
        text_put(&run->result, json, strlen(json));
    else
        tell(&run->result, json);
    assay_string_free(run->ctx, json);
    return ASSAY_OK;
}

const assay_verb assay_verb_bench = {
    .name = "bench",
    .group = CLI_LOOK,
    .summary = "Measure what loading costs",
    .description =
        "Loads whole epochs of a .beton file and says what an image costs, beside "
        "libjpeg-turbo's full decode of the same images and a plain copy of the output, "
        "which are measured by turns in the same run.\n\nTimes are CPU time of all the "
        "loader's threads, medians over the rounds; ratios are medians of the rounds' "
        "ratios. Memory is the process's own (mapped files do not count).",
    .options = options,
    .positionals = {{"WHAT", "what is measured: load", false},
                    {"FILE", "a .beton file", false}},
    .examples = {{"assay bench load photos.beton --pipeline rrc224-f32", "for a person"},
                 {"assay bench load photos.beton --pipeline rrc224-u8 -j 1 --json",
                  "for a program, on one core"}},
    .result_to_file = true,
    .run = run,
};
