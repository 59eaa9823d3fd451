/* Reading a caller's option structure of whatever age. */
#include "base/options.h"

#include <string.h>

assay_status options_take(void *out, size_t size, const void *given, const char *name) {
    if (!given)
        return ASSAY_OK;
    size_t theirs;
    memcpy(&theirs, given, sizeof theirs);
    if (theirs < sizeof theirs || theirs > 65536) {
        err_set(ASSAY_E_INVALID, "%s has struct_size %zu", name, theirs);
        err_help("start from the _INIT macro that belongs to it");
        return ASSAY_E_INVALID;
    }
    const unsigned char *bytes = given;
    for (size_t i = size; i < theirs; i++) {
        if (bytes[i] != 0) {
            err_set(ASSAY_E_INVALID,
                    "%s has a field at byte %zu that this version does not know", name,
                    i);
            err_help("the program was built for a newer library than version %s",
                     assay_version());
            return ASSAY_E_INVALID;
        }
    }
    memcpy(out, given, theirs < size ? theirs : size);
    memcpy(out, &size, sizeof size);
    return ASSAY_OK;
}
