/* Where a verb's result goes: whole, or not at all. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "cli/cli.h"

/* Whether a file could be written there, before the work that makes it: INVALID if it
 * exists without `force`, or its folder is not there or can't be written to. */
assay_status cli_output_check(const char *path, bool force, cli_error *e);

/* Writes `result` to a file, or to standard output if `path` is "-" or NULL.
 * INVALID (exists without `force`, unwritable), NOSPC, NOMEM; words in `e`. */
assay_status
cli_output_write(const text *result, const char *path, bool force, cli_error *e);

#endif
