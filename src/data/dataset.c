/* The dataset: a .beton's image and label fields with what our section adds to them. A
 * file of FFCV's has no section: its classes are numbers, its ids are sample numbers, its
 * splits are made by hash. */
#include "data/dataset.h"

#include "base/json.h"
#include "data/identity.h"
#include "data/image_cell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CLASSES = 1 << 20, MAX_SPLITS = 16 };

typedef struct skipped {
    const char *split, *id, *reason; /* in the JSON tree */
} skipped;

struct dataset {
    assay_ctx *ctx;
    beton_file *file;
    int image_field, label_field;
    uint64_t rows, train;
    uint64_t *sample; /* of a row; NULL: the same number */
    int32_t *label;   /* by row */
    char **class_name;
    int classes;
    const char *id_bytes; /* NUL-terminated ids... */
    uint64_t *id_at;      /* ...by sample */
    buf own_ids;
    char sha256[65];
    int channels;
    uint8_t *orientation; /* by sample; NULL: all upright */
    int min_side, median_side, max_side;
    json_doc *info;
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

/* ---- our section ---- */

static assay_status bad_tag(const dataset *d, const char *what) {
    err_set(ASSAY_E_FORMAT, "the file's own section: %s", what);
    err_where("%s", beton_path(d->file));
    return ASSAY_E_FORMAT;
}

static assay_status parse_tag(json_doc **out, const dataset *d, uint32_t tag) {
    size_t n;
    const uint8_t *text = beton_tag(d->file, tag, &n);
    *out = NULL;
    if (text == NULL)
        return ASSAY_OK;
    assay_status status = json_parse(out, d->ctx, (const char *)text, n);
    if (status != ASSAY_OK)
        err_where("%s: tag %c%c%c%c", beton_path(d->file), (int)(tag & 255),
                  (int)(tag >> 8 & 255), (int)(tag >> 16 & 255), (int)(tag >> 24));
    return status;
}

static assay_status add_class(dataset *d, int c, const char *name) {
    return mem_strdup(d->ctx, &d->class_name[c], name);
}

static assay_status read_classes(dataset *d) {
    assay_status status = ASSAY_OK;
    json_doc *doc = NULL;
    ASSAY_TRY(parse_tag(&doc, d, BETON_TAG_CLASSES));
    if (doc == NULL)
        goto done;
    const json_val *names = json_root(doc);
    size_t n = json_len(names);
    if (!json_is_arr(names) || n == 0 || n > MAX_CLASSES) {
        status = bad_tag(d, "the class names are not a list");
        goto done;
    }
    ASSAY_TRY(mem_new(d->ctx, &d->class_name, n, sizeof *d->class_name));
    d->classes = (int)n;
    for (size_t i = 0; i < n; i++) {
        const char *name = json_get_str(json_at(names, i), NULL);
        if (name == NULL) {
            status = bad_tag(d, "a class name is not a text");
            goto done;
        }
        ASSAY_TRY(add_class(d, (int)i, name));
    }
done:
    json_doc_destroy(doc);
    return status;
}

static assay_status read_ids(dataset *d) {
    assay_status status = ASSAY_OK;
    size_t n;
    const uint8_t *tag = beton_tag(d->file, BETON_TAG_IDS, &n);
    ASSAY_TRY(mem_new(d->ctx, &d->id_at, (size_t)d->rows + 1, sizeof *d->id_at));
    if (tag == NULL) {
        for (uint64_t i = 0; i < d->rows; i++) {
            d->id_at[i] = d->own_ids.len;
            buf_fmt(&d->own_ids, "sample/%llu", (unsigned long long)i);
            buf_add(&d->own_ids, "", 1);
        }
        ASSAY_TRY(buf_check(&d->own_ids));
        d->id_bytes = d->own_ids.data;
        goto done;
    }
    if (n < 16 || le64_get(tag) != d->rows || (n - 16) / 8 < d->rows)
        return bad_tag(d, "the list of ids has another length than the file");
    size_t bytes = n - 16 - 8 * (size_t)d->rows;
    d->id_bytes = (const char *)tag + n - bytes;
    for (uint64_t i = 0; i < d->rows; i++) {
        uint64_t at = le64_get(tag + 8 + 8 * i), end = le64_get(tag + 16 + 8 * i);
        if (at >= end || end > bytes || d->id_bytes[end - 1] != '\0')
            return bad_tag(d, "the list of ids has an entry outside itself");
        d->id_at[i] = at;
    }
done:
    return status;
}

static assay_status read_orientation(dataset *d, const json_val *pairs) {
    assay_status status = ASSAY_OK;
    size_t n = json_len(pairs);
    if (n == 0)
        return ASSAY_OK;
    ASSAY_TRY(mem_new(d->ctx, &d->orientation, (size_t)d->rows, 1));
    for (size_t i = 0; i < n; i++) {
        int64_t sample = json_get_int(json_at(json_at(pairs, i), 0), -1);
        int64_t o = json_get_int(json_at(json_at(pairs, i), 1), 0);
        if (sample < 0 || (uint64_t)sample >= d->rows || o < 1 || o > 8)
            return bad_tag(d, "an image's orientation is not one of 1 to 8");
        d->orientation[sample] = (uint8_t)o;
    }
done:
    return status;
}

static assay_status read_info(dataset *d) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(parse_tag(&d->info, d, BETON_TAG_INFO));
    const json_val *root = json_root(d->info);
    d->channels = (int)json_get_int(json_get(root, "channels"), 0);
    if (d->channels != 1 && d->channels != 3)
        d->channels = 0;
    ASSAY_TRY(read_orientation(d, json_get(root, "orientation")));
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

static assay_status read_splits(dataset *d, data_split split[MAX_SPLITS], size_t *count) {
    assay_status status = ASSAY_OK;
    json_doc *doc = NULL;
    uint64_t at = 0;
    *count = 0;
    ASSAY_TRY(parse_tag(&doc, d, BETON_TAG_SPLITS));
    if (doc == NULL)
        goto done;
    const json_val *list = json_root(doc);
    size_t n = json_len(list);
    if (!json_is_arr(list) || n == 0 || n > MAX_SPLITS) {
        status = bad_tag(d, "the splits are not a list");
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        const json_val *v = json_at(list, i);
        int64_t begin = json_get_int(json_get(v, "begin"), -1);
        int64_t end = json_get_int(json_get(v, "end"), -1);
        if (begin < 0 || end < begin || (uint64_t)begin != at ||
            (uint64_t)end > d->rows) {
            status = bad_tag(d, "the splits do not follow each other");
            goto done;
        }
        at = (uint64_t)end;
        split[i] = (data_split){.begin = (uint64_t)begin, .end = (uint64_t)end};
        snprintf(split[i].name, sizeof split[i].name, "%.7s",
                 json_get_str(json_get(v, "name"), ""));
    }
    if (at != d->rows) {
        status = bad_tag(d, "the splits do not cover all rows");
        goto done;
    }
    *count = n;
done:
    json_doc_destroy(doc);
    return status;
}

/* Training rows come first. A file of ours is in that order already. */
static assay_status order_rows(dataset *d, const data_split *split, size_t splits) {
    assay_status status = ASSAY_OK;
    bool in_order = splits > 0;
    for (size_t i = 0; i < splits; i++)
        if (strcmp(split[i].name, "train") == 0) {
            d->train += split[i].end - split[i].begin;
            in_order = in_order && i == 0;
        }
    if (in_order)
        return ASSAY_OK;
    ASSAY_TRY(mem_new(d->ctx, &d->sample, (size_t)d->rows + 1, sizeof *d->sample));
    uint64_t at = 0;
    for (int test = 0; test < 2; test++) {
        for (uint64_t i = 0; i < d->rows; i++) {
            bool in_test = splits == 0 && identity_in_test(d->id_bytes + d->id_at[i]);
            for (size_t s = 0; s < splits; s++)
                if (i >= split[s].begin && i < split[s].end)
                    in_test = strcmp(split[s].name, "train") != 0;
            if (in_test == (test == 1))
                d->sample[at++] = i;
        }
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
    int64_t most = 0, limit = d->classes > 0 ? d->classes : MAX_CLASSES;
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
    ASSAY_TRY(mem_new(d->ctx, &d->class_name, (size_t)most + 1, sizeof *d->class_name));
    d->classes = (int)most + 1;
    for (int c = 0; c < d->classes; c++) {
        char number[16];
        snprintf(number, sizeof number, "%d", c);
        ASSAY_TRY(add_class(d, c, number));
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

static assay_status find_identity(dataset *d, const data_split *split, size_t splits) {
    assay_status status = ASSAY_OK;
    uint8_t digest[32];
    size_t n;
    const uint8_t *tag = beton_tag(d->file, BETON_TAG_IDENTITY, &n);
    if (tag != NULL && n != sizeof digest)
        return bad_tag(d, "the identity is not of 32 bytes");
    if (tag != NULL)
        memcpy(digest, tag, sizeof digest);
    else
        ASSAY_TRY(identity_of_file(d->ctx, d->file, (const char *const *)d->class_name,
                                   (size_t)d->classes, split, splits, digest));
    hash_hex(d->sha256, digest);
done:
    return status;
}

/* ---- opening ---- */

static assay_status read_all(dataset *d) {
    assay_status status = ASSAY_OK;
    data_split split[MAX_SPLITS];
    size_t splits;
    d->rows = beton_samples(d->file);
    if (d->rows == 0 || d->rows > UINT32_MAX)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED,
                   "%llu samples, where 1 to 2^32 - 1 make a dataset",
                   (unsigned long long)d->rows);
    ASSAY_TRY(find_field(&d->image_field, d->file, BETON_IMAGE, "image"));
    ASSAY_TRY(find_field(&d->label_field, d->file, BETON_INT, "label"));
    ASSAY_TRY(read_classes(d));
    ASSAY_TRY(read_ids(d));
    ASSAY_TRY(read_info(d));
    ASSAY_TRY(read_splits(d, split, &splits));
    ASSAY_TRY(order_rows(d, split, splits));
    ASSAY_TRY(read_labels(d));
    ASSAY_TRY(read_sizes(d));
    ASSAY_TRY(find_channels(d));
    ASSAY_TRY(find_identity(d, split, splits));
done:
    return status;
}

static assay_status begin(dataset **out, assay_ctx *ctx) {
    assay_status status = mem_new(ctx, out, 1, sizeof **out);
    if (status == ASSAY_OK) {
        (*out)->ctx = ctx;
        (*out)->own_ids = buf_make(ctx);
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
    for (int c = 0; c < d->classes; c++)
        mem_free(d->ctx, d->class_name[c]);
    mem_free(d->ctx, d->class_name);
    mem_free(d->ctx, d->sample);
    mem_free(d->ctx, d->label);
    mem_free(d->ctx, d->id_at);
    mem_free(d->ctx, d->orientation);
    mem_free(d->ctx, d->skip);
    buf_free(&d->own_ids);
    json_doc_destroy(d->info);
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
    return c >= 0 && c < d->classes ? d->class_name[c] : "";
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
    return d->id_bytes + d->id_at[sample_of(d, row)];
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
    uint64_t sample = sample_of(d, row);
    bool turned = d->orientation != NULL && d->orientation[sample] > 1;
    return image_cell_decode(out, d->file, sample, d->image_field, turned);
}
