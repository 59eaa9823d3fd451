/* Notes and errors on standard error. The progress line, which shares the place, is
 * progress.c. */
#include "cli/screen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void screen_init(screen *s, const cli_args *args) {
    *s = (screen){.form = SCREEN_NONE};
    (void)pthread_mutex_init(&s->lock, NULL);
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    bool capable = isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
    s->color = capable && !(no_color && *no_color);
    if (!args)
        return;
    s->quiet = cli_on(args, "quiet");
    const char *color = cli_text(args, "color"), *progress = cli_text(args, "progress");
    if (strcmp(color, "auto") != 0)
        s->color = strcmp(color, "always") == 0;
    if (s->quiet || strcmp(progress, "none") == 0)
        s->form = SCREEN_NONE;
    else if (strcmp(progress, "line") == 0 || !capable)
        s->form = SCREEN_LINES;
    else
        s->form = SCREEN_LIVE;
}

/* With the lock held. */
static void clear_line(screen *s) {
    if (s->line_up)
        (void)fputs("\r\033[K", stderr);
    s->line_up = false;
}

void screen_clear(screen *s) {
    (void)pthread_mutex_lock(&s->lock);
    clear_line(s);
    (void)fflush(stderr);
    (void)pthread_mutex_unlock(&s->lock);
}

void screen_close(screen *s) {
    screen_clear(s);
    (void)pthread_mutex_destroy(&s->lock);
}

/* A line beginning with a word in colour. Control characters, which a file name may hold,
 * would speak to the terminal: they are shown as question marks. */
static void labelled(screen *s, const char *color, const char *label, const char *line) {
    (void)pthread_mutex_lock(&s->lock);
    clear_line(s);
    if (s->color)
        (void)fprintf(stderr, "\033[%sm%s\033[0m ", color, label);
    else
        (void)fprintf(stderr, "%s ", label);
    for (const char *p = line; *p; p++)
        (void)fputc((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p, stderr);
    (void)fputc('\n', stderr);
    (void)fflush(stderr);
    (void)pthread_mutex_unlock(&s->lock);
}

void screen_note(screen *s, const char *fmt, ...) {
    if (s->quiet)
        return;
    char line[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    labelled(s, "36", "note:", line);
}

void screen_error(screen *s, const char *what, const char *where, const char *help) {
    labelled(s, "1;31", "error:", what);
    if (*where)
        labelled(s, "2", "  -->", where);
    if (*help)
        labelled(s, "36", "  help:", help);
}

void screen_log(void *cookie, assay_log_level level, const char *line) {
    screen *s = cookie;
    if (level == ASSAY_LOG_ERROR || level == ASSAY_LOG_WARN)
        labelled(s, "33", "warning:", line);
    else
        labelled(s, "36", "note:", line);
}
