/* Labels spoiled on purpose: what is known to be wrong tells how much is found. */
#include "detect/detect.h"

#include "base/rng.h"

enum { DRAW_ROWS = 0, DRAW_CLASS = 1 };

uint64_t detect_flip_labels(int32_t *labels,
                            uint8_t *flag,
                            const uint8_t *leave,
                            uint64_t rows,
                            int classes,
                            uint64_t count,
                            uint64_t seed,
                            uint32_t stream) {
    rng_perm perm = rng_perm_make(rows, seed, stream, DRAW_ROWS);
    uint64_t made = 0;
    for (uint64_t i = 0; i < rows && made < count; i++) {
        uint64_t row = rng_perm_at(&perm, i);
        if (leave && leave[row])
            continue;
        rng g = rng_at(seed, stream, DRAW_CLASS, row);
        int shift = 1 + (int)rng_below(&g, (uint64_t)classes - 1);
        labels[row] = (labels[row] + shift) % classes;
        flag[row] = 1;
        made++;
    }
    return made;
}
