/* The overview and the one-screen help. The manual pages are in manual.c. */
#include "cli/help.h"

#include <string.h>

const char *help_group(cli_group group) {
    switch (group) {
    case CLI_LOOK:
        return "Look";
    case CLI_DATA:
        return "Data";
    case CLI_MODEL:
        return "Model";
    case CLI_TRACE:
        return "Trace";
    case CLI_SAFETY:
        break;
    }
    return "Safety";
}

void help_usage(text *t, const assay_verb *verb) {
    text_add(t, "assay %s", verb->name);
    for (size_t i = 0; i < CLI_MAX_POSITIONALS && verb->positionals[i].name; i++) {
        bool optional = verb->positionals[i].optional;
        text_add(t, optional ? " [%s]" : " %s", verb->positionals[i].name);
    }
    text_add(t, " [options]");
}

void help_term(text *t, const cli_option *o) {
    if (o->letter)
        text_add(t, "-%c, ", o->letter);
    else if (strcmp(o->name, "help") == 0)
        text_add(t, "-h, ");
    bool off = o->type == CLI_FLAG && o->initial && strcmp(o->initial, "on") == 0;
    text_add(t, off ? "--[no-]%s" : "--%s", o->name);
}

void help_value(text *t, const cli_option *o) {
    if (o->type == CLI_CHOICE)
        text_add(t, "=%s", o->choices);
    else if (o->type != CLI_FLAG)
        text_add(t, "=%s", o->value);
}

void help_initial(text *t, const cli_option *o) {
    if (o->shown)
        text_add(t, "%s", o->shown);
    else if (o->initial && o->type != CLI_FLAG)
        text_add(t, "%s", o->initial);
}

enum { VERB_COLUMN = 18 }; /* behind the longest name */

void help_overview(text *t) {
    text_add(t, "assay %s: find out what a model is made of\n\n", assay_version());
    for (int g = CLI_LOOK; g <= CLI_SAFETY; g++) {
        bool any = false;
        for (size_t i = 0; cli_verbs[i]; i++) {
            if ((int)cli_verbs[i]->group != g)
                continue;
            if (!any)
                text_add(t, "%s\n", help_group((cli_group)g));
            any = true;
            text_add(t, "  %s", cli_verbs[i]->name);
            text_pad(t, VERB_COLUMN);
            text_fill(t, cli_verbs[i]->summary, VERB_COLUMN, HELP_WIDTH);
            text_add(t, "\n");
        }
        if (any)
            text_add(t, "\n");
    }
    text_add(
        t, "'assay VERB -h' shows examples and options, 'assay help VERB' the manual.\n");
}

static void screen_options(text *t, const cli_option *table) {
    for (const cli_option *o = table; o->type != CLI_NONE; o++) {
        if (o->rare)
            continue;
        text_add(t, "  ");
        help_term(t, o);
        help_value(t, o);
        text_pad(t, 26);
        text words = {0}, initial = {0};
        text_add(&words, "%s", o->help);
        help_initial(&initial, o);
        if (initial.used)
            text_add(&words, " [%s]", text_str(&initial));
        if (o->required)
            text_add(&words, " (needed)");
        text_fill(t, text_str(&words), 26, HELP_WIDTH);
        text_add(t, "\n");
        t->failed |= words.failed || initial.failed;
        text_free(&words);
        text_free(&initial);
    }
}

/* The names of what only the manual tells. */
static void screen_rare(text *t, const cli_option *table) {
    text names = {0};
    for (const cli_option *o = table; o->type != CLI_NONE; o++)
        if (o->rare)
            text_add(&names, "%s--%s", names.used ? " " : "", o->name);
    if (names.used) {
        text_add(t, "\nSeldom needed: ");
        text_fill(t, text_str(&names), 15, HELP_WIDTH);
        text_add(t, "\n");
    }
    t->failed |= names.failed;
    text_free(&names);
}

void help_screen(text *t, const assay_verb *verb) {
    text_add(t, "%s\n\n", verb->summary);
    for (size_t i = 0; i < CLI_MAX_EXAMPLES && verb->examples[i].command; i++)
        text_add(t, "  $ %s\n      %s\n", verb->examples[i].command,
                 verb->examples[i].says);
    text_add(t, "\nusage: ");
    help_usage(t, verb);
    text_add(t, "\n\n");
    for (size_t i = 0; i < CLI_MAX_POSITIONALS && verb->positionals[i].name; i++) {
        text_add(t, "  %s", verb->positionals[i].name);
        text_pad(t, 26);
        text_fill(t, verb->positionals[i].help, 26, HELP_WIDTH);
        text_add(t, "\n");
    }
    screen_options(t, verb->options);
    screen_rare(t, verb->options);
    text also = {0};
    for (const cli_option *o = cli_common; o->type != CLI_NONE; o++) {
        if (o != cli_common)
            text_add(&also, " ");
        if (o->letter)
            text_add(&also, "-%c/", o->letter);
        else if (strcmp(o->name, "help") == 0)
            text_add(&also, "-h/");
        text_add(&also, "--%s", o->name);
        if (o->type == CLI_INT)
            text_add(&also, "=%s", o->value);
    }
    text_add(t, "\nEvery verb: ");
    text_fill(t, text_str(&also), 12, HELP_WIDTH);
    text_add(t, "\n'assay %s --help' is the manual.\n", verb->name);
    t->failed |= also.failed;
    text_free(&also);
}
