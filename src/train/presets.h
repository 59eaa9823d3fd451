/* Presets: whole recipes by name, for a model and a set that they were found on. */
#ifndef TRAIN_PRESETS_H
#define TRAIN_PRESETS_H

#include <stddef.h>

typedef struct train_preset {
    const char *name, *settings; /* a line as settings_set takes it */
} train_preset;

size_t preset_count(void);
const train_preset *preset_at(size_t i);
const train_preset *preset_find(const char *name); /* NULL if there is none */

#endif
