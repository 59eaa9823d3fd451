/* The dataset: a .beton's image and label fields with what our section adds to them. A
 * file of FFCV's has no section: its classes are numbers, its ids are sample numbers, its
 * splits are made by hash. */
#include "data/dataset.h"

#include "data/image_cell.h"
#include "data/section.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct skipped {
    const char *split, *id, *reason; /* in the JSON tree */
} skipped;

struct dataset {
    assay_ctx *ctx;
    beton_file *file;
    data_section said;
    int image_field, label_field;
    uint64_t rows, train;
    uint64_t *sample; /* of a row; NULL: the same number */
    int32_t *label;   /* by row */
    int classes;
    char **number;   /* names of classes that have none */
    buf ids;         /* made where the file has none... */
    uint64_t *id_at; /* ...by sample */
    char sha256[65];
    int channels;
    int min_side, median_side, max_side;
    skipped *skip;
    size_t skips;
};

/* ---- fields ---- */

/* The field of that type: the one called `name`, or the only one. */
static assay_status
find_field(int *out, const beton_file *f, beton_type type, const char *name) {
    int found = 0;
    *out = -1;
    for (int i = 0; i < beton_fields(f); i++) {
        const beton_field *field = beton_field_at(f, i);
        if (field->type != type)
            continue;
        found++;
        if (*out < 0 || strcmp(field->name, name) == 0)
            *out = i;
    }
    if (found == 1 || (found > 1 && strcmp(beton_field_at(f, *out)->name, name) == 0))
        return ASSAY_OK;
    err_set(ASSAY_E_UNSUPPORTED,
            found == 0 ? "no %s field" : "several %s fields, none of them called '%s'",
            type == BETON_IMAGE ? "image" : "integer", name);
    err_where("%s", beton_path(f));
    err_help("a dataset has one field of images and one of integer labels");
    return ASSAY_E_UNSUPPORTED;
}

/* ---- what our section says, or FFCV's files leave open ---- */

static assay_status make_ids(dataset *d) {
    assay_status status = ASSAY_OK;
    if (d->said.id_bytes != NULL)
        return ASSAY_OK;
    ASSAY_TRY(mem_new(d->ctx, &d->id_at, (size_t)d->rows, sizeof *d->id_at));
    for (uint64_t i = 0; i < d->rows; i++) {
        d->id_at[i] = d->ids.len;
        buf_fmt(&d->ids, "sample/%llu", (unsigned long long)i);
        buf_add(&d->ids, "", 1);
    }
    ASSAY_TRY(buf_check(&d->ids));
done:
    return status;
}

static const char *id_of(const dataset *d, uint64_t sample) {
    if (d->said.id_bytes != NULL)
        return data_section_id(&d->said, sample);
    return d->ids.data + d->id_at[sample];
}

static assay_status read_info(dataset *d) {
    assay_status status = ASSAY_OK;
    const json_val *root = json_root(d->said.info);
    d->channels = (int)json_get_int(json_get(root, "channels"), 0);
    if (d->channels != 1 && d->channels != 3)
        d->channels = 0;
    const json_val *list = json_get(root, "skipped");
    d->skips = json_len(list);
    ASSAY_TRY(mem_new(d->ctx, &d->skip, d->skips + 1, sizeof *d->skip));
    for (size_t i = 0; i < d->skips; i++) {
        const json_val *v = json_at(list, i);
        d->skip[i] = (skipped){.split = json_get_str(json_get(v, "split"), ""),
                               .id = json_get_str(json_get(v, "id"), ""),
                               .reason = json_get_str(json_get(v, "reason"), "")};
    }
done:
    return status;
}

/* ---- splits and labels ---- */

static bool in_test(const dataset *d, uint64_t sample) {
    for (size_t s = 0; s < d->said.splits; s++)
        if (sample >= d->said.split[s].begin && sample < d->said.split[s].end)
            return strcmp(d->said.split[s].name, "train") != 0;
    return identity_in_test(id_of(d, sample));
}

