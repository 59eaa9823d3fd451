/* Interruption: once, and the work ends at its next safe point; twice, and the process
 * ends. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include "cli/cli.h"

/* From now on SIGINT and SIGTERM cancel `ctx`; NULL: they end the process as before. */
void signals_cancel(assay_ctx *ctx);

#endif
