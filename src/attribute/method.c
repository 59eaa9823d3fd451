/* The registry of methods, and what an ensemble's sums become. */
#include "attribute/method.h"

#include <math.h>
#include <string.h>

#define X(name) extern const att_method assay_attribution_##name;
#include "attribution_table.inc"
#undef X

#define X(name) &assay_attribution_##name,
static const att_method *const methods[] = {
#include "attribution_table.inc"
};
#undef X

size_t att_method_count(void) {
    return sizeof methods / sizeof *methods;
}

const att_method *att_method_at(size_t i) {
    return methods[i];
}

const att_method *att_method_find(const char *name) {
    for (size_t i = 0; i < att_method_count(); i++)
        if (strcmp(methods[i]->name, name) == 0)
            return methods[i];
    return NULL;
}

assay_status att_sum_finish(float *out,
                            const att_sum *sum,
                            const att_method *method,
                            int members,
                            size_t n_rows,
                            size_t n_targets) {
    float scale = 1 / (float)members;
    for (size_t i = 0; i < n_rows; i++) {
        float weight = method->weighs ? scale * sum->weight[i] : 1.0f;
        for (size_t t = 0; t < n_targets; t++) {
            float x = sum->scores[i * n_targets + t] * scale * weight;
            if (!isfinite(x)) {
                (void)err_set(ASSAY_E_NUMERIC, "a score of method %s is not finite",
                              method->name);
                err_where("row %zu, target %zu", i, t);
                return ASSAY_E_NUMERIC;
            }
            out[i * n_targets + t] = x;
        }
    }
    return ASSAY_OK;
}
