/* Standard error as a screen: notes, errors and the progress line share it. */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include "cli/cli.h"

#include <pthread.h>

typedef enum screen_progress_form {
    SCREEN_NONE,
    SCREEN_LINES, /* one line for each phase */
    SCREEN_LIVE   /* one line, kept up to date */
} screen_progress_form;

typedef struct screen {
    pthread_mutex_t lock; /* progress and log lines come from any thread */
    bool color, quiet;
    screen_progress_form form;
    bool line_up; /* a live line stands there */
    /* the phase being told */
    char phase[64];
    int phase_index;
    /* its speed: overall and of late, in units per second */
    int64_t last_done;
    uint64_t last_ns;
    double lately;
} screen;

/* Errors before the options are known are told on a screen made with NULL. */
void screen_init(screen *s, const cli_args *args);
void screen_clear(screen *s); /* takes the live line away */
void screen_close(screen *s);

/* "note: ..." unless quiet. */
void screen_note(screen *s, const char *fmt, ...) ASSAY_PRINTF(2, 3);
/* The three parts of an error; where and help may be "". */
void screen_error(screen *s, const char *what, const char *where, const char *help);

/* For the context; the cookie is the screen. */
void screen_log(void *cookie, assay_log_level level, const char *line);
int screen_progress(void *cookie, const assay_progress *p);

/* The progress line as words; for tests. `lately`: units per second of late, 0 if
 * unknown. */
void screen_progress_words(text *t, const assay_progress *p, double lately);

#endif
