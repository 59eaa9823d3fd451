/* The zoo's models by index, for help texts: the public side of the registry below. */
#include <assay/train.h>

#include "zoo/zoo.h"

size_t assay_zoo_count(void) {
    return zoo_count();
}

const char *assay_zoo_name(size_t i) {
    return i < zoo_count() ? zoo_at(i)->name : "";
}

const char *assay_zoo_summary(size_t i) {
    return i < zoo_count() ? zoo_at(i)->summary : "";
}
