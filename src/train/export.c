/* A model file as an ONNX file: the logits of the graph that the file names, with the
 * input's normalisation in front of it. */
#include "train/trainer.h"

#include "base/json.h"
#include "file/atomic.h"
#include "nn/onnx/export.h"

#include <assay/train.h>

static assay_status names_write(buf *out, const model_card *c) {
    json_out j = json_out_make(out, 0);
    json_arr(&j);
    for (int i = 0; c->class_name && i < c->classes; i++)
        json_str(&j, c->class_name[i]);
    json_arr_end(&j);
    return buf_check(out);
}

/* Appends the ONNX file that a model file is. */
static assay_status as_onnx(buf *out, assay_ctx *ctx, const char *model) {
    assay_status status = ASSAY_OK;
    trained_model m = {0};
    buf classes = buf_make(ctx);
    ASSAY_TRY(model_load(&m, ctx, model));
    bool images = !m.card.tokens;
    ASSAY_TRY(images ? names_write(&classes, &m.card)
                     : tokenizer_write(m.card.tokens, &classes));
    const onnx_pair meta[] = {
        {"assay.model", m.card.name},
        {images ? "assay.classes" : "assay.tokens", classes.data},
        {"assay.dataset_sha256", m.card.dataset_sha256},
        {"assay.input",
         images ? "pixels from 0 to 1; normalised inside" : "numbers of tokens"}};
    static const char *const name = "logits";
    const onnx_export_options o = {.outputs = &m.zoo.logits,
                                   .names = &name,
                                   .n_outputs = 1,
                                   .mean = images ? m.card.mean : NULL,
                                   .std = images ? m.card.std : NULL,
                                   .image = m.zoo.images,
                                   .meta = meta,
                                   .n_meta = sizeof meta / sizeof *meta};
    ASSAY_TRY_AT(onnx_export(out, ctx, m.zoo.graph, &m.weights, &o), "%s", model);
    ASSAY_TRY(buf_check(out));
done:
    model_free(&m);
    buf_free(&classes);
    return status;
}

assay_status assay_export_onnx(assay_ctx *ctx, const char *model, const char *path) {
    assay_status status = ASSAY_OK;
    atomic_file f = {.fd = -1};
    buf bytes = buf_make(ctx);
    ASSAY_TRY(as_onnx(&bytes, ctx, model));
    ASSAY_TRY(atomic_open(&f, ctx, path));
    ASSAY_TRY(atomic_write(&f, bytes.data, bytes.len));
    ASSAY_TRY(atomic_commit(&f));
done:
    atomic_abandon(&f);
    buf_free(&bytes);
    return status;
}

/* The one form that both have: what runs here is what other programs will run. */
assay_status assay_model_open_trained(assay_model **out,
                                      assay_ctx *ctx,
                                      const char *path,
                                      const assay_model_options *options) {
    assay_status status = ASSAY_OK;
    buf bytes = buf_make(ctx);
    *out = NULL;
    ASSAY_TRY(as_onnx(&bytes, ctx, path));
    ASSAY_TRY_AT(assay_model_open_memory(out, ctx, bytes.data, bytes.len, options), "%s",
                 path);
done:
    buf_free(&bytes);
    return status;
}
