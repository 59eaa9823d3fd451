/* assay audit: from a labelled dataset to findings and a page to look at. */
#include "cli/audit_folder.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/recipe.h"
#include "cli/screen.h"

#include <assay/audit.h>
#include <assay/data.h>
#include <assay/report.h>

#include <string.h>

static const cli_option options[] = {
    {.name = "output",
     .letter = 'o',
     .type = CLI_TEXT,
     .value = "DIR",
     .shown = "SRC's name with .assay",
     .no_trace = true,
     .help = "where findings and work go"},
    {.name = "dry-run",
     .letter = 'n',
     .type = CLI_FLAG,
     .no_trace = true,
     .help = "say what it would take; write nothing"},
    {.name = "members",
     .type = CLI_INT,
     .value = "M",
     .initial = "6",
     .low = 3,
     .high = 60,
     .help = "models to train, a multiple of 3",
     .more = "Each sees two thirds of the training rows; a row is judged by those that "
             "did not "
             "see it."},
    CLI_RECIPE_MODEL,
    {.name = "train-size",
     .type = CLI_INT,
     .value = "PIXELS",
     .initial = "0",
     .shown = "chosen from the data",
     .low = 0,
     .high = 512,
     .help = "side of the images trained on"},
    CLI_RECIPE_FIT,
    CLI_RECIPE_AUGMENT,
    {.name = "sketch",
     .type = CLI_INT,
     .value = "N",
     .initial = "512",
     .low = 16,
     .high = 16384,
     .help = "numbers kept of each gradient"},
    {.name = "ridge",
     .type = CLI_DOUBLE,
     .value = "X",
     .initial = "1",
     .low = 1e-9,
     .high = 1e6,
     .help = "ridge, in mean eigenvalues"},
    {.name = "pred-probs",
     .type = CLI_TEXT,
     .value = "P.npy",
     .shown = "the members'",
     .help = "your own probabilities for the label check",
     .more =
         "An array [rows, classes] or [training rows, classes] of f32 or f64, made by "
         "models that did not see the row they judge."},
    {.name = "plant",
     .type = CLI_LIST,
     .value = "KIND:AMOUNT",
     .help = "plant faults and say how many are found",
     .more =
         "labels:5% gives so many training rows a wrong label, copies:200 puts so many "
         "altered training images into the test rows, shifts:200 copies shifted by a "
         "pixel. The source itself is not touched."},
    {.name = "exclude",
     .type = CLI_TEXT,
     .value = "FILE",
     .help = "leave out the rows of an earlier exclude.txt"},
    {.name = "from",
     .type = CLI_TEXT,
     .value = "KIND",
     .shown = "detected",
     .help = "what kind of source it is",
     .more = "One of folder, idx, cifar10, cifar100, webdataset, csv, jsonl, npy."},
    {.name = "self-test",
     .type = CLI_FLAG,
     .initial = "on",
     .help = "spoil a few rows to measure what is caught"},
    CLI_OPTION_SEED,
    CLI_OPTION_LIMIT,
    CLI_OPTION_RESUME,
    {.name = "force",
     .letter = 'f',
     .type = CLI_FLAG,
     .no_trace = true,
     .help = "use a folder made for other data"},
    {.type = CLI_NONE}};

static void take_options(assay_audit_options *o, const cli_args *args) {
    o->members = (int)cli_int(args, "members");
    o->seed = (uint64_t)cli_int(args, "seed");
    o->model = cli_text(args, "model");
    o->train_size = (int)cli_int(args, "train-size");
    o->epochs = (int)cli_int(args, "epochs");
    o->batch = (int)cli_int(args, "batch");
    o->lr = cli_real(args, "lr");
    o->flip = recipe_flip(args);
    o->translate = (int)cli_int(args, "translate");
    o->sketch = (int)cli_int(args, "sketch");
    o->ridge = cli_real(args, "ridge");
    o->pred_probs = cli_text(args, "pred-probs");
    o->plant = cli_list(args, "plant");
    o->exclude = cli_text(args, "exclude");
    o->from = cli_text(args, "from");
    o->limit = cli_int(args, "limit");
    o->no_self_test = !cli_on(args, "self-test");
    o->no_resume = !cli_on(args, "resume");
    o->force = cli_on(args, "force");
}

/* ---- what it would take ---- */

