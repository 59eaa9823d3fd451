/* What one decoder holds between pictures, and what decoding and indexing share. */
#ifndef IMAGE_JPEG_DECODER_H
#define IMAGE_JPEG_DECODER_H

#include "image/jpeg/jpeg.h"
#include "image/jpeg/kernels.h"

/* Memory that is kept and grows. */
typedef struct jpg_room {
    void *at;
    size_t bytes;
} jpg_room;

struct jpeg_decoder {
    assay_ctx *ctx;
    const jpg_kernels *kernels;
    int streams; /* decoded at once */
    bool exact;  /* no byte more than needed, for a sanitizer to see */
    jpg_tables tables;
    jpg_header header;
    jpg_scan scan;
    jpg_room coefs, planes, sums, bytes, runs;
    int rows;   /* given to the sink of the last window */
    bool dirty; /* coefs holds something; it is all zero between pictures */
};

/* For tests: another set of kernels (which the processor must have), another number of
 * streams, exact memory. */
void jpg_decoder_tune(jpeg_decoder *d, cpu_isa isa, int streams, bool exact);

/* How many rows the last window's sink was given. */
int jpg_rows_given(const jpeg_decoder *d);

/* Makes room; what was there is gone, and zeros are there if it grew. NOMEM */
ASSAY_MUST_CHECK assay_status jpg_reserve(jpeg_decoder *d, jpg_room *room, size_t bytes);
/* Room for `streams` pieces of unstuffed data, each of at most `bytes`. NOMEM */
ASSAY_MUST_CHECK assay_status jpg_reserve_bytes(jpeg_decoder *d,
                                                size_t bytes,
                                                int streams);

/* Reads the headers and makes d->scan ready but for the window. */
ASSAY_MUST_CHECK assay_status jpg_open(jpeg_decoder *d, const uint8_t *jpeg, size_t n);
/* OK or FORMAT */
ASSAY_MUST_CHECK assay_status jpg_status(jpg_result result);
/* FORMAT unless the end marker, and nothing else, lies at byte `at` of the scan. libjpeg
 * may forgive more; then the picture is its to read. */
ASSAY_MUST_CHECK assay_status jpg_check_end(const jpg_scan *s, size_t at);

/* An index, its header taken apart. */
typedef struct jpg_index {
    const uint8_t *entry;
    int interval, per_row, components;
    uint32_t count;
    uint32_t end; /* bytes of entropy-coded data */
    uint64_t jpeg_bytes;
    uint32_t jpeg_crc; /* CRC-32C */
} jpg_index;

/* False if it is not well formed. Not whether it belongs to a JPEG. */
bool jpg_index_open(jpg_index *out, const jpeg_index *index);
/* Where entry i begins, and what its DC values are. */
uint32_t jpg_index_entry(const jpg_index *ix, uint32_t i, int16_t dc[JPG_COMPONENTS]);

#endif
