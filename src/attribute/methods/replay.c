/* replay: the exact derivative through the training run (attribute/influence/replay.h).
 * One of it costs about a training per target; ensembles of it are the best that is
 * known. */
#include "attribute/influence/replay.h"

static assay_status score(att_sum *sum, const att_member *m, const att_settings *o) {
    if (m->study->asked)
        return err_set(ASSAY_E_UNSUPPORTED, "replay knows margins only");
    return att_replay(sum->scores, m, o->from);
}

const att_method assay_attribution_replay = {
    .name = "replay",
    .summary = "the exact derivative through the training run",
    .score = score,
};
