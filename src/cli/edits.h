/* What the verbs that edit .beton files share. */
#ifndef CLI_EDITS_H
#define CLI_EDITS_H

#include "cli/cli.h"

#include <assay/data.h>

#define CLI_OPTION_PAGE_SIZE                                                             \
    {                                                                                    \
        .name = "page-size", .type = CLI_SIZE, .value = "SIZE", .initial = "0",          \
        .shown = "as the source's", .low = 0, .high = 2147483648.0,                      \
        .help = "bytes in a page"                                                        \
    }

/* Says what was written. */
void edits_tell(cli_run *run, const char *out, const assay_edit_result *r);

#endif
