/* The transforms' table. */
#include "data/transform.h"

#include "base/nearest.h"

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

const char *transform_stage_name(transform_stage stage) {
    switch (stage) {
    case TRANSFORM_WINDOW:
        return "window";
    case TRANSFORM_PIXELS:
        return "pixels";
    case TRANSFORM_OUTPUT:
        return "output";
    case TRANSFORM_BATCH:
        return "batch";
    case TRANSFORM_LABEL:
        return "label";
    }
    return "unknown";
}

bool transform_resizes(const data_transform *t) {
    return t->stage == TRANSFORM_WINDOW && t->args[0].name != NULL &&
           strcmp(t->args[0].name, "size") == 0;
}

size_t transform_count(void) {
    return sizeof table / sizeof table[0];
}

const data_transform *transform_at(size_t i) {
    return i < transform_count() ? table[i] : NULL;
}

size_t assay_transform_count(void) {
    return transform_count();
}

const char *assay_transform_name(size_t i) {
    return i < transform_count() ? table[i]->name : NULL;
}

const char *assay_transform_summary(size_t i) {
    return i < transform_count() ? table[i]->summary : NULL;
}

/* All names, cut where the help's room ends. */
static void list_names(char *names, size_t room) {
    size_t used = 0;
    names[0] = '\0';
    for (size_t i = 0; i < transform_count(); i++) {
        int n =
            snprintf(names + used, room - used, "%s%s", used ? ", " : "", table[i]->name);
        if (n < 0 || (size_t)n >= room - used) {
            names[used] = '\0';
            return;
        }
        used += (size_t)n;
    }
}

assay_status transform_find(const data_transform **out, const char *name) {
    char names[360];
    nearest near = nearest_to(name);
    *out = NULL;
    for (size_t i = 0; i < transform_count(); i++) {
        if (strcmp(table[i]->name, name) == 0) {
            *out = table[i];
            return ASSAY_OK;
        }
        nearest_offer(&near, table[i]->name);
    }
    err_set(ASSAY_E_INVALID, "no transform is called '%s'", name);
    if (near.found != NULL)
        err_help("did you mean '%s'?", near.found);
    list_names(names, sizeof names);
    err_help("there are: %s", names);
    return ASSAY_E_INVALID;
}
