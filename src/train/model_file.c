/* Model files: .safetensors with PyTorch's names and layouts, and the card in the
 * metadata, so that a model can be used, and traced back, without anything beside it. */
#include "train/trainer.h"

#include "train/state.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIDE = 4096, MAX_CLASSES = 1 << 20, MAX_CONTEXT = 1 << 16 };

void model_card_free(model_card *c, assay_ctx *ctx) {
    for (int i = 0; c->class_name && i < c->classes; i++)
        mem_free(ctx, c->class_name[i]);
    mem_free(ctx, c->class_name);
    tokenizer_destroy(c->tokens);
    *c = (model_card){0};
}

assay_status model_card_copy(model_card *out, assay_ctx *ctx, const model_card *from) {
    assay_status status = ASSAY_OK;
    *out = *from;
    out->class_name = NULL;
    out->tokens = NULL;
    if (from->tokens)
        ASSAY_TRY(tokenizer_copy(&out->tokens, ctx, from->tokens));
    if (!from->class_name)
        return ASSAY_OK;
    ASSAY_TRY(
        mem_new(ctx, &out->class_name, (size_t)from->classes, sizeof *out->class_name));
    for (int i = 0; i < from->classes; i++)
        ASSAY_TRY(mem_strdup(ctx, &out->class_name[i], from->class_name[i]));
done:
    if (status != ASSAY_OK)
        model_card_free(out, ctx);
    return status;
}

zoo_config model_card_config(const model_card *c, double smoothing) {
    return (zoo_config){.classes = c->classes,
                        .channels = c->channels,
                        .height = c->size,
                        .width = c->size,
                        .smoothing = smoothing,
                        .context = c->context,
                        .vocabulary = c->tokens ? tokenizer_count(c->tokens) : 0};
}

void model_free(trained_model *m) {
    if (!m->ctx)
        return;
    nn_weights_destroy(&m->weights, m->ctx);
    zoo_destroy(&m->zoo);
    model_card_free(&m->card, m->ctx);
    *m = (trained_model){0};
}

/* ---- writing ---- */

static void three(char out[64], const float v[3], int channels) {
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; i < channels && n < 64; i++)
        n += (size_t)snprintf(out + n, 64 - n, "%s%.9g", i ? " " : "", (double)v[i]);
}

/* Classes without names are called by their numbers. */
static void names_json(buf *b, const model_card *c) {
    json_out j = json_out_make(b, 0);
    json_arr(&j);
    for (int i = 0; i < c->classes; i++) {
        char number[16];
        (void)snprintf(number, sizeof number, "%d", i);
        json_str(&j, c->class_name ? c->class_name[i] : number);
    }
    json_arr_end(&j);
}

enum { MOST_PAIRS = 16, VALUE = 64 };

/* The metadata; texts that are made here are kept here. */
typedef struct card_text {
    st_pair pair[MOST_PAIRS];
    char value[MOST_PAIRS][VALUE];
    size_t count;
    buf list, names; /* the vocabulary, class names */
} card_text;

static void put(card_text *t, const char *key, const char *value) {
    t->pair[t->count++] = (st_pair){key, value};
}

static void put_number(card_text *t, const char *key, double v) {
    (void)snprintf(t->value[t->count], VALUE, "%.9g", v);
    put(t, key, t->value[t->count]);
}

static void put_three(card_text *t, const char *key, const float v[3], int channels) {
    three(t->value[t->count], v, channels);
    put(t, key, t->value[t->count]);
}

static assay_status card_write(card_text *t, const trained_model *m) {
    assay_status status = ASSAY_OK;
    const model_card *c = &m->card;
    put(t, "format", "pt"); /* whose names and layouts these are */
    put(t, "assay.model", c->name);
    if (c->tokens) {
        ASSAY_TRY(tokenizer_write(c->tokens, &t->list));
        put_number(t, "assay.context", c->context);
        put_number(t, "assay.held_out", c->held_out);
        put(t, "assay.tokens", t->list.data);
    }
    if (c->class_name || !c->tokens) {
        names_json(&t->names, c);
        ASSAY_TRY(buf_check(&t->names));
        put_number(t, "assay.classes", c->classes);
        put(t, "assay.class_names", t->names.data);
    }
    if (!c->tokens) {
        put_number(t, "assay.size", c->size);
        put_number(t, "assay.channels", c->channels);
        put_three(t, "assay.mean", c->mean, c->channels);
        put_three(t, "assay.std", c->std, c->channels);
    }
    put_number(t, "assay.label_smoothing", m->zoo.config.smoothing);
    put(t, "assay.dataset_sha256", c->dataset_sha256);
    put(t, "assay.recipe", c->recipe);
    (void)snprintf(t->value[t->count], VALUE, "%llu", (unsigned long long)c->seed);
    put(t, "assay.seed", t->value[t->count]);
    put(t, "assay.key", c->key);
done:
    return status;
}

