/* The pipeline: fetch or decode, transforms on bytes, normalisation to floats. */
#include "data/load/make.h"

#include "data/pixels.h"
#include "simd/simd.h"

#include <math.h>
#include <string.h>

static assay_status plan_source(maker *m) {
    const feeder_source *s = &m->source;
    if (s->ds == NULL && s->pixels == NULL)
        return err_set(ASSAY_E_INVALID, "a feeder needs a dataset or pixels");
    if (s->pixels != NULL) {
        const npy_array *a = s->pixels;
        if (a->dtype != ASSAY_U8 || a->ndim != 4 || (a->dim[3] != 1 && a->dim[3] != 3) ||
            a->dim[1] < 1 || a->dim[2] < 1 || a->dim[1] > 65535 || a->dim[2] > 65535)
            return err_set(ASSAY_E_SHAPE, "pixels must be u8 [rows, H, W, 1 or 3]");
        m->source_rows = (uint64_t)a->dim[0];
        m->in = (transform_shape){(int)a->dim[1], (int)a->dim[2], (int)a->dim[3]};
        if (s->labels == NULL && (s->ds == NULL || dataset_rows(s->ds) != m->source_rows))
            return err_set(ASSAY_E_SHAPE, "pixels and labels are of different rows");
    } else {
        if (s->size < 1 || s->size > 4096 || (s->channels != 1 && s->channels != 3))
            return err_set(ASSAY_E_INVALID,
                           "a feeder makes images of 1 to 4096 pixels a side, "
                           "with 1 or 3 channels");
        m->source_rows = dataset_rows(s->ds);
        m->in = (transform_shape){s->size, s->size, s->channels};
    }
    m->labels = s->labels != NULL ? s->labels : dataset_labels(s->ds);
    return ASSAY_OK;
}

static size_t bytes_of(const transform_shape *s) {
    return (size_t)s->height * (size_t)s->width * (size_t)s->channels;
}

static assay_status plan_transforms(maker *m, const feeder_options *o) {
    assay_status status = ASSAY_OK;
    if (o->n_transforms < 0 || o->n_transforms > MAKE_MAX_TRANSFORMS)
        ASSAY_FAIL(ASSAY_E_INVALID, "0 to %d transforms", MAKE_MAX_TRANSFORMS);
    m->out = m->in;
    m->scratch_bytes = bytes_of(&m->in);
    for (int i = 0; i < o->n_transforms; i++) {
        ASSAY_TRY(transform_find(&m->transform[i], o->transforms[i].name));
        transform_plan *p = &m->plan[i];
        if (m->transform[i]->stage != TRANSFORM_PIXELS)
            ASSAY_FAIL(ASSAY_E_INVALID, "%s does not change pixels",
                       o->transforms[i].name);
        *p = (transform_plan){.in = m->out, .ctx = m->ctx};
        memcpy(p->value, o->transforms[i].value, sizeof o->transforms[i].value);
        ASSAY_TRY(transform_values_check(p, m->transform[i]));
        m->n_transforms = i + 1;
        ASSAY_TRY(m->transform[i]->plan(p));
        if (p->scratch_bytes > m->transform_bytes)
            m->transform_bytes = p->scratch_bytes;
        m->out = p->out;
        if (bytes_of(&m->out) > m->scratch_bytes)
            m->scratch_bytes = bytes_of(&m->out);
    }
done:
    return status;
}

static assay_status plan_rows(maker *m, const feeder_options *o) {
    m->rows = o->rows;
    m->n_rows = o->rows != NULL ? o->n_rows : m->source_rows;
    for (uint64_t i = 0; o->rows != NULL && i < m->n_rows; i++)
        if (o->rows[i] >= m->source_rows)
            return err_set(ASSAY_E_INVALID, "row %u of a source of %llu rows", o->rows[i],
                           (unsigned long long)m->source_rows);
    return ASSAY_OK;
}

