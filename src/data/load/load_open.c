/* What a loader opens: files, the outputs' fields in them, their indices and plans. */
#include "data/load/load_inside.h"

#include "base/le.h"
#include "data/image_cell.h"
#include "data/section.h"

#include <math.h>
#include <string.h>

enum { POOL_PAGES = 16, SCAN_ROWS = 1 << 16, MAX_CLASSES = 1 << 20 };

/* ---- files ---- */

const load_file *load_file_of(const assay_loader *l, uint64_t row, uint64_t *sample) {
    int low = 0, high = l->files - 1;
    while (low < high) { /* the last file that begins at the row or before */
        int middle = (low + high + 1) / 2;
        if (l->file_begin[middle] <= row)
            low = middle;
        else
            high = middle - 1;
    }
    *sample = row - l->file_begin[low];
    return &l->file[low];
}

/* What the caller knows of custom fields: cells without payload, handed out as they lie.
 */
static assay_status take_customs(assay_loader *l, beton_custom **out) {
    assay_status status = ASSAY_OK;
    const assay_custom_field *given = l->options.custom;
    if (l->options.n_custom > BETON_MAX_FIELDS)
        ASSAY_FAIL(ASSAY_E_INVALID, "%zu custom fields", l->options.n_custom);
    ASSAY_TRY(mem_new(l->ctx, out, l->options.n_custom + 1, sizeof **out));
    for (size_t i = 0; i < l->options.n_custom; i++) {
        beton_custom *c = &(*out)[i];
        size_t n = given[i].name != NULL ? strlen(given[i].name) : 0;
        if (n == 0 || n >= sizeof c->name)
            ASSAY_FAIL(ASSAY_E_INVALID, "a custom field's name has 1 to 16 characters");
        memcpy(c->name, given[i].name, n + 1);
        c->cell_bytes = given[i].cell_bytes;
        c->cell_align = given[i].cell_align;
    }
done:
    return status;
}

static assay_status open_files(assay_loader *l, const char *const *paths) {
    assay_status status = ASSAY_OK;
    size_t n = (size_t)l->files;
    beton_custom *custom = NULL;
    ASSAY_TRY(take_customs(l, &custom));
    ASSAY_TRY(mem_new(l->ctx, &l->file, n, sizeof *l->file));
    ASSAY_TRY(mem_new(l->ctx, &l->file_begin, n + 1, sizeof *l->file_begin));
    for (size_t i = 0; i < n; i++) {
        load_file *file = &l->file[i];
        ASSAY_TRY(beton_open_with(&file->f, l->ctx, paths[i], custom,
                                  (int)l->options.n_custom));
        file->begin = l->file_begin[i];
        uint64_t samples = beton_samples(file->f);
        if (samples > UINT64_MAX / 2 - file->begin)
            ASSAY_FAIL(ASSAY_E_FORMAT, "too many samples in all");
        l->file_begin[i + 1] = file->begin + samples;
        if (l->options.cache == NULL || strcmp(l->options.cache, "map") == 0)
            continue;
        ASSAY_TRY_AT(page_source_create(&file->pages, l->ctx, file->f, l->options.cache,
                                        l->options.cache_bytes / n, 0),
                     "%s", paths[i]);
    }
done:
    mem_free(l->ctx, custom);
    return status;
}

/* ---- fields ---- */

int load_field_of_type(const beton_file *f, beton_type type) {
    for (int i = 0; i < beton_fields(f); i++)
        if (beton_field_at(f, i)->type == type)
            return i;
    return -1;
}

static assay_status no_field(const beton_file *f, const char *name) {
    char names[256] = "";
    size_t used = 0;
    for (int i = 0; i < beton_fields(f); i++) {
        size_t n = strlen(beton_field_at(f, i)->name);
        if (used + n + 3 > sizeof names)
            break;
        if (used > 0) {
            memcpy(names + used, ", ", 2);
            used += 2;
        }
        memcpy(names + used, beton_field_at(f, i)->name, n + 1);
        used += n;
    }
    err_set(ASSAY_E_NOTFOUND, "no field is called '%s'", name);
    err_where("%s", beton_path(f));
    err_help("its fields are: %s", names);
    return ASSAY_E_NOTFOUND;
}

