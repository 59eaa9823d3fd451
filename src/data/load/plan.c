/* Compiling one output of a pipeline. */
#include "data/load/plan.h"

#include <stdio.h>
#include <string.h>

/* Random streams: step i of output o draws from RNG_TRANSFORM + STREAM_OUTPUT * o + i,
 * steps that mix a batch from RNG_TRANSFORM + STREAM_BATCH + their place among those: the
 * same for images and labels. Output 0 has the streams that the trainer's feeder has. */
enum { STREAM_OUTPUT = 1000, STREAM_BATCH = 500 };

static size_t bytes_of(const transform_shape *s) {
    return (size_t)s->height * (size_t)s->width * (size_t)s->channels;
}

/* ---- steps ---- */

void plan_drop(pipeline_output *o) {
    for (int i = 0; i < o->steps; i++) {
        pipeline_step *s = &o->step[i];
        if (s->planned && s->transform->unplan != NULL)
            s->transform->unplan(&s->plan);
        s->planned = false;
        s->plan.state = NULL;
        s->plan.scratch_bytes = 0;
    }
}

assay_status plan_set_size(pipeline_output *o, int height, int width, bool apply) {
    for (int i = o->steps - 1; i >= 0; i--) {
        pipeline_step *s = &o->step[i];
        const transform_arg *first = s->transform->args;
        if (s->transform->stage != TRANSFORM_WINDOW)
            continue;
        if (first == NULL || first->name == NULL || strcmp(first->name, "size") != 0)
            break;
        if (first->count < 2 && height != width)
            return err_set(ASSAY_E_INVALID, "output '%s': %s makes squares only", o->name,
                           s->transform->name);
        if (height < first->least || height > first->most || width < first->least ||
            width > first->most)
            return err_set(ASSAY_E_INVALID, "output '%s': a size of %d x %d", o->name,
                           height, width);
        if (!apply)
            return ASSAY_OK;
        s->plan.value[0] = height;
        if (first->count >= 2)
            s->plan.value[1] = width;
        s->plan.given |= 1;
        return ASSAY_OK;
    }
    err_set(ASSAY_E_INVALID, "output '%s' has no step that takes a size", o->name);
    err_help("begin its pipeline with one, such as random_resized_crop(224)");
    return ASSAY_E_INVALID;
}

static assay_status plan_step(plan_output *p, int i, const plan_place *place) {
    pipeline_step *s = &p->step[i];
    s->plan.in = s->plan.out = p->shape;
    s->plan.of_labels = p->kind == PLAN_INT;
    s->plan.label_width = p->label_width;
    s->plan.image = place->image;
    s->plan.classes = place->classes;
    s->plan.ctx = p->ctx;
    s->planned = true; /* unplan is due also after a failure */
    assay_status status = s->transform->plan(&s->plan);
    if (status == ASSAY_OK && s->plan.scratch_bytes > p->scratch_bytes)
        p->scratch_bytes = s->plan.scratch_bytes;
    return status;
}

static assay_status misplaced(const data_transform *t, const char *why) {
    return err_set(ASSAY_E_INVALID, "%s: %s", t->name, why);
}

/* ---- images ---- */

static void add_pass(plan_output *p, plan_pass_kind kind, int step) {
    plan_pass *last = p->passes > 0 ? &p->pass[p->passes - 1] : NULL;
    if (kind == PASS_FOLD && last != NULL && last->kind == PASS_FOLD)
        last->count++;
    else
        p->pass[p->passes++] = (plan_pass){kind, step, 1};
}

static assay_status no_size(void) {
    err_set(ASSAY_E_SHAPE, "the stored images are of different sizes");
    err_help("begin the pipeline with a window step: random_resized_crop(224), "
             "center_crop(224) or resize(224)");
    return ASSAY_E_SHAPE;
}

