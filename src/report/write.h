/* What this room writes, each from a view into a buffer. */
#ifndef REPORT_WRITE_H
#define REPORT_WRITE_H

#include "report/view.h"

/* ---- answer.c: fixed sentences, shared by page and terminal ---- */
typedef enum answer_tone { TONE_FOUND, TONE_CLEAR, TONE_UNKNOWN, TONE_PLAIN } answer_tone;

typedef struct answer_line {
    answer_tone tone;
    const char *section; /* of the page that shows it; NULL: none */
    size_t head, detail; /* offsets into report_answer.text, NUL-terminated */
} answer_line;

enum { ANSWER_LINES = 16 };
typedef struct report_answer {
    answer_line line[ANSWER_LINES];
    int n;
    buf text;
} report_answer;

ASSAY_MUST_CHECK assay_status report_answer_make(report_answer *out,
                                                 const report_view *v);
void report_answer_free(report_answer *a); /* accepts a zeroed one */
/* Wrapped at 78 columns, one paragraph a line. */
void report_answer_text(buf *b, const report_answer *a);

/* ---- tables.c ---- */
void report_issues_csv(buf *b, const report_view *v);
void report_issues_jsonl(buf *b, const report_view *v);
void report_influence_csv(buf *b, const report_view *v);
void report_exclude(buf *b, const report_view *v);

/* ---- json.c ---- */
void report_json(buf *b, const report_view *v);
/* The settings that decide what is listed, as (name, value): shared by audit.json and the
 * page. */
typedef struct report_threshold {
    const char *name, *text; /* key in audit.json; words on the page */
    double value;
} report_threshold;
size_t report_thresholds(const report_view *v, report_threshold out[8]);

/* ---- files.c ---- */
/* All files, from any source of names. */
ASSAY_MUST_CHECK assay_status report_write(assay_ctx *ctx,
                                           const struct assay_audit *a,
                                           const report_source *source,
                                           const char *folder,
                                           const assay_report_options *options);

#endif