/* Training rows come first. A file of ours is in that order already. */
static assay_status order_rows(dataset *d) {
    assay_status status = ASSAY_OK;
    const data_section *said = &d->said;
    bool in_order = said->splits > 0;
    for (size_t i = 0; i < said->splits; i++)
        if (strcmp(said->split[i].name, "train") == 0) {
            d->train += said->split[i].end - said->split[i].begin;
            in_order = in_order && i == 0;
        }
    if (in_order)
        return ASSAY_OK;
    ASSAY_TRY(mem_new(d->ctx, &d->sample, (size_t)d->rows, sizeof *d->sample));
    uint64_t at = 0;
    for (int test = 0; test < 2; test++) {
        for (uint64_t i = 0; i < d->rows; i++)
            if (in_test(d, i) == (test == 1))
                d->sample[at++] = i;
        if (test == 0)
            d->train = at;
    }
done:
    return status;
}

static uint64_t sample_of(const dataset *d, uint64_t row) {
    return d->sample != NULL ? d->sample[row] : row;
}

static assay_status read_labels(dataset *d) {
    assay_status status = ASSAY_OK;
    int64_t most = 0, limit = d->classes > 0 ? d->classes : SECTION_MAX_CLASSES;
    ASSAY_TRY(mem_new(d->ctx, &d->label, (size_t)d->rows + 1, sizeof *d->label));
    for (uint64_t row = 0; row < d->rows; row++) {
        uint64_t sample = sample_of(d, row);
        int64_t v = (int64_t)le64_get(beton_cell(d->file, sample, d->label_field));
        if (v < 0 || v >= limit) {
            err_set(ASSAY_E_FORMAT, "label %lld, where 0 to %lld are possible",
                    (long long)v, (long long)limit - 1);
            err_where("%s: sample %llu, field '%s'", beton_path(d->file),
                      (unsigned long long)sample,
                      beton_field_at(d->file, d->label_field)->name);
            return ASSAY_E_FORMAT;
        }
        d->label[row] = (int32_t)v;
        most = v > most ? v : most;
    }
    if (d->classes > 0)
        goto done;
    ASSAY_TRY(mem_new(d->ctx, &d->number, (size_t)most + 1, sizeof *d->number));
    d->classes = (int)most + 1;
    for (int c = 0; c < d->classes; c++) {
        char text[16];
        snprintf(text, sizeof text, "%d", c);
        ASSAY_TRY(mem_strdup(d->ctx, &d->number[c], text));
    }
done:
    return status;
}

/* ---- images ---- */

static int by_size(const void *a, const void *b) {
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

static assay_status read_sizes(dataset *d) {
    assay_status status = ASSAY_OK;
    uint16_t *side = NULL;
    ASSAY_TRY(mem_new(d->ctx, &side, (size_t)d->rows + 1, sizeof *side));
    for (uint64_t i = 0; i < d->rows; i++) {
        image_cell c = image_cell_get(beton_cell(d->file, i, d->image_field));
        int shorter = c.width < c.height ? c.width : c.height;
        int longer = c.width < c.height ? c.height : c.width;
        side[i] = (uint16_t)shorter;
        d->max_side = longer > d->max_side ? longer : d->max_side;
    }
    qsort(side, (size_t)d->rows, sizeof *side, by_size);
    d->min_side = side[0];
    d->median_side = side[d->rows / 2];
done:
    mem_free(d->ctx, side);
    return status;
}

/* Without a record of it: grey until an image shows otherwise, which the first one mostly
 * does. */
static assay_status find_channels(dataset *d) {
    assay_status status = ASSAY_OK;
    image im = image_make(d->ctx);
    bool gray = true;
    for (uint64_t row = 0; d->channels == 0 && gray && row < d->rows; row++) {
        ASSAY_TRY(ctx_check(d->ctx));
        ASSAY_TRY(dataset_image(d, row, &im));
        gray = image_is_gray(&im);
    }
    if (d->channels == 0)
        d->channels = gray ? 1 : 3;
done:
    image_free(&im);
    return status;
}

static assay_status find_identity(dataset *d) {
    assay_status status = ASSAY_OK;
    uint8_t digest[32];
    const data_section *said = &d->said;
    if (said->hash != NULL)
        memcpy(digest, said->hash, sizeof digest);
    else
        ASSAY_TRY(identity_of_file(d->ctx, d->file, (const char *const *)said->class_name,
                                   said->classes, said->split, said->splits, digest));
    hash_hex(d->sha256, digest);
done:
    return status;
}

/* ---- opening ---- */

static assay_status read_all(dataset *d) {
    assay_status status = ASSAY_OK;
    d->rows = beton_samples(d->file);
    if (d->rows == 0 || d->rows > UINT32_MAX)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED,
                   "%llu samples, where 1 to 2^32 - 1 make a dataset",
                   (unsigned long long)d->rows);
    ASSAY_TRY(find_field(&d->image_field, d->file, BETON_IMAGE, "image"));
    ASSAY_TRY(find_field(&d->label_field, d->file, BETON_INT, "label"));
    ASSAY_TRY(data_section_read(&d->said, d->ctx, d->file));
    ASSAY_TRY(data_section_check_ids(&d->said, d->file));
    d->classes = (int)d->said.classes;
    ASSAY_TRY(make_ids(d));
    ASSAY_TRY(read_info(d));
    ASSAY_TRY(order_rows(d));
    ASSAY_TRY(read_labels(d));
    ASSAY_TRY(read_sizes(d));
    ASSAY_TRY(find_channels(d));
    ASSAY_TRY(find_identity(d));
done:
    return status;
}

