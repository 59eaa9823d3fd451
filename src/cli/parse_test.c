/* The parser against a small verb of its own: what is understood, and what is refused
 * how. */
#include "cli/cli.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const cli_option options[] = {
    {.name = "count",
     .letter = 'c',
     .type = CLI_INT,
     .value = "N",
     .initial = "3",
     .low = -5,
     .high = 10,
     .help = "a number"},
    {.name = "rate",
     .type = CLI_DOUBLE,
     .value = "X",
     .initial = "0.5",
     .low = 0,
     .high = 1,
     .automatic = true,
     .help = "a rate"},
    {.name = "name", .letter = 'o', .type = CLI_TEXT, .value = "S", .help = "a word"},
    {.name = "bytes",
     .type = CLI_SIZE,
     .value = "SIZE",
     .initial = "8M",
     .low = 1,
     .high = 1099511627776,
     .help = "a size"},
    {.name = "wait",
     .type = CLI_DURATION,
     .value = "T",
     .initial = "1m",
     .low = 0,
     .high = 864000,
     .help = "a time"},
    {.name = "mode",
     .type = CLI_CHOICE,
     .choices = "raw|jpg|keep",
     .initial = "raw",
     .help = "a choice"},
    {.name = "plant", .type = CLI_LIST, .value = "K:A", .help = "a list"},
    {.name = "force",
     .letter = 'f',
     .type = CLI_FLAG,
     .no_trace = true,
     .help = "a flag"},
    {.name = "resume", .type = CLI_FLAG, .initial = "on", .help = "a switch"},
    {.type = CLI_NONE}};

static const assay_verb verb = {
    .name = "toy",
    .options = options,
    .positionals = {{"SRC", "a source", false}, {"OUT", "an output", true}},
};

static cli_args args;
static cli_error error;

/* Parses a NULL-terminated list of words. */
static assay_status parse(const char *first, ...) {
    char *argv[32];
    int argc = 0;
    va_list list;
    va_start(list, first);
    for (const char *word = first; word; word = va_arg(list, const char *))
        argv[argc++] = (char *)(uintptr_t)word;
    va_end(list);
    memset(&error, 0, sizeof error);
    return cli_parse(&args, &error, &verb, argc, argv);
}
#define PARSE(...) parse(__VA_ARGS__, (const char *)NULL)

#define REFUSED(what_part, help_part, ...)                                               \
    do {                                                                                 \
        assert_int_equal(PARSE(__VA_ARGS__), ASSAY_E_INVALID);                           \
        assert_non_null(strstr(error.what, what_part));                                  \
        assert_non_null(strstr(error.help, help_part));                                  \
    } while (0)

static void test_defaults(void **state) {
    (void)state;
    assert_int_equal(PARSE("in"), ASSAY_OK);
    assert_int_equal(cli_int(&args, "count"), 3);
    assert_true(cli_real(&args, "rate") == 0.5);
    assert_null(cli_text(&args, "name"));
    assert_int_equal(cli_int(&args, "bytes"), 8 << 20);
    assert_true(cli_real(&args, "wait") == 60);
    assert_string_equal(cli_text(&args, "mode"), "raw");
    assert_null(cli_list(&args, "plant"));
    assert_false(cli_on(&args, "force"));
    assert_true(cli_on(&args, "resume"));
    assert_int_equal(args.positional_count, 1);
    assert_string_equal(cli_text(&args, "color"), "auto");
    cli_args_free(&args);
}

