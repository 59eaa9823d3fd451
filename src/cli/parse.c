/* From words on the command line to checked values, by a verb's tables. Nothing is
 * guessed: an unknown option is an error that names the nearest one. */
#include "cli/cli.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one value ---- */

static assay_status bad_value(cli_error *e, const cli_option *o, const char *given) {
    cli_fail(e, ASSAY_E_INVALID, "--%s does not take '%s'", o->name, given);
    switch (o->type) {
    case CLI_INT:
        if (o->high >= 9007199254740992.0)
            cli_fail_help(e, "give a whole number, %.0f or more", o->low);
        else
            cli_fail_help(e, "give a whole number from %.0f to %.0f", o->low, o->high);
        break;
    case CLI_DOUBLE:
        cli_fail_help(e, "give a number from %g to %g%s", o->low, o->high,
                      o->automatic ? ", or auto" : "");
        break;
    case CLI_SIZE:
        cli_fail_help(e, "give a size such as 8M, from %s to %s",
                      words_bytes((uint64_t)o->low).s, words_bytes((uint64_t)o->high).s);
        break;
    case CLI_DURATION:
        cli_fail_help(e, "give a time such as 90s, 5m or 1h30m, from %s to %s",
                      words_seconds(o->low).s, words_seconds(o->high).s);
        break;
    case CLI_CHOICE:
        cli_fail_help(e, "choose one of %s", o->choices);
        break;
    default:
        break;
    }
    return ASSAY_E_INVALID;
}

/* A decimal number that ends where strtod says; hexadecimal, "inf" and "nan" are refused.
 */
static bool number(const char *given, double *v, char **end) {
    if (!strchr("+-.0123456789", *given) || strpbrk(given, "xX"))
        return false;
    errno = 0;
    *v = strtod(given, end);
    return *end != given && errno == 0 && isfinite(*v);
}

static bool take_int(cli_value *v, const char *given) {
    if (!strchr("+-0123456789", *given))
        return false;
    char *end;
    errno = 0;
    long long n = strtoll(given, &end, 10);
    if (end == given || *end || errno)
        return false;
    v->integer = n;
    v->real = (double)n;
    return true;
}

static bool take_size(cli_value *v, const char *given) {
    char *end;
    if (!number(given, &v->real, &end))
        return false;
    static const char letters[] = "KMGT";
    int power = 0;
    if (*end && *end != 'B') {
        char c = *end == 'k' ? 'K' : *end;
        const char *at = strchr(letters, c);
        if (!at)
            return false;
        power = (int)(at - letters) + 1;
        end++;
    }
    double base = 1024;
    if (power && end[0] == 'B')
        base = 1000;
    if (power && end[0] == 'i')
        end++;
    if (*end == 'B')
        end++;
    if (*end)
        return false;
    v->real *= pow(base, power);
    if (fabs(v->real) > 9007199254740992.0 || v->real != floor(v->real))
        return false;
    v->integer = (int64_t)v->real;
    return true;
}

static bool take_duration(cli_value *v, const char *given) {
    v->real = 0;
    do {
        double part;
        char *end;
        if (!number(given, &part, &end) || part < 0)
            return false;
        if (*end && !strchr("smh", *end))
            return false;
        v->real += *end == 'h' ? part * 3600 : *end == 'm' ? part * 60 : part;
        given = *end ? end + 1 : end;
    } while (*given);
    return true;
}

static bool is_choice(const char *choices, const char *given) {
    size_t n = strlen(given);
    for (const char *p = choices; *p;) {
        size_t len = strcspn(p, "|");
        if (len == n && memcmp(p, given, n) == 0)
            return true;
        p += len;
        p += *p == '|';
    }
    return false;
}

static bool in_range(const cli_value *v) {
    return v->real >= v->option->low && v->real <= v->option->high;
}

