/* The error model: a status travels by return value, its words wait in a per-thread
 * record. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <assay/base.h>

/* Writes the record's message and returns `status`; clears where and help. */
assay_status err_set(assay_status status, const char *fmt, ...) ASSAY_PRINTF(2, 3);
/* Like err_set, with ": <strerror(err)>" behind; ENOSPC and EDQUOT become NOSPC, ENOMEM
 * NOMEM. */
assay_status err_errno(assay_status status, int err, const char *fmt, ...)
    ASSAY_PRINTF(3, 4);
/* Sets the place; if one is set already, the new one goes before it: "file: sample 3". */
void err_where(const char *fmt, ...) ASSAY_PRINTF(1, 2);
/* Sets the next step, unless one is set already. */
void err_help(const char *fmt, ...) ASSAY_PRINTF(1, 2);

/* A copy of the record that can be carried to another thread (pool jobs, loader workers).
 */
typedef struct err_record {
    assay_status status;
    char message[512];
    char where[512];
    char help[384];
} err_record;
void err_save(err_record *out);
void err_restore(const err_record *record);

/* The three forms below need a local `assay_status status = ASSAY_OK;` and a label
 * `done:` where NULL-safe destroys run for success and failure alike. */

/* Forwards a failure. */
#define ASSAY_TRY(expr)                                                                  \
    do {                                                                                 \
        status = (expr);                                                                 \
        if (status != ASSAY_OK)                                                          \
            goto done;                                                                   \
    } while (0)

/* Forwards a failure, adding the place. */
#define ASSAY_TRY_AT(expr, ...)                                                          \
    do {                                                                                 \
        status = (expr);                                                                 \
        if (status != ASSAY_OK) {                                                        \
            err_where(__VA_ARGS__);                                                      \
            goto done;                                                                   \
        }                                                                                \
    } while (0)

/* Fails here: ASSAY_FAIL(ASSAY_E_SHAPE, "needs %d, has %d", a, b). */
#define ASSAY_FAIL(code, ...)                                                            \
    do {                                                                                 \
        status = err_set(code, __VA_ARGS__);                                             \
        goto done;                                                                       \
    } while (0)

#endif
