/* The nearest of some names, for "did you mean"; never acted upon by itself. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

/* Keeps the name with the fewest edits (insertions, deletions, replacements) to `word`.
 */
typedef struct nearest {
    const char *word, *found; /* found: borrowed; NULL when nothing is near */
    size_t edits;
} nearest;

nearest nearest_to(const char *word);
void nearest_offer(nearest *n, const char *name);

#endif
