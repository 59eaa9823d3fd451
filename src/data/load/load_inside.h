/* The loader's inside: what its files share.
 *
 *   load.c         options, life, epochs, states: the public functions
 *   load_open.c    files, outputs' fields, indices, plans
 *   load_rows.c    chosen rows, the sampler, what will be read
 *   load_engine.c  threads, the ring of slots, who makes what next
 *   load_make.c    the samples of a chunk, the end of a batch
 *   load_keep.c    batches that outlive the next one
 *
 * A batch is made in chunks of a few samples, so that all workers make the first one
 * together. A slot holds a batch on its way; batch b lies in slot b % slots. Chunks are
 * handed out in order under one lock; whoever ends a batch's last chunk finishes it. */
#ifndef DATA_LOAD_INSIDE_H
#define DATA_LOAD_INSIDE_H

#include "data/load/jpeg_index.h"
#include "data/load/pages.h"
#include "data/load/plan.h"
#include "data/load/sampler.h"

#include <pthread.h>
#include <stdatomic.h>

enum { LOAD_CHUNK = 64, LOAD_MAX_THREADS = 256, LOAD_MAX_AHEAD = 1024 };

typedef struct load_file {
    beton_file *f;
    page_source *pages;                /* NULL: the map as it is */
    const struct assay_loader *loader; /* whose rows `pages` reads ahead */
    uint64_t begin;                    /* its first row, counted over all files */
    int *field;                        /* [outputs] the field's number */
    jpeg_index_set **index; /* [outputs], NULL where there is none; shared by outputs of
                               one field */
} load_file;

typedef struct load_slot {
    uint64_t batch;
    uint64_t place; /* of its first sample in the epoch */
    int n;          /* samples asked for; after finishing, samples that are there */
    int chunks, next_chunk, done_chunks;
    bool ready;
    uint64_t *rows;
    uint8_t *bad; /* [n] damaged and to be left out */
    atomic_int bad_count;
    int left_out;      /* once finished */
    uint8_t **data;    /* [outputs] */
    size_t *cap;       /* [outputs] bytes */
    int64_t **lengths; /* [outputs], of ragged ones */
    assay_batch_column *column;
    assay_status status; /* of the lowest chunk that failed */
    int failed_chunk;
    err_record error;
} load_slot;

/* Sums of one thread; read by others under the lock. */
typedef struct load_times {
    uint64_t samples, bytes;
    double total, read, mix;          /* seconds */
    double decode, transform, output; /* of the samples that were timed */
    window_counts decoded;
} load_times;

typedef struct load_worker {
    struct assay_loader *l;
    pthread_t thread;
    bool started;
    plan_scratch scratch;
    jpeg_decoder *decoder; /* for making an index */
    buf index_bytes;
    field_value value[LOAD_CHUNK];
    uint64_t images;       /* made so far: one in a few is timed */
    load_times now, shown; /* being made; as of the last chunk, behind the lock */
} load_worker;

/* A batch's memory out of its slot, in the caller's hands or waiting to be used again. */
struct assay_kept {
    struct load_spares *home;
    struct assay_kept *next;
    load_slot memory;
};

/* Memory that came back. Lives as long as the loader or any batch kept of it. */
typedef struct load_spares {
    assay_ctx *ctx;
    pthread_mutex_t lock; /* guards what follows */
    struct assay_kept *first;
    int count, most; /* most 0: the loader is gone */
    int users;       /* the loader, and the batches that are kept */
    int outputs;
} load_spares;

struct assay_loader {
    assay_ctx *ctx;
    assay_load_options options;
    char *order;
    pipeline pipe;
    plan_output *plan;     /* [outputs] */
    transform_shape *size; /* [outputs] asked for by set_size; height 0: as written */
    int outputs;
    load_file *file;
    uint64_t *file_begin; /* [files + 1] */
    int files;
    bool build_index;
    int classes;
    uint64_t *chosen; /* the rows to load; NULL: all */
    uint64_t n_chosen;
    double *weights;
    sampler *sampler;
    uint64_t order_hash; /* of what fixes the order besides the seed */
    int batch, chunk;
    size_t batch_bytes;

