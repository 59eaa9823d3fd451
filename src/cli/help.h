/* What the command says about itself, all from the verbs' tables. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/cli.h"

enum { HELP_WIDTH = 79 };

void help_overview(text *t);                       /* `assay` alone */
void help_screen(text *t, const assay_verb *verb); /* `-h`: one screen, examples first */

/* A manual page, to be rendered as plain text (`--help`) or as roff. */
typedef struct manual_form {
    void (*title)(text *t, const char *page, const char *summary); /* "assay-pack" */
    void (*heading)(text *t, const char *words);
    void (*synopsis)(text *t, const char *line);
    void (*paragraph)(text *t, const char *words);
    /* `term` as typed, `value` what stands for its value or "" */
    void (*item)(text *t, const char *term, const char *value, const char *words);
    void (*example)(text *t, const char *command, const char *says);
} manual_form;
extern const manual_form manual_plain, manual_roff;
/* The page of a verb, or of the whole command if `verb` is NULL. */
void manual_page(text *t, const manual_form *form, const assay_verb *verb);

/* Writes assay.1 and assay-<verb>.1 into a folder. INVALID with words in `e`. */
assay_status man_write(const char *folder, cli_error *e);

/* Pieces that the forms above share. */
void help_usage(text *t, const assay_verb *verb); /* "assay pack SRC OUT [...]" */
void help_term(text *t, const cli_option *o);     /* "-o, --output" */
void help_value(text *t, const cli_option *o);    /* "=FILE", "" for flags */
void help_initial(text *t, const cli_option *o);  /* "90", "" if there is none */
const char *help_group(cli_group group);

#endif
