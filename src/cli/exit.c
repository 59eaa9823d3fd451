/* The one table from a status to the exit code that a caller of the command sees. */
#include "cli/cli.h"

int cli_exit_code(assay_status status) {
    switch (status) {
    case ASSAY_OK:
        return 0;
    case ASSAY_E_INVALID:  /* usage, unwritable output */
    case ASSAY_E_NOTFOUND: /* a named thing does not exist */
        return 2;
    case ASSAY_E_SHAPE:
    case ASSAY_E_DTYPE:
    case ASSAY_E_IO:
    case ASSAY_E_FORMAT:
    case ASSAY_E_VERSION:
    case ASSAY_E_UNSUPPORTED:
    case ASSAY_E_NUMERIC: /* bad data */
        return 3;
    case ASSAY_E_NOMEM:
    case ASSAY_E_NOSPC:
        return 4;
    case ASSAY_E_CANCELLED:
        return 130;
    case ASSAY_E_INTERNAL:
        break;
    }
    return 5; /* a bug of ours, or a status this table has not heard of */
}