static assay_status dry_run(cli_run *run, const assay_audit_options *o) {
    assay_audit_plan p;
    assay_status status = assay_audit_dry_run(run->ctx, run->args.positional[0], o, &p);
    if (status != ASSAY_OK)
        return status;
    text *t = &run->result;
    if (run->json) {
        json_open(t, NULL);
        json_string(t, "schema", "assay.audit.plan/1");
        json_uint(t, "rows", p.rows);
        json_uint(t, "train_rows", p.train_rows);
        json_uint(t, "test_rows", p.test_rows);
        json_uint(t, "classes", (uint64_t)p.classes);
        json_uint(t, "members", (uint64_t)p.members);
        json_uint(t, "train_size", (uint64_t)p.train_size);
        json_uint(t, "disk_bytes", p.disk_bytes);
        json_uint(t, "memory_bytes", p.memory_bytes);
        json_real(t, "seconds_low", p.seconds_low);
        json_real(t, "seconds_high", p.seconds_high);
        json_close(t);
        text_add(t, "\n");
        return ASSAY_OK;
    }
    text_add(t, "would train %d models on %s images of %d classes: %s-%s, %s memory, ",
             p.members, words_count(p.train_rows).s, p.classes,
             words_seconds(p.seconds_low).s, words_seconds(p.seconds_high).s,
             words_bytes(p.memory_bytes).s);
    text_add(t, "%s disk, nothing sent\n", words_bytes(p.disk_bytes).s);
    return ASSAY_OK;
}

/* A look ahead: a source that won't do fails before any folder is made, and whoever waits
 * hears how long it may take. */
static assay_status look_ahead(cli_run *run, const assay_audit_options *o) {
    assay_audit_plan p;
    assay_status status = assay_audit_dry_run(run->ctx, run->args.positional[0], o, &p);
    if (status == ASSAY_OK && run->screen->form != SCREEN_NONE)
        screen_note(run->screen,
                    "%d models on %s images of %d classes: %s-%s from the start",
                    p.members, words_count(p.train_rows).s, p.classes,
                    words_seconds(p.seconds_low).s, words_seconds(p.seconds_high).s);
    return status;
}

/* ---- the audit ---- */

static assay_status tell(cli_run *run, const assay_audit *audit, const char *out) {
    char *words = NULL;
    assay_status status = run->json ? assay_audit_json(run->ctx, audit, &words)
                                    : assay_audit_answer(run->ctx, audit, &words);
    if (status != ASSAY_OK)
        return status;
    text_put(&run->result, words, strlen(words));
    if (run->result.used && run->result.data[run->result.used - 1] != '\n')
        text_add(&run->result, "\n");
    if (!run->json)
        text_add(&run->result, "%s/audit.html\n", out);
    assay_string_free(run->ctx, words);
    return ASSAY_OK;
}

static assay_status
do_audit(cli_run *run, const assay_audit_options *o, const char *out) {
    assay_audit *audit = NULL;
    text command = {0};
    assay_report_options report = ASSAY_REPORT_OPTIONS_INIT;
    assay_status status = look_ahead(run, o);
    if (status == ASSAY_OK)
        status = assay_audit_run(&audit, run->ctx, run->args.positional[0], out, o);
    if (status == ASSAY_OK) {
        cli_command_line(&command, run);
        report.command = text_str(&command);
        status = assay_audit_report(run->ctx, audit, out, &report);
    }
    if (status == ASSAY_OK)
        status = tell(run, audit, out);
    assay_audit_destroy(audit);
    text_free(&command);
    return status;
}

static assay_status run(cli_run *run) {
    assay_audit_options o = ASSAY_AUDIT_OPTIONS_INIT;
    take_options(&o, &run->args);
    if (cli_on(&run->args, "dry-run"))
        return dry_run(run, &o);
    text out = {0};
    audit_folder(&out, run->args.positional[0], cli_text(&run->args, "output"));
    assay_status status = do_audit(run, &o, text_str(&out));
    text_free(&out);
    return status;
}

const assay_verb assay_verb_audit = {
    .name = "audit",
    .group = CLI_LOOK,
    .summary = "Find wrong labels, copies and leaks, and what caused each error",
    .description =
        "Trains a few models on parts of the dataset, so that every image is judged by "
        "models "
        "that never saw it; compares all images with each other; and traces each error "
        "on the "
        "test rows to the training images that pushed for it and against it.\n\n"
        "The output folder receives audit.html (a page that needs no network), "
        "audit.json, "
        "issues.csv and issues.jsonl (every row that looks wrong), influence.csv, "
        "exclude.txt "
        "for 'assay train --exclude', and run/ with the work itself. It is its own "
        "checkpoint: "
        "the same command continues after an interruption, and a changed option redoes "
        "only "
        "what depends on it.\n\n"
        "The findings do not depend on the number of threads.",
    .options = options,
    .positionals = {{"SRC",
                     "a folder of images, idx files, CIFAR-10 batches or a .beton file",
                     false}},
    .examples = {{"assay audit photos/", "writes photos.assay/audit.html"},
                 {"assay audit photos/ -n", "says how long it would take"},
                 {"assay audit photos/ --json | jq .counts", "for a program"},
                 {"assay audit photos/ -o test.assay --plant labels:5%",
                  "how many of the labels spoiled on purpose are found"}},
    .resumable = true,
    .run = run,
};