static int find_field(const assay_loader *l, const beton_file *f, const char *name) {
    int at = beton_field_find(f, name);
    if (at >= 0 || !l->pipe.preset)
        return at;
    return load_field_of_type(f, strcmp(name, "label") == 0 ? BETON_INT : BETON_IMAGE);
}

/* A preset's labels are left out where there are none. */
static void drop_labels(assay_loader *l) {
    pipeline_output *last = &l->pipe.output[l->pipe.outputs - 1];
    if (l->pipe.preset && strcmp(last->field, "label") == 0 && last->steps == 0 &&
        find_field(l, l->file[0].f, "label") < 0)
        l->pipe.outputs--;
}

static assay_status find_fields(assay_loader *l) {
    assay_status status = ASSAY_OK;
    const beton_file *first = l->file[0].f;
    drop_labels(l);
    l->outputs = l->pipe.outputs;
    ASSAY_TRY(mem_new(l->ctx, &l->plan, (size_t)l->outputs, sizeof *l->plan));
    ASSAY_TRY(mem_new(l->ctx, &l->size, (size_t)l->outputs, sizeof *l->size));
    for (int i = 0; i < l->files; i++) {
        load_file *file = &l->file[i];
        ASSAY_TRY(mem_new(l->ctx, &file->field, (size_t)l->outputs, sizeof *file->field));
        ASSAY_TRY(mem_new(l->ctx, &file->index, (size_t)l->outputs, sizeof *file->index));
        for (int o = 0; o < l->outputs; o++) {
            const pipeline_output *out = &l->pipe.output[o];
            int at = find_field(l, file->f, out->field);
            if (at < 0) {
                status = no_field(file->f, out->field);
                goto done;
            }
            file->field[o] = at;
            const beton_field *here = beton_field_at(file->f, at);
            const beton_field *there = beton_field_at(first, l->file[0].field[o]);
            bool array = here->type == BETON_NDARRAY || here->type == BETON_TENSOR;
            if (here->type != there->type || here->cell_bytes != there->cell_bytes ||
                (array && memcmp(here->args, there->args, sizeof here->args) != 0)) {
                status =
                    err_set(ASSAY_E_SHAPE, "field '%s' is of another type than in %s",
                            here->name, beton_path(first));
                err_where("%s", beton_path(file->f));
                goto done;
            }
        }
    }
done:
    return status;
}

static assay_status open_index(assay_loader *l, load_file *file, int o) {
    assay_status status = ASSAY_OK;
    const char *where = l->options.index != NULL ? l->options.index : "auto";
    char note[256] = "";
    for (int i = 0; i < o; i++)
        if (file->field[i] == file->field[o]) {
            file->index[o] = file->index[i];
            return ASSAY_OK;
        }
    if (strcmp(where, "build") == 0) {
        ASSAY_TRY(
            jpeg_index_collect(&file->index[o], l->ctx, file->f, file->field[o], 8));
        l->build_index = true;
    } else {
        ASSAY_TRY(jpeg_index_open(&file->index[o], l->ctx, file->f, file->field[o], where,
                                  note));
    }
    if (note[0] != '\0')
        log_line(l->ctx, ASSAY_LOG_WARN, "%s: %s", beton_path(file->f), note);
done:
    return status;
}

static assay_status open_indices(assay_loader *l) {
    assay_status status = ASSAY_OK;
    const char *where = l->options.index;
    if (where != NULL && strcmp(where, "none") == 0)
        return ASSAY_OK;
    for (int i = 0; i < l->files; i++)
        for (int o = 0; o < l->outputs; o++)
            if (beton_field_at(l->file[i].f, l->file[i].field[o])->type == BETON_IMAGE)
                ASSAY_TRY(open_index(l, &l->file[i], o));
done:
    return status;
}