assay_status maker_plan(maker *m,
                        assay_ctx *ctx,
                        const feeder_source *source,
                        const feeder_options *options) {
    assay_status status = ASSAY_OK;
    *m = (maker){
        .ctx = ctx, .source = *source, .seed = options->seed, .batch = options->batch};
    if (options->batch < 1 || options->batch > 1 << 20)
        ASSAY_FAIL(ASSAY_E_INVALID, "a batch of %d images", options->batch);
    ASSAY_TRY(plan_source(m));
    ASSAY_TRY(plan_transforms(m, options));
    ASSAY_TRY(plan_rows(m, options));
    for (int c = 0; c < 3; c++) {
        float std = options->std[c] == 0 ? 1 : options->std[c];
        if (!(std > 0) || !isfinite(std) || !isfinite(options->mean[c]))
            ASSAY_FAIL(ASSAY_E_INVALID, "normalisation by a deviation of %g",
                       (double)std);
        m->mean[c] = options->mean[c] * 255;
        m->inv_std[c] = 1 / (std * 255);
    }
done:
    return status;
}

void maker_unplan(maker *m) {
    for (int i = 0; i < m->n_transforms; i++)
        if (m->transform[i]->unplan != NULL)
            m->transform[i]->unplan(&m->plan[i]);
    m->n_transforms = 0;
}

assay_status maker_scratch_make(maker_scratch *s, const maker *m) {
    assay_status status = ASSAY_OK;
    *s = (maker_scratch){.im = image_make(m->ctx)};
    for (int i = 0; i < 3; i++)
        ASSAY_TRY(mem_new(m->ctx, &s->pixels[i], m->scratch_bytes, 1));
    ASSAY_TRY(mem_new(m->ctx, &s->transform, m->transform_bytes, 1));
done:
    return status;
}

void maker_scratch_free(maker_scratch *s, const maker *m) {
    if (s->im.ctx == NULL)
        return;
    image_free(&s->im);
    for (int i = 0; i < 3; i++)
        mem_free(m->ctx, s->pixels[i]);
    mem_free(m->ctx, s->transform);
    *s = (maker_scratch){0};
}

static assay_status
make_one(const maker *m, maker_scratch *s, uint32_t epoch, uint32_t row, float *out) {
    assay_status status = ASSAY_OK;
    const uint8_t *now;
    if (m->source.pixels != NULL) {
        now = m->source.pixels->data + row * bytes_of(&m->in);
    } else {
        ASSAY_TRY(dataset_image(m->source.ds, row, &s->im));
        ASSAY_TRY(pixels_fit(&s->im, m->in.height, m->in.channels, s->pixels[0]));
        now = s->pixels[0];
    }
    for (int i = 0, turn = 1; i < m->n_transforms; i++) {
        transform_sample at = {
            .r = rng_at(m->seed, RNG_TRANSFORM + (uint32_t)i, epoch, row),
            .seed = m->seed,
            .sample = row,
            .epoch = epoch,
            .scratch = s->transform};
        if (m->transform[i]->apply(&m->plan[i], &at, now, s->pixels[turn])) {
            now = s->pixels[turn];
            turn = 3 - turn;
        }
    }
    simd()->u8_normalize(out, now, (size_t)m->out.height * (size_t)m->out.width,
                         (size_t)m->out.channels, m->mean, m->inv_std);
done:
    return status;
}

assay_status maker_fill(const maker *m,
                        maker_scratch *s,
                        const data_order *order,
                        const order_state *state,
                        uint32_t epoch,
                        uint64_t first,
                        int n,
                        float *images,
                        int32_t *labels,
                        uint32_t *rows) {
    assay_status status = ASSAY_OK;
    size_t each = bytes_of(&m->out);
    for (int i = 0; i < n; i++) {
        uint64_t place = order->at(state, first + (uint64_t)i);
        uint32_t row = m->rows != NULL ? m->rows[place] : (uint32_t)place;
        rows[i] = row;
        labels[i] = m->labels[row];
        ASSAY_TRY(make_one(m, s, epoch, row, images + (size_t)i * each));
    }
done:
    return status;
}
