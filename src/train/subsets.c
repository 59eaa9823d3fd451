/* Which rows each member of an ensemble trains on: balanced two-thirds subsets.
 *
 * Members come in blocks of three. Within a block the rows of each class are shuffled by
 * a keyed permutation and dealt to the three members in turn; a member leaves out what it
 * was dealt. So every row is unseen by exactly one member of each block, and class by
 * class the three left-out parts differ by one row at most. */
#include "train/trainer.h"

#include "base/rng.h"

#include <string.h>

assay_status train_subsets(assay_ctx *ctx,
                           const int32_t *labels,
                           uint64_t train_rows,
                           int classes,
                           int members,
                           uint64_t seed,
                           uint8_t *seen) {
    assay_status status = ASSAY_OK;
    uint64_t *row = NULL;   /* rows grouped by class */
    uint64_t *first = NULL; /* of each class in `row` */
    if (members < 3 || members % 3 != 0) {
        (void)err_set(ASSAY_E_INVALID, "an ensemble of %d members", members);
        err_help("members come in blocks of three: ask for 3, 6, 9...");
        return ASSAY_E_INVALID;
    }
    ASSAY_TRY(mem_new(ctx, &row, train_rows ? (size_t)train_rows : 1, sizeof *row));
    ASSAY_TRY(mem_new(ctx, &first, (size_t)classes + 2, sizeof *first));
    for (uint64_t i = 0; i < train_rows; i++) {
        if (labels[i] < 0 || labels[i] >= classes)
            ASSAY_FAIL(ASSAY_E_FORMAT, "row %llu has label %d, classes are 0..%d",
                       (unsigned long long)i, (int)labels[i], classes - 1);
        first[labels[i] + 2]++;
    }
    for (int c = 0; c < classes; c++)
        first[c + 2] += first[c + 1];
    for (uint64_t i = 0; i < train_rows; i++)
        row[first[labels[i] + 1]++] = i; /* afterwards class c begins at first[c] */
    memset(seen, 1, (size_t)members * train_rows);
    for (int block = 0; block < members / 3; block++) {
        uint64_t dealt = (uint64_t)block;
        for (int c = 0; c < classes; c++) {
            uint64_t n = first[c + 1] - first[c];
            if (n == 0)
                continue;
            uint32_t key = (uint32_t)block * (uint32_t)classes + (uint32_t)c;
            rng_perm order = rng_perm_make(n, seed, RNG_SUBSET, key);
            for (uint64_t i = 0; i < n; i++, dealt++) {
                uint64_t member = (uint64_t)block * 3 + dealt % 3;
                seen[member * train_rows + row[first[c] + rng_perm_at(&order, i)]] = 0;
            }
        }
    }
done:
    mem_free(ctx, first);
    mem_free(ctx, row);
    return status;
}