assay_status model_save(const trained_model *m, const char *path) {
    assay_status status = ASSAY_OK;
    st_tensor *tensor = NULL;
    card_text text = {.list = buf_make(m->ctx), .names = buf_make(m->ctx)};
    ASSAY_TRY(card_write(&text, m));
    ASSAY_TRY(mem_new(m->ctx, &tensor, state_count(m->zoo.graph), sizeof *tensor));
    state_tensors(m->zoo.graph, &m->weights, tensor);
    ASSAY_TRY(
        st_put(m->ctx, path, tensor, state_count(m->zoo.graph), text.pair, text.count));
done:
    buf_free(&text.list);
    buf_free(&text.names);
    mem_free(m->ctx, tensor);
    return status;
}

/* ---- reading ---- */

static assay_status text_of(const st_file *f, const char *key, const char **out) {
    *out = st_metadata(f, key);
    if (*out)
        return ASSAY_OK;
    (void)err_set(ASSAY_E_FORMAT, "the metadata has no '%s'", key);
    err_help("only models that assay trained can be used here");
    return ASSAY_E_FORMAT;
}

static assay_status copy_of(const st_file *f, const char *key, char *out, size_t cap) {
    const char *text;
    assay_status status = text_of(f, key, &text);
    if (status != ASSAY_OK)
        return status;
    if (strlen(text) >= cap)
        return err_set(ASSAY_E_FORMAT, "'%s' in the metadata is too long", key);
    (void)snprintf(out, cap, "%s", text);
    return ASSAY_OK;
}

static assay_status
int_of(const st_file *f, const char *key, int low, int high, int *out) {
    const char *text;
    assay_status status = text_of(f, key, &text);
    if (status != ASSAY_OK)
        return status;
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (end == text || *end || errno || v < low || v > high)
        return err_set(ASSAY_E_FORMAT, "'%s' in the metadata is \"%.40s\", not %d..%d",
                       key, text, low, high);
    *out = (int)v;
    return ASSAY_OK;
}

static assay_status floats_of(const st_file *f, const char *key, int n, float *out) {
    const char *text;
    assay_status status = text_of(f, key, &text);
    if (status != ASSAY_OK)
        return status;
    const char *p = text;
    for (int i = 0; i < n; i++) {
        char *end;
        out[i] = strtof(p, &end);
        if (end == p || !isfinite(out[i]))
            return err_set(ASSAY_E_FORMAT,
                           "'%s' in the metadata is \"%.60s\", not %d numbers", key, text,
                           n);
        p = end;
    }
    return ASSAY_OK;
}

/* A number from 0 to below 1. */
static assay_status share_of(const st_file *f, const char *key, double *out) {
    const char *text;
    assay_status status = text_of(f, key, &text);
    if (status != ASSAY_OK)
        return status;
    char *end;
    *out = strtod(text, &end);
    if (end == text || *end || !(*out >= 0 && *out < 1))
        return err_set(ASSAY_E_FORMAT, "'%s' in the metadata is \"%.40s\"", key, text);
    return ASSAY_OK;
}

static assay_status names_of(const st_file *f, assay_ctx *ctx, model_card *c) {
    assay_status status = ASSAY_OK;
    json_doc *doc = NULL;
    const char *text;
    ASSAY_TRY(int_of(f, "assay.classes", 1, MAX_CLASSES, &c->classes));
    ASSAY_TRY(text_of(f, "assay.class_names", &text));
    ASSAY_TRY(json_parse(&doc, ctx, text, strlen(text)));
    const json_val *names = json_root(doc);
    if (!json_is_arr(names) || json_len(names) != (size_t)c->classes)
        ASSAY_FAIL(ASSAY_E_FORMAT, "'assay.class_names' in the metadata are not %d names",
                   c->classes);
    ASSAY_TRY(mem_new(ctx, &c->class_name, (size_t)c->classes, sizeof *c->class_name));
    for (int i = 0; i < c->classes; i++)
        ASSAY_TRY(mem_strdup(ctx, &c->class_name[i],
                             json_get_str(json_at(names, (size_t)i), "")));
done:
    json_doc_destroy(doc);
    return status;
}

