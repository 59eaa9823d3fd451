/* assay select: some rows of a .beton file in a file of their own. */
#include "cli/edits.h"

static const cli_option options[] = {
    {.name = "rows",
     .type = CLI_TEXT,
     .value = "ROWS",
     .shown = "all",
     .help = "these rows: ranges or a file",
     .more = "Ranges: \"0:1000,5000:\", without the row that ends one. A file: a row's "
             "number begins each line."},
    {.name = "exclude",
     .type = CLI_TEXT,
     .value = "ROWS",
     .shown = "none",
     .help = "leave these rows out: ranges or a file",
     .more = "An audit's exclude.txt will do."},
    {.name = "split",
     .type = CLI_TEXT,
     .value = "NAME",
     .shown = "all",
     .help = "rows of this split"},
    {.name = "class",
     .type = CLI_LIST,
     .value = "NAME",
     .shown = "all",
     .help = "rows of this class; may be repeated"},
    CLI_OPTION_PAGE_SIZE,
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

static assay_status run(cli_run *run) {
    const cli_args *args = &run->args;
    const char *out = args->positional[1];
    assay_select_options o = ASSAY_SELECT_OPTIONS_INIT;
    assay_edit_result result;
    o.rows = cli_text(args, "rows");
    o.exclude = cli_text(args, "exclude");
    o.split = cli_text(args, "split");
    o.classes = cli_list(args, "class");
    o.page_size = (uint64_t)cli_int(args, "page-size");
    o.force = cli_on(args, "force");
    assay_status status =
        assay_beton_select(run->ctx, args->positional[0], out, &o, &result);
    if (status == ASSAY_OK)
        edits_tell(run, out, &result);
    return status;
}

const assay_verb assay_verb_select = {
    .name = "select",
    .group = CLI_DATA,
    .summary = "Copy some rows of a .beton file into another",
    .description =
        "Rows that meet all conditions are copied as they are stored, in their order. "
        "Class names and labels stay, so that models keep their meaning.",
    .options = options,
    .positionals = {{"FILE", "a .beton file", false, false},
                    {"OUT.beton", "the file to write", false, false}},
    .examples = {{"assay select a.beton clean.beton --exclude "
                  "a.assay/exclude.txt",
                  "without what an audit found"},
                 {"assay select photos.beton pets.beton --class=cat --class=dog",
                  "two classes"},
                 {"assay select photos.beton first.beton --rows=0:1000",
                  "the first rows"}},
    .run = run,
};
