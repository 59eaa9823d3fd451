/* The command's own vocabulary: what a verb declares, what it is given when it runs.
 *
 * One constant table per verb (verbs/<name>.c exports `const assay_verb
 * assay_verb_<name>`) yields the parser, the help screen, the manual page and the tests
 * that these agree. The command sees the library through its public headers only. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "cli/text.h"

#include <assay/base.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- what a verb declares ---- */

typedef enum cli_type {
    CLI_NONE, /* ends a table */
    CLI_FLAG, /* given or not; one that starts as "on" is switched off by --no-NAME */
    CLI_INT,
    CLI_DOUBLE,
    CLI_TEXT,
    CLI_SIZE,     /* bytes: 8M, 8MiB (1024s), 8MB (1000s) */
    CLI_DURATION, /* seconds: 90, 90s, 5m, 1h30m */
    CLI_CHOICE,
    CLI_LIST /* text, may be repeated */
} cli_type;

typedef struct cli_option {
    const char *name; /* without dashes */
    char letter;      /* 0: none */
    cli_type type;
    const char *value;   /* what stands for the value in help: "N", "FILE" */
    const char *initial; /* the value when not given, as one would type it; NULL: none */
    const char *shown;   /* how help says it, where the bare value would not do */
    double low, high;    /* inclusive range of a number */
    bool automatic;      /* of a CLI_DOUBLE: "auto" may stand for it, and is NaN */
    const char *choices; /* "raw|jpg|keep" */
    const char *help;    /* one phrase, for the screen and the manual */
    const char *more;    /* further sentences for the manual; NULL: none */
    bool required;
    bool rare;    /* seldom needed: the screen only names it, the manual tells */
    bool written; /* a file that is made: refused before the work if it is there and not
                     --force, or can't be made */
    bool keeps;   /* a folder from which the same command goes on after an interruption */
    bool no_trace; /* leaves no trace in what is written; see cli_command_line */
} cli_option;

/* Rows that mean the same wherever they stand. */
#define CLI_OPTION_FORCE                                                                 \
    {                                                                                    \
        .name = "force", .letter = 'f', .type = CLI_FLAG, .no_trace = true,              \
        .help = "overwrite what is there"                                                \
    }
#define CLI_OPTION_RESULT                                                                \
    {                                                                                    \
        .name = "output", .letter = 'o', .type = CLI_TEXT, .value = "FILE",              \
        .initial = "-", .shown = "standard output", .no_trace = true,                    \
        .help = "where the result is written"                                            \
    }
#define CLI_OPTION_SEED                                                                  \
    {                                                                                    \
        .name = "seed", .type = CLI_INT, .value = "N", .initial = "0", .low = 0,         \
        .high = 9007199254740992.0, .help = "start of all randomness",                   \
        .more =                                                                          \
            "The same seed, data and build give the same bytes, whatever the number of " \
            "threads."                                                                   \
    }
#define CLI_OPTION_LIMIT                                                                 \
    {                                                                                    \
        .name = "limit", .type = CLI_INT, .value = "N", .initial = "0", .shown = "all",  \
        .low = 0, .high = 9007199254740992.0, .help = "use at most N rows of each split" \
    }
#define CLI_OPTION_RESUME                                                                \
    {                                                                                    \
        .name = "resume", .type = CLI_FLAG, .initial = "on", .no_trace = true,           \
        .help = "continue what an earlier run left",                                     \
        .more = "The output folder is the checkpoint: the same command continues. With " \
                "--no-resume everything is done anew."                                   \
    }

typedef struct cli_positional {
    const char *name;
    const char *help;
    bool optional;
    bool many; /* of the last one: further words are `rest` */
} cli_positional;

typedef struct cli_example {
    const char *command;
    const char *says; /* what it does, one phrase */
} cli_example;

typedef enum cli_group { CLI_LOOK, CLI_DATA, CLI_MODEL, CLI_TRACE, CLI_SAFETY } cli_group;

enum { CLI_MAX_OPTIONS = 96, CLI_MAX_POSITIONALS = 4, CLI_MAX_EXAMPLES = 5 };

typedef struct cli_run cli_run;

typedef struct assay_verb {
    const char *name;
    cli_group group;
    const char *summary;       /* one phrase, imperative */
    const char *description;   /* paragraphs between blank lines */
    const cli_option *options; /* ended by CLI_NONE */
    cli_positional positionals[CLI_MAX_POSITIONALS];
    cli_example examples[CLI_MAX_EXAMPLES];
    bool resumable;      /* the same command continues after an interruption */
    bool result_to_file; /* --output says where the result goes, instead of standard
                            output */
    assay_status (*run)(cli_run *run);
} assay_verb;

