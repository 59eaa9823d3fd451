/* The transforms' table. */
#include "data/transform.h"

#include <stdio.h>
#include <string.h>

#define X(n) extern const data_transform assay_transform_##n;
#include "transform_table.inc"
#undef X

static const data_transform *const table[] = {
#define X(n) &assay_transform_##n,
#include "transform_table.inc"
#undef X
};

size_t transform_count(void) {
    return sizeof table / sizeof table[0];
}

const data_transform *transform_at(size_t i) {
    return i < transform_count() ? table[i] : NULL;
}

assay_status transform_find(const data_transform **out, const char *name) {
    char names[256] = "";
    size_t used = 0;
    *out = NULL;
    for (size_t i = 0; i < transform_count(); i++) {
        if (strcmp(table[i]->name, name) == 0) {
            *out = table[i];
            return ASSAY_OK;
        }
        int n = snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "",
                         table[i]->name);
        if (n > 0 && (size_t)n < sizeof names - used)
            used += (size_t)n;
    }
    err_set(ASSAY_E_INVALID, "no transform is called '%s'", name);
    err_help("there are: %s", names);
    return ASSAY_E_INVALID;
}
