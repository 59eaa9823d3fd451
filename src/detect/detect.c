/* The registry of detectors (the build writes detector_table.inc from the files in
 * methods/) and the list of findings. */
#include "detect/detect.h"

#include <string.h>

#define X(name) extern const detect_method assay_detector_##name;
#include "detector_table.inc"
#undef X

static const detect_method *const methods[] = {
#define X(name) &assay_detector_##name,
#include "detector_table.inc"
#undef X
};

size_t detect_count(void) {
    return sizeof methods / sizeof *methods;
}

const detect_method *detect_at(size_t i) {
    return i < detect_count() ? methods[i] : NULL;
}

const detect_method *detect_find(const char *name) {
    for (size_t i = 0; i < detect_count(); i++)
        if (strcmp(methods[i]->name, name) == 0)
            return methods[i];
    return NULL;
}

const char *detect_kind_name(detect_kind k) {
    static const char *const names[DETECT_KINDS] = {
        [DETECT_LABEL] = "label",           [DETECT_LEAKAGE] = "leakage",
        [DETECT_COPY_EXACT] = "copy_exact", [DETECT_COPY_NEAR] = "copy_near",
        [DETECT_CORRUPT] = "corrupt",
    };
    return k < DETECT_KINDS ? names[k] : "";
}

assay_status detect_findings_add(detect_findings *f, const detect_finding *item) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(
        mem_grow(f->ctx, &f->item, f->count, &f->cap, f->count + 1, sizeof *f->item));
    f->item[f->count++] = *item;
done:
    return status;
}

void detect_findings_free(detect_findings *f) {
    mem_free(f->ctx, f->item);
    *f = (detect_findings){.ctx = f->ctx};
}
