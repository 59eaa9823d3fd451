/* The per-thread error record. It is preallocated, so that reporting a failure can't
 * fail. */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct err_state {
    err_record record;
    assay_error view; /* what assay_last_error hands out: points into `record` */
} err_state;

static _Thread_local err_state err_here;

static void err_copy(char *to, size_t cap, const char *from) {
    size_t n = strlen(from);
    if (n >= cap) {
        n = cap - 1;
        while (n > 0 &&
               ((unsigned char)from[n] & 0xC0) == 0x80) /* keep UTF-8 characters whole */
            n--;
    }
    memmove(to, from, n);
    to[n] = '\0';
}

const char *assay_status_name(assay_status status) {
    switch (status) {
    case ASSAY_OK:
        return "OK";
    case ASSAY_E_NOMEM:
        return "NOMEM";
    case ASSAY_E_NOSPC:
        return "NOSPC";
    case ASSAY_E_INVALID:
        return "INVALID";
    case ASSAY_E_SHAPE:
        return "SHAPE";
    case ASSAY_E_DTYPE:
        return "DTYPE";
    case ASSAY_E_IO:
        return "IO";
    case ASSAY_E_FORMAT:
        return "FORMAT";
    case ASSAY_E_VERSION:
        return "VERSION";
    case ASSAY_E_NOTFOUND:
        return "NOTFOUND";
    case ASSAY_E_UNSUPPORTED:
        return "UNSUPPORTED";
    case ASSAY_E_CANCELLED:
        return "CANCELLED";
    case ASSAY_E_NUMERIC:
        return "NUMERIC";
    case ASSAY_E_INTERNAL:
        return "INTERNAL";
    }
    return "UNKNOWN";
}

const char *assay_version(void) {
    return ASSAY_VERSION;
}

const assay_error *assay_last_error(void) {
    err_state *e = &err_here;
    e->view = (assay_error){
        .status = e->record.status,
        .message = e->record.message,
        .where = e->record.where,
        .help = e->record.help,
    };
    return &e->view;
}

/* The arguments may point into the record itself: everything is formatted aside first. */
assay_status err_set(assay_status status, const char *fmt, ...) {
    char text[sizeof err_here.record.message * 2];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    err_record *r = &err_here.record;
    r->status = status;
    err_copy(r->message, sizeof r->message, text);
    r->where[0] = '\0';
    r->help[0] = '\0';
    return status;
}

assay_status err_errno(assay_status status, int err, const char *fmt, ...) {
    char text[sizeof err_here.record.message];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    char why[128];
    if (strerror_r(err, why, sizeof why) != 0)
        (void)snprintf(why, sizeof why, "error %d", err);
    if (err == ENOSPC || err == EDQUOT)
        status = ASSAY_E_NOSPC;
    else if (err == ENOMEM)
        status = ASSAY_E_NOMEM;
    return err_set(status, "%s: %s", text, why);
}

void err_where(const char *fmt, ...) {
    err_record *r = &err_here.record;
    char place[sizeof r->where * 2];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(place, sizeof place, fmt, args);
    va_end(args);
    char both[sizeof r->where * 3 + 2];
    (void)snprintf(both, sizeof both, "%s%s%s", place, r->where[0] ? ": " : "", r->where);
    err_copy(r->where, sizeof r->where, both);
}

void err_help(const char *fmt, ...) {
    err_record *r = &err_here.record;
    if (r->help[0])
        return;
    char text[sizeof r->help * 2];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    err_copy(r->help, sizeof r->help, text);
}

void err_save(err_record *out) {
    *out = err_here.record;
}

void err_restore(const err_record *record) {
    err_here.record = *record;
}
