/* The fields' table. */
#include "data/field.h"

#include <string.h>

#define X(n) extern const data_field assay_field_##n;
#include "field_table.inc"
#undef X

static const data_field *const table[] = {
#define X(n) &assay_field_##n,
#include "field_table.inc"
#undef X
};

size_t field_count(void) {
    return sizeof table / sizeof table[0];
}

const data_field *field_at(size_t i) {
    return i < field_count() ? table[i] : NULL;
}

const data_field *field_for(beton_type type) {
    for (size_t i = 0; i < field_count(); i++)
        if (table[i]->type == type)
            return table[i];
    return NULL;
}

assay_status field_no_form(const char *ext, const char *can) {
    err_set(ASSAY_E_UNSUPPORTED, "this field can't be written as '%s'", ext);
    err_help("it can be written as %s", can);
    return ASSAY_E_UNSUPPORTED;
}
