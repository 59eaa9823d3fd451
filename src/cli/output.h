/* Where a verb's result goes: whole, or not at all. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "cli/cli.h"

/* Writes `result` to a file, or to standard output if `path` is "-" or NULL.
 * INVALID (exists without `force`, unwritable), NOSPC, NOMEM; words in `e`. */
assay_status
cli_output_write(const text *result, const char *path, bool force, cli_error *e);

#endif