/* The options that every verb has. */
extern const cli_option cli_common[];

/* All verbs in name order, NULL-terminated. */
extern const assay_verb *const cli_verbs[];
const assay_verb *cli_verb_find(const char *name); /* NULL if there is none */

/* ---- errors of the command's own ---- */

typedef struct cli_error {
    assay_status status;
    char what[512], where[1024], help[512];
} cli_error;
/* Sets what is wrong and returns `status`; clears where and help. */
assay_status cli_fail(cli_error *e, assay_status status, const char *fmt, ...)
    ASSAY_PRINTF(3, 4);
void cli_fail_where(cli_error *e, const char *fmt, ...) ASSAY_PRINTF(2, 3);
void cli_fail_help(cli_error *e, const char *fmt, ...) ASSAY_PRINTF(2, 3);

/* The word of a list that is nearest to `word` by edits, or NULL if none is near. `next`
 * is called with 0, 1, ... until it returns NULL; entries may repeat. */
const char *cli_nearest(const char *word,
                        const char *(*next)(const void *cookie, size_t i),
                        const void *cookie);

/* ---- the parsed command line ---- */

/* Where a value came from; what is typed wins over what is built in. */
typedef enum cli_origin { CLI_FROM_TABLE, CLI_FROM_COMMAND_LINE } cli_origin;

typedef struct cli_value {
    const cli_option *option;
    cli_origin origin;
    const char *text;
    int64_t integer; /* CLI_INT, CLI_SIZE; of a flag: how often it was given */
    double real;     /* CLI_INT, CLI_DOUBLE, CLI_DURATION */
    bool on;         /* CLI_FLAG */
    const char **list;
    size_t list_count;
} cli_value;

typedef enum cli_action {
    CLI_ACT_RUN,
    CLI_ACT_HELP,
    CLI_ACT_MANUAL,
    CLI_ACT_VERSION
} cli_action;

typedef struct cli_args {
    cli_action action;
    cli_value value[CLI_MAX_OPTIONS];
    size_t count;
    const char *positional[CLI_MAX_POSITIONALS];
    size_t positional_count;
    const char **rest;
    size_t rest_count;
} cli_args;

/* Parses what follows the verb. Strings are borrowed from `argv`.
 * INVALID with words in `e`; NOMEM. */
assay_status cli_parse(
    cli_args *args, cli_error *e, const assay_verb *verb, int argc, char *const *argv);
void cli_args_free(cli_args *args);
/* Whether a bare `--json` stands in a command line that may not parse. */
bool cli_wants_json(int argc, char *const *argv);

/* Values by name, of exactly the declared type. */
bool cli_on(const cli_args *args, const char *name);
bool cli_typed(const cli_args *args, const char *name); /* not only by default */
int64_t cli_int(const cli_args *args, const char *name);
double cli_real(const cli_args *args, const char *name);
/* The same, with a number that stands for "auto". */
double cli_real_or(const cli_args *args, const char *name, double automatic);
/* "3/8"; false for other words. */
bool cli_shard(const char *words, int *shard, int *shards);
const char *cli_text(const cli_args *args, const char *name); /* NULL if there is none */
/* NULL-terminated; NULL if none was given. */
const char *const *cli_list(const cli_args *args, const char *name);

/* ---- what a running verb has ---- */

struct cli_run {
    const assay_verb *verb;
    cli_args args;
    assay_ctx *ctx;
    bool json;
    struct screen *screen; /* for notes: screen_note */
    text result;     /* what goes to standard output, written once the verb is through */
    text report;     /* JSON that the document of a failure carries along; may be empty */
    cli_error error; /* set by cli_fail(&run->error, ...); otherwise the library's words
                        are told */
    int argc;
    char *const *argv; /* the whole command line */
};
/* The end of a verb whose library call gave `json`: that is the result as it is with
 * --json, else told in words. Frees it; hands `status` on. */
typedef void cli_tell(text *t, const char *json);
assay_status cli_answer(cli_run *run, assay_status status, char *json, cli_tell *tell);

/* What was asked for, quoted for a shell, in the tables' order and without options that
 * leave no trace in what is written (--json, --threads, --output and the like): the same
 * work gives the same line. */
void cli_command_line(text *out, const cli_run *run);

/* ---- the rest of the room ---- */

int cli_exit_code(assay_status status);

/* Everything between "assay VERB ..." and the exit code. */
int cli_main(int argc, char *const *argv);

#endif
