/* assay doctor: why loading is slow, and what would help. */
#include "cli/cli.h"
#include "cli/json.h"

#include <assay/data.h>
#include <assay/doctor.h>

#include <string.h>

static const cli_option options[] = {
    {.name = "pipeline",
     .letter = 'p',
     .type = CLI_TEXT,
     .value = "NAME",
     .help = "rrc224-f32, rrc224-u8, cifar-f32, cifar-u8, or text",
     .more = "The text of a pipeline is explained in docs/loading.md. Without one, every "
             "field is handed out as it is."},
    {.name = "consumer-ms",
     .type = CLI_DOUBLE,
     .value = "MS",
     .initial = "0",
     .shown = "none",
     .low = 0,
     .high = 3600000,
     .help = "what a training step takes for a batch",
     .more = "It is imitated by waiting, as for a GPU."},
    {.name = "batch",
     .letter = 'b',
     .type = CLI_INT,
     .value = "N",
     .initial = "32",
     .low = 1,
     .high = 1 << 20,
     .help = "samples in a batch"},
    {.name = "rows",
     .type = CLI_INT,
     .value = "N",
     .initial = "300",
     .low = 1,
     .high = 1 << 20,
     .help = "try on N rows, evenly spaced"},
    {.name = "seconds",
     .type = CLI_DURATION,
     .value = "TIME",
     .initial = "0.3s",
     .low = 0.01,
     .high = 3600,
     .help = "of each run"},
    {.name = "index",
     .type = CLI_TEXT,
     .value = "WHICH",
     .initial = "auto",
     .help = "JPEG index: auto, none, or a file"},
    {.name = "cache",
     .type = CLI_CHOICE,
     .choices = "map|read",
     .initial = "map",
     .help = "the system's page cache, or one of our own"},
    CLI_OPTION_SEED,
    CLI_OPTION_RESULT,
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

static double number(json_view object, const char *key) {
    return json_number(json_member(object, key), 0);
}

static void tell_stages(text *t, json_view all) {
    static const char *const names[] = {"read", "decode", "transform", "output", "mix"};
    json_view stages = json_member(all, "stages_ms_per_image");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        text_add(t, "  %s", names[i]);
        text_pad(t, 24);
        text_add(t, "%8.3f ms an image\n", number(stages, names[i]));
    }
}

static void tell_reading(text *t, json_view reading) {
    static const struct {
        const char *key, *says;
    } lines[] = {{"cached_ms_per_image", "in memory"},
                 {"cold_random_ms_per_image", "from disk, random order"},
                 {"cold_in_order_ms_per_image", "from disk, quasi-random order"}};
    if (!json_has(reading))
        return;
    text_add(t, "reading an image of %s, one thread\n",
             words_bytes((uint64_t)number(reading, "bytes_per_image")).s);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        text_add(t, "  %s", lines[i].says);
        text_pad(t, 34);
        text_add(t, "%8.3f ms\n", number(reading, lines[i].key));
    }
    if (number(reading, "cold_random_ms_per_image") <
        1.5 * number(reading, "cached_ms_per_image"))
        text_add(
            t, "  (the system kept the file in memory: nothing is known of the disk)\n");
}

static void tell_remedies(text *t, json_view remedies) {
    json_view r = {NULL, NULL};
    text_add(t,
             "tried, best first: speed beside the pipeline as it is, processor time and "
             "size of an image\n");
    while (json_next(remedies, &r, NULL)) {
        text_add(t, "  %5.2f x  ", number(r, "speed_ratio"));
        json_words(t, json_member(r, "name"));
        text_pad(t, 36);
        text_add(t, "%8.3f ms  ", number(r, "cpu_ms_per_image"));
        if (json_has(json_member(r, "bytes_per_image")))
            text_add(t, "%8s  ", words_bytes((uint64_t)number(r, "bytes_per_image")).s);
        json_words(t, json_member(r, "how"));
        text_add(t, "\n");
    }
}

static void tell(text *t, const char *json) {
    json_view all = json_look(json);
    json_view consumer = json_member(all, "consumer");
    text_add(t, "%.0f images a second, %.3f ms of processor time an image, %s threads\n",
             number(all, "images_per_second"), number(all, "cpu_ms_per_image"),
             words_count(json_whole(json_member(all, "threads"), 0)).s);
    tell_stages(t, all);
    if (number(consumer, "ms_per_batch") > 0)
        text_add(t, "the training step waits %.0f %% of the time\n",
                 100 * number(consumer, "waits"));
    tell_reading(t, json_member(all, "reading"));
    text_add(t, "bottleneck: ");
    json_words(t, json_member(all, "bottleneck"));
    text_add(t, "\n");
    tell_remedies(t, json_member(all, "remedies"));
}

static assay_status run(cli_run *run) {
    const cli_args *args = &run->args;
    char *json = NULL;
    assay_doctor_options o = ASSAY_DOCTOR_OPTIONS_INIT;
    o.pipeline = cli_text(args, "pipeline");
    o.consumer_ms = cli_real(args, "consumer-ms");
    o.batch = (int)cli_int(args, "batch");
    o.limit = cli_int(args, "rows");
    o.seconds = cli_real(args, "seconds");
    o.index = cli_text(args, "index");
    o.cache = cli_text(args, "cache");
    o.seed = (uint64_t)cli_int(args, "seed");
    assay_status status = assay_doctor(run->ctx, args->positional[0], &o, &json);
    return cli_answer(run, status, json, tell);
}

const assay_verb assay_verb_doctor = {
    .name = "doctor",
    .group = CLI_DATA,
    .summary = "Find out why loading is slow, and what would help",
    .description =
        "Loads a few hundred rows through a pipeline, tells where the time goes "
        "(reading, "
        "decoding, transforms, output, or the training step), and tries remedies: an "
        "index, bytes instead of floats, more threads, the other cache, smaller images, "
        "lower quality, raw pixels. Each figure comes from a run of that remedy, in "
        "turns "
        "with runs of the pipeline as it is; images that would have to be stored "
        "otherwise are, in a temporary file.\n\nReading from disk is timed after asking "
        "the system to forget the rows; a disk with a cache of its own may look faster "
        "than it is.",
    .options = options,
    .positionals = {{"FILE", "a .beton file", false}},
    .examples = {{"assay doctor photos.beton --pipeline rrc224-f32",
                  "batches taken as fast as they come"},
                 {"assay doctor photos.beton -p rrc224-f32 --consumer-ms 40",
                  "with a training step of 40 ms"}},
    .result_to_file = true,
    .run = run,
};
