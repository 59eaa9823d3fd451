/* A verb's manual page: what stands in it (one walk for every form), and its plain form.
 */
#include "cli/help.h"

#include <string.h>

/* ---- the walk ---- */

static void paragraphs(text *t, const manual_form *form, const char *words) {
    while (*words) {
        const char *end = strstr(words, "\n\n");
        text one = {0};
        text_put(&one, words, end ? (size_t)(end - words) : strlen(words));
        form->paragraph(t, text_str(&one));
        t->failed |= one.failed;
        text_free(&one);
        words = end ? end + 2 : words + strlen(words);
    }
}

static void sentence(text *t, const char *words) {
    if (t->used)
        text_add(t, " ");
    size_t n = strlen(words);
    if (n && words[0] >= 'a' && words[0] <= 'z')
        text_add(t, "%c%s", words[0] - 'a' + 'A', words + 1);
    else
        text_add(t, "%s", words);
    if (n && words[n - 1] != '.')
        text_add(t, ".");
}

static void range(text *t, const cli_option *o) {
    if (o->type == CLI_INT && o->high < 9007199254740992.0)
        text_add(t, " From %.0f to %.0f.", o->low, o->high);
    else if (o->type == CLI_DOUBLE)
        text_add(t, " From %g to %g%s.", o->low, o->high,
                 o->automatic ? ", or auto" : "");
    else if (o->type == CLI_SIZE)
        text_add(t,
                 " From %s to %s; K, M, G, T are powers of 1024, KB and so on of 1000.",
                 words_bytes((uint64_t)o->low).s, words_bytes((uint64_t)o->high).s);
    else if (o->type == CLI_DURATION)
        text_add(t, " From %s to %s; s, m and h are understood.", words_seconds(o->low).s,
                 words_seconds(o->high).s);
    else if (o->type == CLI_LIST)
        text_add(t, " May be given more than once.");
}

static void options(text *t, const manual_form *form, const cli_option *table) {
    for (const cli_option *o = table; o->type != CLI_NONE; o++) {
        text term = {0}, value = {0}, words = {0}, initial = {0};
        help_term(&term, o);
        help_value(&value, o);
        sentence(&words, o->help);
        if (o->more)
            sentence(&words, o->more);
        range(&words, o);
        help_initial(&initial, o);
        if (initial.used)
            text_add(&words, " Unless given: %s.", text_str(&initial));
        if (o->required)
            text_add(&words, " Needed.");
        form->item(t, text_str(&term), text_str(&value), text_str(&words));
        t->failed |= term.failed || value.failed || words.failed || initial.failed;
        text_free(&term);
        text_free(&value);
        text_free(&words);
        text_free(&initial);
    }
}

static void closing(text *t, const manual_form *form) {
    form->heading(t, "ENVIRONMENT");
    form->item(t, "ASSAY_THREADS", "",
               "Threads to work with, where --threads is not given.");
    form->item(t, "ASSAY_ISA", "",
               "The widest instructions to use: none, avx2, avx512 or avx512v. Unless "
               "set: what the "
               "processor has.");
    form->item(t, "ASSAY_VERBOSE", "",
               "Words between commas; the library then explains its decisions, with -v.");
    form->item(t, "NO_COLOR", "", "If set, messages have no colour.");
    form->heading(t, "EXIT STATUS");
    form->item(t, "0", "", "Done, whatever was found.");
    form->item(t, "2", "", "The command line is wrong, or an output can't be written.");
    form->item(t, "3", "", "The data is damaged, does not fit or is not supported.");
    form->item(t, "4", "", "No space or no memory.");
    form->item(t, "5", "", "A fault of the program.");
    form->item(t, "130", "",
               "Interrupted; where the command resumes, the same one continues.");
}

