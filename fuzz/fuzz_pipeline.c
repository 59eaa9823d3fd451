/* Pipelines as text: reading, and compiling for a field of images or labels. */
#include "data/load/plan.h"
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const beton_field fields[] = {{.type = BETON_IMAGE, .name = "image"},
                                         {.type = BETON_INT, .name = "label"},
                                         {.type = BETON_BYTES, .name = "text"}};
    pipeline p;
    char text[4096];
    n = n < sizeof text - 1 ? n : sizeof text - 1;
    if (n > 0)
        memcpy(text, data, n);
    text[n] = '\0';
    /* Hostile files are not the point here; nor are those that a step would open. */
    if (strchr(text, '/') != NULL || strchr(text, '.') != NULL)
        return 0;
    if (pipeline_parse(&p, fuzz_ctx(), text, NULL, 0) != ASSAY_OK)
        return 0;
    for (int o = 0; o < p.outputs; o++) {
        plan_output plan;
        plan_place place = {.index = o,
                            .field = &fields[strlen(p.output[o].field) % 3],
                            .source = {24, 20, 3},
                            .image = {24, 20, 3},
                            .classes = 10,
                            .seed = 1};
        buf told = buf_make(fuzz_ctx());
        if (plan_compile(&plan, fuzz_ctx(), &p.output[o], &place) == ASSAY_OK) {
            plan_epoch(&plan, 3);
            plan_tell(&plan, &told);
            fuzz_touch(told.data, told.len);
        }
        buf_free(&told);
    }
    pipeline_free(&p);
    return 0;
}

bool fuzz_seed(buf *out, int i) {
    static const char *const texts[] = {
        "image: random_resized_crop(224, scale=1:1) | flip(1) | normalize(imagenet)",
        "a = image: resize(8:9) | translate(2) | cutout(4) ; label: one_hot(10)\nb = "
        "image",
        "image: center_crop(16) | gray | u8(layout=nchw); label: "
        "replace_label(rows=\"1\", "
        "label=2)",
        "rrc224-f32",
        "image: flip | alternating_flip | vertical_flip | random_erasing(1)",
    };
    if (i < 0 || i >= (int)(sizeof texts / sizeof texts[0]))
        return false;
    buf_str(out, texts[i]);
    return true;
}
