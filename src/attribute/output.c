/* The registry of outputs. */
#include "attribute/output.h"

#include <string.h>

#define X(name) extern const att_output_def assay_output_##name;
#include "output_table.inc"
#undef X

#define X(name) &assay_output_##name,
static const att_output_def *const outputs[] = {
#include "output_table.inc"
};
#undef X

size_t att_output_count(void) {
    return sizeof outputs / sizeof *outputs;
}

const att_output_def *att_output_at(size_t i) {
    return outputs[i];
}

const att_output_def *att_output_find(const char *name) {
    for (size_t i = 0; i < att_output_count(); i++)
        if (strcmp(outputs[i]->name, name) == 0)
            return outputs[i];
    return NULL;
}
