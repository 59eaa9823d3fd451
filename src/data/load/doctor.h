/* Inside of the doctor: what its parts share. */
#ifndef DATA_DOCTOR_H
#define DATA_DOCTOR_H

#include <assay/doctor.h>
#include <assay/load.h>

#include "base/json.h"
#include "data/pack/encode.h"

/* Reading rows' images, one thread, in ms per image. */
typedef struct doctor_read {
    double cold_random;   /* rows from all over the file, their pages not in memory */
    double cold_in_order; /* as many rows, one behind the other */
    double warm;
    double bytes; /* of an image */
} doctor_read;

/* What one way of loading gives; medians over the rounds. */
typedef struct doctor_rate {
    double per_second, cpu_ms;
    double waits; /* share of the time that the consumer waited */
} doctor_rate;

/* One remedy as it was tried. */
typedef struct doctor_remedy {
    char name[48], how[160];
    doctor_rate rate;
    double ratio; /* to the pipeline as it is, in the same rounds */
    double bytes; /* of an image */
} doctor_remedy;

enum { DOCTOR_REMEDIES = 12 };

typedef struct doctor {
    assay_ctx *ctx;
    assay_doctor_options o;
    const char *path;
    beton_file *file;
    int image;     /* the first image field, or -1 */
    bool jpeg;     /* ...whose images are JPEGs */
    int longest;   /* side among the sample's images, the middle one */
    uint64_t *row; /* the sample: rising */
    size_t rows;
    uint64_t *given, *given_copy; /* [n_given] orders: the sample's again and again */
    size_t n_given;
    assay_loader *base;
    uint32_t epoch;
    int side; /* of the output's images */
    doctor_rate rate;
    assay_load_stats stats;
    doctor_read read;
    bool read_known;
    char folder[256]; /* of temporary files; empty: none */
    doctor_remedy remedy[DOCTOR_REMEDIES];
    int remedies;
} doctor;

/* ---- doctor_read.c ---- */
/* Before the file is read in another way. */
ASSAY_MUST_CHECK assay_status doctor_time_reads(doctor *d);

/* ---- doctor_copy.c ---- */
/* The sample's rows into a file of their own, images stored by `o`. */
ASSAY_MUST_CHECK assay_status doctor_copy(doctor *d,
                                          const char *path,
                                          const encode_options *o);

/* ---- doctor_try.c ---- */
/* The pipeline as it is: the loader, its rate, its stages. */
ASSAY_MUST_CHECK assay_status doctor_time_base(doctor *d);
ASSAY_MUST_CHECK assay_status doctor_try_all(doctor *d);

#endif
