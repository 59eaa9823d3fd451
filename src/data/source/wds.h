/* Inside of the importer of WebDataset shards: which shards, which members, and what a
 * member means. */
#ifndef DATA_WDS_H
#define DATA_WDS_H

#include "base/le.h"
#include "data/importer.h"
#include "data/source/labels.h"
#include "data/source/spool.h"
#include "file/npy.h"

typedef struct wds_shard {
    char *path;
    spool bytes;
    uint64_t table_at, table_bytes; /* a labels.csv in it; 0 bytes: none */
    char table_separator;
} wds_shard;

typedef struct wds_member {
    uint64_t at, bytes; /* in the shard */
    uint32_t kind;
} wds_member;

typedef struct wds_sample {
    size_t key_at; /* in `keys` */
    size_t first;  /* member */
    uint32_t members, shard;
} wds_sample;

typedef enum wds_form { WDS_BYTES, WDS_JSON, WDS_NPY } wds_form;

/* Members of one extension, or of the several that images have. */
enum { WDS_MAX_KINDS = 64 };
#define WDS_IMAGE (SIZE_MAX - 1)
#define WDS_LABEL (SIZE_MAX - 2)
#define WDS_UNSET SIZE_MAX
typedef struct wds_kind {
    char *ext; /* "jpg", "features.npy" */
    wds_form form;
    size_t column; /* in the list; or WDS_IMAGE, WDS_LABEL */
} wds_kind;

typedef struct wds {
    assay_ctx *ctx;
    wds_shard *shard;
    size_t shards, shard_cap;
    wds_sample *sample;
    size_t samples, sample_cap;
    wds_member *member;
    size_t members, member_cap;
    wds_kind *kind;
    size_t kinds, kind_cap;
    buf keys;                 /* NUL-terminated, one behind the other */
    uint64_t links, nameless; /* members passed over */
    char first_link[256], first_nameless[256];
    bool has_cls;
    uint64_t unmarked; /* shards without the mark of their end */
} wds;

bool wds_is_shard(const char *path); /* by the name's end */
/* Fills w->shard's paths, in name order. NOTFOUND, FORMAT. */
ASSAY_MUST_CHECK assay_status wds_find_shards(wds *w, const char *path);
/* Opens a shard and lists its samples. FORMAT names shard, byte, and the last sample. */
ASSAY_MUST_CHECK assay_status wds_read_shard(wds *w, size_t shard);
const char *wds_key(const wds *w, size_t sample);
const char *wds_path(const wds *w, size_t sample); /* of its shard */
/* Its member of a column, or WDS_IMAGE, WDS_LABEL; NULL if it has none. */
const wds_member *wds_find(const wds *w, size_t sample, size_t column);
const uint8_t *wds_bytes(const wds *w, size_t sample, const wds_member *m);
/* Adds the place to a failure, and returns it. */
assay_status wds_failed_at(const wds *w, size_t sample, assay_status status);

/* wds_columns.c: what the members are; rows, labels, splits and columns of the list. */
ASSAY_MUST_CHECK assay_status wds_settle(wds *w, import_list *list);

/* wds_labels.c: labels (and splits) of the list's rows, and its classes. */
ASSAY_MUST_CHECK assay_status wds_read_cls(const wds *w, import_list *list);
ASSAY_MUST_CHECK assay_status wds_read_tables(const wds *w, import_list *list);

#endif
