/* Every verb of the registry: its table is sound, and screen, manual and roff page agree
 * with it. */
#include "cli/help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool is_number(cli_type type) {
    return type == CLI_INT || type == CLI_DOUBLE || type == CLI_SIZE ||
           type == CLI_DURATION;
}

static void check_option(const assay_verb *verb, const cli_option *o) {
    if (is_number(o->type) && !(o->low < o->high))
        fail_msg("assay %s: --%s has no range", verb->name, o->name);
    if (o->type == CLI_CHOICE && !(o->choices && (o->initial || o->required)))
        fail_msg("assay %s: --%s lacks choices or an initial one", verb->name, o->name);
    if (o->type != CLI_FLAG && o->type != CLI_CHOICE && !o->value)
        fail_msg("assay %s: --%s lacks a word for its value", verb->name, o->name);
    if (is_number(o->type) && !o->initial && !o->shown && !o->required)
        fail_msg("assay %s: --%s has no initial value", verb->name, o->name);
    if (!o->help || strlen(o->help) > 54)
        fail_msg("assay %s: the help of --%s must be one short phrase", verb->name,
                 o->name);
    if (o->more && o->more[strlen(o->more) - 1] != '.')
        fail_msg("assay %s: more on --%s must be sentences", verb->name, o->name);
}

static void test_tables(void **state) {
    (void)state;
    for (size_t i = 0; cli_verbs[i]; i++) {
        const assay_verb *v = cli_verbs[i];
        assert_true(v->name && v->summary && v->description && v->run);
        assert_non_null(v->examples[0].command);
        assert_true(v->summary[strlen(v->summary) - 1] != '.');
        assert_true(i == 0 || strcmp(cli_verbs[i - 1]->name, v->name) < 0);
        const cli_option *seen[CLI_MAX_OPTIONS];
        size_t n = 0;
        for (const cli_option *o = cli_common; o->type != CLI_NONE; o++)
            seen[n++] = o;
        for (const cli_option *o = v->options; o->type != CLI_NONE; o++) {
            check_option(v, o);
            for (size_t k = 0; k < n; k++) {
                assert_string_not_equal(seen[k]->name, o->name);
                assert_true(o->letter != 'h');
                assert_true(!o->letter || seen[k]->letter != o->letter);
            }
            assert_true(n < CLI_MAX_OPTIONS);
            seen[n++] = o;
        }
    }
}

/* Every initial value in every table must itself be accepted. */
static void test_initial_values(void **state) {
    (void)state;
    for (size_t i = 0; cli_verbs[i]; i++) {
        cli_args args;
        cli_error e = {0};
        char *argv[] = {"-V"};
        if (cli_parse(&args, &e, cli_verbs[i], 1, argv) != ASSAY_OK)
            fail_msg("assay %s: %s", cli_verbs[i]->name, e.what);
        assert_int_equal(args.action, CLI_ACT_VERSION);
        cli_args_free(&args);
    }
}

/* A copy of roff text as it prints: \- is a hyphen, \fB and \fR change the type. */
static void unroff(text *t, const char *roff) {
    for (const char *p = roff; *p; p++) {
        if (p[0] == '\\' && p[1] == 'f' && p[2])
            p += 2;
        else if (p[0] == '\\' && p[1] == '-')
            text_put(t, ++p, 1);
        else
            text_put(t, p, 1);
    }
}

static void
contains(const char *all, const char *part, const char *verb, const char *form) {
    if (!strstr(all, part))
        fail_msg("assay %s: '%s' is not in %s", verb, part, form);
}

static void test_agreement(void **state) {
    (void)state;
    for (size_t i = 0; cli_verbs[i]; i++) {
        const assay_verb *v = cli_verbs[i];
        text screen = {0}, plain = {0}, roff = {0}, page = {0};
        help_screen(&screen, v);
        manual_page(&plain, &manual_plain, v);
        manual_page(&page, &manual_roff, v);
        unroff(&roff, text_str(&page));
        const cli_option *const table[] = {cli_common, v->options};
        for (size_t t = 0; t < 2; t++) {
            for (const cli_option *o = table[t]; o->type != CLI_NONE; o++) {
                text term = {0};
                if (t > 0)
                    help_term(&term, o);
                else
                    text_add(&term, "--%s", o->name);
                contains(text_str(&screen), o->rare ? o->name : text_str(&term), v->name,
                         "-h");
                contains(text_str(&plain), text_str(&term), v->name, "--help");
                contains(text_str(&roff), text_str(&term), v->name, "the roff page");
                if (t > 0 && !o->rare)
                    contains(text_str(&screen), o->choices ? o->choices : o->name,
                             v->name, "-h");
                text_free(&term);
            }
        }
        for (size_t k = 0; k < CLI_MAX_EXAMPLES && v->examples[k].command; k++) {
            char begin[64];
            (void)snprintf(begin, sizeof begin, "assay %s ", v->name);
            assert_memory_equal(v->examples[k].command, begin, strlen(begin));
            contains(text_str(&screen), v->examples[k].command, v->name, "-h");
            contains(text_str(&plain), v->examples[k].command, v->name, "--help");
        }
        text_free(&screen);
        text_free(&plain);
        text_free(&roff);
        text_free(&page);
    }
}

static void check_lines(const char *verb, const text *t, size_t most_lines) {
    size_t lines = 0;
    for (const char *p = text_str(t); *p; lines++) {
        size_t n = strcspn(p, "\n");
        if (n > HELP_WIDTH)
            fail_msg("assay %s: a line of help is %zu wide: %.*s", verb, n, (int)n, p);
        if (n && p[n - 1] == ' ')
            fail_msg("assay %s: a line of help ends in a space: %.*s", verb, (int)n, p);
        p += n;
        p += *p == '\n';
    }
    if (lines > most_lines)
        fail_msg("assay %s: %zu lines of help", verb, lines);
}

static void test_width(void **state) {
    (void)state;
    text overview = {0};
    help_overview(&overview);
    check_lines("", &overview, 40);
    text_free(&overview);
    for (size_t i = 0; cli_verbs[i]; i++) {
        text screen = {0}, plain = {0};
        help_screen(&screen, cli_verbs[i]);
        manual_page(&plain, &manual_plain, cli_verbs[i]);
        check_lines(cli_verbs[i]->name, &screen, 48);
        check_lines(cli_verbs[i]->name, &plain, 1000);
        text_free(&screen);
        text_free(&plain);
    }
}

static void test_roff_escapes(void **state) {
    (void)state;
    text t = {0};
    manual_roff.paragraph(&t, ".TH and 'it', a \\ and --x");
    assert_string_equal(text_str(&t), ".PP\n\\&.TH and 'it', a \\e and \\-\\-x\n");
    text_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),       cmocka_unit_test(test_initial_values),
        cmocka_unit_test(test_agreement),    cmocka_unit_test(test_width),
        cmocka_unit_test(test_roff_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