static assay_status image_step(plan_output *p, int i, const plan_place *place) {
    assay_status status = ASSAY_OK;
    const data_transform *t = p->step[i].transform;
    if (t->stage == TRANSFORM_LABEL)
        return misplaced(t, "changes labels, this output is of images");
    if (t->stage < TRANSFORM_OUTPUT && i > 0 &&
        p->step[i - 1].transform->stage >= TRANSFORM_OUTPUT)
        return misplaced(t, "works on bytes, and stands behind what stores the image");
    if (t->stage < TRANSFORM_BATCH && p->batch_step < i)
        return misplaced(t, "stands behind a step that mixes the batch");
    if (t->stage == TRANSFORM_WINDOW && p->shape.channels != 3)
        return misplaced(t, "wants three channels: put it first");
    if (t->stage != TRANSFORM_WINDOW && p->shape.height == 0)
        return no_size();
    ASSAY_TRY(plan_step(p, i, place));
    switch (t->stage) {
    case TRANSFORM_WINDOW:
        if (transform_resizes(t)) /* else the picture as it is */
            add_pass(p, PASS_WINDOW, i);
        break;
    case TRANSFORM_PIXELS:
        add_pass(p, t->fold != NULL ? PASS_FOLD : PASS_STEP, i);
        break;
    case TRANSFORM_OUTPUT:
        t->output(&p->step[i].plan, &p->store);
        break;
    default:
        break;
    }
    if (t->stage < TRANSFORM_OUTPUT) {
        p->shape = p->step[i].plan.out;
        p->store.channels = p->shape.channels;
    }
    if (t->stage < TRANSFORM_BATCH)
        p->batch_step = i + 1;
    if (t->stage < TRANSFORM_OUTPUT && bytes_of(&p->shape) > p->buffer_bytes)
        p->buffer_bytes = bytes_of(&p->shape);
done:
    return status;
}

static assay_status compile_image(plan_output *p, const plan_place *place) {
    assay_status status = ASSAY_OK;
    static const assay_dtype types[] = {ASSAY_U8, ASSAY_F32, ASSAY_F16, ASSAY_BF16};
    p->shape = p->source = place->source;
    p->shape.channels = p->source.channels = 3;
    p->store = (image_output){.type = OUTPUT_U8, .channels = 3};
    p->bytes = p->store;
    p->buffer_bytes = bytes_of(&p->source);
    for (int i = 0; i < p->steps; i++) {
        status = image_step(p, i, place);
        if (status != ASSAY_OK) {
            err_where("step %d (%s)", i + 1, p->step[i].transform->name);
            goto done;
        }
    }
    if (p->shape.height == 0) {
        status = no_size();
        goto done;
    }
    int c = p->store.channels;
    p->dtype = types[p->store.type];
    p->ndim = 4;
    p->dim[1] = p->store.planar ? c : p->shape.height;
    p->dim[2] = p->store.planar ? p->shape.height : p->shape.width;
    p->dim[3] = p->store.planar ? p->shape.width : c;
    p->sample_bytes = (size_t)p->shape.height * (size_t)p->shape.width * (size_t)c *
                      output_type_bytes(p->store.type);
done:
    return status;
}

/* ---- labels and the rest ---- */

static assay_status label_step(plan_output *p, int i, const plan_place *place) {
    assay_status status = ASSAY_OK;
    const data_transform *t = p->step[i].transform;
    if (t->stage != TRANSFORM_LABEL && t->stage != TRANSFORM_BATCH)
        return misplaced(t, "changes images, this output is of labels");
    if (t->stage == TRANSFORM_LABEL && p->batch_step < i)
        return misplaced(t, "stands behind a step that mixes the batch");
    ASSAY_TRY(plan_step(p, i, place));
    int width = t->label_width != NULL ? t->label_width(&p->step[i].plan) : 0;
    if (width > 0)
        p->label_width = width;
    else if (t->stage == TRANSFORM_LABEL && (t->integer == NULL || p->label_width > 0))
        return misplaced(t, "wants an integer, the label is several numbers here");
    if (t->stage == TRANSFORM_LABEL)
        p->batch_step = i + 1;
    if (t->stage == TRANSFORM_BATCH && p->label_width == 0)
        return misplaced(t, "mixes labels of several numbers: put one_hot before it");
done:
    return status;
}

