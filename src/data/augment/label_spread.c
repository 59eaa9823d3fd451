/* From a label to numbers. */
#include "data/augment/label_spread.h"

int spread_classes(const transform_plan *p, double given) {
    return given > 0 ? (int)given : p->classes;
}

assay_status spread_check(const transform_plan *p, const char *name, double given) {
    int classes = spread_classes(p, given);
    if (p->label_width > 0)
        return err_set(ASSAY_E_INVALID, "%s: the label is %d numbers already", name,
                       p->label_width);
    if (classes < 1) {
        err_set(ASSAY_E_INVALID, "%s: how many classes there are is not known", name);
        err_help("say so: %s(classes=10)", name);
        return ASSAY_E_INVALID;
    }
    if (classes < p->classes)
        return err_set(ASSAY_E_INVALID, "%s: %d classes, but the data has %d", name,
                       classes, p->classes);
    return ASSAY_OK;
}

void spread_fill(float *to, int classes, int64_t label, float high, float low) {
    for (int i = 0; i < classes; i++)
        to[i] = low;
    if (label >= 0 && label < classes)
        to[label] = high;
}