assay_status load_open(assay_loader *l,
                       const char *const *paths,
                       size_t n_paths,
                       const char *pipelines) {
    assay_status status = ASSAY_OK;
    if (n_paths < 1 || n_paths > 1 << 16)
        ASSAY_FAIL(ASSAY_E_INVALID, "a loader of %zu files", n_paths);
    if (pipelines != NULL)
        ASSAY_TRY(pipeline_parse(&l->pipe, l->ctx, pipelines, l->options.hooks,
                                 l->options.n_hooks));
    l->files = (int)n_paths;
    ASSAY_TRY(open_files(l, paths));
    if (pipelines == NULL) {
        l->pipe.ctx = l->ctx;
        for (int i = 0; i < beton_fields(l->file[0].f); i++)
            ASSAY_TRY(pipeline_add(&l->pipe, beton_field_at(l->file[0].f, i)->name));
    }
    ASSAY_TRY(find_fields(l));
    ASSAY_TRY(open_indices(l));
done:
    return status;
}

void load_close(assay_loader *l) {
    for (int i = 0; l->file != NULL && i < l->files; i++)
        page_source_destroy(l->file[i].pages); /* its threads ask the sampler */
    sampler_destroy(l->sampler);
    for (int i = 0; l->file != NULL && i < l->files; i++) {
        load_file *file = &l->file[i];
        for (int o = 0; file->index != NULL && o < l->outputs; o++) {
            bool shared = false;
            for (int k = 0; k < o; k++)
                shared = shared || file->field[k] == file->field[o];
            if (!shared)
                jpeg_index_close(file->index[o]);
        }
        beton_close(file->f);
        mem_free(l->ctx, file->field);
        mem_free(l->ctx, file->index);
    }
    mem_free(l->ctx, l->file);
    mem_free(l->ctx, l->file_begin);
    mem_free(l->ctx, l->plan);
    mem_free(l->ctx, l->size);
    mem_free(l->ctx, l->chosen);
    mem_free(l->ctx, l->weights);
    pipeline_free(&l->pipe);
}

/* ---- plans ---- */

/* Whether a payload is there that may hold so large an image: buffers are made for the
 * size that a cell says, and the cell is not to be trusted. */
static bool is_plausible(const load_file *file, uint64_t sample, int field) {
    enum { PIXELS_PER_BYTE = 1 << 10 }; /* of the flattest JPEG or PNG, about */
    const uint8_t *data;
    uint64_t bytes;
    image_cell c = image_cell_get(beton_cell(file->f, sample, field));
    uint64_t pixels = (uint64_t)c.width * (uint64_t)c.height;
    return image_cell_payload(file->f, sample, field, &c, &data, &bytes) == ASSAY_OK &&
           pixels / PIXELS_PER_BYTE <= bytes;
}

/* The size that the images looked at share; height 0: they differ. Those not looked at
 * are held against it when they are loaded. */
static assay_status common_size(const assay_loader *l, int o, transform_shape *out) {
    uint64_t n = l->chosen != NULL ? l->n_chosen : l->file_begin[l->files];
    uint64_t looks = n < SCAN_ROWS ? n : SCAN_ROWS, sample;
    bool plausible = false;
    *out = (transform_shape){0, 0, 3};
    for (uint64_t k = 0; k < looks; k++) {
        uint64_t at = looks < n ? (uint64_t)((double)k / (double)looks * (double)n) : k;
        uint64_t row = l->chosen != NULL ? l->chosen[at] : at;
        const load_file *file = load_file_of(l, row, &sample);
        image_cell c = image_cell_get(beton_cell(file->f, sample, file->field[o]));
        if (k == 0) {
            out->height = c.height;
            out->width = c.width;
        } else if (c.height != out->height || c.width != out->width) {
            *out = (transform_shape){0, 0, 3};
            return ASSAY_OK;
        }
        plausible = plausible || is_plausible(file, sample, file->field[o]);
    }
    if (plausible)
        return ASSAY_OK;
    err_set(ASSAY_E_FORMAT, "no image has the data for %d x %d pixels", out->width,
            out->height);
    err_where("%s: field '%s'", beton_path(l->file[0].f),
              beton_field_at(l->file[0].f, l->file[0].field[o])->name);
    return ASSAY_E_FORMAT;
}