static assay_status begin(dataset **out, assay_ctx *ctx) {
    assay_status status = mem_new(ctx, out, 1, sizeof **out);
    if (status == ASSAY_OK) {
        (*out)->ctx = ctx;
        (*out)->ids = buf_make(ctx);
    }
    return status;
}

assay_status dataset_open(dataset **out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    dataset *d = NULL;
    *out = NULL;
    ASSAY_TRY(begin(&d, ctx));
    ASSAY_TRY(beton_open(&d->file, ctx, path));
    ASSAY_TRY(read_all(d));
    *out = d;
    d = NULL;
done:
    dataset_close(d);
    return status;
}

assay_status dataset_open_memory(
    dataset **out, assay_ctx *ctx, const void *bytes, size_t n, const char *name) {
    assay_status status = ASSAY_OK;
    dataset *d = NULL;
    *out = NULL;
    ASSAY_TRY(begin(&d, ctx));
    ASSAY_TRY(beton_open_memory(&d->file, ctx, bytes, n, name));
    ASSAY_TRY(read_all(d));
    *out = d;
    d = NULL;
done:
    dataset_close(d);
    return status;
}

void dataset_close(dataset *d) {
    if (d == NULL)
        return;
    for (int c = 0; d->number != NULL && c < d->classes; c++)
        mem_free(d->ctx, d->number[c]);
    mem_free(d->ctx, d->number);
    mem_free(d->ctx, d->sample);
    mem_free(d->ctx, d->label);
    mem_free(d->ctx, d->id_at);
    mem_free(d->ctx, d->skip);
    buf_free(&d->ids);
    data_section_free(&d->said);
    beton_close(d->file);
    mem_free(d->ctx, d);
}

/* ---- asking ---- */

uint64_t dataset_rows(const dataset *d) {
    return d->rows;
}
uint64_t dataset_train_rows(const dataset *d) {
    return d->train;
}
int dataset_classes(const dataset *d) {
    return d->classes;
}
const char *dataset_class_name(const dataset *d, int c) {
    if (c < 0 || c >= d->classes)
        return "";
    return d->number != NULL ? d->number[c] : d->said.class_name[c];
}
int dataset_label(const dataset *d, uint64_t row) {
    return d->label[row];
}
const int32_t *dataset_labels(const dataset *d) {
    return d->label;
}
uint64_t dataset_sample(const dataset *d, uint64_t row) {
    return sample_of(d, row);
}
const char *dataset_id(const dataset *d, uint64_t row) {
    return id_of(d, sample_of(d, row));
}
const char *dataset_path(const dataset *d) {
    return beton_path(d->file);
}
const char *dataset_sha256(const dataset *d) {
    return d->sha256;
}
int dataset_channels(const dataset *d) {
    return d->channels;
}
void dataset_sizes(const dataset *d, int *min_side, int *median_side, int *max_side) {
    *min_side = d->min_side;
    *median_side = d->median_side;
    *max_side = d->max_side;
}
size_t dataset_skipped(const dataset *d) {
    return d->skips;
}
void dataset_skipped_at(const dataset *d,
                        size_t i,
                        const char **split,
                        const char **id,
                        const char **reason) {
    *split = d->skip[i].split;
    *id = d->skip[i].id;
    *reason = d->skip[i].reason;
}

assay_status dataset_image(const dataset *d, uint64_t row, image *out) {
    return image_cell_decode(out, d->file, sample_of(d, row), d->image_field);
}
