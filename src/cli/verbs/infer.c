/* assay infer: a model runs over arrays. */
#include "cli/cli.h"
#include "cli/json.h"

#include <assay/file.h>
#include <assay/model.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {.name = "output",
     .letter = 'o',
     .type = CLI_TEXT,
     .value = "OUT.npy",
     .required = true,
     .no_trace = true,
     .help = "where the result is written",
     .more = "Of a model with several outputs, OUT.0.npy holds the first, OUT.1.npy the "
             "second and so on, unless --only names one."},
    {.name = "only",
     .type = CLI_TEXT,
     .value = "NAME",
     .shown = "all",
     .help = "write this output alone"},
    {.name = "precision",
     .type = CLI_CHOICE,
     .choices = "auto|f32|bf16",
     .initial = "f32",
     .help = "what products are computed in",
     .more = "Automatic: bf16 where the processor multiplies it faster."},
    {.name = "batch",
     .type = CLI_INT,
     .value = "N",
     .initial = "64",
     .low = 1,
     .high = 1048576,
     .help = "examples computed at a time"},
    {.name = "open-batch",
     .type = CLI_FLAG,
     .help = "a leading 1 of the model means any batch"},
    CLI_OPTION_FORCE,
    {.type = CLI_NONE}};

enum { MOST_INPUTS = 64 };

typedef struct work {
    cli_run *run;
    const char *path; /* of the output */
    assay_model *model;
    assay_tensor *in[MOST_INPUTS], **out;
    int n_in, n_out, only; /* only: the output wanted; -1: all */
} work;

static assay_status open_model(work *w, const char *path, const assay_model_options *o) {
    const char *dot = strrchr(path, '.');
    return dot && strcmp(dot, ".safetensors") == 0
               ? assay_model_open_weights(&w->model, w->run->ctx, path, o)
               : assay_model_open(&w->model, w->run->ctx, path, o);
}

static assay_status read_inputs(work *w) {
    const cli_args *args = &w->run->args;
    size_t count = args->positional_count - 1 + args->rest_count;
    if (count > MOST_INPUTS)
        return cli_fail(&w->run->error, ASSAY_E_INVALID, "more than %d inputs",
                        MOST_INPUTS);
    for (size_t i = 0; i < count; i++) {
        bool first = i < args->positional_count - 1;
        const char *path = first ? args->positional[i + 1]
                                 : args->rest[i - (args->positional_count - 1)];
        assay_status status = assay_npy_read(&w->in[w->n_in], w->run->ctx, path);
        if (status != ASSAY_OK)
            return status;
        w->n_in++;
    }
    return ASSAY_OK;
}

/* "float32 x [batch, 3, 224, 224]", for a person. */
static void tell_value(text *t, const assay_model_value *v) {
    text_add(t, "'%s' %s [", v->name, assay_dtype_name(v->dtype));
    for (int d = 0; d < v->ndim; d++) {
        if (v->dim[d] < 0)
            text_add(t, "%sbatch", d ? ", " : "");
        else
            text_add(t, "%s%lld", d ? ", " : "", (long long)v->dim[d]);
    }
    text_add(t, "]");
}

static assay_status wrong_count(work *w, int wanted) {
    text t = {0};
    for (int i = 0; i < wanted; i++) {
        assay_model_value v = assay_model_input(w->model, i);
        text_add(&t, i ? ", " : "");
        tell_value(&t, &v);
    }
    assay_status status = cli_fail(&w->run->error, ASSAY_E_INVALID,
                                   "the model has %d inputs, not %d", wanted, w->n_in);
    cli_fail_help(&w->run->error, "in this order: %s", text_str(&t));
    text_free(&t);
    return status;
}

static assay_status find_output(work *w) {
    const char *only = cli_text(&w->run->args, "only");
    text t = {0};
    w->only = -1;
    for (int i = 0; only && i < w->n_out; i++)
        if (strcmp(assay_model_output(w->model, i).name, only) == 0)
            w->only = i;
    if (!only || w->only >= 0)
        return ASSAY_OK;
    for (int i = 0; i < w->n_out; i++)
        text_add(&t, "%s%s", i ? ", " : "", assay_model_output(w->model, i).name);
    assay_status status =
        cli_fail(&w->run->error, ASSAY_E_INVALID, "the model has no output '%s'", only);
    cli_fail_help(&w->run->error, "it has %s", text_str(&t));
    text_free(&t);
    return status;
}

/* OUT.npy for one output, OUT.I.npy for several. */
static void output_path(const work *w, int i, text *out) {
    size_t n = strlen(w->path), stem = n;
    if (n > 4 && strcmp(w->path + n - 4, ".npy") == 0)
        stem = n - 4;
    if (w->n_out == 1 || w->only >= 0)
        text_add(out, "%s", w->path);
    else
        text_add(out, "%.*s.%d%s", (int)stem, w->path, i, w->path + stem);
}

static bool wanted(const work *w, int i) {
    return w->only < 0 || w->only == i;
}

static bool exists(const char *path) {
    FILE *f = fopen(path, "rb");
    return f && fclose(f) == 0;
}