static void test_forms(void **state) {
    (void)state;
    assert_int_equal(PARSE("--count=7", "in", "--rate", "0.25", "-fo", "x", "out"),
                     ASSAY_OK);
    assert_int_equal(cli_int(&args, "count"), 7);
    assert_true(cli_real(&args, "rate") == 0.25);
    assert_true(cli_typed(&args, "rate"));
    assert_false(cli_typed(&args, "wait"));
    assert_true(cli_on(&args, "force"));
    assert_string_equal(cli_text(&args, "name"), "x");
    assert_string_equal(args.positional[1], "out");

    assert_int_equal(PARSE("-c-2", "-ofile", "in"), ASSAY_OK);
    assert_int_equal(cli_int(&args, "count"), -2);
    assert_string_equal(cli_text(&args, "name"), "file");

    assert_int_equal(PARSE("-c", "-3", "in"), ASSAY_OK);
    assert_int_equal(cli_int(&args, "count"), -3);

    assert_int_equal(PARSE("-o=file", "--no-resume", "-vv", "in"), ASSAY_OK);
    assert_string_equal(cli_text(&args, "name"), "file");
    assert_false(cli_on(&args, "resume"));
    assert_int_equal(cli_int(&args, "verbose"), 2);

    assert_int_equal(PARSE("--no-resume", "--resume", "in"), ASSAY_OK);
    assert_true(cli_on(&args, "resume"));

    assert_int_equal(PARSE("--name=", "--", "-f"), ASSAY_OK);
    assert_string_equal(cli_text(&args, "name"), "");
    assert_string_equal(args.positional[0], "-f");
    assert_false(cli_on(&args, "force"));

    assert_int_equal(PARSE("-", "-o", "-"), ASSAY_OK);
    assert_string_equal(args.positional[0], "-");
    assert_string_equal(cli_text(&args, "name"), "-");
}

static void test_list(void **state) {
    (void)state;
    assert_int_equal(PARSE("--plant", "labels:5%", "in", "--plant=copies:200"), ASSAY_OK);
    const char *const *list = cli_list(&args, "plant");
    assert_string_equal(list[0], "labels:5%");
    assert_string_equal(list[1], "copies:200");
    assert_null(list[2]);
    cli_args_free(&args);
}

static void test_units(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } size[] = {{"17", 17},
                {"17B", 17},
                {"4k", 4096},
                {"4K", 4096},
                {"4KB", 4000},
                {"4kB", 4000},
                {"4KiB", 4096},
                {"1.5M", 3 << 19},
                {"2G", INT64_C(2) << 30},
                {"1T", INT64_C(1) << 40}};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        assert_int_equal(PARSE("in", "--bytes", size[i].text), ASSAY_OK);
        assert_int_equal(cli_int(&args, "bytes"), size[i].bytes);
    }
    static const char *const no_size[] = {"",    "x",     "0",    "-4",    "4X",
                                          "4KK", "4Ki B", "0x10", "1e400", "nan",
                                          "inf", "0.3",   "2T",   "5KiBs"};
    for (size_t i = 0; i < sizeof no_size / sizeof *no_size; i++) {
        char word[32] = "--bytes=";
        memcpy(word + 8, no_size[i], strlen(no_size[i]) + 1);
        REFUSED("--bytes does not take", "8M", "in", word);
    }
    static const struct {
        const char *text;
        double seconds;
    } time[] = {{"90", 90}, {"90s", 90}, {"5m", 300}, {"1h30m", 5400}, {"0.5h", 1800}};
    for (size_t i = 0; i < sizeof time / sizeof *time; i++) {
        assert_int_equal(PARSE("in", "--wait", time[i].text), ASSAY_OK);
        assert_true(cli_real(&args, "wait") == time[i].seconds);
    }
    REFUSED("--wait does not take '5x'", "1h30m", "in", "--wait=5x");
    REFUSED("--wait", "1h30m", "in", "--wait=");
    REFUSED("--wait", "1h30m", "in", "--wait=1h-5m");
}

static void test_ranges(void **state) {
    (void)state;
    static const char *const bad[] = {"11",  "-6", "x",  "",
                                      "3.5", "3x", " 3", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char word[40] = "--count=";
        memcpy(word + 8, bad[i], strlen(bad[i]) + 1);
        REFUSED("--count does not take", "from -5 to 10", "in", word);
    }
    REFUSED("--rate does not take '1.01'", "from 0 to 1, or auto", "in", "--rate=1.01");
    assert_int_equal(PARSE("in", "--rate", "auto"), ASSAY_OK);
    assert_true(isnan(cli_real(&args, "rate")));
    REFUSED("--rate does not take 'nan'", "from 0 to 1", "in", "--rate=nan");
    REFUSED("--rate does not take '0x1p-1'", "from 0 to 1", "in", "--rate=0x1p-1");
    REFUSED("--mode does not take 'ra'", "raw|jpg|keep", "in", "--mode=ra");
    REFUSED("--mode does not take ''", "raw|jpg|keep", "in", "--mode=");
}