/* Sets a value from words, whichever source they came from. */
static assay_status
take(cli_value *v, cli_error *e, const char *given, cli_origin origin) {
    const cli_option *o = v->option;
    bool good = true;
    switch (o->type) {
    case CLI_FLAG:
        v->on = strcmp(given, "on") == 0;
        break;
    case CLI_INT:
        good = take_int(v, given) && in_range(v);
        break;
    case CLI_DOUBLE: {
        char *end;
        bool chosen = o->automatic && strcmp(given, "auto") == 0;
        if (chosen)
            v->real = NAN;
        good = chosen || (number(given, &v->real, &end) && !*end && in_range(v));
        break;
    }
    case CLI_SIZE:
        good = take_size(v, given) && in_range(v);
        break;
    case CLI_DURATION:
        good = take_duration(v, given) && in_range(v);
        break;
    case CLI_CHOICE:
        good = is_choice(o->choices, given);
        break;
    case CLI_TEXT:
    case CLI_LIST:
    case CLI_NONE:
        break;
    }
    if (!good)
        return bad_value(e, o, given);
    v->text = given;
    v->origin = origin;
    return ASSAY_OK;
}

/* ---- finding options ---- */

static cli_value *find_long(cli_args *args, const char *name, size_t n) {
    for (size_t i = 0; i < args->count; i++) {
        const char *other = args->value[i].option->name;
        if (strlen(other) == n && memcmp(other, name, n) == 0)
            return &args->value[i];
    }
    return NULL;
}

static cli_value *find_letter(cli_args *args, char letter) {
    for (size_t i = 0; i < args->count; i++) {
        if (args->value[i].option->letter == letter)
            return &args->value[i];
    }
    return NULL;
}

static bool can_be_off(const cli_option *o) {
    return o->type == CLI_FLAG && o->initial && strcmp(o->initial, "on") == 0;
}

static const char *next_name(const void *cookie, size_t i) {
    const cli_args *args = cookie;
    return i < args->count ? args->value[i].option->name : NULL;
}

static assay_status unknown(
    cli_args *args, cli_error *e, const assay_verb *verb, const char *name, size_t n) {
    char word[64];
    (void)snprintf(word, sizeof word, "%.*s", (int)(n < 60 ? n : 60), name);
    const char *near = cli_nearest(word, next_name, args);
    cli_fail(e, ASSAY_E_INVALID, "unknown option '--%s'", word);
    cli_fail_where(e, "assay %s", verb->name);
    if (near)
        cli_fail_help(e, "did you mean '--%s'? 'assay %s -h' lists them all", near,
                      verb->name);
    else
        cli_fail_help(e, "'assay %s -h' lists them all", verb->name);
    return ASSAY_E_INVALID;
}

/* ---- the walk over the words ---- */

typedef struct walk {
    cli_args *args;
    cli_error *e;
    const assay_verb *verb;
    int argc, at;
    char *const *argv;
} walk;

static assay_status give(walk *w, cli_value *v, const char *given) {
    const cli_option *o = v->option;
    if (o->type == CLI_LIST) {
        if (!v->list)
            v->list = calloc((size_t)w->argc + 1, sizeof *v->list);
        if (!v->list)
            return cli_fail(w->e, ASSAY_E_NOMEM, "no memory for the command line");
        v->list[v->list_count++] = given;
    }
    return take(v, w->e, given, CLI_FROM_COMMAND_LINE);
}

static assay_status flag(walk *w, cli_value *v, bool on) {
    assay_status status = take(v, w->e, on ? "on" : "off", CLI_FROM_COMMAND_LINE);
    v->integer++;
    const char *name = v->option->name;
    if (strcmp(name, "version") == 0)
        w->args->action = CLI_ACT_VERSION;
    else if (strcmp(name, "help") == 0)
        w->args->action = CLI_ACT_MANUAL;
    return status;
}

/* The value in the next word. A word that looks like an option is not taken for one. */
static assay_status give_next(walk *w, cli_value *v) {
    const char *next = w->at + 1 < w->argc ? w->argv[w->at + 1] : NULL;
    bool is_option = next && next[0] == '-' && next[1] && !strchr("0123456789.", next[1]);
    if (!next || is_option) {
        const cli_option *o = v->option;
        cli_fail(w->e, ASSAY_E_INVALID, "--%s needs a value", o->name);
        if (next)
            cli_fail_help(w->e, "write --%s=%s if '%s' is meant as the value", o->name,
                          next, next);
        else
            cli_fail_help(w->e, "write --%s=%s", o->name,
                          o->type == CLI_CHOICE ? o->choices : o->value);
        return ASSAY_E_INVALID;
    }
    w->at++;
    return give(w, v, next);
}

