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
    const char *id_bytes; /* NULL: not said; else every id ends in a NUL... */
    const uint8_t *id_at; /* ...and begins at the u64 found here, by sample */
    const uint8_t *hash;  /* 32 bytes; NULL: not said */
    json_doc *info;
} data_section;

/* Reads and checks it all. The file is borrowed. FORMAT names the part. */
ASSAY_MUST_CHECK assay_status data_section_read(data_section *s,
                                                assay_ctx *ctx,
                                                const beton_file *f);
void data_section_free(data_section *s);

#endif
