/* The presets, one row each; the names are also the choices of the setting `recipe`
 * (<assay/settings.h>). docs/training.md says where the numbers come from. */
#include "train/presets.h"

#include <string.h>

/* What both of airbench's have (Jordan 2024, arXiv 2404.00498, "airbench94"). Its weight
 * decay is per unit of rate: 0.0153 / 11.5. */
#define AIRBENCH                                                                         \
    "model=airbench optimizer=sgd schedule=one-cycle momentum=0.85 weight_decay=0.0013 " \
    "label_smoothing=0.2 flip=on alternate=on translate=2 edge=reflect lookahead=5 "     \
    "tta=mirror-shift group=*bias:rate=64;whiten.bias:rate=64,epochs=3 "

static const train_preset presets[] = {
    /* 11.5 for 1024 images, of which momentum makes 1 + 1 / (1 - 0.85) steps. */
    {"airbench", AIRBENCH "epochs=10 batch=1000 lr=1.46"},
    {"airbench-10k", AIRBENCH "epochs=12 batch=250 lr=0.375"},
};

size_t preset_count(void) {
    return sizeof presets / sizeof *presets;
}

const train_preset *preset_at(size_t i) {
    return &presets[i];
}

const train_preset *preset_find(const char *name) {
    for (size_t i = 0; i < preset_count(); i++)
        if (strcmp(presets[i].name, name) == 0)
            return &presets[i];
    return NULL;
}
