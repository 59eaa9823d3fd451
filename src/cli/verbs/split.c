/* assay split: several .beton files out of one. */
#include "cli/edits.h"
#include "cli/json.h"

static const cli_option options[] = {
    {.name = "shards",
     .type = CLI_INT,
     .value = "N",
     .initial = "0",
     .shown = "not so",
     .low = 0,
     .high = 100000,
     .help = "N files of equal size"},
    {.name = "fraction",
     .type = CLI_DOUBLE,
     .value = "F",
     .initial = "0",
     .shown = "not so",
     .low = 0,
     .high = 1,
     .help = "two files: this part, drawn by the seed, and the rest"},
    {.name = "by-split", .type = CLI_FLAG, .help = "one file for each split"},
    CLI_OPTION_SEED,
    CLI_OPTION_PAGE_SIZE,
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

static assay_status run(cli_run *run) {
    const cli_args *args = &run->args;
    const char *out = args->positional[1];
    assay_split_options o = ASSAY_SPLIT_OPTIONS_INIT;
    int files;
    o.shards = (int)cli_int(args, "shards");
    o.fraction = cli_real(args, "fraction");
    o.by_split = cli_on(args, "by-split");
    o.seed = (uint64_t)cli_int(args, "seed");
    o.page_size = (uint64_t)cli_int(args, "page-size");
    o.force = cli_on(args, "force");
    assay_status status =
        assay_beton_split(run->ctx, args->positional[0], out, &o, &files);
    if (status != ASSAY_OK)
        return status;
    if (run->json) {
        json_open(&run->result, NULL);
        json_string(&run->result, "schema", "assay.split/1");
        json_string(&run->result, "file", out);
        json_uint(&run->result, "files", (uint64_t)files);
        json_close(&run->result);
        text_add(&run->result, "\n");
    } else {
        text_add(&run->result, "%s: %d files\n", out, files);
    }
    return ASSAY_OK;
}

const assay_verb assay_verb_split = {
    .name = "split",
    .group = CLI_DATA,
    .summary = "Split a .beton file into several",
    .description =
        "Each file gets its share of every split, rows in their order, values as they "
        "are stored. From OUT.beton come OUT-0.beton, OUT-1.beton and so on, or, with "
        "--by-split, OUT-train.beton and OUT-test.beton.",
    .options = options,
    .positionals = {{"FILE", "a .beton file", false, false},
                    {"OUT.beton", "what the files are called after", false, false}},
    .examples = {{"assay split photos.beton photos.beton --shards=8", "eight files"},
                 {"assay split photos.beton part.beton --fraction=0.8",
                  "four fifths and one fifth"},
                 {"assay split photos.beton photos.beton --by-split",
                  "training and test rows apart, for FFCV"}},
    .run = run,
};
