/* Which rows a loader loads, and in which order: split, subset, filter and weights are
 * handed to the sampler, and what it will ask for to the sources of pages. */
#include "data/load/load_inside.h"

#include "base/le.h"
#include "data/section.h"

#include <string.h>

enum { POOL_PAGES = 32 };

/* ---- rows ---- */

static assay_status want(assay_loader *l, uint64_t most) {
    return mem_new(l->ctx, &l->chosen, (size_t)most + 1, sizeof *l->chosen);
}

/* The rows of a split in file i: [*begin, *end) of its samples. */
static assay_status find_split(
    const assay_loader *l, int i, const char *name, uint64_t *begin, uint64_t *end) {
    assay_status status = ASSAY_OK;
    data_section said = {0};
    bool found = false;
    ASSAY_TRY(data_section_read(&said, l->ctx, l->file[i].f));
    for (size_t k = 0; k < said.splits; k++)
        if (strcmp(said.split[k].name, name) == 0) {
            *begin = said.split[k].begin;
            *end = said.split[k].end;
            found = true;
        }
    if (!found) {
        status = err_set(ASSAY_E_NOTFOUND, "the file has no split '%s'", name);
        err_where("%s", beton_path(l->file[i].f));
        if (said.splits == 0)
            err_help("it names no splits; choose rows instead");
    }
done:
    data_section_free(&said);
    return status;
}

static assay_status choose_split(assay_loader *l, const char *name) {
    assay_status status = ASSAY_OK;
    uint64_t begin = 0, end = 0, n = 0;
    bool given = l->chosen != NULL;
    uint64_t total = l->n_chosen;
    if (!given)
        ASSAY_TRY(want(l, l->file_begin[l->files]));
    for (int i = 0; i < l->files; i++) {
        ASSAY_TRY(find_split(l, i, name, &begin, &end));
        begin += l->file_begin[i];
        end += l->file_begin[i];
        for (uint64_t row = begin; !given && row < end; row++)
            l->chosen[n++] = row;
        for (uint64_t k = 0; given && k < total; k++) /* others are marked */
            if (l->chosen[k] >= begin && l->chosen[k] < end)
                l->chosen[k] |= UINT64_C(1) << 63;
    }
    for (uint64_t k = 0; given && k < total; k++)
        if (l->chosen[k] >> 63) {
            if (l->weights != NULL)
                l->weights[n] = l->weights[k];
            l->chosen[n++] = l->chosen[k] & ~(UINT64_C(1) << 63);
        }
    l->n_chosen = n;
done:
    return status;
}

static assay_status choose_given(assay_loader *l) {
    assay_status status = ASSAY_OK;
    uint64_t rows = l->file_begin[l->files];
    ASSAY_TRY(want(l, l->options.n_rows));
    for (size_t i = 0; i < l->options.n_rows; i++) {
        if (l->options.rows[i] >= rows)
            ASSAY_FAIL(ASSAY_E_INVALID, "row %llu, there are %llu",
                       (unsigned long long)l->options.rows[i], (unsigned long long)rows);
        l->chosen[i] = l->options.rows[i];
    }
    l->n_chosen = l->options.n_rows;
done:
    return status;
}

static assay_status choose_filtered(assay_loader *l) {
    assay_status status = ASSAY_OK;
    uint64_t n = l->chosen != NULL ? l->n_chosen : l->file_begin[l->files], kept = 0;
    if (l->chosen == NULL) {
        ASSAY_TRY(want(l, n));
        for (uint64_t i = 0; i < n; i++)
            l->chosen[i] = i;
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t sample;
        const load_file *file = load_file_of(l, l->chosen[i], &sample);
        int at = load_field_of_type(file->f, BETON_INT);
        int64_t label = at < 0 ? 0 : (int64_t)le64_get(beton_cell(file->f, sample, at));
        int number = (int)(file - l->file);
        if (!l->options.filter(l->options.filter_user, number, sample, label))
            continue;
        if (l->weights != NULL)
            l->weights[kept] = l->weights[i];
        l->chosen[kept++] = l->chosen[i];
    }
    l->n_chosen = kept;
done:
    return status;
}

/* Weights go with the rows as they were given, before split and filter leave some out;
 * with neither rows nor split, with all rows of all files. */
static assay_status copy_weights(assay_loader *l) {
    assay_status status = ASSAY_OK;
    const assay_load_options *o = &l->options;
    if (o->weights == NULL)
        return ASSAY_OK;
    uint64_t n = l->chosen != NULL ? l->n_chosen : l->file_begin[l->files];
    if (o->n_weights != n)
        ASSAY_FAIL(ASSAY_E_INVALID, "%zu weights for %llu rows", o->n_weights,
                   (unsigned long long)n);
    ASSAY_TRY(mem_new(l->ctx, &l->weights, o->n_weights + 1, sizeof *l->weights));
    memcpy(l->weights, o->weights, o->n_weights * sizeof *l->weights);
done:
    return status;
}

/* ---- the order ---- */

/* Bytes from the first sample's payload to the last one's, by rows: rows in a page. */
static uint64_t rows_per_page(const assay_loader *l) {
    const beton_file *f = l->file[0].f;
    uint64_t n = beton_samples(f);
    for (int i = 0; i < beton_fields(f) && n > 1; i++) {
        beton_type type = beton_field_at(f, i)->type;
        if (!beton_allocates(type))
            continue;
        uint64_t first = le64_get(beton_cell(f, 0, i) + beton_ptr_offset(type));
        uint64_t last = le64_get(beton_cell(f, n - 1, i) + beton_ptr_offset(type));
        if (last <= first)
            continue;
        double each = (double)(last - first) / (double)(n - 1);
        double rows = (double)beton_page_size(f) / each;
        return rows < 1 ? 1 : rows > (double)n ? n : (uint64_t)rows;
    }
    return 1024;
}

