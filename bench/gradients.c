/* How exact are the gradients of whole networks? The executor's in f32 against the
 * float64 reference, one line for each network and seed. Weights, data, reference
 * gradients and the error are left in DIR as NAME.SEED.safetensors for
 * bench/gradients_torch.py, which does the same with PyTorch and writes
 * bench/gradients.json.
 *
 *   gradients DIR [NAME...]
 */
#include <assay/assay.h>

#include "file/safetensors.h"
#include "train/gradient_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS = 5, MOST = 256, NAME = NN_MAX_NAME + 8 };

static const struct {
    const char *name;
    int batch;
} nets[] = {
    {"mlp", 32},           {"cnn", 8},      {"cnn-smooth", 8},      {"resnet9", 2},
    {"resnet9-smooth", 2}, {"resnet18", 2}, {"resnet18-smooth", 2}, {"gpt-tiny", 2}};

/* Images go from N,H,W,C to N,C,H,W. */
static float *images_turned(const gradient_check *c) {
    const zoo_config *z = &c->zoo.config;
    size_t plane = (size_t)z->height * (size_t)z->width, channels = (size_t)z->channels;
    float *out = malloc((size_t)c->batch * c->each * sizeof *out);
    for (size_t i = 0; out && i < (size_t)c->batch * c->each; i++) {
        size_t n = i / c->each, k = i / plane % channels, p = i % plane;
        out[i] = c->images[(n * plane + p) * channels + k];
    }
    return out;
}

static assay_status leave(const gradient_check *c, const char *dir, int number) {
    const nn_graph *g = c->zoo.graph;
    const zoo_config *z = &c->zoo.config;
    static st_tensor tensor[2 * MOST + 2];
    static char name[2 * MOST][NAME];
    size_t n = 0, rows = (size_t)c->batch;
    float *images = c->images ? images_turned(c) : NULL;
    char path[512], batch[16], seed[16], error[32];
    for (size_t i = 0; i < nn_graph_param_count(g) && i < MOST; i++)
        for (int grad = 0; grad < 2; grad++) {
            nn_param_info p = nn_graph_param_at(g, i);
            (void)snprintf(name[n], NAME, "%s.%s", grad ? "grad" : "param", p.name);
            tensor[n] =
                (st_tensor){.name = name[n],
                            .dtype = grad ? ASSAY_F64 : ASSAY_F32,
                            .ndim = p.shape.ndim,
                            .data = grad ? (const void *)(c->exact + p.offset)
                                         : (const void *)(c->weights.params + p.offset),
                            .bytes = p.count * (grad ? 8 : 4)};
            memcpy(tensor[n++].dim, p.shape.dim, sizeof p.shape.dim);
        }
    tensor[n++] =
        c->tokens ? (st_tensor){"input",   ASSAY_I32,         2, {c->batch, z->context},
                                c->tokens, rows * c->each * 4}
                  : (st_tensor){"input", ASSAY_F32,
                                4,       {c->batch, z->channels, z->height, z->width},
                                images,  rows * c->each * 4};
    tensor[n++] = (st_tensor){"labels",  ASSAY_I32,
                              1,         {c->batch * (int64_t)c->label_each},
                              c->labels, rows * c->label_each * 4};
    (void)snprintf(path, sizeof path, "%s/%s.%d.safetensors", dir, c->name, number);
    (void)snprintf(batch, sizeof batch, "%d", c->batch);
    (void)snprintf(seed, sizeof seed, "%d", number);
    (void)snprintf(error, sizeof error, "%.4g", c->error);
    const st_pair pairs[] = {{"batch", batch}, {"seed", seed}, {"error", error}};
    assay_status status = st_put(c->ctx, path, tensor, n, pairs, 3);
    free(images);
    return status;
}

static bool wanted(const char *name, int argc, char **argv) {
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc < 3;
}

int main(int argc, char **argv) {
    assay_status status = ASSAY_OK;
    assay_ctx *ctx = NULL;
    gradient_check c = {0};
    if (argc < 2) {
        fprintf(stderr, "usage: gradients DIR [NAME...]\n");
        return 2;
    }
    ASSAY_TRY(assay_ctx_create(&ctx, NULL));
    for (size_t i = 0; i < SEEDS * sizeof nets / sizeof *nets; i++) {
        const char *name = nets[i / SEEDS].name;
        int batch = nets[i / SEEDS].batch, seed = (int)(i % SEEDS) + 1;
        if (!wanted(name, argc, argv))
            continue;
        ASSAY_TRY(gradient_check_run(&c, ctx, name, batch, (uint64_t)seed));
        printf("%-16s batch %2d  seed %d  %zu parameters  error %.3g\n", name, batch,
               seed, nn_graph_param_floats(c.zoo.graph), c.error);
        (void)fflush(stdout);
        ASSAY_TRY(leave(&c, argv[1], seed));
        gradient_check_free(&c);
    }
done:
    if (status != ASSAY_OK)
        fprintf(stderr, "gradients: %s\n", assay_last_error()->message);
    gradient_check_free(&c);
    assay_ctx_destroy(ctx);
    return status != ASSAY_OK;
}
