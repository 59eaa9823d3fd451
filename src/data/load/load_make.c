/* Making batches: the samples of a chunk, and what is done once all chunks are there. */
#include "data/load/load_inside.h"

#include "base/le.h"
#include "data/image_cell.h"

#include <string.h>

enum { TIMED_EVERY = 32 }; /* one image in so many has its passes timed */

/* ---- memory ---- */

static assay_status grow(assay_ctx *ctx, uint8_t **memory, size_t *cap, size_t need) {
    if (need <= *cap && *memory != NULL)
        return ASSAY_OK;
    mem_free(ctx, *memory);
    *cap = 0;
    *memory = mem_alloc(ctx, need > 0 ? need : 1); /* pages come as they are written */
    if (*memory == NULL)
        return err_set(ASSAY_E_NOMEM, "no memory for a batch of %zu bytes", need);
    os_large_pages(*memory, need);
    *cap = need;
    return ASSAY_OK;
}

static void fill_column(assay_batch_column *c, const plan_output *p) {
    c->name = p->name;
    c->dtype = p->dtype;
    c->ndim = p->ndim;
    memcpy(c->dim, p->dim, sizeof c->dim);
}

assay_status load_slot_fit(assay_loader *l, load_slot *s) {
    assay_status status = ASSAY_OK;
    size_t n = (size_t)l->batch, outputs = (size_t)l->outputs;
    if (s->rows == NULL) {
        ASSAY_TRY(mem_new(l->ctx, &s->rows, n, sizeof *s->rows));
        ASSAY_TRY(mem_new(l->ctx, &s->bad, n, 1));
        ASSAY_TRY(mem_new(l->ctx, &s->data, outputs, sizeof *s->data));
        ASSAY_TRY(mem_new(l->ctx, &s->cap, outputs, sizeof *s->cap));
        ASSAY_TRY(mem_new(l->ctx, &s->lengths, outputs, sizeof *s->lengths));
        ASSAY_TRY(mem_new(l->ctx, &s->column, outputs, sizeof *s->column));
    }
    for (int o = 0; o < l->outputs; o++) {
        const plan_output *p = &l->plan[o];
        if (p->sample_bytes > SIZE_MAX / n)
            ASSAY_FAIL(ASSAY_E_NOMEM, "a batch of %zu samples of %zu bytes", n,
                       p->sample_bytes);
        ASSAY_TRY(grow(l->ctx, &s->data[o], &s->cap[o], n * p->sample_bytes));
        if (p->kind == PLAN_RAGGED && s->lengths[o] == NULL)
            ASSAY_TRY(mem_new(l->ctx, &s->lengths[o], n, sizeof **s->lengths));
        fill_column(&s->column[o], p);
    }
done:
    return status;
}

void load_slot_free(assay_ctx *ctx, int outputs, load_slot *s) {
    for (int o = 0; o < outputs; o++) {
        if (s->data != NULL)
            mem_free(ctx, s->data[o]);
        if (s->lengths != NULL)
            mem_free(ctx, s->lengths[o]);
    }
    mem_free(ctx, s->rows);
    mem_free(ctx, s->bad);
    mem_free(ctx, s->data);
    mem_free(ctx, s->cap);
    mem_free(ctx, s->lengths);
    mem_free(ctx, s->column);
    *s = (load_slot){0};
}

/* ---- one sample ---- */

/* Adds "file: sample 17, field 'image'", unless the error says so already. */
static assay_status
at_sample(const load_file *file, uint64_t sample, int field, assay_status status) {
    if (status != ASSAY_OK && status != ASSAY_E_CANCELLED)
        err_where("%s: sample %llu, field '%s'", beton_path(file->f),
                  (unsigned long long)sample, beton_field_at(file->f, field)->name);
    return status;
}

/* Damaged, and to be left out: true, the failure is dealt with. */
static bool left_out(assay_loader *l, load_slot *s, int i, assay_status status) {
    if (!l->options.skip_damaged || status != ASSAY_E_FORMAT)
        return false;
    if (!s->bad[i]) {
        s->bad[i] = 1;
        atomic_fetch_add(&s->bad_count, 1);
    }
    return true;
}

