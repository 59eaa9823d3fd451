/* From `assay VERB ...` to an exit code: finds the verb, parses, runs, and tells how it
 * went. */
#include "cli/cli.h"
#include "cli/help.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/screen.h"
#include "cli/signals.h"

#include <string.h>

/* ---- how it went ---- */

static void error_document(text *t, const cli_error *e, const char *report) {
    json_open(t, NULL);
    json_string(t, "schema", "assay.error/1");
    json_open(t, "error");
    json_string(t, "status", assay_status_name(e->status));
    json_uint(t, "exit", (uint64_t)cli_exit_code(e->status));
    json_string(t, "what", e->what);
    json_string(t, "where", e->where);
    json_string(t, "help", e->help);
    json_close(t);
    if (*report)
        json_raw(t, "report", report);
    json_close(t);
    text_add(t, "\n");
}

/* Tells an error on the screen and, if wanted, as a document; returns the exit code.
 * `report`: JSON that goes along, or "". */
static int tell(screen *s, const cli_error *e, bool json, const char *report) {
    screen_error(s, e->what, e->where, e->help);
    if (json) {
        text t = {0};
        cli_error second = {0};
        error_document(&t, e, report);
        /* standard output that can't be written leaves the screen, which has been told */
        (void)cli_output_write(&t, NULL, false, &second);
        text_free(&t);
    }
    return cli_exit_code(e->status);
}

/* Whether the same command continues after an interruption. */
static bool goes_on(const cli_run *run) {
    bool keeps = run->verb->resumable;
    for (size_t i = 0; i < run->args.count; i++)
        keeps = keeps || (run->args.value[i].option->keeps && run->args.value[i].text);
    return keeps;
}

/* The words of a failed run: the command's own, or the library's. */
static void take_words(cli_run *run, assay_status status) {
    cli_error *e = &run->error;
    if (status == ASSAY_E_CANCELLED) {
        cli_fail(e, status,
                 goes_on(run) ? "interrupted; what was finished is kept"
                              : "interrupted; nothing was written");
        text line = {0};
        for (int i = 0; i < run->argc; i++) {
            if (i > 0)
                text_add(&line, " ");
            text_shell(&line, i == 0 ? "assay" : run->argv[i]);
        }
        cli_fail_help(e, goes_on(run) ? "to continue: %s" : "to start again: %s",
                      text_str(&line));
        text_free(&line);
    } else if (e->status == ASSAY_OK) {
        const assay_error *last = assay_last_error();
        cli_fail(e, status, "%s",
                 *last->message ? last->message : assay_status_name(status));
        cli_fail_where(e, "%s", last->where);
        cli_fail_help(e, "%s", last->help);
    }
}

/* ---- running ---- */

static assay_status start(cli_run *run, screen *s) {
    static const assay_log_level levels[] = {ASSAY_LOG_WARN, ASSAY_LOG_INFO,
                                             ASSAY_LOG_DEBUG};
    assay_ctx_options options = ASSAY_CTX_OPTIONS_INIT;
    int64_t verbose = cli_int(&run->args, "verbose");
    options.threads = (int)cli_int(&run->args, "threads");
    options.log = screen_log;
    options.log_cookie = s;
    options.log_level = levels[verbose < 2 ? verbose : 2];
    if (cli_on(&run->args, "quiet"))
        options.log_level = ASSAY_LOG_ERROR;
    options.progress = screen_progress;
    options.progress_cookie = s;
    return assay_ctx_create(&run->ctx, &options);
}

/* All files that the command is to make, before hours of work. */
static assay_status check_files(cli_run *run) {
    assay_status status = ASSAY_OK;
    bool force = false;
    for (size_t i = 0; i < run->args.count; i++)
        if (strcmp(run->args.value[i].option->name, "force") == 0)
            force = run->args.value[i].on;
    for (size_t i = 0; status == ASSAY_OK && i < run->args.count; i++) {
        const cli_value *v = &run->args.value[i];
        bool result = run->verb->result_to_file && strcmp(v->option->name, "output") == 0;
        if (v->option->written || result)
            status = cli_output_check(v->text, force, &run->error);
    }
    return status;
}

static int run_verb(cli_run *run) {
    screen s;
    screen_init(&s, &run->args);
    assay_status status = start(run, &s);
    if (status == ASSAY_OK)
        status = check_files(run);
    if (status == ASSAY_OK) {
        run->screen = &s;
        signals_cancel(run->ctx);
        status = run->verb->run(run);
        signals_cancel(NULL);
        if (status == ASSAY_OK) {
            const char *path =
                run->verb->result_to_file ? cli_text(&run->args, "output") : NULL;
            bool force = run->verb->result_to_file && cli_on(&run->args, "force");
            screen_clear(&s);
            status = cli_output_write(&run->result, path, force, &run->error);
        }
    }
    int code = 0;
    if (status != ASSAY_OK) {
        take_words(run, status);
        code = tell(&s, &run->error, run->json, text_str(&run->report));
    }
    screen_close(&s);
    assay_ctx_destroy(run->ctx);
    text_free(&run->result);
    text_free(&run->report);
    return code;
}