    load_slot *ring;
    int slots;
    load_slot *shown;    /* whose batch the caller reads; NULL: none, or it was kept */
    load_spares *spares; /* NULL: no batch was ever kept */
    load_worker *worker;
    int workers, threads; /* threads 0: inline, with worker[0] */
    bool sync_made;
    pthread_mutex_t lock;
    pthread_cond_t work, ready; /* for workers: something to do; for the consumer */

    /* of the epoch; with threads, behind the lock */
    uint32_t epoch;
    uint64_t handed; /* by all ranks, before batch 0 */
    uint64_t batches;
    uint64_t next_open;             /* batch to open next */
    uint64_t next_take;             /* batch the consumer gets next */
    load_slot *open;                /* with chunks left to hand out */
    bool running, closing, holding; /* holding: the consumer reads batch next_take - 1 */
    bool resize;                    /* a size was changed: plan anew at the next epoch */
    int busy;                       /* workers at a chunk */
    uint64_t skipped;               /* so far, in all epochs */
    uint64_t batches_taken;         /* the same */
    uint64_t taken;                 /* batches handed out in this epoch */
    uint64_t wait_consumer_ns, wait_workers_ns;
    assay_status failed; /* of this epoch: said again until the next one */
    err_record failure;
};

/* ---- load_open.c ---- */

/* Opens the files and finds the outputs' fields. */
ASSAY_MUST_CHECK assay_status load_open(assay_loader *l,
                                        const char *const *paths,
                                        size_t n_paths,
                                        const char *pipelines);
/* Compiles all outputs. */
ASSAY_MUST_CHECK assay_status load_compile(assay_loader *l);
void load_close(assay_loader *l);
/* The file of a row; `*sample` is its number there. */
const load_file *load_file_of(const assay_loader *l, uint64_t row, uint64_t *sample);
/* The first field of a type; -1: none. */
int load_field_of_type(const beton_file *f, beton_type type);

/* ---- load_rows.c ---- */

/* Chooses rows; makes the sampler and the order's hash. */
ASSAY_MUST_CHECK assay_status load_choose(assay_loader *l);
/* Tells the files' page sources what this rank will ask for; and that they are not to ask
 * any more, before the sampler or `handed` changes. */
ASSAY_MUST_CHECK assay_status load_schedule(assay_loader *l);
ASSAY_MUST_CHECK assay_status load_unschedule(assay_loader *l);

/* ---- load_make.c ---- */

/* Memory of a slot for the plans as they are; keeps what it has where that is enough. */
ASSAY_MUST_CHECK assay_status load_slot_fit(assay_loader *l, load_slot *s);
void load_slot_free(assay_ctx *ctx, int outputs, load_slot *s);
/* Chunk `c` of the slot's batch. */
ASSAY_MUST_CHECK assay_status load_make_chunk(load_worker *w, load_slot *s, int c);
/* After the last chunk: leaves out damaged samples, gathers ragged outputs, mixes. */
ASSAY_MUST_CHECK assay_status load_finish(load_worker *w, load_slot *s);

/* ---- load_keep.c ---- */

/* The loader's end: what was not kept is freed, and what is kept will be. */
void load_spares_leave(load_spares *spares);

/* ---- load_engine.c ---- */

/* The ring, and threads that wait for an epoch. NOMEM. */
ASSAY_MUST_CHECK assay_status load_start(assay_loader *l);
/* Joins all threads, frees ring and workers. */
void load_stop(assay_loader *l);
/* No chunk is being made when this returns, and none is begun. */
void load_halt(assay_loader *l);
/* Begins at batch 0 behind the samples handed out before. */
void load_run(assay_loader *l, uint32_t epoch);
/* The next batch's slot, finished; the one before is given back. NULL: the end. */
load_slot *load_take(assay_loader *l);
/* Whether that would not wait, tried for so long. */
bool load_wait(assay_loader *l, uint64_t ns);

#endif
