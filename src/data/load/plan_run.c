/* Running a plan for one sample. Nothing is allocated but where a larger image than
 * before is met. */
#include "data/load/plan.h"

#include "base/os.h"
#include "data/image_cell.h"

#include <string.h>

/* ---- scratch ---- */

static assay_status fit(assay_ctx *ctx, uint8_t **memory, size_t *cap, size_t need) {
    if (need <= *cap && *memory != NULL)
        return ASSAY_OK;
    mem_free(ctx, *memory);
    *cap = 0;
    *memory = mem_alloc(ctx, need + ROWS_SLACK);
    if (*memory == NULL)
        return err_set(ASSAY_E_NOMEM, "no memory for an image of %zu bytes", need);
    *cap = need;
    return ASSAY_OK;
}

assay_status plan_scratch_fit(plan_scratch *s, assay_ctx *ctx, const plan_output *p) {
    assay_status status = ASSAY_OK;
    s->ctx = ctx;
    if (p->scratch_bytes > 0)
        ASSAY_TRY(fit(ctx, &s->step, &s->step_cap, p->scratch_bytes));
    if (p->kind != PLAN_IMAGE)
        goto done;
    if (s->reader == NULL)
        ASSAY_TRY(window_reader_create(&s->reader, ctx));
    if (s->resampler == NULL)
        ASSAY_TRY(resampler_create(&s->resampler, ctx));
    size_t cap = s->buffer_cap;
    ASSAY_TRY(fit(ctx, &s->buffer[0], &cap, p->buffer_bytes));
    ASSAY_TRY(fit(ctx, &s->buffer[1], &s->buffer_cap, p->buffer_bytes));
done:
    return status;
}

void plan_scratch_free(plan_scratch *s) {
    window_reader_destroy(s->reader);
    resampler_destroy(s->resampler);
    if (s->ctx != NULL) {
        mem_free(s->ctx, s->buffer[0]);
        mem_free(s->ctx, s->buffer[1]);
        mem_free(s->ctx, s->step);
    }
    *s = (plan_scratch){0};
}

/* ---- images ---- */

/* An image on its way. */
typedef struct way {
    const plan_output *p;
    plan_scratch *s;
    uint64_t row;
    const field_value *v; /* the stored picture, until the first pass has read it */
    const jpeg_index *index;
    const uint8_t *now; /* bytes, H x W x C; NULL: still in `v` */
    transform_shape shape;
    int turn; /* the buffer that is free */
    void *out;
    bool done; /* written to the batch */
} way;

static transform_sample sample_at(const way *w, int step) {
    transform_sample t = {.r = w->p->stream[step],
                          .seed = w->p->seed,
                          .sample = w->row,
                          .epoch = w->p->epoch,
                          .scratch = w->s->step};
    t.r.sample = w->row;
    return t;
}

static void take_buffer(way *w) {
    w->now = w->s->buffer[w->turn];
    w->turn = 1 - w->turn;
}

static image_placement placement_of(const transform_shape *s) {
    return (image_placement){.width = s->width,
                             .height = s->height,
                             .out_width = s->width,
                             .out_height = s->height};
}

/* What the steps of a pass do to this sample together. False: one of them can't be told
 * in this form. */
static bool fold(const way *w, const plan_pass *pass, image_placement *at) {
    for (int i = pass->first; i < pass->first + pass->count; i++) {
        const pipeline_step *step = &w->p->step[i];
        transform_sample t = sample_at(w, i);
        if (!step->transform->fold(&step->plan, &t, at))
            return false;
    }
    return true;
}

static bool only_mirrors(const image_placement *at) {
    return at->dx == 0 && at->dy == 0 && at->width == at->out_width &&
           at->height == at->out_height && (at->hole_width == 0 || at->hole_height == 0);
}

static assay_status other_size(int width, int height, int want_width, int want_height) {
    err_set(ASSAY_E_SHAPE, "an image of %d x %d, the plan is made for %d x %d", width,
            height, want_width, want_height);
    err_help("begin the pipeline with a window step: random_resized_crop(224), "
             "center_crop(224) or resize(224)");
    return ASSAY_E_SHAPE;
}

/* ---- timing, of some samples ---- */

static uint64_t clock_of(const plan_scratch *s) {
    return s->timed ? os_now_ns() : 0;
}

/* A sink that times what is done with each row. */
typedef struct timed_sink {
    row_sink inner;
    uint64_t ns;
} timed_sink;

