/* assay pack: a source of images becomes one .beton file. */
#include "cli/cli.h"
#include "cli/json.h"

#include <assay/data.h>

static const cli_option options[] = {
    {.name = "from",
     .type = CLI_TEXT,
     .value = "KIND",
     .shown = "detected",
     .help = "what kind of source it is",
     .more = "One of folder, idx, cifar10, cifar100, webdataset, csv, jsonl, npy."},
    {.name = "split",
     .type = CLI_TEXT,
     .value = "NAME",
     .shown = "all, training rows first",
     .help = "pack this split alone",
     .more = "Programs that know nothing of splits train on every row of a file; give "
             "them one "
             "split."},
    {.name = "mode",
     .type = CLI_CHOICE,
     .choices = "auto|raw|jpg|keep|smart|proportion",
     .initial = "auto",
     .help = "how images are stored",
     .more =
         "\"raw\" stores pixels, \"jpg\" encodes them, \"keep\" keeps the bytes of JPEG "
         "files that FFCV can read (one component or three), \"smart\" encodes images "
         "above --smart-threshold and \"proportion\" a random part of them. Automatic: "
         "raw "
         "up to 64 pixels a side, keep above."},
    {.name = "smart-threshold",
     .type = CLI_SIZE,
     .value = "SIZE",
     .initial = "128K",
     .low = 1,
     .high = 17179869184.0,
     .help = "bytes of pixels above which --mode=smart encodes"},
    {.name = "proportion",
     .type = CLI_DOUBLE,
     .value = "P",
     .initial = "0.5",
     .low = 0,
     .high = 1,
     .help = "part of the images that --mode=proportion encodes"},
    {.name = "quality",
     .type = CLI_INT,
     .value = "N",
     .initial = "90",
     .low = 1,
     .high = 100,
     .help = "JPEG quality where images are encoded"},
    {.name = "max-resolution",
     .type = CLI_INT,
     .value = "N",
     .initial = "0",
     .shown = "as they are",
     .low = 0,
     .high = 65535,
     .help = "shrink images to this longest side"},
    {.name = "page-size",
     .type = CLI_SIZE,
     .value = "SIZE",
     .initial = "8M",
     .low = 2097152,
     .high = 2147483648.0,
     .help = "bytes in a page; no image may be larger"},
    {.name = "index",
     .type = CLI_FLAG,
     .initial = "on",
     .help = "index JPEGs, so that crops load faster",
     .more = "The index lies in the same file; FFCV passes it by. It takes about one "
             "hundredth of the file."},
    {.name = "index-interval",
     .type = CLI_INT,
     .value = "N",
     .initial = "0",
     .shown = "8; more for large sets",
     .low = 0,
     .high = 64,
     .help = "an entry of the index every N blocks",
     .more = "By default 8, from 100,000 rows 16, from a million 32."},
    {.name = "skip-corrupt",
     .type = CLI_FLAG,
     .help = "leave damaged images out instead of failing"},
    {.name = "rows",
     .type = CLI_TEXT,
     .value = "ROWS",
     .shown = "all",
     .help = "pack these rows alone: ranges or a file",
     .more = "Ranges: \"0:1000,5000:\", without the row that ends one. A file: a row's "
             "number begins each line. Rows count as they would be packed otherwise."},
    {.name = "shuffle",
     .type = CLI_FLAG,
     .help = "rows in random order within each split"},
    CLI_OPTION_SEED,
    CLI_OPTION_LIMIT,
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

static void tell_json(text *t, const assay_pack_result *r, const char *out) {
    json_open(t, NULL);
    json_string(t, "schema", "assay.pack/1");
    json_string(t, "file", out);
    json_string(t, "importer", r->importer);
    json_string(t, "sha256", r->sha256);
    json_uint(t, "rows", r->rows);
    json_uint(t, "train_rows", r->train_rows);
    json_uint(t, "test_rows", r->test_rows);
    json_uint(t, "skipped", r->skipped);
    json_uint(t, "classes", (uint64_t)r->classes);
    json_uint(t, "bytes", r->bytes);
    json_close(t);
    text_add(t, "\n");
}

static void tell(text *t, const assay_pack_result *r, const char *out) {
    text_add(t, "%s: %s rows (%s train, %s test), %d classes, %s\n", out,
             words_count(r->rows).s, words_count(r->train_rows).s,
             words_count(r->test_rows).s, r->classes, words_bytes(r->bytes).s);
    if (r->skipped)
        text_add(t, "left out as damaged: %s\n", words_count(r->skipped).s);
    text_add(t, "read as %s; content sha256:%s\n", r->importer, r->sha256);
}

static assay_status run(cli_run *run) {
    const cli_args *args = &run->args;
    const char *mode = cli_text(args, "mode");
    assay_pack_options o = ASSAY_PACK_OPTIONS_INIT;
    o.from = cli_text(args, "from");
    o.split = cli_text(args, "split");
    o.mode = mode[0] == 'a' ? NULL : mode;
    o.quality = (int)cli_int(args, "quality");
    o.max_resolution = (int)cli_int(args, "max-resolution");
    o.page_size = (uint64_t)cli_int(args, "page-size");
    o.limit = cli_int(args, "limit");
    o.force = cli_on(args, "force");
    o.skip_corrupt = cli_on(args, "skip-corrupt");
    o.smart_threshold = (uint64_t)cli_int(args, "smart-threshold");
    o.proportion = cli_real(args, "proportion");
    o.rows = cli_text(args, "rows");
    o.shuffle = cli_on(args, "shuffle");
    o.seed = (uint64_t)cli_int(args, "seed");
    o.index_interval = cli_on(args, "index") ? (int)cli_int(args, "index-interval") : -1;
    const char *out = args->positional[1];
    assay_pack_result result;
    assay_status status = assay_pack(run->ctx, args->positional[0], out, &o, &result);
    if (status != ASSAY_OK)
        return status;
    if (run->json)
        tell_json(&run->result, &result, out);
    else
        tell(&run->result, &result, out);
    return ASSAY_OK;
}

const assay_verb assay_verb_pack = {
    .name = "pack",
    .group = CLI_DATA,
    .summary = "Pack labelled images into one .beton file",
    .description =
        "Reads a folder with one sub-folder of JPEG or PNG images per class (or train/ "
        "and test/ with such folders in them), idx files such as MNIST's, the binary "
        "batches of CIFAR-10 and CIFAR-100, WebDataset's tar shards, tables (.csv, .tsv) "
        "and JSON Lines of images or texts, or NumPy's arrays (.npy, .npz), and writes a "
        ".beton file of version 2, which FFCV can open. docs/sources.md has their "
        "rules.\n\n"
        "Training rows come first. A source without a test split gives a fifth of its "
        "rows to "
        "one, chosen by a hash of each sample's name. The file appears whole or not at "
        "all; "
        "the same source gives the same bytes at any number of threads.",
    .options = options,
    .positionals = {{"SRC", "the folder or file to read", false},
                    {"OUT.beton", "the file to write", false}},
    .examples = {{"assay pack photos/ photos.beton", "a folder per class"},
                 {"assay pack photos/ small.beton --mode=jpg --max-resolution=256",
                  "smaller, as JPEG"},
                 {"assay pack 'train-{0000..0003}.tar' train.beton", "tar shards"},
                 {"assay pack mnist/ train.beton --split=train",
                  "the training rows alone, for FFCV"}},
    .run = run,
};
