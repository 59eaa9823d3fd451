/* Arguments of transforms, from text: "224, scale=0.5:1, filter=area". */
#include "data/transform.h"

#include "base/nearest.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_LETTERS = 48, NAME_LETTERS = 32 };

/* A part of the text, without spaces round it. */
typedef struct piece {
    const char *at;
    size_t n;
} piece;

typedef struct parser {
    transform_plan *p;
    const data_transform *t;
    const char *at, *end;
    int position; /* of the next argument without a name */
    int open;     /* the named text argument that a piece may go on with; -1: none */
    bool named;
} parser;

static size_t numbers_of(const transform_arg *a) {
    return a->choices != NULL ? 1 : (size_t)a->count;
}

int transform_value_at(const data_transform *t, int arg) {
    size_t at = 0;
    for (int i = 0; i < arg; i++)
        at += numbers_of(&t->args[i]);
    return (int)at;
}

static piece trim(piece s) {
    while (s.n > 0 && isspace((unsigned char)s.at[0])) {
        s.at++;
        s.n--;
    }
    while (s.n > 0 && isspace((unsigned char)s.at[s.n - 1]))
        s.n--;
    return s;
}

/* The next piece: up to a comma that is not between quotes. */
static piece next_piece(parser *s) {
    piece found = {s->at, 0};
    bool quoted = false;
    for (; s->at < s->end && (quoted || *s->at != ','); s->at++)
        quoted ^= *s->at == '"';
    found.n = (size_t)(s->at - found.at);
    if (s->at < s->end)
        s->at++;
    return trim(found);
}

/* "name = rest": the name's length, and the rest; 0 when there is no name. */
static size_t split_name(piece all, piece *rest) {
    size_t n = 0;
    while (n < all.n && (isalnum((unsigned char)all.at[n]) || all.at[n] == '_'))
        n++;
    size_t equals = n;
    while (equals < all.n && all.at[equals] == ' ')
        equals++;
    if (n == 0 || equals == all.n || all.at[equals] != '=')
        return 0;
    *rest = trim((piece){all.at + equals + 1, all.n - equals - 1});
    return n;
}

static int count_args(const data_transform *t) {
    int n = 0;
    while (t->args[n].name != NULL)
        n++;
    return n;
}

static assay_status refuse_name(const data_transform *t, piece name) {
    char word[NAME_LETTERS + 1], names[240] = "";
    size_t used = 0;
    (void)snprintf(word, sizeof word, "%.*s", (int)name.n, name.at);
    nearest near = nearest_to(word);
    for (const transform_arg *a = t->args; a->name != NULL; a++) {
        nearest_offer(&near, a->name);
        int n = snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                         a->name);
        if (n > 0 && (size_t)n < sizeof names - used)
            used += (size_t)n;
    }
    err_set(ASSAY_E_INVALID, "%s has no argument '%s'", t->name, word);
    if (near.found != NULL)
        err_help("did you mean '%s'?", near.found);
    err_help(used > 0 ? "it takes: %s" : "it takes no arguments%s", names);
    return ASSAY_E_INVALID;
}

static assay_status
take_choice(const data_transform *t, const transform_arg *a, piece given, double *value) {
    char words[240] = "";
    size_t used = 0;
    for (int i = 0; a->choices[i] != NULL; i++) {
        const char *word = a->choices[i];
        if (strlen(word) == given.n && memcmp(word, given.at, given.n) == 0) {
            *value = i;
            return ASSAY_OK;
        }
        int n =
            snprintf(words + used, sizeof words - used, "%s%s", used ? ", " : "", word);
        if (n > 0 && (size_t)n < sizeof words - used)
            used += (size_t)n;
    }
    return err_set(ASSAY_E_INVALID, "%s: %s is one of %s, not '%.*s'", t->name, a->name,
                   words, (int)given.n, given.at);
}

/* A decimal number; "inf", "nan" and hexadecimal are none. */
static bool read_number(piece s, double *value) {
    char text[NUMBER_LETTERS], *end;
    s = trim(s);
    if (s.n == 0 || s.n >= sizeof text)
        return false;
    memcpy(text, s.at, s.n);
    text[s.n] = '\0';
    if (strspn(text, "+-.0123456789eE") != s.n)
        return false;
    *value = strtod(text, &end);
    return *end == '\0' && isfinite(*value);
}

static assay_status
refuse_number(const data_transform *t, const transform_arg *a, piece given) {
    char many[48] = "a number";
    if (a->count > 1)
        (void)snprintf(many, sizeof many, "1 or %d numbers, joined by ':',", a->count);
    else if (a->whole)
        (void)snprintf(many, sizeof many, "a whole number");
    return err_set(ASSAY_E_INVALID, "%s: %s is %s from %g to %g, not '%.*s'", t->name,
                   a->name, many, a->least, a->most, (int)given.n, given.at);
}

static bool allowed(const transform_arg *a, double value) {
    return value >= a->least && value <= a->most && (!a->whole || value == floor(value));
}