static int print(text *t) {
    cli_error e = {0};
    int code = 0;
    if (cli_output_write(t, NULL, false, &e) != ASSAY_OK) {
        screen s;
        screen_init(&s, NULL);
        code = tell(&s, &e, false, "");
        screen_close(&s);
    }
    text_free(t);
    return code;
}

static int wrong(const cli_error *e, bool json) {
    screen s;
    screen_init(&s, NULL);
    int code = tell(&s, e, json, "");
    screen_close(&s);
    return code;
}

static int print_version(void) {
    text t = {0};
    text_add(&t, "assay %s\n", assay_version());
    return print(&t);
}

static int print_manual(const assay_verb *verb) {
    text t = {0};
    manual_page(&t, &manual_plain, verb);
    return print(&t);
}

static int with_verb(const assay_verb *verb, int argc, char *const *argv) {
    cli_run run = {.verb = verb, .argc = argc, .argv = argv};
    run.json = cli_wants_json(argc - 2, argv + 2);
    if (cli_parse(&run.args, &run.error, verb, argc - 2, argv + 2) != ASSAY_OK)
        return wrong(&run.error, run.json);
    int code;
    text t = {0};
    switch (run.args.action) {
    case CLI_ACT_VERSION:
        code = print_version();
        break;
    case CLI_ACT_MANUAL:
        code = print_manual(verb);
        break;
    case CLI_ACT_HELP:
        help_screen(&t, verb);
        code = print(&t);
        break;
    default:
        run.json = cli_on(&run.args, "json");
        code = run_verb(&run);
        break;
    }
    cli_args_free(&run.args);
    return code;
}

void cli_command_line(text *out, const cli_run *run) {
    text_add(out, "assay %s", run->verb->name);
    for (size_t i = 0; i < run->args.count; i++) {
        const cli_value *v = &run->args.value[i];
        const cli_option *o = v->option;
        if (o->no_trace || v->origin == CLI_FROM_TABLE)
            continue;
        if (o->type == CLI_FLAG) {
            text_add(out, v->on ? " --%s" : " --no-%s", o->name);
            continue;
        }
        for (size_t k = 0; k < (o->type == CLI_LIST ? v->list_count : 1); k++) {
            text_add(out, " --%s=", o->name);
            text_shell(out, o->type == CLI_LIST ? v->list[k] : v->text);
        }
    }
    for (size_t i = 0; i < run->args.positional_count; i++) {
        text_add(out, " ");
        text_shell(out, run->args.positional[i]);
    }
    for (size_t i = 0; i < run->args.rest_count; i++) {
        text_add(out, " ");
        text_shell(out, run->args.rest[i]);
    }
}

/* ---- the first word ---- */

static const char *next_verb(const void *cookie, size_t i) {
    (void)cookie;
    return cli_verbs[i] ? cli_verbs[i]->name : NULL;
}

static int unknown_verb(const char *word, bool json) {
    cli_error e = {0};
    const char *near = cli_nearest(word, next_verb, NULL);
    if (word[0] == '-') {
        cli_fail(&e, ASSAY_E_INVALID, "unknown option '%s' before a verb", word);
        cli_fail_help(&e, "options stand after the verb; 'assay' lists the verbs");
    } else if (near) {
        cli_fail(&e, ASSAY_E_INVALID, "there is no verb '%s'", word);
        cli_fail_help(&e, "did you mean '%s'? 'assay' lists them all", near);
    } else {
        cli_fail(&e, ASSAY_E_INVALID, "there is no verb '%s'", word);
        cli_fail_help(&e, "'assay' lists them all");
    }
    return wrong(&e, json);
}

static int help_on(int argc, char *const *argv) {
    text t = {0};
    if (argc < 3) {
        help_overview(&t);
        return print(&t);
    }
    const assay_verb *verb = cli_verb_find(argv[2]);
    return verb ? print_manual(verb) : unknown_verb(argv[2], false);
}

/* For the build: `assay --man FOLDER` writes the manual pages. */
static int write_manuals(const char *folder) {
    cli_error e = {0};
    return man_write(folder, &e) == ASSAY_OK ? 0 : wrong(&e, false);
}

int cli_main(int argc, char *const *argv) {
    const char *word = argc > 1 ? argv[1] : "help";
    if (strcmp(word, "help") == 0)
        return help_on(argc, argv);
    if (strcmp(word, "-h") == 0)
        return help_on(1, argv);
    if (strcmp(word, "--help") == 0)
        return print_manual(NULL);
    if (strcmp(word, "-V") == 0 || strcmp(word, "--version") == 0)
        return print_version();
    if (strcmp(word, "--man") == 0 && argc == 3)
        return write_manuals(argv[2]);
    const assay_verb *verb = cli_verb_find(word);
    return verb ? with_verb(verb, argc, argv)
                : unknown_verb(word, cli_wants_json(argc - 1, argv + 1));
}
