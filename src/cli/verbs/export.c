/* assay export: a .beton file becomes a folder of images, or tar shards; a model ONNX. */
#include "cli/cli.h"
#include "cli/json.h"

#include <assay/data.h>
#include <assay/train.h>

#include <stdio.h>
#include <string.h>

static const cli_option options[] = {
    {.name = "to",
     .type = CLI_CHOICE,
     .choices = "folder|webdataset|onnx",
     .initial = "folder",
     .help = "what is written",
     .more = "\"folder\" writes images in folders by split and class, \"webdataset\" tar "
             "shards that hold every column; both of a .beton. \"onnx\" writes a model."},
    {.name = "split",
     .type = CLI_TEXT,
     .value = "NAME",
     .shown = "all",
     .help = "export this split alone"},
    {.name = "shard-size",
     .type = CLI_SIZE,
     .value = "SIZE",
     .initial = "1G",
     .low = 512,
     .high = 1099511627776.0,
     .help = "begin a new shard at this size"},
    {.name = "shard-rows",
     .type = CLI_INT,
     .value = "N",
     .initial = "0",
     .shown = "no limit",
     .low = 0,
     .high = 9007199254740992.0,
     .help = "at most this many rows in a shard"},
    CLI_OPTION_LIMIT,
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

static assay_status export_model(cli_run *run) {
    const char *model = run->args.positional[0], *out = run->args.positional[1];
    FILE *there = cli_on(&run->args, "force") ? NULL : fopen(out, "rb");
    if (there) {
        (void)fclose(there);
        assay_status status =
            cli_fail(&run->error, ASSAY_E_INVALID, "%s exists already", out);
        cli_fail_help(&run->error, "--force overwrites it");
        return status;
    }
    assay_status status = assay_export_onnx(run->ctx, model, out);
    if (status == ASSAY_OK && run->json) {
        json_open(&run->result, NULL);
        json_string(&run->result, "schema", "assay.export/1");
        json_string(&run->result, "file", out);
        json_string(&run->result, "to", "onnx");
        json_close(&run->result);
        text_add(&run->result, "\n");
    } else if (status == ASSAY_OK) {
        text_add(&run->result, "%s\n", out);
    }
    return status;
}

static assay_status run(cli_run *run) {
    const cli_args *args = &run->args;
    if (strcmp(cli_text(args, "to"), "onnx") == 0)
        return export_model(run);
    assay_export_options o = ASSAY_EXPORT_OPTIONS_INIT;
    assay_export_result r;
    const char *out = args->positional[1];
    o.to = cli_text(args, "to");
    o.split = cli_text(args, "split");
    o.shard_bytes = (uint64_t)cli_int(args, "shard-size");
    o.shard_rows = cli_int(args, "shard-rows");
    o.limit = cli_int(args, "limit");
    o.force = cli_on(args, "force");
    assay_status status = assay_export(run->ctx, args->positional[0], out, &o, &r);
    if (status != ASSAY_OK)
        return status;
    if (run->json) {
        json_open(&run->result, NULL);
        json_string(&run->result, "schema", "assay.export/1");
        json_string(&run->result, "folder", out);
        json_string(&run->result, "to", o.to);
        json_uint(&run->result, "rows", r.rows);
        json_uint(&run->result, "files", r.files);
        json_uint(&run->result, "bytes", r.bytes);
        json_close(&run->result);
        text_add(&run->result, "\n");
    } else {
        text_add(&run->result, "%s: %s rows in %s files, %s\n", out,
                 words_count(r.rows).s, words_count(r.files).s, words_bytes(r.bytes).s);
    }
    return ASSAY_OK;
}

const assay_verb assay_verb_export = {
    .name = "export",
    .group = CLI_DATA,
    .summary = "Write a .beton into folders or tar shards, a model as ONNX",
    .description =
        "Writes what a .beton file holds in a form that other programs read. JPEG "
        "bytes come out as they are stored, raw pixels as PNG; packing the result "
        "gives the same images, labels, classes and splits.\n\n"
        "The output is a folder that appears whole or not at all. --force replaces "
        "an earlier export or an empty folder, and nothing else.\n\n"
        "With --to=onnx a model file of ours (.safetensors) becomes an ONNX file of "
        "opset "
        "17, weights inside. It takes pixels from 0 to 1; its first nodes normalise "
        "them. A model of text takes numbers of tokens, int32 [batch, context]; the "
        "vocabulary "
        "is in its metadata.",
    .options = options,
    .positionals = {{"FILE", "a .beton file, or a model", false},
                    {"OUT", "the folder or file to make", false}},
    .examples = {{"assay export photos.beton photos/", "a folder per split and class"},
                 {"assay export photos.beton shards/ --to=webdataset --shard-rows=1000",
                  "tar shards"},
                 {"assay export run/member-0/model.safetensors model.onnx --to=onnx",
                  "a model"}},
    .run = run,
};
