/* assay why: which training images made the models say this of one test image. */
#include "cli/audit_folder.h"
#include "cli/cli.h"
#include "cli/json.h"

#include <assay/audit.h>
#include <assay/data.h>

#include <string.h>

static const cli_option options[] = {
    {.name = "test",
     .type = CLI_INT,
     .value = "I",
     .low = 0,
     .high = 9007199254740992.0,
     .required = true,
     .help = "which test row, counted from 0"},
    {.name = "top",
     .type = CLI_INT,
     .value = "N",
     .initial = "10",
     .low = 1,
     .high = 1000,
     .help = "training rows to show each way"},
    {.name = "output",
     .letter = 'o',
     .type = CLI_TEXT,
     .value = "DIR",
     .shown = "DATASET's name with .assay",
     .no_trace = true,
     .help = "the audit's folder",
     .more = "What the audit lacks is done first, with the options it was begun with."},
    {.type = CLI_NONE}};

static void tell_rows(text *t, json_view rows) {
    json_view row = {NULL, NULL};
    while (json_next(rows, &row, NULL)) {
        text_add(t, "  %+7.3f  row %s", json_number(json_member(row, "effect"), 0),
                 words_count(json_whole(json_member(row, "row"), 0)).s);
        text_pad(t, 26);
        json_words(t, json_member(row, "label"));
        text_pad(t, 44);
        json_words(t, json_member(row, "id"));
        if (json_true(json_member(row, "flagged")))
            text_add(t, "  !label");
        text_add(t, "\n");
    }
}

static void tell(text *t, const char *json) {
    json_view all = json_look(json);
    text_add(t, "test row %s (", words_count(json_whole(json_member(all, "test"), 0)).s);
    json_words(t, json_member(all, "id"));
    text_add(t, ") is labelled '");
    json_words(t, json_member(all, "label"));
    text_add(t, "', %s; the models say '",
             words_percent(json_number(json_member(all, "p_label"), 0)).s);
    json_words(t, json_member(all, "predicted"));
    text_add(t, "', %s\n",
             words_percent(json_number(json_member(all, "p_predicted"), 0)).s);
    text_add(t, "\npushed against its label\n");
    tell_rows(t, json_member(all, "against"));
    text_add(t, "\npushed for its label\n");
    tell_rows(t, json_member(all, "for"));
    uint64_t removal = json_whole(json_member(all, "removal_flips_after"), 0);
    if (removal)
        text_add(
            t, "\nwithout the %s strongest against, the answer is predicted to change\n",
            words_count(removal).s);
    json_view trust = json_member(json_member(all, "trust"), "correlation");
    text_add(t, "\npredicted effects, 1 flips the answer; ");
    if (json_has(trust))
        text_add(t, "trust: correlation with what members really do %.2f\n",
                 json_number(trust, 0));
    else
        text_add(t, "their trust is unknown\n");
}

static assay_status run(cli_run *run) {
    const cli_args *args = &run->args;
    text out = {0};
    char *json = NULL;
    assay_audit_options o = ASSAY_AUDIT_OPTIONS_INIT;
    audit_folder(&out, args->positional[0], cli_text(args, "output"));
    assay_status status =
        assay_why(run->ctx, args->positional[0], text_str(&out), &o,
                  cli_int(args, "test"), (int)cli_int(args, "top"), &json);
    status = cli_answer(run, status, json, tell);
    text_free(&out);
    return status;
}

const assay_verb assay_verb_why = {
    .name = "why",
    .group = CLI_LOOK,
    .summary = "Name the training images behind one prediction",
    .description =
        "For one test image, names the training images that pushed the models away from "
        "its "
        "label and those that pushed towards it, strongest first, with the predicted "
        "effect of "
        "having trained on each. An effect of 1 is as much as the answer needs to flip; "
        "the "
        "trust beside it says how well such predictions agree with what members that did "
        "not "
        "see a row really do.\n\n"
        "Works from an audit of the same dataset; what is missing of it is done first. "
        "\"!label\" marks training images whose own label looks wrong.",
    .options = options,
    .positionals = {{"DATASET", "the dataset, as it was given to 'assay audit'", false}},
    .examples = {{"assay why photos/ --test 17", "for the test image 17"},
                 {"assay why photos/ --test 17 --top 100 --json", "more, for a program"}},
    .resumable = true,
    .run = run,
};