static assay_status compile_label(plan_output *p, const plan_place *place) {
    for (int i = 0; i < p->steps; i++) {
        assay_status status = label_step(p, i, place);
        if (status != ASSAY_OK) {
            err_where("step %d (%s)", i + 1, p->step[i].transform->name);
            return status;
        }
    }
    p->dtype = p->label_width > 0 ? ASSAY_F32 : ASSAY_I64;
    p->ndim = p->label_width > 0 ? 2 : 1;
    p->dim[1] = p->label_width;
    p->sample_bytes = p->label_width > 0 ? 4 * (size_t)p->label_width : 8;
    return ASSAY_OK;
}

/* The element type as one of ours; false: there is none such, bytes are handed out. */
static bool dtype_of(assay_dtype *out, const field_type *t) {
    static const struct pair {
        char kind;
        size_t item;
        assay_dtype dtype;
    } known[] = {{'f', 4, ASSAY_F32}, {'f', 8, ASSAY_F64}, {'f', 2, ASSAY_F16},
                 {'i', 1, ASSAY_I8},  {'u', 1, ASSAY_U8},  {'i', 2, ASSAY_I16},
                 {'u', 2, ASSAY_U16}, {'i', 4, ASSAY_I32}, {'u', 4, ASSAY_U32},
                 {'i', 8, ASSAY_I64}, {'u', 8, ASSAY_U64}, {'b', 1, ASSAY_BOOL}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (t->typestr[1] == known[i].kind && t->item == known[i].item) {
            *out = known[i].dtype;
            return true;
        }
    return false;
}

static void compile_array(plan_output *p) {
    const field_type *t = &p->type;
    bool known = dtype_of(&p->dtype, t);
    int extra = known ? 0 : 1;
    if (!known)
        p->dtype = ASSAY_U8;
    else if (t->typestr[0] == '>' && t->item > 1)
        p->swap_bytes = t->item;
    if (t->ndim + 1 + extra > ASSAY_MAX_DIMS) { /* too many to tell: a flat row */
        p->ndim = 2;
        p->dim[1] = (int64_t)(t->bytes / (known ? t->item : 1));
    } else {
        p->ndim = t->ndim + 1 + extra;
        for (int i = 0; i < t->ndim; i++)
            p->dim[i + 1] = t->dim[i];
        if (!known)
            p->dim[p->ndim - 1] = (int64_t)t->item;
    }
    p->sample_bytes = (size_t)t->bytes;
}

static assay_status compile_plain(plan_output *p, const beton_field *field) {
    if (p->steps > 0) {
        err_set(ASSAY_E_INVALID, "%s is for images or labels, field '%s' holds neither",
                p->step[0].transform->name, field->name);
        return ASSAY_E_INVALID;
    }
    p->dtype = ASSAY_U8;
    p->ndim = 2;
    if (p->kind == PLAN_FLOAT) {
        p->dtype = ASSAY_F64;
        p->ndim = 1;
        p->sample_bytes = 8;
    } else if (p->kind == PLAN_ARRAY) {
        compile_array(p);
    } else if (p->kind == PLAN_CUSTOM) {
        p->dim[1] = (int64_t)field->cell_bytes;
        p->sample_bytes = field->cell_bytes;
    }
    return ASSAY_OK;
}

static plan_kind kind_of(beton_type type) {
    switch (type) {
    case BETON_IMAGE:
        return PLAN_IMAGE;
    case BETON_INT:
        return PLAN_INT;
    case BETON_FLOAT:
        return PLAN_FLOAT;
    case BETON_NDARRAY:
    case BETON_TENSOR:
        return PLAN_ARRAY;
    case BETON_BYTES:
    case BETON_JSON:
        return PLAN_RAGGED;
    default:
        return PLAN_CUSTOM;
    }
}

assay_status plan_compile(plan_output *p,
                          assay_ctx *ctx,
                          pipeline_output *o,
                          const plan_place *place) {
    assay_status status = ASSAY_OK;
    *p =
        (plan_output){.ctx = ctx,
                      .name = o->name,
                      .kind = kind_of(place->field->type),
                      .step = o->step,
                      .steps = o->steps,
                      .stream_at = RNG_TRANSFORM + STREAM_OUTPUT * (uint32_t)place->index,
                      .seed = place->seed};
    plan_drop(o);
    const data_field *field = field_for(place->field->type);
    if (field != NULL)
        ASSAY_TRY(field->plan(&p->type, ctx, place->field));
    if (p->kind == PLAN_IMAGE)
        ASSAY_TRY(compile_image(p, place));
    else if (p->kind == PLAN_INT)
        ASSAY_TRY(compile_label(p, place));
    else
        ASSAY_TRY(compile_plain(p, place->field));
    plan_epoch(p, 0);
done:
    if (status != ASSAY_OK)
        pipeline_where(o, -1);
    return status;
}

void plan_epoch(plan_output *p, uint32_t epoch) {
    p->epoch = epoch;
    for (int i = 0; i < p->steps; i++) {
        uint32_t stream = i < p->batch_step ? p->stream_at + (uint32_t)i
                                            : RNG_TRANSFORM + STREAM_BATCH +
                                                  (uint32_t)(i - p->batch_step);
        p->stream[i] = rng_at(p->seed, stream, epoch, 0);
    }
}

/* ---- telling ---- */

static void tell_steps(const plan_output *p, buf *out, int first, int count) {
    for (int i = first; i < first + count; i++)
        buf_fmt(out, "%s%s", i > first ? " + " : "", p->step[i].transform->name);
}

/* Steps that only mirror whenever they do anything: behind a window they cost nothing. */
static bool flips(const plan_output *p, const plan_pass *pass) {
    for (int i = pass->first; i < pass->first + pass->count; i++)
        if (strstr(p->step[i].transform->name, "flip") == NULL)
            return false;
    return pass->kind == PASS_FOLD;
}

static void tell_image(const plan_output *p, buf *out) {
    static const char buffer[] = "the thread's buffer", batch[] = "the batch";
    const char *from = "the stored image";
    int number = 1;
    bool stored = false;
    for (int i = 0; i < p->passes; i++, number++) {
        const plan_pass *a = &p->pass[i];
        buf_fmt(out, "  pass %d: ", number);
        tell_steps(p, out, a->first, a->count);
        if (a->kind == PASS_WINDOW && i + 1 < p->passes && flips(p, a + 1)) {
            i++;
            buf_str(out, " + ");
            tell_steps(p, out, p->pass[i].first, p->pass[i].count);
        }
        stored = i + 1 == p->passes && a->kind != PASS_STEP;
        buf_fmt(out, ", from %s to %s\n", from, stored ? batch : buffer);
        from = buffer;
    }
    if (!stored)
        buf_fmt(out, "  pass %d: from %s to %s\n", number, from, batch);
    for (int i = p->batch_step; i < p->steps; i++)
        buf_fmt(out, "  whole batch: %s\n", p->step[i].transform->name);
}

void plan_tell(const plan_output *p, buf *out) {
    buf_fmt(out, "%s: %s", p->name, assay_dtype_name(p->dtype));
    buf_str(out, " [n");
    for (int i = 1; i < p->ndim; i++)
        if (p->kind == PLAN_RAGGED)
            buf_str(out, ", longest");
        else
            buf_fmt(out, ", %lld", (long long)p->dim[i]);
    buf_str(out, "]");
    if (p->kind == PLAN_IMAGE) {
        buf_fmt(out, " %s", p->store.planar ? "NCHW" : "NHWC");
        if (p->store.stream)
            buf_str(out, ", stored past the cache");
    }
    buf_str(out, "\n");
    if (p->kind == PLAN_IMAGE) {
        tell_image(p, out);
        return;
    }
    for (int i = 0; i < p->steps; i++)
        buf_fmt(out, "  %s: %s\n", i < p->batch_step ? "each label" : "whole batch",
                p->step[i].transform->name);
}