static assay_status pixels_of(const st_file *f, assay_ctx *ctx, model_card *c) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(int_of(f, "assay.size", 1, MAX_SIDE, &c->size));
    ASSAY_TRY(int_of(f, "assay.channels", 1, 3, &c->channels));
    ASSAY_TRY(floats_of(f, "assay.mean", c->channels, c->mean));
    ASSAY_TRY(floats_of(f, "assay.std", c->channels, c->std));
    for (int i = 0; i < c->channels; i++)
        if (!(c->std[i] > 0))
            ASSAY_FAIL(ASSAY_E_FORMAT, "'assay.std' in the metadata is not above 0");
    ASSAY_TRY(names_of(f, ctx, c));
done:
    return status;
}

static assay_status tokens_of(const st_file *f, assay_ctx *ctx, model_card *c) {
    assay_status status = ASSAY_OK;
    const char *tokens;
    ASSAY_TRY(int_of(f, "assay.context", 1, MAX_CONTEXT, &c->context));
    ASSAY_TRY(share_of(f, "assay.held_out", &c->held_out));
    ASSAY_TRY(text_of(f, "assay.tokens", &tokens));
    ASSAY_TRY_AT(tokenizer_read(&c->tokens, ctx, tokens, strlen(tokens)),
                 "'assay.tokens' in the metadata");
    c->classes = tokenizer_count(c->tokens);
    const zoo_model_def *def = zoo_find(c->name);
    if (def && def->sequences)
        ASSAY_TRY(names_of(f, ctx, c));
done:
    return status;
}

static assay_status
card_of(const st_file *f, assay_ctx *ctx, model_card *c, double *smoothing) {
    assay_status status = ASSAY_OK;
    const char *seed;
    char *end;
    ASSAY_TRY(copy_of(f, "assay.model", c->name, sizeof c->name));
    if (st_metadata(f, "assay.tokens"))
        ASSAY_TRY(tokens_of(f, ctx, c));
    else
        ASSAY_TRY(pixels_of(f, ctx, c));
    ASSAY_TRY(share_of(f, "assay.label_smoothing", smoothing));
    ASSAY_TRY(
        copy_of(f, "assay.dataset_sha256", c->dataset_sha256, sizeof c->dataset_sha256));
    ASSAY_TRY(copy_of(f, "assay.recipe", c->recipe, sizeof c->recipe));
    ASSAY_TRY(copy_of(f, "assay.key", c->key, sizeof c->key));
    ASSAY_TRY(text_of(f, "assay.seed", &seed));
    c->seed = strtoull(seed, &end, 10);
    if (end == seed || *end)
        ASSAY_FAIL(ASSAY_E_FORMAT, "'assay.seed' in the metadata is \"%.40s\"", seed);
done:
    return status;
}

/* A card can ask for a model far larger than its file: that is settled before memory is.
 */
static assay_status room_check(const st_file *f, const nn_graph *g) {
    size_t have = 0, want = nn_graph_param_floats(g) + nn_graph_buffer_floats(g);
    for (size_t i = 0; i < st_count(f); i++)
        have += st_at(f, i).bytes / sizeof(float);
    return want <= have ? ASSAY_OK
                        : err_set(ASSAY_E_SHAPE,
                                  "the model has %zu weights, the file %zu", want, have);
}

assay_status model_load(trained_model *out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    st_file *f = NULL;
    double smoothing = 0;
    *out = (trained_model){.ctx = ctx};
    ASSAY_TRY(st_open(&f, ctx, path));
    ASSAY_TRY_AT(card_of(f, ctx, &out->card, &smoothing), "%s", path);
    const zoo_config config = model_card_config(&out->card, smoothing);
    ASSAY_TRY_AT(zoo_build(&out->zoo, ctx, out->card.name, &config), "%s", path);
    ASSAY_TRY_AT(room_check(f, out->zoo.graph), "%s", path);
    ASSAY_TRY(nn_weights_create(&out->weights, ctx, out->zoo.graph, 0));
    ASSAY_TRY_AT(state_read(f, out->zoo.graph, &out->weights), "%s", path);
done:
    st_close(f);
    if (status != ASSAY_OK)
        model_free(out);
    return status;
}
