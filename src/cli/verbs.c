/* The registry of verbs; the build writes verb_table.inc from the files in verbs/. */
#include "cli/cli.h"

#include <string.h>

#define X(name) extern const assay_verb assay_verb_##name;
#include "verb_table.inc"
#undef X

#define X(name) &assay_verb_##name,
const assay_verb *const cli_verbs[] = {
#include "verb_table.inc"
    NULL};
#undef X

const assay_verb *cli_verb_find(const char *name) {
    for (size_t i = 0; cli_verbs[i]; i++) {
        if (strcmp(cli_verbs[i]->name, name) == 0)
            return cli_verbs[i];
    }
    return NULL;
}
