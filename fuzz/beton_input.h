/* Inputs that are .beton files: with the checksums of our section set right, a mutation
 * reaches what lies behind them. */
#ifndef FUZZ_BETON_INPUT_H
#define FUZZ_BETON_INPUT_H

#include "base/le.h"
#include "file/beton_inside.h"
#include "fuzz.h"

#include <string.h>

/* Sets the checksums of trailer and records right, as far as the records can be followed.
 */
static inline void beton_input_reseal(uint8_t *p, size_t n) {
    if (n < BETON_HEADER_BYTES)
        return;
    uint64_t end = le64_get(p + 16);
    if (end > n || end < SECTION_TRAILER_BYTES)
        return;
    uint8_t *t = p + end - SECTION_TRAILER_BYTES;
    if (memcmp(t, SECTION_MAGIC, 8) != 0)
        return;
    uint64_t at = le64_get(t + 16), stop = end - SECTION_TRAILER_BYTES;
    for (uint32_t i = 0; i < le32_get(t + 12) && at < stop; i++) {
        if (stop - at < SECTION_RECORD_BYTES)
            break;
        uint64_t bytes = le64_get(p + at + 8), room = stop - at - SECTION_RECORD_BYTES;
        if (bytes > room)
            break;
        section_put_record(p + at, le32_get(p + at), p + at + SECTION_RECORD_BYTES,
                           (size_t)bytes);
        at += SECTION_RECORD_BYTES + section_padded(bytes);
    }
    section_put_trailer(t, le32_get(t + 12), le64_get(t + 16), le64_get(t + 24), n);
}

/* A resealed copy of the input. Free it. */
static inline uint8_t *beton_input_resealed(const uint8_t *data, size_t n) {
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy)
        abort();
    if (n)
        memcpy(copy, data, n);
    beton_input_reseal(copy, n);
    return copy;
}

#endif