/* The bytes of a value: where they lie in the map, or in the cache until released. */
static assay_status
hold(const load_file *file, int field, uint64_t sample, field_value *v, page_hold *h) {
    *h = (page_hold){0};
    if (file->pages == NULL || v->bytes == 0)
        return ASSAY_OK;
    const uint8_t *cell = beton_cell(file->f, sample, field);
    uint64_t at = le64_get(cell + beton_ptr_offset(beton_field_at(file->f, field)->type));
    assay_status status = page_acquire(file->pages, at, v->bytes, h);
    if (status == ASSAY_OK)
        v->data = h->data;
    return status;
}

static void release(const load_file *file, page_hold *h) {
    if (file->pages != NULL && (h->slot != NULL || h->own != NULL))
        page_release(file->pages, h);
}

/* ---- images ---- */

/* The index of a JPEG; when it is to be built, makes it first. A JPEG that our decoder
 * does not handle has none. */
static bool index_of(load_worker *w,
                     const load_file *file,
                     int o,
                     uint64_t sample,
                     const field_value *v,
                     jpeg_index *out) {
    jpeg_index_set *set = file->index[o];
    if (set == NULL || v->mode != CELL_JPEG)
        return false;
    if (jpeg_index_find(set, sample, v->data, (size_t)v->bytes, out))
        return true;
    if (w->decoder == NULL)
        return false;
    buf_clear(&w->index_bytes);
    if (jpeg_index_build(&w->index_bytes, w->decoder, v->data, (size_t)v->bytes, 8) !=
            ASSAY_OK ||
        w->index_bytes.failed)
        return false;
    *out = (jpeg_index){(const uint8_t *)w->index_bytes.data, w->index_bytes.len};
    /* One that can't be kept for want of memory is used this once. */
    assay_status kept = jpeg_index_put(set, sample, out);
    (void)kept;
    return true;
}

static assay_status
make_image(load_worker *w, load_slot *s, int o, int i, field_value *v) {
    assay_status status = ASSAY_OK;
    const assay_loader *l = w->l;
    const plan_output *p = &l->plan[o];
    jpeg_index index;
    page_hold h;
    uint64_t sample;
    const load_file *file = load_file_of(l, s->rows[i], &sample);
    uint64_t began = (w->scratch.timed ? os_now_ns() : 0);
    status = hold(file, file->field[o], sample, v, &h);
    w->now.read += 1e-9 * (double)((w->scratch.timed ? os_now_ns() : 0) - began);
    if (status == ASSAY_OK) {
        bool indexed = index_of(w, file, o, sample, v, &index);
        status = plan_image(p, &w->scratch, v, indexed ? &index : NULL, s->rows[i],
                            s->data[o] + (size_t)i * p->sample_bytes);
        release(file, &h);
        w->now.bytes += v->bytes;
    }
    return at_sample(file, sample, file->field[o], status);
}

/* Looks up a chunk's payloads before the first is read: what is fetched from memory for
 * one does not wait for the others. */
static assay_status find_images(load_worker *w, load_slot *s, int o, int begin, int end) {
    assay_loader *l = w->l;
    uint64_t sample;
    for (int i = begin; i < end; i++) {
        const load_file *file = load_file_of(l, s->rows[i], &sample);
        __builtin_prefetch(beton_cell(file->f, sample, file->field[o]));
    }
    for (int i = begin; i < end; i++) {
        field_value *v = &w->value[i - begin];
        const load_file *file = load_file_of(l, s->rows[i], &sample);
        image_cell c = image_cell_get(beton_cell(file->f, sample, file->field[o]));
        *v = (field_value){.mode = c.mode, .width = c.width, .height = c.height};
        assay_status status =
            image_cell_payload(file->f, sample, file->field[o], &c, &v->data, &v->bytes);
        if (status != ASSAY_OK && !left_out(l, s, i, status))
            return status;
    }
    return ASSAY_OK;
}

/* Raw pixels in random order are far from the last ones: their lines are asked for while
 * the sample before is worked on. */