static void test_refusals(void **state) {
    (void)state;
    REFUSED("unknown option '--cuont'", "did you mean '--count'", "in", "--cuont=4");
    REFUSED("unknown option '--res'", "did you mean '--resume'", "in", "--res");
    REFUSED("unknown option '--zzzzzzzz'", "lists them all", "in", "--zzzzzzzz");
    REFUSED("unknown option '--no-force'", "lists them all", "in", "--no-force");
    REFUSED("unknown option '-z'", "two dashes", "in", "-fz");
    REFUSED("unknown option '-n'", "two dashes", "in", "-name");
    REFUSED("--force takes no value", "alone", "in", "--force=yes");
    REFUSED("--count needs a value", "--count=N", "in", "--count");
    REFUSED("--name needs a value", "--name=--force", "in", "--name", "--force");
    REFUSED("SRC is missing", "examples", "--force");
    REFUSED("unexpected argument 'c'", "shows", "a", "b", "c");
    /* too long for a guess, and for any buffer */
    char word[400] = "--";
    memset(word + 2, 'q', sizeof word - 3);
    REFUSED("unknown option '--qqqq", "lists them all", "in", word);
}

static void test_actions(void **state) {
    (void)state;
    assert_int_equal(PARSE("-h"), ASSAY_OK);
    assert_int_equal(args.action, CLI_ACT_HELP);
    assert_int_equal(PARSE("-fh"), ASSAY_OK);
    assert_int_equal(args.action, CLI_ACT_HELP);
    assert_int_equal(PARSE("--help"), ASSAY_OK);
    assert_int_equal(args.action, CLI_ACT_MANUAL);
    assert_int_equal(PARSE("-V"), ASSAY_OK);
    assert_int_equal(args.action, CLI_ACT_VERSION);
    assert_int_equal(PARSE("in"), ASSAY_OK);
    assert_int_equal(args.action, CLI_ACT_RUN);
}

static void test_command_line(void **state) {
    (void)state;
    char *argv[] = {"assay",       "toy", "it's",    "-j2", "--plant=b:1", "--json",
                    "--no-resume", "-f",  "--count", "4",   "--plant",     "a:2"};
    cli_run run = {.verb = &verb, .argc = 12, .argv = argv};
    assert_int_equal(cli_parse(&run.args, &run.error, &verb, 10, argv + 2), ASSAY_OK);
    text line = {0};
    cli_command_line(&line, &run);
    assert_string_equal(text_str(&line), "assay toy --count=4 --plant=b:1 --plant=a:2 "
                                         "--no-resume 'it'\\''s'");
    text_free(&line);
    cli_args_free(&run.args);
}

static void test_exit_codes(void **state) {
    (void)state;
    static const struct {
        assay_status status;
        int code;
    } want[] = {{ASSAY_OK, 0},         {ASSAY_E_INVALID, 2},
                {ASSAY_E_NOTFOUND, 2}, {ASSAY_E_FORMAT, 3},
                {ASSAY_E_VERSION, 3},  {ASSAY_E_SHAPE, 3},
                {ASSAY_E_DTYPE, 3},    {ASSAY_E_IO, 3},
                {ASSAY_E_NUMERIC, 3},  {ASSAY_E_UNSUPPORTED, 3},
                {ASSAY_E_NOMEM, 4},    {ASSAY_E_NOSPC, 4},
                {ASSAY_E_INTERNAL, 5}, {ASSAY_E_CANCELLED, 130}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_int_equal(cli_exit_code(want[i].status), want[i].code);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),   cmocka_unit_test(test_forms),
        cmocka_unit_test(test_list),       cmocka_unit_test(test_units),
        cmocka_unit_test(test_ranges),     cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_actions),    cmocka_unit_test(test_command_line),
        cmocka_unit_test(test_exit_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
