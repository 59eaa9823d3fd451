/* assay append: the rows of one .beton file behind those of another. */
#include "cli/edits.h"

static const cli_option options[] = {{.name = "output",
                                      .letter = 'o',
                                      .type = CLI_TEXT,
                                      .value = "OUT.beton",
                                      .shown = "FILE itself",
                                      .no_trace = true,
                                      .help = "the file to write",
                                      .more = "Without it FILE is replaced once the new "
                                              "one is complete."},
                                     CLI_OPTION_PAGE_SIZE,
                                     CLI_OPTION_FORCE,
                                     {.type = CLI_NONE}};

static assay_status run(cli_run *run) {
    const cli_args *args = &run->args;
    const char *file = args->positional[0], *out = cli_text(args, "output");
    assay_edit_options o = ASSAY_EDIT_OPTIONS_INIT;
    assay_edit_result result;
    o.page_size = (uint64_t)cli_int(args, "page-size");
    o.force = cli_on(args, "force");
    assay_status status =
        assay_beton_append(run->ctx, file, args->positional[1], out, &o, &result);
    if (status == ASSAY_OK)
        edits_tell(run, out != NULL ? out : file, &result);
    return status;
}

const assay_verb assay_verb_append = {
    .name = "append",
    .group = CLI_DATA,
    .summary = "Add the rows of a .beton file to another",
    .description =
        "Like merging the two: values are copied as they are stored, classes are united "
        "by name, and training rows come first, so that the rows of a test split move to "
        "higher numbers. An interruption leaves FILE as it was.",
    .options = options,
    .positionals = {{"FILE", "the .beton file that grows", false, false},
                    {"MORE", "the .beton file whose rows are added", false, false}},
    .examples = {{"assay append photos.beton new.beton", "photos.beton grows"}},
    .run = run,
};
