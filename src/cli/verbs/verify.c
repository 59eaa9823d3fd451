/* assay verify: whether a .beton file is whole. */
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/screen.h"

#include <assay/data.h>

#include <string.h>

static const cli_option options[] = {
    {.name = "quick", .type = CLI_FLAG, .help = "don't decode images"},
    CLI_OPTION_RESULT,
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

/* The first few problems; the very first is told as the error. */
static void tell_problems(cli_run *run, json_view report) {
    enum { TOLD = 5 };
    json_view problem = {NULL, NULL};
    uint64_t count = json_whole(json_member(report, "count"), 0);
    json_view problems = json_member(report, "problems");
    for (uint64_t i = 0; i < TOLD && json_next(problems, &problem, NULL); i++) {
        text line = {0};
        json_words(&line, json_member(problem, "where"));
        text_add(&line, ": ");
        json_words(&line, json_member(problem, "what"));
        if (i > 0)
            screen_note(run->screen, "%s", text_str(&line));
        text_free(&line);
    }
    if (count > TOLD)
        screen_note(run->screen, "and %s more; --json lists them",
                    words_count(count - TOLD).s);
}

static assay_status run(cli_run *run) {
    const char *path = run->args.positional[0];
    char *json = NULL;
    assay_status status =
        assay_beton_verify(run->ctx, path, cli_on(&run->args, "quick"), &json);
    if (status == ASSAY_OK && run->json)
        text_put(&run->result, json, strlen(json));
    else if (status == ASSAY_OK)
        text_add(&run->result, "%s: %s samples, nothing wrong\n", path,
                 words_count(json_whole(json_member(json_look(json), "samples"), 0)).s);
    else if (json) {
        text_put(&run->report, json, strlen(json));
        tell_problems(run, json_look(json));
    }
    assay_string_free(run->ctx, json);
    return status;
}

const assay_verb assay_verb_verify = {
    .name = "verify",
    .group = CLI_DATA,
    .summary = "Check that a .beton file is whole",
    .description =
        "Checks the file's structure, decodes every image and, where assay wrote "
        "the file, compares its checksums. Exits with 0 if all is well and with 3 "
        "if anything is wrong, naming the first thing.",
    .options = options,
    .positionals = {{"FILE", "a .beton file", false}},
    .examples = {{"assay verify photos.beton", "everything"},
                 {"assay verify photos.beton --quick", "structure and checksums only"}},
    .result_to_file = true,
    .run = run,
};
