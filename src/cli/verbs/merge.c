/* assay merge: the rows of several .beton files in one. */
#include "cli/edits.h"

#include <stdlib.h>

static const cli_option options[] = {{.name = "output",
                                      .letter = 'o',
                                      .type = CLI_TEXT,
                                      .value = "OUT.beton",
                                      .no_trace = true,
                                      .required = true,
                                      .help = "the file to write"},
                                     CLI_OPTION_PAGE_SIZE,
                                     CLI_OPTION_FORCE,
                                     {.type = CLI_NONE}};

static assay_status run(cli_run *run) {
    const cli_args *args = &run->args;
    const char *out = cli_text(args, "output");
    assay_edit_options o = ASSAY_EDIT_OPTIONS_INIT;
    assay_edit_result result;
    size_t n = 2 + args->rest_count;
    const char **paths = malloc(n * sizeof *paths);
    if (paths == NULL)
        return cli_fail(&run->error, ASSAY_E_NOMEM, "out of memory");
    paths[0] = args->positional[0];
    paths[1] = args->positional[1];
    for (size_t i = 0; i < args->rest_count; i++)
        paths[2 + i] = args->rest[i];
    o.page_size = (uint64_t)cli_int(args, "page-size");
    o.force = cli_on(args, "force");
    assay_status status = assay_beton_merge(run->ctx, paths, n, out, &o, &result);
    free(paths);
    if (status == ASSAY_OK)
        edits_tell(run, out, &result);
    return status;
}

const assay_verb assay_verb_merge = {
    .name = "merge",
    .group = CLI_DATA,
    .summary = "Put the rows of several .beton files into one",
    .description =
        "Copies images and other values as they are stored. The files must have the same "
        "fields. Class tables are united by name, and labels follow. Training rows come "
        "first; rows of a file that names no splits count as training rows where another "
        "file does name them.",
    .options = options,
    .positionals = {{"FILE", "a .beton file", false, false},
                    {"FILE...", "further .beton files", false, true}},
    .examples = {{"assay merge monday.beton tuesday.beton -o week.beton",
                  "two files in one"}},
    .run = run,
};
