/* Interruption: once, and the work ends at its next safe point; twice, and the process
 * ends. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include "cli/cli.h"

/* From now on the first SIGINT or SIGTERM cancels `ctx`, and the next, or any if `ctx` is
 * NULL, ends the process with the exit code of an interruption. */
void signals_cancel(assay_ctx *ctx);

#endif