static uint8_t *timed_get(void *to, int y, size_t *stride) {
    timed_sink *t = to;
    return t->inner.get(t->inner.to, y, stride);
}

static void timed_put(void *to, int y, int offset) {
    timed_sink *t = to;
    uint64_t began = os_now_ns();
    t->inner.put(t->inner.to, y, offset);
    t->ns += os_now_ns() - began;
}

static void timed_restart(void *to) {
    timed_sink *t = to;
    t->inner.restart(t->inner.to);
}

/* ---- windows ---- */

/* The stored picture's size, upright; checks what the cell says against the data. */
static assay_status
upright_size(const field_value *v, int *width, int *height, int *turn) {
    image_outline o;
    *width = v->width;
    *height = v->height;
    *turn = 1;
    if (v->mode == CELL_RAW)
        return ASSAY_OK;
    if (!image_outline_read(v->data, (size_t)v->bytes, &o))
        return err_set(ASSAY_E_FORMAT, "the image is neither JPEG nor PNG, or cut off");
    if (o.width != v->width || o.height != v->height)
        return err_set(ASSAY_E_FORMAT, "the image's cell says %d x %d, its data %d x %d",
                       v->width, v->height, o.width, o.height);
    *turn = o.orientation;
    if (o.orientation > 4) {
        *width = v->height;
        *height = v->width;
    }
    return ASSAY_OK;
}

/* The window of pass `i`, or the whole picture where i is -1; folds mirrors of the pass
 * behind it. `*next` is the pass to go on with. */
static assay_status run_window(way *w, int i, int *next) {
    assay_status status = ASSAY_OK;
    const plan_output *p = w->p;
    int step = i >= 0 ? p->pass[i].first : -1, turn = 1;
    int width = w->shape.width, height = w->shape.height;
    if (w->now == NULL)
        ASSAY_TRY(upright_size(w->v, &width, &height, &turn));
    image_box box = {0, 0, width, height};
    transform_shape to = w->shape;
    resample_job job = {.filter = RESAMPLE_NEAREST};
    if (step >= 0) {
        const pipeline_step *s = &p->step[step];
        transform_sample t = sample_at(w, step);
        s->transform->window(&s->plan, &t, width, height, &box);
        job.filter = s->transform->filter(&s->plan);
        to = s->plan.out;
    } else if (width != to.width || height != to.height) {
        ASSAY_TRY(other_size(width, height, to.width, to.height));
    }
    *next = i + 1;
    if (*next < p->passes && p->pass[*next].kind == PASS_FOLD) {
        image_placement at = placement_of(&to);
        if (fold(w, &p->pass[*next], &at) && only_mirrors(&at)) {
            job.mirror_x = at.mirror_x;
            job.mirror_y = at.mirror_y;
            (*next)++;
        }
    }
    bool last = *next == p->passes;
    job.in_width = box.width;
    job.in_height = box.height;
    job.out_width = to.width;
    job.out_height = to.height;
    job.output = last ? p->store : p->bytes;
    job.out = last ? w->out : w->s->buffer[w->turn];
    ASSAY_TRY(resampler_begin(w->s->resampler, &job));
    timed_sink timed = {.inner = resampler_sink(w->s->resampler)};
    row_sink sink = timed.inner;
    if (w->s->timed)
        sink = (row_sink){&timed, timed_get, timed_put, timed_restart};
    uint64_t began = clock_of(w->s);
    if (w->now != NULL)
        window_raw(w->now, 3 * (size_t)width, &box, &sink);
    else if (w->v->mode == CELL_RAW)
        window_raw(w->v->data, 3 * (size_t)width, &box, &sink);
    else
        ASSAY_TRY(window_encoded(w->s->reader, w->v->data, (size_t)w->v->bytes, w->index,
                                 turn, &box, &sink));
    w->s->decode_ns += clock_of(w->s) - began - timed.ns;
    w->s->output_ns += timed.ns;
    w->shape = to;
    w->done = last;
    if (!last)
        take_buffer(w);
done:
    return status;
}

/* One step after another, where they can't be folded. */
static void run_steps(way *w, const plan_pass *pass) {
    for (int i = pass->first; i < pass->first + pass->count; i++) {
        const pipeline_step *step = &w->p->step[i];
        transform_sample t = sample_at(w, i);
        if (step->transform->apply(&step->plan, &t, w->now, w->s->buffer[w->turn]))
            take_buffer(w);
        w->shape = step->plan.out;
    }
}

