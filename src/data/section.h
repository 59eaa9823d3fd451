/* What our section of a .beton says of a dataset: class names, splits, ids, provenance.
 * Every part may be missing. */
#ifndef DATA_SECTION_H
#define DATA_SECTION_H

#include "base/json.h"
#include "data/identity.h"

enum { SECTION_MAX_CLASSES = 1 << 20, SECTION_MAX_SPLITS = 16 };

typedef struct data_section {
    assay_ctx *ctx;
    char **class_name;
    size_t classes; /* 0: not said */
    data_split split[SECTION_MAX_SPLITS];
    size_t splits;        /* 0: not said; else they cover all samples in order */
    const char *id_bytes; /* NULL: not said */
    size_t ids_bytes;
    const uint8_t *id_at; /* u64 offsets into them, by sample */
    const uint8_t *hash;  /* 32 bytes; NULL: not said */
    json_doc *info;
} data_section;

/* Reads and checks it, but for each id. The file is borrowed. FORMAT names the part. */
ASSAY_MUST_CHECK assay_status data_section_read(data_section *s,
                                                assay_ctx *ctx,
                                                const beton_file *f);
void data_section_free(data_section *s);
/* The id of a sample; NULL if there are none, or its entry is damaged. O(1). */
const char *data_section_id(const data_section *s, uint64_t sample);
/* Looks at the entries of all ids, which reading does not. FORMAT. */
ASSAY_MUST_CHECK assay_status data_section_check_ids(const data_section *s,
                                                     const beton_file *f);

#endif
