/* How long it takes to read images, from the disk and from memory. */
#include "data/load/doctor.h"

#include "base/rng.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Where a row's image lies in the file. */
typedef struct extent {
    uint64_t at, bytes;
} extent;

typedef struct reads {
    int fd;
    extent *extent;
    size_t n;
    uint8_t *into; /* the largest */
    uint64_t bytes, largest;
} reads;

static assay_status find(const doctor *d, reads *r, const uint64_t *row) {
    assay_status status = ASSAY_OK;
    r->bytes = r->largest = 0;
    for (size_t i = 0; i < r->n; i++) {
        const uint8_t *data;
        image_cell c = image_cell_get(beton_cell(d->file, row[i], d->image));
        r->extent[i].at = c.ptr;
        ASSAY_TRY(image_cell_payload(d->file, row[i], d->image, &c, &data,
                                     &r->extent[i].bytes));
        r->bytes += r->extent[i].bytes;
        if (r->extent[i].bytes > r->largest)
            r->largest = r->extent[i].bytes;
    }
done:
    return status;
}

static assay_status read_all(const reads *r, double *ms) {
    uint64_t begin = os_now_ns();
    for (size_t i = 0; i < r->n; i++) {
        uint64_t done = 0;
        while (done < r->extent[i].bytes) {
            ssize_t got = pread(r->fd, r->into, (size_t)(r->extent[i].bytes - done),
                                (off_t)(r->extent[i].at + done));
            if (got <= 0)
                return err_set(ASSAY_E_IO, "an image can't be read");
            done += (uint64_t)got;
        }
    }
    *ms = (double)(os_now_ns() - begin) / 1e6 / (double)r->n;
    return ASSAY_OK;
}

/* Tells the system that the images are not needed in memory. */
static void forget(const reads *r) {
    for (size_t i = 0; i < r->n; i++)
        (void)posix_fadvise(r->fd, (off_t)r->extent[i].at, (off_t)r->extent[i].bytes,
                            POSIX_FADV_DONTNEED);
}

assay_status doctor_time_reads(doctor *d) {
    assay_status status = ASSAY_OK;
    reads r = {.fd = -1, .n = d->rows};
    uint64_t all = beton_samples(d->file), *row = NULL;
    if (d->image < 0)
        return ASSAY_OK;
    ASSAY_TRY(mem_new(d->ctx, &r.extent, r.n, sizeof *r.extent));
    ASSAY_TRY(mem_new(d->ctx, &row, r.n, sizeof *row));
    r.fd = open(d->path, O_RDONLY | O_CLOEXEC);
    if (r.fd < 0)
        ASSAY_FAIL(ASSAY_E_IO, "the file can't be opened again");
    for (size_t i = 0; i < r.n; i++) /* a stretch from the middle */
        row[i] = (all - r.n) / 2 + i;
    ASSAY_TRY(find(d, &r, row));
    uint64_t largest = r.largest;
    ASSAY_TRY(find(d, &r, d->row));
    r.largest = r.largest > largest ? r.largest : largest;
    ASSAY_TRY(mem_new(d->ctx, &r.into, (size_t)r.largest + 1, 1));
    ASSAY_TRY(find(d, &r, row));
    forget(&r);
    ASSAY_TRY(read_all(&r, &d->read.cold_in_order));
    ASSAY_TRY(find(d, &r, d->given)); /* the sample, in random order */
    forget(&r);
    ASSAY_TRY(read_all(&r, &d->read.cold_random));
    ASSAY_TRY(read_all(&r, &d->read.warm));
    d->read.bytes = (double)r.bytes / (double)r.n;
    d->read_known = true;
done:
    if (r.fd >= 0)
        (void)close(r.fd);
    if (status == ASSAY_E_IO)
        err_where("%s", d->path);
    mem_free(d->ctx, r.extent);
    mem_free(d->ctx, r.into);
    mem_free(d->ctx, row);
    return status;
}