static bool begins_with_window(const pipeline_output *o) {
    return o->steps > 0 && transform_resizes(o->step[0].transform);
}

/* How many classes there are: our section's names, else the largest label. 0: unknown. */
static assay_status count_classes(assay_loader *l, int o) {
    assay_status status = ASSAY_OK;
    data_section said = {0};
    uint64_t most = 0, sample;
    if (l->classes != 0)
        return ASSAY_OK;
    ASSAY_TRY(data_section_read(&said, l->ctx, l->file[0].f));
    l->classes = (int)said.classes;
    for (uint64_t row = 0; l->classes == 0 && row < l->file_begin[l->files]; row++) {
        const load_file *file = load_file_of(l, row, &sample);
        uint64_t label = le64_get(beton_cell(file->f, sample, file->field[o]));
        if (label >= MAX_CLASSES) {
            most = 0;
            break;
        }
        most = label + 1 > most ? label + 1 : most;
    }
    if (l->classes == 0)
        l->classes = (int)most;
done:
    data_section_free(&said);
    return status;
}

/* Whether any of the first samples has an array of the size that the descriptor says:
 * buffers are made for it, and it is not to be trusted. */
static assay_status check_array(const assay_loader *l, int o) {
    enum { LOOKS = 1024 };
    const load_file *file = &l->file[0];
    int field = file->field[o];
    const data_field *kind = field_for(beton_field_at(file->f, field)->type);
    assay_status status = ASSAY_OK;
    for (uint64_t k = 0; k < beton_samples(file->f) && k < LOOKS; k++) {
        field_value v;
        status = kind->read(&v, file->f, &l->plan[o].type, k, field);
        if (status == ASSAY_OK)
            break;
    }
    return status;
}

static assay_status compile_one(assay_loader *l, int o, const transform_shape *pixels) {
    assay_status status = ASSAY_OK;
    pipeline_output *out = &l->pipe.output[o];
    if (l->size[o].height > 0)
        ASSAY_TRY(plan_set_size(out, l->size[o].height, l->size[o].width, true));
    plan_place place = {.index = o,
                        .field = beton_field_at(l->file[0].f, l->file[0].field[o]),
                        .image = *pixels,
                        .seed = l->options.seed};
    if (place.field->type == BETON_IMAGE && !begins_with_window(out))
        ASSAY_TRY(common_size(l, o, &place.source));
    if (place.field->type == BETON_INT && out->steps > 0)
        ASSAY_TRY(count_classes(l, o));
    place.classes = l->classes;
    ASSAY_TRY_AT(plan_compile(&l->plan[o], l->ctx, out, &place), "pipeline");
    if (l->plan[o].kind == PLAN_ARRAY)
        ASSAY_TRY(check_array(l, o));
done:
    return status;
}

static bool is_image(const assay_loader *l, int o) {
    return beton_field_at(l->file[0].f, l->file[0].field[o])->type == BETON_IMAGE;
}

assay_status load_compile(assay_loader *l) {
    assay_status status = ASSAY_OK;
    enum { CACHE_BYTES = 1 << 20 }; /* a core's own, about */
    transform_shape pixels = {0};
    for (int pass = 0; pass < 2; pass++)
        for (int o = 0; o < l->outputs; o++) {
            if (is_image(l, o) != (pass == 0))
                continue;
            ASSAY_TRY(compile_one(l, o, &pixels));
            if (pass == 0 && pixels.height == 0)
                pixels = l->plan[o].shape;
        }
    l->batch_bytes = 0;
    size_t image_bytes = 0;
    for (int o = 0; o < l->outputs; o++) {
        plan_output *p = &l->plan[o];
        size_t bytes = p->sample_bytes * (size_t)l->batch;
        l->batch_bytes += bytes;
        p->store.stream = p->kind == PLAN_IMAGE && bytes > CACHE_BYTES && !plan_mixes(p);
        if (p->kind == PLAN_IMAGE && p->sample_bytes > image_bytes)
            image_bytes = p->sample_bytes;
    }
    l->chunk = image_bytes > 3 * 4 * 64 * 64 ? 4 : LOAD_CHUNK;
done:
    return status;
}
