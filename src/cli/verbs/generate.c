/* assay generate: text out of a trained model. */
#include "cli/cli.h"
#include "cli/json.h"

#include <assay/data.h>
#include <assay/train.h>

static const cli_option options[] = {
    {.name = "prompt",
     .letter = 'p',
     .type = CLI_TEXT,
     .value = "TEXT",
     .initial = "",
     .shown = "nothing",
     .help = "what the text begins with"},
    {.name = "tokens",
     .letter = 'n',
     .type = CLI_INT,
     .value = "N",
     .initial = "256",
     .low = 1,
     .high = 1000000,
     .help = "how many to add"},
    {.name = "temperature",
     .type = CLI_DOUBLE,
     .value = "X",
     .initial = "1",
     .low = 0,
     .high = 100,
     .help = "how daring; 0: always the likeliest",
     .more =
         "Logits are divided by it: below 1 likely tokens come more often than the model "
         "says, above 1 less often."},
    CLI_OPTION_SEED,
    CLI_OPTION_RESULT,
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

static assay_status run(cli_run *run) {
    const cli_args *args = &run->args;
    assay_generate_options o = ASSAY_GENERATE_OPTIONS_INIT;
    char *said;
    size_t bytes;
    o.prompt = cli_text(args, "prompt");
    o.tokens = (int)cli_int(args, "tokens");
    o.temperature = cli_real(args, "temperature");
    o.seed = (uint64_t)cli_int(args, "seed");
    assay_status status =
        assay_generate(run->ctx, args->positional[0], &o, &said, &bytes);
    if (status != ASSAY_OK)
        return status;
    if (run->json) {
        json_open(&run->result, NULL);
        json_string(&run->result, "schema", "assay.generate/1");
        json_string(&run->result, "model", args->positional[0]);
        json_string(&run->result, "prompt", o.prompt);
        json_uint(&run->result, "tokens", (uint64_t)o.tokens);
        json_real(&run->result, "temperature", o.temperature);
        json_uint(&run->result, "seed", o.seed);
        json_string(&run->result, "text", said);
        json_close(&run->result);
    } else {
        text_put(&run->result, said, bytes);
    }
    text_add(&run->result, "\n");
    assay_string_free(run->ctx, said);
    return ASSAY_OK;
}

const assay_verb assay_verb_generate = {
    .name = "generate",
    .group = CLI_MODEL,
    .summary = "Let a model of text write on",
    .description = "Writes a prompt and what a model of text puts behind it, token by "
                   "token, each drawn "
                   "with the probabilities that the model gives it. The same model, "
                   "prompt and seed give "
                   "the same text.\n\n"
                   "The model sees as many of the last tokens as its context holds. With "
                   "characters as "
                   "tokens, the prompt may hold those alone that the training text had.",
    .options = options,
    .positionals = {{"MODEL", "a .safetensors model of text, or a run's folder", false}},
    .examples = {{"assay generate run/ --prompt 'ROMEO:'", "a speech"},
                 {"assay generate run/ --temperature 0.7 --seed 3 -n 1000",
                  "more, and more carefully"}},
    .result_to_file = true,
    .run = run,
};
