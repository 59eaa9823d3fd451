/* The orders' table. */
#include "data/order.h"

#include <string.h>

#define X(n) extern const data_order assay_order_##n;
#include "order_table.inc"
#undef X

static const data_order *const table[] = {
#define X(n) &assay_order_##n,
#include "order_table.inc"
#undef X
};

size_t order_count(void) {
    return sizeof table / sizeof table[0];
}

const data_order *order_at(size_t i) {
    return i < order_count() ? table[i] : NULL;
}

const data_order *order_find(const char *name) {
    for (size_t i = 0; i < order_count(); i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
    return NULL;
}