static void verb_page(text *t, const manual_form *form, const assay_verb *verb) {
    text page = {0}, usage = {0};
    text_add(&page, "assay-%s", verb->name);
    help_usage(&usage, verb);
    form->title(t, text_str(&page), verb->summary);
    form->heading(t, "SYNOPSIS");
    form->synopsis(t, text_str(&usage));
    form->heading(t, "DESCRIPTION");
    paragraphs(t, form, verb->description);
    form->heading(t, "EXAMPLES");
    for (size_t i = 0; i < CLI_MAX_EXAMPLES && verb->examples[i].command; i++)
        form->example(t, verb->examples[i].command, verb->examples[i].says);
    if (verb->positionals[0].name) {
        form->heading(t, "ARGUMENTS");
        for (size_t i = 0; i < CLI_MAX_POSITIONALS && verb->positionals[i].name; i++) {
            text words = {0};
            sentence(&words, verb->positionals[i].help);
            form->item(t, verb->positionals[i].name, "", text_str(&words));
            t->failed |= words.failed;
            text_free(&words);
        }
    }
    form->heading(t, "OPTIONS");
    options(t, form, verb->options);
    form->heading(t, "OPTIONS OF EVERY VERB");
    options(t, form, cli_common);
    closing(t, form);
    form->heading(t, "SEE ALSO");
    form->paragraph(t, "assay(1)");
    t->failed |= page.failed || usage.failed;
    text_free(&page);
    text_free(&usage);
}

static void command_page(text *t, const manual_form *form) {
    form->title(t, "assay", "find out what a model is made of");
    form->heading(t, "SYNOPSIS");
    form->synopsis(t, "assay VERB ... [options]");
    form->synopsis(t, "assay help VERB");
    form->heading(t, "DESCRIPTION");
    form->paragraph(
        t, "assay traces what a model says back to the images it was trained on, "
           "and finds wrong labels, copies and leaks among them. It needs no "
           "graphics processor.");
    form->paragraph(
        t, "Standard output carries the result and nothing else; progress, notes "
           "and errors go to standard error. Nothing is asked; files are "
           "overwritten only with --force.");
    for (int g = CLI_LOOK; g <= CLI_SAFETY; g++) {
        bool any = false;
        for (size_t i = 0; cli_verbs[i]; i++) {
            const assay_verb *v = cli_verbs[i];
            if ((int)v->group != g)
                continue;
            if (!any) {
                text heading = {0};
                text_add(&heading, "VERBS: %s", help_group((cli_group)g));
                form->heading(t, text_str(&heading));
                text_free(&heading);
            }
            any = true;
            text words = {0};
            sentence(&words, v->summary);
            text_add(&words, " See assay-%s(1).", v->name);
            form->item(t, v->name, "", text_str(&words));
            t->failed |= words.failed;
            text_free(&words);
        }
    }
    form->heading(t, "OPTIONS OF EVERY VERB");
    options(t, form, cli_common);
    closing(t, form);
}

void manual_page(text *t, const manual_form *form, const assay_verb *verb) {
    if (verb)
        verb_page(t, form, verb);
    else
        command_page(t, form);
}

/* ---- the plain form ---- */

static void plain_title(text *t, const char *page, const char *summary) {
    text_add(t, "NAME\n       ");
    text_add(t, "%s - ", page);
    text_fill(t, summary, 7, HELP_WIDTH);
    text_add(t, "\n");
}

static void plain_heading(text *t, const char *words) {
    text_add(t, "\n%s\n", words);
}

static void plain_synopsis(text *t, const char *line) {
    text_add(t, "       %s\n", line);
}

/* A blank line before all but the first piece of a section: a heading is the line not
 * indented. */
static void plain_gap(text *t) {
    size_t start = t->used ? t->used - 1 : 0;
    while (start && t->data[start - 1] != '\n')
        start--;
    if (t->used && t->data[start] == ' ')
        text_add(t, "\n");
}

static void plain_paragraph(text *t, const char *words) {
    plain_gap(t);
    text_pad(t, 7);
    text_fill(t, words, 7, HELP_WIDTH);
    text_add(t, "\n");
}

static void plain_item(text *t, const char *term, const char *value, const char *words) {
    text_add(t, "       %s%s", term, value);
    text_add(t, strlen(term) + strlen(value) < 8 ? " " : "\n");
    text_pad(t, 15);
    text_fill(t, words, 15, HELP_WIDTH);
    text_add(t, "\n");
}

static void plain_example(text *t, const char *command, const char *says) {
    text_add(t, "       $ %s\n           ", command);
    text_fill(t, says, 11, HELP_WIDTH);
    text_add(t, "\n");
}

const manual_form manual_plain = {
    .title = plain_title,
    .heading = plain_heading,
    .synopsis = plain_synopsis,
    .paragraph = plain_paragraph,
    .item = plain_item,
    .example = plain_example,
};