static void prefetch(const field_value *v) {
    enum { LINE = 64, MOST = 3072 };
    if (v->data == NULL)
        return;
    uint64_t n = v->bytes < MOST ? v->bytes : MOST;
    for (uint64_t at = 0; at < n; at += LINE)
        __builtin_prefetch(v->data + at);
}

static assay_status make_images(load_worker *w, load_slot *s, int o, int begin, int end) {
    assay_loader *l = w->l;
    assay_status status = find_images(w, s, o, begin, end);
    if (status != ASSAY_OK)
        return status;
    bool mapped = l->file[0].pages == NULL;
    for (int i = begin; i < end; i++) {
        if (ctx_cancelled(l->ctx))
            return ctx_check(l->ctx);
        if (mapped && i + 1 < end)
            prefetch(&w->value[i + 1 - begin]);
        if (s->bad[i])
            continue;
        w->scratch.timed = w->images++ % TIMED_EVERY == 0;
        status = make_image(w, s, o, i, &w->value[i - begin]);
        if (status != ASSAY_OK && !left_out(l, s, i, status))
            return status;
    }
    return ASSAY_OK;
}

/* ---- other fields ---- */

static assay_status make_array(
    load_worker *w, load_slot *s, int o, int i, const load_file *file, uint64_t sample) {
    const plan_output *p = &w->l->plan[o];
    const beton_field *field = beton_field_at(file->f, file->field[o]);
    field_value v;
    page_hold h;
    assay_status status =
        field_for(field->type)->read(&v, file->f, &p->type, sample, file->field[o]);
    if (status != ASSAY_OK)
        return status;
    status = hold(file, file->field[o], sample, &v, &h);
    if (status != ASSAY_OK)
        return at_sample(file, sample, file->field[o], status);
    plan_array(p, v.data, s->data[o] + (size_t)i * p->sample_bytes);
    release(file, &h);
    w->now.bytes += v.bytes;
    return ASSAY_OK;
}

static assay_status
find_ragged(load_slot *s, int o, int i, const load_file *file, uint64_t sample) {
    const uint8_t *data;
    uint64_t bytes;
    uint64_t ptr = le64_get(beton_cell(file->f, sample, file->field[o]));
    assay_status status =
        beton_payload(file->f, sample, file->field[o], ptr, 0, &data, &bytes);
    s->lengths[o][i] = (int64_t)bytes;
    return status;
}

static assay_status make_others(load_worker *w, load_slot *s, int o, int begin, int end) {
    assay_loader *l = w->l;
    const plan_output *p = &l->plan[o];
    for (int i = begin; i < end; i++) {
        assay_status status = ASSAY_OK;
        uint64_t sample;
        const load_file *file = load_file_of(l, s->rows[i], &sample);
        const uint8_t *cell = beton_cell(file->f, sample, file->field[o]);
        uint8_t *out = s->data[o] + (size_t)i * p->sample_bytes;
        switch (p->kind) {
        case PLAN_INT:
            plan_label(p, &w->scratch, (int64_t)le64_get(cell), s->rows[i], out);
            break;
        case PLAN_FLOAT: {
            double v = le_f64_get(cell);
            memcpy(out, &v, sizeof v);
            break;
        }
        case PLAN_CUSTOM:
            memcpy(out, cell, p->sample_bytes);
            break;
        case PLAN_ARRAY:
            status = make_array(w, s, o, i, file, sample);
            break;
        default:
            status = find_ragged(s, o, i, file, sample);
        }
        if (status != ASSAY_OK && !left_out(l, s, i, status))
            return status;
    }
    return ASSAY_OK;
}

