/* assay attribute: the training rows that help and harm predictions on test rows. */
#include "cli/attribution.h"
#include "cli/json.h"

#include <assay/attribute.h>
#include <assay/data.h>
#include <assay/report.h>

static const cli_option options[] = {
    {.name = "method",
     .type = CLI_CHOICE,
     .choices = "ekfac|trak|kernel|replay|grad-dot|grad-cos|tracin|repsim",
     .initial = "ekfac",
     .help = "how rows are scored (texts: trak)"},
    {.name = "checkpoint",
     .type = CLI_LIST,
     .value = "PATH",
     .help = "a run's folder, .safetensors or .onnx; no training",
     .more = "What 'assay train' left; of a folder all its members. Several make an "
             "ensemble. Methods that train again (replay, tracin) refuse."},
    {.name = "models",
     .type = CLI_INT,
     .value = "M",
     .initial = "5",
     .low = 1,
     .high = 1000,
     .help = "models that scores are averaged over (texts: 1)"},
    {.name = "centre",
     .type = CLI_CHOICE,
     .choices = "matched|full",
     .initial = "matched",
     .help = "how long they train",
     .more =
         "matched: for as many steps as models on random halves of the rows would, for "
         "which scores foretell best. full: for all epochs."},
    {.name = "keep",
     .type = CLI_TEXT,
     .value = "DIR",
     .no_trace = true,
     .keeps = true,
     .help = "keep trak's features there, and stream from them",
     .more = "Memory then does not grow with rows and targets, and what is there need "
             "not be made again, as after a kill."},
    {.name = "mean",
     .type = CLI_TEXT,
     .value = "X,..",
     .rare = true,
     .help = "of an .onnx: taken from pixels (0 to 1) first"},
    {.name = "std",
     .type = CLI_TEXT,
     .value = "X,..",
     .rare = true,
     .help = "and what they are divided by then"},
    {.name = "shard",
     .type = CLI_TEXT,
     .value = "I/N",
     .no_trace = true,
     .rare = true,
     .help = "make features of a part of the rows only (--keep)",
     .more = "For several machines, or processes. The call without --shard gathers what "
             "lies in the folder, makes what is missing and scores: to the same bytes."},
    {.name = "passage",
     .type = CLI_LIST,
     .value = "TEXT",
     .help = "of a text: ask about this instead of test rows"},
    {.name = "generate",
     .type = CLI_INT,
     .value = "N",
     .initial = "0",
     .shown = "none",
     .low = 0,
     .high = 1000000,
     .help = "of a text: ask about N tokens that the model writes",
     .more = "As 'assay generate' with --prompt, --temperature and --seed. The prompt is "
             "read, not asked about."},
    {.name = "prompt",
     .type = CLI_TEXT,
     .value = "TEXT",
     .rare = true,
     .help = "what they stand behind"},
    {.name = "temperature",
     .type = CLI_DOUBLE,
     .value = "T",
     .initial = "1",
     .low = 0,
     .high = 100,
     .rare = true,
     .help = "that they are drawn at"},
    {.name = "ask",
     .type = CLI_CHOICE,
     .choices = "margin|log-probability|logit",
     .initial = "margin",
     .rare = true,
     .help = "what is asked of a target",
     .more = "margin: log(p / (1 - p)) of its class. log-probability: log p, minus the "
             "loss. Rows are taken by their margins whatever is asked."},
    {.name = "class",
     .type = CLI_TEXT,
     .value = "NAME",
     .initial = "label",
     .rare = true,
     .help = "of which class: label, predicted, a name or a number"},
    CLI_OPTIONS_STUDY("passes over the rows"),
    CLI_OPTION_TOP,
    CLI_OPTIONS_METHODS(false, ""),
    CLI_OPTION_SCORES,
    CLI_OPTION_CSV,
    CLI_OPTION_PAGE,
    CLI_OPTION_SEED,
    CLI_OPTION_RESULT,
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

static void tell_windows(text *t, const char *title, json_view rows) {
    json_view next = {0};
    text_add(t, "  %s\n", title);
    while (json_next(rows, &next, NULL)) {
        text_add(t, "    %+9.3g  byte %-9.0f ",
                 json_number(json_member(next, "score"), 0),
                 json_number(json_member(next, "byte"), 0));
        json_line(t, json_member(next, "text"), 48);
        text_add(t, "\n");
    }
}

static void tell_rows(text *t, const char *title, json_view rows) {
    json_view next = {0};
    text_add(t, "  %s", title);
    while (json_next(rows, &next, NULL)) {
        text class = {0};
        json_words(&class, json_member(next, "class"));
        text_add(t, "  %.0f (%s, %+.3g)", json_number(json_member(next, "row"), 0),
                 class.data ? class.data : "",
                 json_number(json_member(next, "score"), 0));
        text_free(&class);
    }
    text_add(t, "\n");
}

static void tell_passage(text *t, json_view passage) {
    text_add(t, "\"");
    json_line(t, json_member(passage, "text"), 60);
    text_add(t, "\", %.0f tokens, margin %.2f\n",
             json_number(json_member(passage, "tokens"), 0),
             json_number(json_member(passage, "margin"), 0));
    tell_windows(t, "helpful:", json_member(passage, "helpful"));
    tell_windows(t, "harmful:", json_member(passage, "harmful"));
}

static void tell(text *t, const char *json) {
    json_view next = {0}, targets = json_member(json_look(json), "targets");
    json_view shards = json_member(json_look(json), "shards");
    if (json_has(shards)) {
        text_add(t, "features of shard %.0f of %.0f are kept\n",
                 json_number(json_member(json_look(json), "shard"), 0),
                 json_number(shards, 0));
        return;
    }
    while (json_next(targets, &next, NULL)) {
        text id = {0}, class = {0};
        if (json_has(json_member(next, "tokens"))) {
            tell_passage(t, next);
            continue;
        }
        json_line(&id,
                  json_member(next, json_has(json_member(next, "id")) ? "id" : "text"),
                  60);
        json_words(&class, json_member(next, "class"));
        text_add(t, "%s, %s, margin %.2f\n", id.data ? id.data : "",
                 class.data ? class.data : "",
                 json_number(json_member(next, "margin"), 0));
        tell_rows(t, "helpful:", json_member(next, "helpful"));
        tell_rows(t, "harmful:", json_member(next, "harmful"));
        text_free(&id);
        text_free(&class);
    }
}

static assay_status run(cli_run *run) {
    const cli_args *a = &run->args;
    assay_attribute_options o = ASSAY_ATTRIBUTE_OPTIONS_INIT;
    char *json = NULL;
    CLI_TAKE_STUDY(o, a);
    CLI_TAKE_METHODS(o, a);
    o.method = cli_typed(a, "method") ? cli_text(a, "method") : NULL;
    o.models = cli_typed(a, "models") ? (int)cli_int(a, "models") : 0;
    o.centre = cli_text(a, "centre");
    o.top = (int)cli_int(a, "top");
    o.checkpoints = cli_list(a, "checkpoint");
    o.keep = cli_text(a, "keep");
    o.ask = cli_text(a, "ask");
    o.mean = cli_text(a, "mean");
    o.std = cli_text(a, "std");
    if (cli_text(a, "shard") && !cli_shard(cli_text(a, "shard"), &o.shard, &o.shards))
        return cli_fail(
            &run->error, ASSAY_E_INVALID,
            "--shard can't be \"%s\": give a part and how many there are, 1/8",
            cli_text(a, "shard"));
    o.target_class = cli_text(a, "class");
    o.passages = cli_list(a, "passage");
    o.generate = (int)cli_int(a, "generate");
    o.prompt = cli_text(a, "prompt");
    o.temperature = cli_real(a, "temperature");
    o.scores = cli_text(a, "scores");
    o.csv = cli_text(a, "csv");
    o.seed = (uint64_t)cli_int(a, "seed");
    assay_status status = assay_attribute_with_page(run->ctx, a->positional[0], &o,
                                                    cli_text(a, "page"), &json);
    return cli_answer(run, status, json, tell);
}

const assay_verb assay_verb_attribute = {
    .name = "attribute",
    .group = CLI_TRACE,
    .summary = "Name the training rows behind predictions on test rows",
    .description =
        "Trains small models on the training rows, or takes those of runs "
        "(--checkpoint), "
        "scores every row for every target by "
        "one method, and names the rows that raise (helpful) and lower (harmful) the "
        "target's margin most. 'assay lds' measures how far such scores can be "
        "believed.\n\n"
        "Of a text (.txt, or a folder of them) the rows are windows as long as the "
        "model's context, the targets passages: those of --passage, what the model "
        "writes (--generate), or windows of the part that was held out. Of a table of "
        "labelled sentences (.tsv, .csv) the rows are lines. Initial values below are "
        "those of images; of a text one gpt-tiny is trained as 'assay train' would, of "
        "sentences bert-tiny by AdamW, 4 passes in batches of 25 at a rate of 0.001.",
    .options = options,
    .positionals =
        {{"DATA",
          "a .beton file, anything that 'assay pack' reads, a text, or a table "
          "of sentences",
          false}},
    .examples = {{"assay attribute fashion-mnist/ --rows 2000 --targets 5",
                  "five test rows"},
                 {"assay attribute photos.beton --checkpoint run/ --page why.html",
                  "by models of one's own, on a page"},
                 {"assay attribute plays.txt --checkpoint run/ --generate 100",
                  "where what a model writes comes from"},
                 {"assay attribute photos.beton --method trak --scores scores.npy --json",
                  "all scores, for a program"}},
    .result_to_file = true,
    .run = run,
};
