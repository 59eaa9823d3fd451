/* assay dump: one cell of a .beton file as a file of its own. */
#include "cli/cli.h"
#include "cli/json.h"

#include <assay/data.h>

static const cli_option options[] = {{.name = "sample",
                                      .type = CLI_INT,
                                      .value = "I",
                                      .initial = "0",
                                      .low = 0,
                                      .high = 9007199254740992.0,
                                      .help = "which sample, counted from 0"},
                                     {.name = "field",
                                      .type = CLI_TEXT,
                                      .value = "NAME",
                                      .initial = "image",
                                      .help = "which field"},
                                     {.name = "output",
                                      .letter = 'o',
                                      .type = CLI_TEXT,
                                      .value = "FILE",
                                      .no_trace = true,
                                      .help = "where to; the name's end says how",
                                      .more = ".npy: images as unsigned bytes of height "
                                              "x width x 3, arrays as they are, scalars "
                                              "of shape (). .png: images. .jpg: the JPEG "
                                              "bytes as stored. .json: anything. .bin: "
                                              "the stored bytes."},
                                     CLI_OPTION_FORCE,
                                     {.type = CLI_NONE}};

static assay_status run(cli_run *run) {
    const cli_args *args = &run->args;
    const char *field = cli_text(args, "field"), *out = cli_text(args, "output");
    uint64_t sample = (uint64_t)cli_int(args, "sample");
    assay_status status = assay_beton_dump(run->ctx, args->positional[0], sample, field,
                                           out, cli_on(args, "force"));
    if (status == ASSAY_OK && run->json) {
        json_open(&run->result, NULL);
        json_string(&run->result, "schema", "assay.dump/1");
        json_string(&run->result, "file", out);
        json_uint(&run->result, "sample", sample);
        json_string(&run->result, "field", field);
        json_close(&run->result);
        text_add(&run->result, "\n");
    }
    return status;
}

const assay_verb assay_verb_dump = {
    .name = "dump",
    .group = CLI_DATA,
    .summary = "Write one image or value of a .beton file to a file",
    .description =
        "Takes one field of one sample out of a .beton file and writes it in the "
        "form that the output's name asks for.",
    .options = options,
    .positionals = {{"FILE", "a .beton file", false}},
    .examples = {{"assay dump photos.beton --sample 412 -o 412.png",
                  "an image to look at"},
                 {"assay dump photos.beton --sample 412 --field label -o label.json",
                  "its label"}},
    .run = run,
};