static assay_status take_numbers(const data_transform *t,
                                 const transform_arg *a,
                                 piece given,
                                 double *value) {
    const char *at = given.at, *end = given.at + given.n;
    int n = 0;
    for (; n < a->count; n++) {
        const char *colon = memchr(at, ':', (size_t)(end - at));
        const char *stop = colon != NULL ? colon : end;
        if (!read_number((piece){at, (size_t)(stop - at)}, &value[n]) ||
            !allowed(a, value[n]))
            return refuse_number(t, a, given);
        at = colon != NULL ? colon + 1 : end;
        if (colon == NULL) {
            n++;
            break;
        }
    }
    if (at != end || (n != 1 && n != a->count) || (given.n > 0 && end[-1] == ':'))
        return refuse_number(t, a, given);
    for (int i = n; i < a->count; i++)
        value[i] = value[0];
    return ASSAY_OK;
}

static piece unquote(piece s) {
    if (s.n >= 2 && s.at[0] == '"' && s.at[s.n - 1] == '"')
        return (piece){s.at + 1, s.n - 2};
    return s;
}

/* Sets a text, or adds ",more" to it. */
static assay_status take_text(parser *s, int arg, piece given) {
    assay_status status = ASSAY_OK;
    const char *old = s->p->text[arg];
    size_t before = old != NULL ? strlen(old) + 1 : 0;
    char *text = NULL;
    given = unquote(given);
    ASSAY_TRY(mem_new(s->p->ctx, &text, before + given.n + 1, 1));
    if (old != NULL) {
        memcpy(text, old, before - 1);
        text[before - 1] = ',';
    }
    memcpy(text + before, given.at, given.n);
    mem_free(s->p->ctx, (void *)old);
    s->p->text[arg] = text;
done:
    return status;
}

static assay_status take_arg(parser *s, int arg, piece given) {
    const transform_arg *a = &s->t->args[arg];
    double *value = s->p->value + transform_value_at(s->t, arg);
    s->p->given |= UINT32_C(1) << arg;
    if (a->choices != NULL)
        return take_choice(s->t, a, given, value);
    return a->count == 0 ? take_text(s, arg, given) : take_numbers(s->t, a, given, value);
}

static assay_status take_piece(parser *s, piece all) {
    piece rest = {all.at, 0};
    size_t name = split_name(all, &rest);
    int n = count_args(s->t), arg = 0;
    if (name > 0) {
        while (arg < n && (strlen(s->t->args[arg].name) != name ||
                           memcmp(s->t->args[arg].name, all.at, name) != 0))
            arg++;
        if (arg == n)
            return refuse_name(s->t, (piece){all.at, name});
        if (s->p->given >> arg & 1)
            return err_set(ASSAY_E_INVALID, "%s: %s is given twice", s->t->name,
                           s->t->args[arg].name);
        s->named = true;
        const transform_arg *a = &s->t->args[arg];
        s->open = a->count == 0 && a->choices == NULL ? arg : -1;
        return take_arg(s, arg, rest);
    }
    if (s->open >= 0)
        return take_text(s, s->open, all);
    if (s->named)
        return err_set(ASSAY_E_INVALID, "%s: '%.*s' needs its argument's name",
                       s->t->name, (int)all.n, all.at);
    if (s->position >= n)
        return err_set(ASSAY_E_INVALID, "%s takes %d arguments: '%.*s' is too many",
                       s->t->name, n, (int)all.n, all.at);
    return take_arg(s, s->position++, all);
}

static void set_initial(transform_plan *p, const data_transform *t) {
    size_t at = 0;
    p->given = 0;
    memset(p->value, 0, sizeof p->value);
    memset(p->text, 0, sizeof p->text);
    for (const transform_arg *a = t->args; a->name != NULL; a++)
        for (size_t i = 0; i < numbers_of(a); i++)
            p->value[at++] = a->initial[i];
}

assay_status transform_args_parse(transform_plan *p,
                                  const data_transform *t,
                                  const char *args,
                                  size_t bytes) {
    assay_status status = ASSAY_OK;
    parser s = {.p = p, .t = t, .at = args, .end = args + bytes, .open = -1};
    set_initial(p, t);
    piece all = trim((piece){args, bytes});
    s.at = all.at;
    s.end = all.at + all.n;
    while (s.at < s.end) {
        piece next = next_piece(&s);
        if (next.n == 0)
            ASSAY_FAIL(ASSAY_E_INVALID, "%s: an argument is empty", t->name);
        ASSAY_TRY(take_piece(&s, next));
    }
    for (int i = 0; t->args[i].name != NULL; i++)
        if (t->args[i].needed && !(p->given >> i & 1))
            ASSAY_FAIL(ASSAY_E_INVALID, "%s needs %s", t->name, t->args[i].name);
done:
    if (status != ASSAY_OK)
        transform_args_free(p);
    return status;
}

assay_status transform_values_check(const transform_plan *p, const data_transform *t) {
    for (int i = 0; t->args[i].name != NULL; i++) {
        const transform_arg *a = &t->args[i];
        const double *value = p->value + transform_value_at(t, i);
        int words = 0;
        while (a->choices != NULL && a->choices[words] != NULL)
            words++;
        for (size_t k = 0; k < numbers_of(a); k++)
            if (a->choices == NULL
                    ? !allowed(a, value[k])
                    : !(value[k] >= 0 && value[k] < words && value[k] == floor(value[k])))
                return err_set(ASSAY_E_INVALID, "%s: %s can't be %g", t->name, a->name,
                               value[k]);
    }
    return ASSAY_OK;
}

void transform_args_free(transform_plan *p) {
    for (int i = 0; i < TRANSFORM_ARGS; i++) {
        mem_free(p->ctx, (void *)p->text[i]);
        p->text[i] = NULL;
    }
}