assay_status load_make_chunk(load_worker *w, load_slot *s, int c) {
    assay_loader *l = w->l;
    int begin = c * l->chunk;
    int end = begin + l->chunk < s->n ? begin + l->chunk : s->n;
    if (ctx_cancelled(l->ctx))
        return ctx_check(l->ctx);
    for (int i = begin; i < end; i++) {
        s->rows[i] = sampler_at(l->sampler, s->place + (uint64_t)i);
        s->bad[i] = 0;
    }
    for (int o = 0; o < l->outputs; o++) {
        bool pixels = l->plan[o].kind == PLAN_IMAGE;
        assay_status status =
            pixels ? make_images(w, s, o, begin, end) : make_others(w, s, o, begin, end);
        if (status != ASSAY_OK)
            return status;
    }
    w->now.samples += (uint64_t)(end - begin);
    w->now.decode = 1e-9 * (double)w->scratch.decode_ns;
    w->now.transform = 1e-9 * (double)w->scratch.transform_ns;
    w->now.output = 1e-9 * (double)w->scratch.output_ns;
    if (w->scratch.reader != NULL)
        w->now.decoded = window_reader_counts(w->scratch.reader);
    return ASSAY_OK;
}

/* ---- the end of a batch ---- */

/* Closes the gaps that damaged samples left; the order stays. */
static void leave_out(assay_loader *l, load_slot *s) {
    int to = 0;
    for (int i = 0; i < s->n; i++) {
        if (s->bad[i])
            continue;
        if (to < i) {
            s->rows[to] = s->rows[i];
            for (int o = 0; o < l->outputs; o++) {
                size_t each = l->plan[o].sample_bytes;
                if (l->plan[o].kind == PLAN_RAGGED)
                    s->lengths[o][to] = s->lengths[o][i];
                else
                    memcpy(s->data[o] + (size_t)to * each, s->data[o] + (size_t)i * each,
                           each);
            }
        }
        to++;
    }
    s->n = to;
}

/* Rows of bytes, padded with zeros to the longest of the batch. */
static assay_status gather(load_worker *w, load_slot *s, int o) {
    assay_status status = ASSAY_OK;
    assay_loader *l = w->l;
    uint64_t longest = 0;
    for (int i = 0; i < s->n; i++)
        if ((uint64_t)s->lengths[o][i] > longest)
            longest = (uint64_t)s->lengths[o][i];
    s->column[o].dim[1] = (int64_t)longest;
    if (s->n > 0 && longest > SIZE_MAX / 2 / (uint64_t)s->n)
        ASSAY_FAIL(ASSAY_E_NOMEM, "a batch of rows of %llu bytes",
                   (unsigned long long)longest);
    ASSAY_TRY(grow(l->ctx, &s->data[o], &s->cap[o], (size_t)longest * (size_t)s->n));
    for (int i = 0; i < s->n; i++) {
        uint64_t sample;
        const load_file *file = load_file_of(l, s->rows[i], &sample);
        field_value v = {0};
        page_hold h;
        uint64_t ptr = le64_get(beton_cell(file->f, sample, file->field[o]));
        ASSAY_TRY(
            beton_payload(file->f, sample, file->field[o], ptr, 0, &v.data, &v.bytes));
        ASSAY_TRY(at_sample(file, sample, file->field[o],
                            hold(file, file->field[o], sample, &v, &h)));
        uint8_t *to = s->data[o] + (size_t)i * (size_t)longest;
        if (v.bytes > 0)
            memcpy(to, v.data, (size_t)v.bytes);
        memset(to + v.bytes, 0, (size_t)(longest - v.bytes));
        release(file, &h);
        w->now.bytes += v.bytes;
    }
done:
    return status;
}

assay_status load_finish(load_worker *w, load_slot *s) {
    assay_status status = ASSAY_OK;
    assay_loader *l = w->l;
    s->left_out = atomic_load(&s->bad_count);
    if (s->left_out > 0)
        leave_out(l, s);
    for (int o = 0; o < l->outputs; o++) {
        const plan_output *p = &l->plan[o];
        if (p->kind == PLAN_RAGGED)
            ASSAY_TRY(gather(w, s, o));
        if (plan_mixes(p) && s->n > 0) {
            uint64_t began = os_thread_cpu_ns();
            plan_mix(p, &w->scratch, s->place, s->n, s->data[o]);
            w->now.mix += 1e-9 * (double)(os_thread_cpu_ns() - began);
        }
        s->column[o].dim[0] = s->n;
        s->column[o].data = s->data[o];
        s->column[o].lengths = p->kind == PLAN_RAGGED ? s->lengths[o] : NULL;
    }
done:
    return status;
}
