/* assay bench: what a piece of work costs here. */
#include "cli/bench.h"

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
     .initial = "0",
     .shown = "32 to load, 128 in a step",
     .low = 0,
     .high = 1048576,
     .help = "samples in a batch"},
    {.name = "model",
     .type = CLI_TEXT,
     .value = "NAME",
     .initial = "resnet9",
     .help = "step, attribute: the network",
     .more = "A model of the zoo, or mlp (784-256-10) or cnn (two convolutions on 28x28 "
             "pixels), which other engines are measured on. For attribute: the zoo's."},
    {.name = "precision",
     .type = CLI_CHOICE,
     .choices = "f32|bf16",
     .initial = "f32",
     .help = "step, attribute: numbers of the products"},
    {.name = "size",
     .type = CLI_INT,
     .value = "PIXELS",
     .initial = "0",
     .shown = "as usual for the model",
     .low = 0,
     .high = 1024,
     .help = "step, attribute: side of the images"},
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
     .shown = "as long as the rounds take; 5 s of steps",
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
    {.name = "projector",
     .type = CLI_CHOICE,
     .choices = "sjlt|kronecker|fjlt|rademacher|normal|none",
     .initial = "sjlt",
     .help = "attribute: the map of gradients"},
    {.name = "dim",
     .type = CLI_INT,
     .value = "D",
     .initial = "4096",
     .low = 1,
     .high = 1048576,
     .help = "attribute: numbers it leaves"},
    CLI_OPTION_LIMIT,
    CLI_OPTION_SEED,
    CLI_OPTION_RESULT,
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

static assay_status run(cli_run *run) {
    static const struct {
        const char *what;
        assay_status (*run)(cli_run *run);
    } benches[] = {{"attribute", bench_attribute},
                   {"load", bench_load},
                   {"ops", bench_ops},
                   {"step", bench_step}};
    const char *what = run->args.positional[0];
    for (size_t i = 0; i < sizeof benches / sizeof *benches; i++)
        if (strcmp(benches[i].what, what) == 0)
            return benches[i].run(run);
    cli_fail(&run->error, ASSAY_E_INVALID, "there is no benchmark '%s'", what);
    cli_fail_help(&run->error, "there are: attribute, load, ops, step");
    return ASSAY_E_INVALID;
}

const assay_verb assay_verb_bench = {
    .name = "bench",
    .group = CLI_LOOK,
    .summary = "Measure what loading, an op or a training step costs",
    .description =
        "'load' loads whole epochs of a .beton file and says what an image costs, beside "
        "libjpeg-turbo's full decode of the same images and a plain copy of the output, "
        "which are measured by turns in the same run. Times are CPU time of all the "
        "loader's threads, medians over the rounds; ratios are medians of the rounds' "
        "ratios. Memory is the process's own (mapped files do not count).\n\n"
        "'ops' times single ops on random data, our kernels beside oneDNN's or plain C, "
        "and checks "
        "them against a plain reference.\n\n"
        "'step' trains a network on random data that stays in place: forward, loss, "
        "backward, SGD with Nesterov momentum and weight decay. It says what a step "
        "costs "
        "in wall time and in the process's CPU time (medians after three steps of "
        "warming "
        "up), how much arithmetic is in its products, and which ops take the time.\n\n"
        "'attribute' makes projected gradients of random examples, 16 at a time on each "
        "thread, and says what one costs, split into forward, backward to the layers' "
        "inputs, and projection.",
    .options = options,
    .positionals = {{"WHAT", "what is measured: attribute, load, ops or step", false},
                    {"FILE", "a .beton file, for load; part of a name, for ops", true}},
    .examples = {{"assay bench load photos.beton --pipeline rrc224-f32", "for a person"},
                 {"assay bench load photos.beton --pipeline rrc224-u8 -j 1 --json",
                  "for a program, on one core"},
                 {"assay bench step --model resnet9 --batch 512 --precision bf16 -j 1",
                  "a training step on one core"}},
    .result_to_file = true,
    .run = run,
};
