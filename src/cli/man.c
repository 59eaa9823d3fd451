/* The manual pages as roff, and writing them for the build to install. */
#include "cli/help.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Text such that roff prints it as it is: backslashes, hyphens that are typed, and lines
 * that would be read as requests. */
static void roff(text *t, const char *words) {
    bool line_start = t->used == 0 || t->data[t->used - 1] == '\n';
    for (const char *p = words; *p; p++) {
        if (line_start && (*p == '.' || *p == '\''))
            text_add(t, "\\&");
        line_start = *p == '\n';
        if (*p == '\\')
            text_add(t, "\\e");
        else if (*p == '-')
            text_add(t, "\\-");
        else
            text_put(t, p, 1);
    }
}

static void roff_title(text *t, const char *page, const char *summary) {
    text_add(t, ".TH \"");
    for (const char *p = page; *p; p++)
        text_add(t, "%c", *p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
    text_add(t, "\" 1 \"\" \"assay %s\" \"assay manual\"\n.nh\n.ad l\n.SH NAME\n",
             assay_version());
    roff(t, page);
    text_add(t, " \\- ");
    roff(t, summary);
    text_add(t, "\n");
}

static void roff_heading(text *t, const char *words) {
    text_add(t, ".SH \"%s\"\n", words);
}

static void roff_paragraph(text *t, const char *line) {
    text_add(t, ".PP\n");
    roff(t, line);
    text_add(t, "\n");
}

static void roff_item(text *t, const char *term, const char *value, const char *words) {
    text_add(t, ".TP\n\\fB");
    roff(t, term);
    text_add(t, "\\fR");
    roff(t, value);
    text_add(t, "\n");
    roff(t, words);
    text_add(t, "\n");
}

static void roff_example(text *t, const char *command, const char *says) {
    text_add(t, ".TP\n\\fB");
    roff(t, command);
    text_add(t, "\\fR\n");
    roff(t, says);
    text_add(t, "\n");
}

const manual_form manual_roff = {
    .title = roff_title,
    .heading = roff_heading,
    .synopsis = roff_paragraph,
    .paragraph = roff_paragraph,
    .item = roff_item,
    .example = roff_example,
};

static assay_status write_page(const char *folder, const assay_verb *verb, cli_error *e) {
    text path = {0}, page = {0};
    text_add(&path, "%s/assay%s%s.1", folder, verb ? "-" : "", verb ? verb->name : "");
    manual_page(&page, &manual_roff, verb);
    assay_status status = ASSAY_OK;
    FILE *f = NULL;
    if (path.failed || page.failed) {
        status = cli_fail(e, ASSAY_E_NOMEM, "no memory for a manual page");
        goto done;
    }
    f = fopen(path.data, "w");
    bool good = f && fwrite(page.data, 1, page.used, f) == page.used;
    if (f && fclose(f) != 0)
        good = false;
    if (!good) {
        status = cli_fail(e, ASSAY_E_INVALID, "can't write a manual page: %s",
                          strerror(errno));
        cli_fail_where(e, "%s", path.data);
    }
done:
    text_free(&path);
    text_free(&page);
    return status;
}

assay_status man_write(const char *folder, cli_error *e) {
    assay_status status = write_page(folder, NULL, e);
    for (size_t i = 0; status == ASSAY_OK && cli_verbs[i]; i++)
        status = write_page(folder, cli_verbs[i], e);
    return status;
}