static void mix(uint64_t *h, uint64_t v) {
    *h = rng_mix64(*h ^ rng_mix64(v + UINT64_C(0x9E3779B97F4A7C15)));
}

static void mix_doubles(uint64_t *h, const double *v, uint64_t n) {
    uint64_t bits;
    mix(h, v != NULL ? n : UINT64_MAX);
    for (uint64_t i = 0; v != NULL && i < n; i++) {
        memcpy(&bits, &v[i], sizeof bits);
        mix(h, bits);
    }
}

/* Of all that decides which row comes where, but for the seed. */
static uint64_t hash_order(const assay_loader *l, const sampler_options *s) {
    uint64_t h = 0;
    for (const char *c = s->order; *c != '\0'; c++)
        mix(&h, (uint64_t)(unsigned char)*c);
    mix(&h, s->epoch_rows);
    mix(&h, s->rows_per_page);
    mix(&h, s->pool_pages);
    for (int i = 0; i <= l->files; i++)
        mix(&h, l->file_begin[i]);
    mix(&h, s->subset != NULL ? s->n_subset : UINT64_MAX);
    for (uint64_t i = 0; s->subset != NULL && i < s->n_subset; i++)
        mix(&h, s->subset[i]);
    mix_doubles(&h, s->weights, s->subset != NULL ? s->n_subset : s->rows);
    mix_doubles(&h, s->file_weights, (uint64_t)l->files);
    return h;
}

assay_status load_choose(assay_loader *l) {
    assay_status status = ASSAY_OK;
    const assay_load_options *o = &l->options;
    if (o->rows != NULL)
        ASSAY_TRY(choose_given(l));
    if (o->rows == NULL && o->split != NULL)
        ASSAY_TRY(choose_split(l, o->split));
    ASSAY_TRY(copy_weights(l));
    if (o->rows != NULL && o->split != NULL)
        ASSAY_TRY(choose_split(l, o->split));
    if (o->filter != NULL)
        ASSAY_TRY(choose_filtered(l));
    uint64_t n = l->chosen != NULL ? l->n_chosen : l->file_begin[l->files];
    if (n == 0) {
        status = err_set(ASSAY_E_INVALID, "no row is left to load");
        err_where("%s", beton_path(l->file[0].f));
        goto done;
    }
    bool quasi = strcmp(l->order, "quasi-random") == 0;
    sampler_options s = {.order = l->order,
                         .seed = o->seed,
                         .rows = l->file_begin[l->files],
                         .subset = l->chosen,
                         .n_subset = l->n_chosen,
                         .weights = l->weights,
                         .epoch_rows = o->epoch_rows,
                         .file_begin = l->files > 1 ? l->file_begin : NULL,
                         .file_weights = o->file_weights,
                         .files = l->files,
                         .rows_per_page = quasi ? rows_per_page(l) : 0,
                         .pool_pages = quasi ? POOL_PAGES : 0,
                         .batch = l->batch,
                         .rank = o->rank,
                         .world = o->world > 0 ? o->world : 1,
                         .drop_last = o->drop_last != 0};
    ASSAY_TRY(sampler_create(&l->sampler, l->ctx, &s));
    ASSAY_TRY(sampler_epoch(l->sampler, 0));
    l->order_hash = hash_order(l, &s);
done:
    return status;
}

/* ---- the reading schedule ---- */

/* The sample of a file at place i of what this rank has left of the epoch; UINT64_MAX if
 * the place's row is of another file. */
static uint64_t sample_at(const void *arg, uint64_t i) {
    const load_file *file = arg;
    const assay_loader *l = file->loader;
    uint64_t b = i / (uint64_t)l->batch, within = i % (uint64_t)l->batch, sample;
    sampler_span span = sampler_batch(l->sampler, l->handed, b);
    if (within >= (uint64_t)span.n)
        return UINT64_MAX;
    uint64_t row = sampler_at(l->sampler, span.place + within);
    return load_file_of(l, row, &sample) == file ? sample : UINT64_MAX;
}

/* The fields whose payloads are read, as often as there are outputs of them. */
static int read_fields(const load_file *file, int field[PIPELINE_OUTPUTS]) {
    int n = 0;
    for (int o = 0; o < file->loader->outputs; o++)
        if (beton_allocates(beton_field_at(file->f, file->field[o])->type))
            field[n++] = file->field[o];
    return n;
}

assay_status load_unschedule(assay_loader *l) {
    assay_status status = ASSAY_OK;
    for (int i = 0; i < l->files; i++)
        if (l->file[i].pages != NULL)
            ASSAY_TRY(page_source_epoch(l->file[i].pages, NULL, NULL, 0, NULL, 0));
done:
    return status;
}

assay_status load_schedule(assay_loader *l) {
    assay_status status = ASSAY_OK;
    uint64_t n = sampler_batches(l->sampler, l->handed) * (uint64_t)l->batch;
    for (int i = 0; i < l->files; i++) {
        load_file *file = &l->file[i];
        int field[PIPELINE_OUTPUTS];
        if (file->pages == NULL)
            continue;
        file->loader = l;
        int fields = read_fields(file, field);
        ASSAY_TRY(page_source_epoch(file->pages, sample_at, file, n, field, fields));
    }
done:
    return status;
}
