/* The table of settings, and the walk over it: names, ranges and words are nowhere else.
 */
#include "train/settings.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct row {
    assay_setting s;
    const char *member; /* its name in a line */
    size_t offset, size;
    bool always; /* in every line */
} row;

#define ROW(named, setting_kind, field, label, ...)                                      \
    {{.name = label, .kind = ASSAY_SETTING_##setting_kind, __VA_ARGS__},                 \
     #field,                                                                             \
     offsetof(train_recipe, field),                                                      \
     sizeof(((train_recipe *)NULL)->field),                                              \
     named},
#define ROW_ALWAYS(...) ROW(true, __VA_ARGS__)
#define ROW_MORE(...)   ROW(false, __VA_ARGS__)

static const row rows[] = {ASSAY_TRAIN_SETTINGS_ALWAYS(ROW_ALWAYS)
                               ASSAY_TRAIN_SETTINGS_MORE(ROW_MORE)};
enum { ROWS = sizeof rows / sizeof *rows };

size_t assay_train_setting_count(void) {
    return ROWS;
}

const assay_setting *assay_train_setting_at(size_t i) {
    return i < ROWS ? &rows[i].s : NULL;
}

/* ---- setting ---- */

static const row *row_find(const char *name) {
    for (size_t i = 0; i < ROWS; i++) {
        const char *a = rows[i].member, *b = name;
        while (*a && (*a == *b || (*a == '_' && *b == '-')))
            a++, b++;
        if (!*a && !*b)
            return &rows[i];
    }
    return NULL;
}

static assay_status unknown(const char *name) {
    char names[384] = "";
    size_t used = 0;
    for (size_t i = 0; i < ROWS && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 rows[i].s.name);
    (void)err_set(ASSAY_E_INVALID, "there is no setting \"%.80s\"", name);
    err_help("settings are: %s", names);
    return ASSAY_E_INVALID;
}

static assay_status refused(const row *w, const char *words) {
    const assay_setting *s = &w->s;
    (void)err_set(ASSAY_E_INVALID, "%s can't be \"%.80s\"", s->name, words);
    if (s->kind == ASSAY_SETTING_INT)
        err_help("give a whole number from %.0f to %.0f", s->low, s->high);
    else if (s->kind == ASSAY_SETTING_DOUBLE)
        err_help("give a number from %g to %g", s->low, s->high);
    else if (s->choices)
        err_help("choose from: %s", s->choices);
    else
        err_help("give fewer than %zu letters", w->size);
    return ASSAY_E_INVALID;
}

static bool listed(const char *choices, const char *word) {
    size_t n = strlen(word);
    for (const char *p = choices; p && *p; p += *p == '|') {
        size_t len = strcspn(p, "|");
        if (len == n && memcmp(p, word, n) == 0)
            return true;
        p += len;
    }
    return false;
}

/* NaN and infinity are in no range. */
static bool number(const row *w, const char *words, double *out) {
    char *end;
    errno = 0;
    *out = strtod(words, &end);
    return end != words && !*end && errno == 0 && *out >= w->s.low && *out <= w->s.high &&
           (w->s.kind == ASSAY_SETTING_DOUBLE || *out == floor(*out));
}

assay_status setting_set(train_recipe *r, const char *name, const char *words) {
    const row *w = row_find(name);
    if (!w)
        return unknown(name);
    char *at = (char *)r + w->offset;
    double v;
    switch (w->s.kind) {
    case ASSAY_SETTING_INT:
    case ASSAY_SETTING_DOUBLE:
        if (!number(w, words, &v))
            return refused(w, words);
        if (w->s.kind == ASSAY_SETTING_INT)
            memcpy(at, &(int){(int)v}, sizeof(int));
        else
            memcpy(at, &v, sizeof v);
        return ASSAY_OK;
    case ASSAY_SETTING_SWITCH: {
        bool on = strcmp(words, "on") == 0 || strcmp(words, "1") == 0;
        if (!on && strcmp(words, "0") != 0 && !listed(w->s.choices, words))
            return refused(w, words);
        if (strcmp(words, "auto") != 0)
            memcpy(at, &on, sizeof on);
        return ASSAY_OK;
    }
    case ASSAY_SETTING_CHOICE:
        if (!listed(w->s.choices, words))
            return refused(w, words);
        break;
    case ASSAY_SETTING_TEXT:
    case ASSAY_SETTING_LIST:
        break;
    }
    if (strlen(words) >= w->size)
        return refused(w, words);
    memset(at, 0, w->size);
    memcpy(at, words, strlen(words));
    return ASSAY_OK;
}

assay_status settings_set(train_recipe *r, const char *line) {
    for (const char *p = line; p && *p;) {
        char one[RECIPE_LINE];
        size_t n = strcspn(p, " ");
        if (n >= sizeof one)
            return err_set(ASSAY_E_INVALID, "a setting of %zu letters", n);
        memcpy(one, p, n);
        one[n] = '\0';
        p += n + strspn(p + n, " ");
        if (n == 0)
            continue;
        char *words = strchr(one, '=');
        if (!words) {
            (void)err_set(ASSAY_E_INVALID, "\"%.80s\" sets nothing", one);
            err_help("write name=value, with spaces between settings");
            return ASSAY_E_INVALID;
        }
        *words++ = '\0';
        assay_status status = setting_set(r, one, words);
        if (status != ASSAY_OK)
            return status;
    }
    return ASSAY_OK;
}

void settings_initial(train_recipe *r) {
    *r = (train_recipe){0};
    for (size_t i = 0; i < ROWS; i++) {
        assay_status status = ASSAY_OK;
        if (rows[i].s.initial)
            status = setting_set(r, rows[i].member, rows[i].s.initial);
        assert(status == ASSAY_OK);
        (void)status;
    }
}

/* ---- the line ---- */

static size_t words_of(const train_recipe *r, const row *w, char *out, size_t cap) {
    const char *at = (const char *)r + w->offset;
    int n = 0;
    switch (w->s.kind) {
    case ASSAY_SETTING_INT: {
        int v;
        memcpy(&v, at, sizeof v);
        n = snprintf(out, cap, "%d", v);
        break;
    }
    case ASSAY_SETTING_DOUBLE: {
        double v;
        memcpy(&v, at, sizeof v);
        n = snprintf(out, cap, "%.9g", v);
        break;
    }
    case ASSAY_SETTING_SWITCH: {
        bool v;
        memcpy(&v, at, sizeof v);
        n = snprintf(out, cap, "%d", v);
        break;
    }
    case ASSAY_SETTING_CHOICE:
    case ASSAY_SETTING_TEXT:
    case ASSAY_SETTING_LIST:
        n = snprintf(out, cap, "%s", at);
        break;
    }
    return (size_t)n;
}

void train_recipe_text(const train_recipe *r, char out[RECIPE_LINE]) {
    train_recipe initial;
    size_t used = 0;
    settings_initial(&initial);
    out[0] = '\0';
    for (size_t i = 0; i < ROWS; i++) {
        const row *w = &rows[i];
        char words[RECIPE_LINE], as_initial[RECIPE_LINE];
        (void)words_of(r, w, words, sizeof words);
        (void)words_of(&initial, w, as_initial, sizeof as_initial);
        if ((w->always || strcmp(words, as_initial) != 0) && used < RECIPE_LINE)
            used += (size_t)snprintf(out + used, RECIPE_LINE - used, "%s%s=%s",
                                     used ? " " : "", w->member, words);
    }
    assert(used < RECIPE_LINE);
}

bool setting_in_line(const char *line, const char *name, char *out, size_t cap) {
    size_t n = strlen(name);
    for (const char *p = line; *p; p += strspn(p, " ")) {
        size_t len = strcspn(p, " ");
        if (len > n && strncmp(p, name, n) == 0 && p[n] == '=' && len - n - 1 < cap) {
            memcpy(out, p + n + 1, len - n - 1);
            out[len - n - 1] = '\0';
            return true;
        }
        p += len;
    }
    return false;
}