static void run_fold(way *w, int i) {
    const plan_output *p = w->p;
    const plan_pass *pass = &p->pass[i];
    image_placement at = placement_of(&w->shape);
    bool last = i + 1 == p->passes && p->store.channels == w->shape.channels;
    if (!fold(w, pass, &at)) {
        run_steps(w, pass);
        return;
    }
    image_output bytes = p->bytes;
    bytes.channels = w->shape.channels;
    w->shape = p->step[pass->first + pass->count - 1].plan.out;
    output_place(last ? &p->store : &bytes, &at, w->now,
                 last ? w->out : w->s->buffer[w->turn]);
    w->done = last;
    if (!last)
        take_buffer(w);
}

static void write_out(way *w) {
    const plan_output *p = w->p;
    if (p->store.channels == 1 && w->shape.channels == 3) {
        uint8_t *gray = w->s->buffer[w->turn];
        output_luma(gray, w->now, (size_t)w->shape.height * (size_t)w->shape.width);
        w->now = gray;
    }
    output_write(&p->store, w->now, w->shape.height, w->shape.width, w->out);
}

assay_status plan_image(const plan_output *p,
                        plan_scratch *s,
                        const field_value *v,
                        const jpeg_index *index,
                        uint64_t row,
                        void *out) {
    assay_status status = ASSAY_OK;
    way w = {.p = p, .s = s, .row = row, .v = v, .index = index, .out = out};
    int i = 0;
    w.shape = p->source;
    if (p->passes == 0 || p->pass[0].kind != PASS_WINDOW) {
        if (v->mode == CELL_RAW) {
            if (v->width != p->source.width || v->height != p->source.height)
                ASSAY_TRY(
                    other_size(v->width, v->height, p->source.width, p->source.height));
            w.now = v->data;
        } else {
            ASSAY_TRY(run_window(&w, -1, &i));
        }
    }
    while (i < p->passes) {
        if (p->pass[i].kind == PASS_WINDOW) {
            ASSAY_TRY(run_window(&w, i, &i));
            continue;
        }
        uint64_t began = clock_of(s);
        if (p->pass[i].kind == PASS_FOLD)
            run_fold(&w, i);
        else
            run_steps(&w, &p->pass[i]);
        s->transform_ns += clock_of(s) - began;
        i++;
    }
    if (!w.done) {
        uint64_t began = clock_of(s);
        write_out(&w);
        s->output_ns += clock_of(s) - began;
    }
done:
    return status;
}

/* ---- labels, arrays ---- */

void plan_label(
    const plan_output *p, plan_scratch *s, int64_t label, uint64_t row, void *out) {
    way w = {.p = p, .s = s, .row = row};
    bool spread = false;
    for (int i = 0; i < p->steps && !spread; i++) {
        const pipeline_step *step = &p->step[i];
        const data_transform *t = step->transform;
        spread = t->label_width != NULL && t->label_width(&step->plan) > 0;
        if (spread) {
            t->spread(&step->plan, label, out);
        } else if (t->integer != NULL) {
            transform_sample at = sample_at(&w, i);
            t->integer(&step->plan, &at, &label);
        }
    }
    if (!spread)
        memcpy(out, &label, sizeof label);
}

void plan_array(const plan_output *p, const uint8_t *data, void *out) {
    uint8_t *to = out;
    size_t n = p->sample_bytes, each = p->swap_bytes;
    memcpy(to, data, n);
    if (each == 0)
        return;
    for (size_t at = 0; at + each <= n; at += each)
        for (size_t k = 0; k < each / 2; k++) {
            uint8_t byte = to[at + k];
            to[at + k] = to[at + each - 1 - k];
            to[at + each - 1 - k] = byte;
        }
}

void plan_mix(const plan_output *p, plan_scratch *s, uint64_t place, int n, void *data) {
    for (int i = p->batch_step; i < p->steps; i++) {
        const pipeline_step *step = &p->step[i];
        transform_batch b = {.r = p->stream[i], .n = n, .scratch = s->step};
        b.r.sample = place;
        if (p->kind == PLAN_IMAGE) {
            b.images = data;
            b.output = &p->store;
            b.image_bytes = p->sample_bytes;
        } else {
            b.labels = data;
            b.label_width = p->label_width;
        }
        step->transform->mix(&step->plan, &b);
    }
}