static assay_status long_option(walk *w, const char *word) {
    size_t n = strcspn(word, "=");
    const char *value = word[n] ? word + n + 1 : NULL;
    bool on = true;
    cli_value *v = find_long(w->args, word, n);
    if (!v && n > 3 && memcmp(word, "no-", 3) == 0) {
        v = find_long(w->args, word + 3, n - 3);
        if (v && !can_be_off(v->option))
            v = NULL;
        on = false;
    }
    if (!v)
        return unknown(w->args, w->e, w->verb, word, n);
    if (v->option->type != CLI_FLAG)
        return value ? give(w, v, value) : give_next(w, v);
    if (value) {
        cli_fail(w->e, ASSAY_E_INVALID, "--%.*s takes no value, not '%s'", (int)n, word,
                 value);
        cli_fail_help(w->e, "write --%.*s alone", (int)n, word);
        return ASSAY_E_INVALID;
    }
    return flag(w, v, on);
}

static assay_status cluster(walk *w, const char *letters) {
    for (const char *p = letters; *p; p++) {
        if (*p == 'h') {
            w->args->action = CLI_ACT_HELP;
            continue;
        }
        cli_value *v = find_letter(w->args, *p);
        if (!v) {
            cli_fail(w->e, ASSAY_E_INVALID, "unknown option '-%c'", *p);
            if (p != letters || p[1])
                cli_fail_where(w->e, "assay %s, in '-%s'", w->verb->name, letters);
            else
                cli_fail_where(w->e, "assay %s", w->verb->name);
            cli_fail_help(w->e,
                          "'assay %s -h' lists them all; long options take two dashes",
                          w->verb->name);
            return ASSAY_E_INVALID;
        }
        assay_status status;
        if (v->option->type == CLI_FLAG) {
            status = flag(w, v, true);
            if (status != ASSAY_OK)
                return status;
        } else {
            return p[1] ? give(w, v, p[1] == '=' ? p + 2 : p + 1) : give_next(w, v);
        }
    }
    return ASSAY_OK;
}

static size_t positionals(const assay_verb *verb, size_t *required) {
    size_t n = 0;
    *required = 0;
    while (n < CLI_MAX_POSITIONALS && verb->positionals[n].name) {
        *required += !verb->positionals[n].optional;
        n++;
    }
    return n;
}

static assay_status operand(walk *w, const char *word) {
    size_t required, most = positionals(w->verb, &required);
    if (w->args->positional_count == most && most > 0 &&
        w->verb->positionals[most - 1].many) {
        size_t bytes = (w->args->rest_count + 1) * sizeof *w->args->rest;
        const char **rest = realloc(w->args->rest, bytes);
        if (rest == NULL)
            return cli_fail(w->e, ASSAY_E_NOMEM, "out of memory");
        w->args->rest = rest;
        w->args->rest[w->args->rest_count++] = word;
        return ASSAY_OK;
    }
    if (w->args->positional_count == most) {
        cli_fail(w->e, ASSAY_E_INVALID, "unexpected argument '%s'", word);
        cli_fail_where(w->e, "assay %s", w->verb->name);
        cli_fail_help(w->e, "'assay %s -h' shows what it takes", w->verb->name);
        return ASSAY_E_INVALID;
    }
    w->args->positional[w->args->positional_count++] = word;
    return ASSAY_OK;
}

static assay_status add_table(cli_args *args, cli_error *e, const cli_option *table) {
    for (const cli_option *o = table; o->type != CLI_NONE; o++) {
        assert(args->count < CLI_MAX_OPTIONS);
        cli_value *v = &args->value[args->count++];
        *v = (cli_value){.option = o};
        if (o->initial) {
            assay_status status = take(v, e, o->initial, CLI_FROM_TABLE);
            if (status != ASSAY_OK)
                return status;
        }
    }
    return ASSAY_OK;
}