static assay_status check_paths(work *w) {
    assay_status status = ASSAY_OK;
    for (int i = 0; i < w->n_out && status == ASSAY_OK; i++) {
        text path = {0};
        output_path(w, i, &path);
        if (wanted(w, i) && exists(text_str(&path)) && !cli_on(&w->run->args, "force")) {
            status = cli_fail(&w->run->error, ASSAY_E_INVALID, "%s exists already",
                              text_str(&path));
            cli_fail_help(&w->run->error, "--force overwrites it");
        }
        text_free(&path);
    }
    return status;
}

static void
tell_output(work *w, const assay_tensor *t, const char *path, const char *name) {
    text *r = &w->run->result;
    if (w->run->json) {
        text shape = {0};
        json_open(r, NULL);
        json_string(r, "name", name);
        json_string(r, "file", path);
        json_string(r, "dtype", assay_dtype_name(assay_tensor_dtype(t)));
        text_add(&shape, "[");
        for (int d = 0; d < assay_tensor_ndim(t); d++)
            text_add(&shape, "%s%lld", d ? ", " : "", (long long)assay_tensor_dims(t)[d]);
        text_add(&shape, "]");
        json_raw(r, "shape", text_str(&shape));
        json_close(r);
        text_free(&shape);
        return;
    }
    assay_model_value v = {
        .name = name, .dtype = assay_tensor_dtype(t), .ndim = assay_tensor_ndim(t)};
    memcpy(v.dim, assay_tensor_dims(t), (size_t)v.ndim * sizeof *v.dim);
    text_add(r, "%s: ", path);
    tell_value(r, &v);
    text_add(r, "\n");
}

static assay_status write_outputs(work *w) {
    assay_status status = ASSAY_OK;
    bool first = true;
    if (w->run->json)
        text_add(&w->run->result, "{\"schema\": \"assay.infer/1\", \"outputs\": [");
    for (int i = 0; i < w->n_out && status == ASSAY_OK; i++) {
        text path = {0};
        if (!wanted(w, i))
            continue;
        output_path(w, i, &path);
        status = assay_npy_write(w->run->ctx, text_str(&path), w->out[i]);
        if (w->run->json && !first)
            text_add(&w->run->result, ",");
        first = false;
        if (status == ASSAY_OK)
            tell_output(w, w->out[i], text_str(&path),
                        assay_model_output(w->model, i).name);
        text_free(&path);
    }
    if (w->run->json)
        text_add(&w->run->result, "]}\n");
    return status;
}

static assay_status infer(work *w) {
    const cli_args *args = &w->run->args;
    assay_model_options o = ASSAY_MODEL_OPTIONS_INIT;
    assay_status status = read_inputs(w);
    if (status != ASSAY_OK)
        return status;
    o.inputs = (const assay_tensor *const *)w->in;
    o.n_inputs = w->n_in;
    o.precision = cli_text(args, "precision");
    o.batch = (int)cli_int(args, "batch");
    o.open_batch = cli_on(args, "open-batch");
    status = open_model(w, args->positional[0], &o);
    if (status != ASSAY_OK)
        return status;
    if (assay_model_input_count(w->model) != w->n_in)
        return wrong_count(w, assay_model_input_count(w->model));
    w->n_out = assay_model_output_count(w->model);
    status = find_output(w);
    if (status == ASSAY_OK)
        status = check_paths(w);
    if (status != ASSAY_OK)
        return status;
    w->out = calloc((size_t)w->n_out, sizeof *w->out);
    if (!w->out)
        return cli_fail(&w->run->error, ASSAY_E_NOMEM, "no memory for the outputs");
    status = assay_model_run(w->model, (const assay_tensor *const *)w->in, w->out);
    return status == ASSAY_OK ? write_outputs(w) : status;
}

static assay_status run(cli_run *run) {
    work w = {.run = run, .path = cli_text(&run->args, "output")};
    assay_status status = infer(&w);
    for (int i = 0; w.out && i < w.n_out; i++)
        assay_tensor_unref(w.out[i]);
    free(w.out);
    for (int i = 0; i < w.n_in; i++)
        assay_tensor_unref(w.in[i]);
    assay_model_close(w.model);
    return status;
}

const assay_verb assay_verb_infer = {
    .name = "infer",
    .group = CLI_MODEL,
    .summary = "Run an ONNX model on arrays",
    .description =
        "Reads a model and one NumPy array (.npy) for each of its inputs, in the model's "
        "order, and writes what comes out as .npy. Element types and sizes must be the "
        "model's; its first dimension may be open and then takes any number of "
        "examples.\n\n"
        "Weights beside the model (external data) are read from its own folder. An "
        "operator that is not handled is named with its node.\n\n"
        "A .safetensors file may stand in the model's place if its tensors are those of a "
        "network that assay knows: MobileNet v1 at a quarter of its width, TAEF2's "
        "encoder and decoder.",
    .options = options,
    .positionals = {{"MODEL", "an ONNX file, or known weights", false},
                    {"INPUT", "arrays, one for each input", true, true}},
    .examples = {{"assay infer model.onnx images.npy -o logits.npy", "one input"},
                 {"assay infer model.onnx a.npy b.npy -o y.npy --only=logits",
                  "two inputs, one of the outputs"}},
    .run = run,
};
