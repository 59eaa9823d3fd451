/* The protocols. A new one is a row here. */
#include "attribute/study/protocol.h"

#include "base/buf.h"

#include <string.h>

#define RECIPE                                                                           \
    { .epochs = 15, .batch = 50, .rate = .02, .momentum = .9, .hold = .5 }

static const att_recipe toy_recipe = {
    .epochs = 6, .batch = 20, .rate = .05, .momentum = .9, .hold = .5};

static const att_recipe sentences_recipe = {
    .epochs = 4, .batch = 25, .rate = .001, .weight_decay = .1, .adam = true, .hold = .5};

static const att_protocol protocols[] = {
    {.name = "a",
     .summary =
         "an MLP on 2,000 images, halves of them: 120 subsets, 4 seeds, 300 targets",
     .model = "mlp",
     .size = 28,
     .rows = 2000,
     .targets = 300,
     .share = .5,
     .subsets = 120,
     .seeds = 4,
     .fit_subsets = 60,
     .recipe = RECIPE},
    {.name = "a25",
     .summary = "the same on quarters",
     .model = "mlp",
     .size = 28,
     .rows = 2000,
     .targets = 300,
     .share = .25,
     .subsets = 120,
     .seeds = 4,
     .fit_subsets = 60,
     .recipe = RECIPE},
    {.name = "cifar",
     .summary = "a small CNN on 2,000 images of CIFAR-10, halves of them: 100 subsets, 4 "
                "seeds, 200 targets",
     .model = "convnet",
     .size = 32,
     .rows = 2000,
     .targets = 200,
     .share = .5,
     .subsets = 100,
     .seeds = 4,
     .fit_subsets = 50,
     .recipe = RECIPE},
    {.name = "sst2",
     .summary = "an encoder on 2,000 sentences, halves of them: 40 subsets, 2 seeds, 100 "
                "targets",
     .model = "bert-tiny",
     .rows = 2000,
     .targets = 100,
     .share = .5,
     .subsets = 40,
     .seeds = 2,
     .fit_subsets = 16,
     .recipe = sentences_recipe},
    {.name = "toy",
     .summary = "protocol a in small, for a first look and for tests",
     .model = "mlp",
     .size = 28,
     .rows = 200,
     .targets = 20,
     .share = .5,
     .subsets = 16,
     .seeds = 2,
     .fit_subsets = 8,
     .recipe = toy_recipe},
};

att_protocol att_protocol_of(const char *model,
                             int64_t rows,
                             int64_t targets,
                             double share,
                             int epochs,
                             int batch,
                             double rate) {
    att_protocol p = {.name = "own",
                      .model = model,
                      .rows = (size_t)rows,
                      .targets = (size_t)targets,
                      .share = share,
                      .recipe = RECIPE};
    const zoo_model_def *def = zoo_find(model);
    if (def && def->tokens)
        p.recipe = sentences_recipe;
    p.recipe.epochs = epochs ? epochs : p.recipe.epochs;
    p.recipe.batch = batch ? batch : p.recipe.batch;
    p.recipe.rate = rate > 0 ? rate : p.recipe.rate;
    return p;
}

assay_status
att_protocol_find(const att_protocol **out, assay_ctx *ctx, const char *name) {
    buf names = buf_make(ctx);
    *out = NULL;
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        if (strcmp(protocols[i].name, name) == 0) {
            *out = &protocols[i];
            buf_free(&names);
            return ASSAY_OK;
        }
        buf_fmt(&names, "%s%s", i ? ", " : "", protocols[i].name);
    }
    (void)err_set(ASSAY_E_NOTFOUND, "there is no protocol \"%s\"", name);
    if (!names.failed)
        err_help("protocols are: %s", names.data);
    buf_free(&names);
    return ASSAY_E_NOTFOUND;
}