/* Whether all that must be there is. */
static assay_status complete(const cli_args *args, cli_error *e, const assay_verb *verb) {
    size_t required;
    (void)positionals(verb, &required);
    if (args->positional_count < required) {
        const cli_positional *p = &verb->positionals[args->positional_count];
        cli_fail(e, ASSAY_E_INVALID, "%s is missing", p->name);
        cli_fail_where(e, "assay %s; %s: %s", verb->name, p->name, p->help);
        cli_fail_help(e, "'assay %s -h' shows examples", verb->name);
        return ASSAY_E_INVALID;
    }
    for (size_t i = 0; i < args->count; i++) {
        const cli_option *o = args->value[i].option;
        if (o->required && args->value[i].origin == CLI_FROM_TABLE) {
            cli_fail(e, ASSAY_E_INVALID, "--%s=%s is missing", o->name, o->value);
            cli_fail_where(e, "assay %s; --%s: %s", verb->name, o->name, o->help);
            cli_fail_help(e, "'assay %s -h' shows examples", verb->name);
            return ASSAY_E_INVALID;
        }
    }
    return ASSAY_OK;
}

assay_status cli_parse(
    cli_args *args, cli_error *e, const assay_verb *verb, int argc, char *const *argv) {
    *args = (cli_args){.action = CLI_ACT_RUN};
    assay_status status = add_table(args, e, cli_common);
    if (status == ASSAY_OK)
        status = add_table(args, e, verb->options);
    walk w = {.args = args, .e = e, .verb = verb, .argc = argc, .argv = argv};
    bool options_over = false;
    for (; status == ASSAY_OK && w.at < argc; w.at++) {
        const char *word = argv[w.at];
        if (options_over || word[0] != '-' || !word[1])
            status = operand(&w, word);
        else if (strcmp(word, "--") == 0)
            options_over = true;
        else if (word[1] == '-')
            status = long_option(&w, word + 2);
        else
            status = cluster(&w, word + 1);
    }
    if (status == ASSAY_OK && args->action == CLI_ACT_RUN)
        status = complete(args, e, verb);
    if (status != ASSAY_OK)
        cli_args_free(args);
    return status;
}

void cli_args_free(cli_args *args) {
    for (size_t i = 0; i < args->count; i++) {
        free(args->value[i].list);
        args->value[i].list = NULL;
    }
    free(args->rest);
    args->rest = NULL;
    args->rest_count = 0;
}

bool cli_wants_json(int argc, char *const *argv) {
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0)
            return true;
    }
    return false;
}

/* ---- reading values ---- */

static const cli_value *value_of(const cli_args *args, const char *name, cli_type type) {
    (void)type; /* asserted only */
    for (size_t i = 0; i < args->count; i++) {
        const cli_option *o = args->value[i].option;
        if (strcmp(o->name, name) == 0) {
            assert(type == CLI_NONE || o->type == type);
            return &args->value[i];
        }
    }
    static const cli_value nothing = {0};
    assert(!"a verb asks for an option that it does not declare");
    return &nothing;
}

bool cli_on(const cli_args *args, const char *name) {
    return value_of(args, name, CLI_FLAG)->on;
}

bool cli_typed(const cli_args *args, const char *name) {
    return value_of(args, name, CLI_NONE)->origin == CLI_FROM_COMMAND_LINE;
}

int64_t cli_int(const cli_args *args, const char *name) {
    const cli_value *v = value_of(args, name, CLI_NONE);
    assert(!v->option || v->option->type != CLI_DOUBLE);
    return v->integer;
}

double cli_real(const cli_args *args, const char *name) {
    return value_of(args, name, CLI_NONE)->real;
}

double cli_real_or(const cli_args *args, const char *name, double automatic) {
    double x = cli_real(args, name);
    return isnan(x) ? automatic : x;
}

bool cli_shard(const char *words, int *shard, int *shards) {
    enum { MOST = 100000 };
    char *end;
    long i = strtol(words, &end, 10);
    if (end == words || *end != '/')
        return false;
    const char *rest = end + 1;
    long n = strtol(rest, &end, 10);
    if (end == rest || *end || i < 1 || n < i || n > MOST)
        return false;
    *shard = (int)i;
    *shards = (int)n;
    return true;
}

const char *cli_text(const cli_args *args, const char *name) {
    return value_of(args, name, CLI_NONE)->text;
}

const char *const *cli_list(const cli_args *args, const char *name) {
    return (const char *const *)value_of(args, name, CLI_LIST)->list;
}
