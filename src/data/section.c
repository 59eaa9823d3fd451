/* Reading our section's tags. Nothing in them is trusted. */
#include "data/section.h"

#include "base/le.h"

#include <stdio.h>
#include <string.h>

static assay_status bad(const beton_file *f, const char *what) {
    err_set(ASSAY_E_FORMAT, "the file's own section: %s", what);
    err_where("%s", beton_path(f));
    return ASSAY_E_FORMAT;
}

/* NULL if the tag is absent. */
static assay_status
parse(json_doc **out, assay_ctx *ctx, const beton_file *f, uint32_t tag) {
    size_t n;
    const uint8_t *text = beton_tag(f, tag, &n);
    *out = NULL;
    if (text == NULL)
        return ASSAY_OK;
    assay_status status = json_parse(out, ctx, (const char *)text, n);
    if (status != ASSAY_OK)
        err_where("%s: tag %c%c%c%c", beton_path(f), (int)(tag & 255),
                  (int)(tag >> 8 & 255), (int)(tag >> 16 & 255), (int)(tag >> 24));
    return status;
}

static assay_status read_classes(data_section *s, const beton_file *f) {
    assay_status status = ASSAY_OK;
    json_doc *doc = NULL;
    ASSAY_TRY(parse(&doc, s->ctx, f, BETON_TAG_CLASSES));
    if (doc == NULL)
        goto done;
    const json_val *names = json_root(doc);
    size_t n = json_len(names);
    if (!json_is_arr(names) || n == 0 || n > SECTION_MAX_CLASSES) {
        status = bad(f, "the class names are not a list");
        goto done;
    }
    ASSAY_TRY(mem_new(s->ctx, &s->class_name, n, sizeof *s->class_name));
    s->classes = n;
    for (size_t i = 0; i < n; i++) {
        const char *name = json_get_str(json_at(names, i), NULL);
        if (name == NULL) {
            status = bad(f, "a class name is not a text");
            goto done;
        }
        ASSAY_TRY(mem_strdup(s->ctx, &s->class_name[i], name));
    }
done:
    json_doc_destroy(doc);
    return status;
}

static assay_status read_splits(data_section *s, const beton_file *f) {
    assay_status status = ASSAY_OK;
    json_doc *doc = NULL;
    uint64_t at = 0, samples = beton_samples(f);
    ASSAY_TRY(parse(&doc, s->ctx, f, BETON_TAG_SPLITS));
    if (doc == NULL)
        goto done;
    const json_val *list = json_root(doc);
    size_t n = json_len(list);
    if (!json_is_arr(list) || n == 0 || n > SECTION_MAX_SPLITS) {
        status = bad(f, "the splits are not a list");
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        const json_val *v = json_at(list, i);
        int64_t begin = json_get_int(json_get(v, "begin"), -1);
        int64_t end = json_get_int(json_get(v, "end"), -1);
        if (begin < 0 || end < begin || (uint64_t)begin != at ||
            (uint64_t)end > samples) {
            status = bad(f, "the splits do not follow each other");
            goto done;
        }
        at = (uint64_t)end;
        s->split[i] = (data_split){.begin = (uint64_t)begin, .end = (uint64_t)end};
        snprintf(s->split[i].name, sizeof s->split[i].name, "%.7s",
                 json_get_str(json_get(v, "name"), ""));
    }
    if (at != samples)
        status = bad(f, "the splits do not cover all samples");
    s->splits = n;
done:
    json_doc_destroy(doc);
    return status;
}

static assay_status read_ids(data_section *s, const beton_file *f) {
    size_t n;
    uint64_t samples = beton_samples(f);
    const uint8_t *tag = beton_tag(f, BETON_TAG_IDS, &n);
    if (tag == NULL)
        return ASSAY_OK;
    if (n < 16 || le64_get(tag) != samples || (n - 16) / 8 < samples)
        return bad(f, "the list of ids has another length than the file");
    s->ids_bytes = n - 16 - 8 * (size_t)samples;
    s->id_bytes = (const char *)tag + n - s->ids_bytes;
    s->id_at = tag + 8;
    return ASSAY_OK;
}

const char *data_section_id(const data_section *s, uint64_t sample) {
    if (s->id_bytes == NULL)
        return NULL;
    const uint8_t *p = s->id_at + 8 * sample;
    uint64_t at = le64_get(p), end = le64_get(p + 8);
    if (at >= end || end > s->ids_bytes || s->id_bytes[end - 1] != '\0')
        return NULL;
    return s->id_bytes + at;
}

assay_status data_section_check_ids(const data_section *s, const beton_file *f) {
    uint64_t samples = s->id_bytes != NULL ? beton_samples(f) : 0;
    for (uint64_t i = 0; i < samples; i++)
        if (data_section_id(s, i) == NULL)
            return bad(f, "the list of ids has an entry outside itself");
    return ASSAY_OK;
}

assay_status data_section_read(data_section *s, assay_ctx *ctx, const beton_file *f) {
    assay_status status = ASSAY_OK;
    size_t n;
    *s = (data_section){.ctx = ctx};
    ASSAY_TRY(read_classes(s, f));
    ASSAY_TRY(read_splits(s, f));
    ASSAY_TRY(read_ids(s, f));
    ASSAY_TRY(parse(&s->info, ctx, f, BETON_TAG_INFO));
    s->hash = beton_tag(f, BETON_TAG_IDENTITY, &n);
    if (s->hash != NULL && n != 32)
        status = bad(f, "the identity is not of 32 bytes");
done:
    return status;
}

void data_section_free(data_section *s) {
    for (size_t i = 0; i < s->classes; i++)
        mem_free(s->ctx, s->class_name[i]);
    if (s->ctx != NULL)
        mem_free(s->ctx, s->class_name);
    json_doc_destroy(s->info);
    *s = (data_section){0};
}
