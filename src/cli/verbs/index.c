/* assay index: where each JPEG of a .beton can be entered, written beside the file. */
#include "cli/cli.h"
#include "cli/json.h"

#include <assay/data.h>

static const cli_option options[] = {
    {.name = "interval",
     .type = CLI_INT,
     .value = "N",
     .initial = "0",
     .shown = "8; more for large sets",
     .low = 0,
     .high = 64,
     .help = "an entry every N blocks of a row",
     .more =
         "Counted in MCUs, the blocks of 8 or 16 pixels a side that a JPEG is made of. "
         "Smaller makes a larger index and skips more exactly. By default 8, from "
         "100,000 images 16, from a million 32."},
    {.name = "field",
     .type = CLI_TEXT,
     .value = "NAME",
     .shown = "the first image field",
     .help = "which column of images"},
    {.name = "output",
     .letter = 'o',
     .type = CLI_TEXT,
     .value = "FILE",
     .shown = "FILE.idx",
     .no_trace = true,
     .help = "where the index goes",
     .more = "Programs find it by itself beside the file under its name and .idx."},
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

static void tell_json(text *t, const assay_index_result *r, const char *file) {
    json_open(t, NULL);
    json_string(t, "schema", "assay.index/1");
    json_string(t, "file", file);
    json_uint(t, "images", r->images);
    json_uint(t, "indexed", r->indexed);
    json_uint(t, "left_to_libjpeg", r->left);
    json_uint(t, "raw", r->raw);
    json_uint(t, "interval", (uint64_t)r->interval);
    json_uint(t, "bytes", r->bytes);
    json_uint(t, "file_bytes", r->file_bytes);
    json_close(t);
    text_add(t, "\n");
}

static void tell(text *t, const assay_index_result *r, const char *file) {
    double share = 100. * (double)r->bytes / (double)r->file_bytes;
    text_add(t, "%s: %s of %s images indexed every %d blocks; %s, %.1f %% of the file\n",
             file, words_count(r->indexed).s, words_count(r->images).s, r->interval,
             words_bytes(r->bytes).s, share);
    if (r->left)
        text_add(t, "left to libjpeg-turbo: %s\n", words_count(r->left).s);
    if (r->raw)
        text_add(t, "stored as pixels, need no index: %s\n", words_count(r->raw).s);
}

static assay_status run(cli_run *run) {
    const cli_args *args = &run->args;
    const char *file = args->positional[0];
    assay_index_options o = ASSAY_INDEX_OPTIONS_INIT;
    o.interval = (int)cli_int(args, "interval");
    o.field = cli_text(args, "field");
    o.output = cli_text(args, "output");
    o.force = cli_on(args, "force");
    assay_index_result result;
    assay_status status = assay_index(run->ctx, file, &o, &result);
    if (status != ASSAY_OK)
        return status;
    if (run->json)
        tell_json(&run->result, &result, file);
    else
        tell(&run->result, &result, file);
    return ASSAY_OK;
}

const assay_verb assay_verb_index = {
    .name = "index",
    .group = CLI_DATA,
    .summary = "Index the JPEGs of a .beton, for faster crops",
    .description =
        "Writes, beside the file, where each of its JPEGs can be entered. A loader that "
        "needs a crop then skips the rest of the image without decoding it, which saves "
        "up to half of the work. The .beton itself, FFCV's or assay's, stays as it "
        "is.\n\n"
        "Files that assay packs hold their index already. An index that no longer fits "
        "its file is not used.",
    .options = options,
    .positionals = {{"FILE", "a .beton file", false}},
    .examples = {{"assay index photos.beton", "writes photos.beton.idx"},
                 {"assay index photos.beton --interval 16 --force", "a smaller one"}},
    .run = run,
};
