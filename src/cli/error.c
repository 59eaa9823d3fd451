/* Errors found by the command itself: the same three parts as the library's. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>

assay_status cli_fail(cli_error *e, assay_status status, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(e->what, sizeof e->what, fmt, args);
    va_end(args);
    e->status = status;
    e->where[0] = e->help[0] = '\0';
    return status;
}

void cli_fail_where(cli_error *e, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(e->where, sizeof e->where, fmt, args);
    va_end(args);
}

void cli_fail_help(cli_error *e, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(e->help, sizeof e->help, fmt, args);
    va_end(args);
}
