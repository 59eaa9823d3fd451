/* Unstuffing byte by byte; the other sets' last bytes go through here too. */
#include "image/jpeg/kernels.h"

#include <string.h>

size_t jpg_unstuff_tail(uint8_t *begin,
                        uint8_t *to,
                        const uint8_t *from,
                        const uint8_t *end,
                        const uint8_t **stop) {
    while (from < end) {
        if (*from != 0xFF) {
            *to++ = *from++;
            continue;
        }
        if (end - from < 2) { /* a run may end between the two */
            *to++ = *from++;
            break;
        }
        if (from[1] != 0)
            break;
        *to++ = 0xFF;
        from += 2;
    }
    memset(to, 0, JPG_PADDING);
    *stop = from;
    return (size_t)(to - begin);
}

size_t jpg_unstuff_c(uint8_t *to,
                     const uint8_t *from,
                     const uint8_t *end,
                     const uint8_t **stop) {
    return jpg_unstuff_tail(to, to, from, end, stop);
}
