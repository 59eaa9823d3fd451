/* Interruption. A handler can reach nothing but file-scope state, hence the one variable
 * here. */
#include "cli/signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static _Atomic(assay_ctx *) target;

static void interrupted(int signal_number) {
    (void)signal_number;
    assay_ctx *ctx = atomic_exchange(&target, NULL);
    if (!ctx)
        _exit(cli_exit_code(ASSAY_E_CANCELLED));
    assay_ctx_cancel(ctx);
}

void signals_cancel(assay_ctx *ctx) {
    atomic_store(&target, ctx);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    (void)sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    action.sa_handler = interrupted;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}
