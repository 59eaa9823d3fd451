/* Reading groups, and finding whom they mean. */
#include "train/param_rules.h"

#include <errno.h>
#include <fnmatch.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 256 }; /* bytes of one group */

static const double LARGEST = 1e6;

static assay_status bad(const char *group) {
    (void)err_set(ASSAY_E_INVALID, "a group of parameters can't be \"%.80s\"", group);
    err_help("write PATTERN:rate=X,decay=X,epochs=N,matrix=0; the numbers multiply the "
             "recipe's rate and decay");
    return ASSAY_E_INVALID;
}

/* "rate=64" into a rule; what is set is noted in `given`. */
static bool take(param_rule *rule, param_rule *given, const char *words) {
    static const struct {
        const char *name;
        size_t at;
    } numbers[] = {{"rate=", offsetof(param_rule, rate)},
                   {"decay=", offsetof(param_rule, decay)},
                   {"epochs=", offsetof(param_rule, epochs)}};
    if (strcmp(words, "matrix=0") == 0) {
        given->matrix = true;
        return true;
    }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        size_t n = strlen(numbers[i].name);
        if (strncmp(words, numbers[i].name, n) != 0)
            continue;
        char *end;
        errno = 0;
        double v = strtod(words + n, &end);
        if (end == words + n || *end || errno || !(v >= 0 && v <= LARGEST))
            return false;
        memcpy((char *)rule + numbers[i].at, &v, sizeof v);
        memcpy((char *)given + numbers[i].at, &(double){1}, sizeof v);
        return true;
    }
    return false;
}

static assay_status
apply(param_rule *rules, const nn_graph *g, const char *pattern, const char *words) {
    param_rule rule = {0}, given = {0};
    char one[MOST];
    for (const char *p = words; *p; p += *p == ',') {
        size_t n = strcspn(p, ",");
        memcpy(one, p, n);
        one[n] = '\0';
        if (!take(&rule, &given, one))
            return bad(words);
        p += n;
    }
    size_t found = 0;
    for (size_t i = 0; i < nn_graph_param_count(g); i++) {
        if (fnmatch(pattern, nn_graph_param_at(g, i).name, 0) != 0)
            continue;
        found++;
        rules[i].rate = given.rate > 0 ? rule.rate : rules[i].rate;
        rules[i].decay = given.decay > 0 ? rule.decay : rules[i].decay;
        rules[i].epochs = given.epochs > 0 ? rule.epochs : rules[i].epochs;
        rules[i].matrix = given.matrix ? false : rules[i].matrix;
    }
    if (found)
        return ASSAY_OK;
    (void)err_set(ASSAY_E_INVALID, "no parameter's name matches \"%.80s\"", pattern);
    if (nn_graph_param_count(g))
        err_help("names are such as %s", nn_graph_param_at(g, 0).name);
    return ASSAY_E_INVALID;
}

/* Each piece between semicolons; `words` NULL: they say it themselves, behind a colon. */
static assay_status
each(param_rule *rules, const nn_graph *g, const char *line, const char *words) {
    for (const char *p = line; p && *p; p += *p == ';') {
        char one[MOST];
        size_t n = strcspn(p, ";");
        if (n >= sizeof one)
            return bad(p);
        memcpy(one, p, n);
        one[n] = '\0';
        p += n;
        char *colon = words ? NULL : strrchr(one, ':');
        if (!*one || (!words && !colon))
            return bad(one);
        if (colon)
            *colon = '\0';
        assay_status status = apply(rules, g, one, colon ? colon + 1 : words);
        if (status != ASSAY_OK)
            return status;
    }
    return ASSAY_OK;
}

assay_status param_rules_make(param_rule **out,
                              assay_ctx *ctx,
                              const nn_graph *g,
                              const char *groups,
                              const char *freeze) {
    assay_status status = ASSAY_OK;
    param_rule *rules = NULL;
    size_t n = nn_graph_param_count(g);
    *out = NULL;
    ASSAY_TRY(mem_new(ctx, &rules, n + 1, sizeof *rules));
    for (size_t i = 0; i < n; i++) {
        nn_param_info p = nn_graph_param_at(g, i);
        rules[i] = (param_rule){
            .rate = 1, .decay = p.decay, .matrix = p.decay && p.shape.ndim >= 2};
    }
    ASSAY_TRY(each(rules, g, groups, NULL));
    ASSAY_TRY(each(rules, g, freeze, "rate=0"));
    *out = rules;
    rules = NULL;
done:
    mem_free(ctx, rules);
    return status;
}
