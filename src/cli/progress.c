/* The progress line: phase n of m, how much is done, how fast, and, once a twentieth is
 * done, what remains as a range between the pace of late and the pace so far. */
#include "cli/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { NARROWEST = 20, WIDEST = 200 };

static size_t columns(void) {
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= NARROWEST)
        return size.ws_col < WIDEST ? size.ws_col : WIDEST;
    return 80;
}

static void phase_words(text *t, const assay_progress *p) {
    if (p->phase_index > 0)
        text_add(t, "[%d/%d] ", p->phase_index, p->phase_count);
    text_add(t, "%s", p->phase);
}

void screen_progress_words(text *t, const assay_progress *p, double lately) {
    phase_words(t, p);
    const char *unit = p->unit ? p->unit : "";
    uint64_t done = p->done > 0 ? (uint64_t)p->done : 0;
    if (p->total > 0)
        text_add(t, "  %s/%s %s", words_count(done).s, words_count((uint64_t)p->total).s,
                 unit);
    else
        text_add(t, "  %s %s", words_count(done).s, unit);
    double seconds = (double)p->elapsed_ns * 1e-9;
    if (done == 0 || seconds < 0.2)
        return;
    double pace = (double)done / seconds;
    if (pace >= 10)
        text_add(t, "  %s %s/s", words_count((uint64_t)(pace + 0.5)).s, unit);
    else
        text_add(t, "  %.2g %s/s", pace, unit);
    if (p->total <= 0 || (double)done < 0.05 * (double)p->total || p->done >= p->total)
        return;
    double left = (double)p->total - (double)done;
    double one = left / pace, other = left / (lately > 0 ? lately : pace);
    double low = 0.95 * (one < other ? one : other);
    double high = 1.05 * (one < other ? other : one);
    if (high > 4 * low) /* a pause just now says little about the rest */
        high = 4 * low;
    phrase from = words_seconds(low), to = words_seconds(high);
    if (strcmp(from.s, to.s) == 0)
        text_add(t, "  %s left", to.s);
    else
        text_add(t, "  %s-%s left", from.s, to.s);
}

/* The pace of late: a mean over about ten seconds. With the lock held. */
static void follow_pace(screen *s, const assay_progress *p) {
    double seconds = (double)(p->elapsed_ns - s->last_ns) * 1e-9;
    if (seconds < 0.05)
        return;
    double now = (double)(p->done - s->last_done) / seconds;
    double weight = seconds < 10 ? seconds / 10 : 1;
    s->lately = s->lately > 0 ? s->lately + weight * (now - s->lately) : now;
    s->last_done = p->done;
    s->last_ns = p->elapsed_ns;
}

int screen_progress(void *cookie, const assay_progress *p) {
    screen *s = cookie;
    if (s->form == SCREEN_NONE)
        return 0;
    (void)pthread_mutex_lock(&s->lock);
    bool fresh = strncmp(s->phase, p->phase, sizeof s->phase - 1) != 0 ||
                 s->phase_index != p->phase_index;
    if (fresh || p->elapsed_ns < s->last_ns || p->done < s->last_done) {
        (void)snprintf(s->phase, sizeof s->phase, "%s", p->phase);
        s->phase_index = p->phase_index;
        s->last_done = 0;
        s->last_ns = 0;
        s->lately = 0;
    }
    text t = {0};
    if (s->form == SCREEN_LIVE) {
        follow_pace(s, p);
        screen_progress_words(&t, p, s->lately);
        size_t width = columns() - 1;
        int shown = (int)(t.used < width ? t.used : width);
        (void)fprintf(stderr, "\r%.*s\033[K", shown, text_str(&t));
        s->line_up = true;
    } else if (fresh) {
        phase_words(&t, p);
        if (p->total > 0)
            text_add(&t, "  %s %s", words_count((uint64_t)p->total).s,
                     p->unit ? p->unit : "");
        (void)fprintf(stderr, "%s\n", text_str(&t));
    }
    (void)fflush(stderr);
    text_free(&t);
    (void)pthread_mutex_unlock(&s->lock);
    return 0;
}
