/* Inside of packing: what its parts share. */
#ifndef DATA_PACK_H
#define DATA_PACK_H

#include <assay/data.h>

#include "data/pack/encode.h"

typedef struct pack_failure {
    size_t row; /* in the list */
    char reason[256];
} pack_failure;

typedef struct packer {
    assay_ctx *ctx;
    assay_pack_options o;
    encode_options encode;
    const char *path, *out;
    encode_source source;
    void *state; /* of the importer */
    import_list list;
    emit_layout layout;
    size_t *row; /* chosen rows of the list, in file order */
    size_t rows;
    data_split split[2];
    size_t splits;
    encode_scratch *scratch; /* per worker */
    int workers;
    encoded_row *block;
    size_t block_rows, block_at;
    emit emit;          /* its writer is NULL when given up, see write_rows */
    bool fit_page;      /* the page may grow to hold the largest sample */
    uint64_t largest;   /* of samples' payloads */
    int index_interval; /* of the JPEG index; 0: none */
    bool gray;
    buf orientation; /* JSON pairs */
    pack_failure *failed;
    size_t failures, failure_cap;
    uint8_t sha[32];
    uint64_t bytes;
} packer;

/* ---- pack_options.c ---- */
ASSAY_MUST_CHECK assay_status pack_take_options(packer *p,
                                                const assay_pack_options *given);
/* Refuses an output that is there and may not be replaced. */
ASSAY_MUST_CHECK assay_status pack_check_output(const char *out, bool force);

/* ---- pack_rows.c: which rows, in which order ---- */
ASSAY_MUST_CHECK assay_status pack_choose_rows(packer *p);
/* Takes the failed rows out of the chosen ones. Both lists are in file order. */
void pack_drop_failed(packer *p);

/* ---- pack_section.c ---- */
/* Our section, and the file under its name. */
ASSAY_MUST_CHECK assay_status pack_finish(packer *p);

/* Packs through a given importer, NULL: found by option or by looking. For tests. */
ASSAY_MUST_CHECK assay_status pack_with(assay_ctx *ctx,
                                        const data_importer *importer,
                                        const char *source,
                                        const char *out,
                                        const assay_pack_options *options,
                                        assay_pack_result *result);

#endif
