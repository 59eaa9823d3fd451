/* Do mirrored images keep their label? Asked of the data itself, before training: for a
 * sample of images, does the nearest other image (in pixels) of the image's mirror carry
 * the image's label about as often as that of the image as it is? Digits fail at once (a
 * mirrored 3 is near other things than 3s); photographs pass. A class must not fail alone
 * either: among many classes, a "b" that turns into a "d" would hardly move the mean. */
#include "train/trainer.h"

#include "base/pool.h"
#include "base/rng.h"
#include "simd/simd.h"

#include <math.h>

enum {
    CANDIDATES = 5000, /* rows compared with */
    QUERIES = 1000,    /* rows asked about */
    GRAY_SIDE = 16,    /* images are averaged down to at most so many pixels a side */
    COLOR_SIDE = 9,
    GRAIN = 16
};

/* What the mirror must keep of what neighbours know beyond guessing: over all, and for
 * each class of which it is certain enough that something is lost. */
#define MEAN_SHARE  0.8
#define CLASS_SHARE 0.5
#define CERTAIN     3.0 /* standard deviations */

typedef struct flip_check {
    size_t n, each;       /* candidates; numbers of one */
    const float *plain;   /* [n, each], whole numbers: every sum below is exact */
    const float *mirror;  /* [queries, each] */
    const double *square; /* [n] of plain */
    const uint32_t *row;  /* [n] */
    const int32_t *labels;
    uint8_t *hit; /* [queries]: bit 0 plain, bit 1 mirror */
} flip_check;

/* Box average of one image to side x side, mirrored or not. */
static void shrink(float *out,
                   const uint8_t *pixel,
                   size_t from,
                   size_t side,
                   size_t channels,
                   bool mirror) {
    for (size_t y = 0; y < side; y++) {
        size_t y0 = y * from / side, y1 = (y + 1) * from / side;
        for (size_t x = 0; x < side; x++) {
            size_t x0 = x * from / side, x1 = (x + 1) * from / side;
            size_t to = y * side + (mirror ? side - 1 - x : x);
            unsigned area = (unsigned)((y1 - y0) * (x1 - x0));
            for (size_t c = 0; c < channels; c++) {
                unsigned sum = area / 2;
                for (size_t j = y0; j < y1; j++)
                    for (size_t i = x0; i < x1; i++)
                        sum += pixel[(j * from + i) * channels + c];
                out[to * channels + c] = (float)(sum / area);
            }
        }
    }
}

/* Label of the candidate nearest to `query`, `self` left out. */
static int32_t neighbour_label(const flip_check *f, const float *query, size_t self) {
    double best = INFINITY;
    size_t at = self;
    for (size_t i = 0; i < f->n; i++) {
        double d =
            f->square[i] - 2 * simd()->f32_dot64(query, f->plain + i * f->each, f->each);
        if (d < best && i != self) {
            best = d;
            at = i;
        }
    }
    return f->labels[f->row[at]];
}

static assay_status ask(void *arg, int worker, size_t begin, size_t end) {
    (void)worker;
    const flip_check *f = arg;
    for (size_t q = begin; q < end; q++) {
        int32_t label = f->labels[f->row[q]];
        bool plain = neighbour_label(f, f->plain + q * f->each, q) == label;
        bool mirror = neighbour_label(f, f->mirror + q * f->each, q) == label;
        f->hit[q] = (uint8_t)(plain | mirror << 1);
    }
    return ASSAY_OK;
}

/* Queries of a class, or of all. */
typedef struct tally {
    double n, plain, mirror; /* how many; whose neighbour agrees, as it is and mirrored */
    double lost, won;        /* agrees only as it is; only mirrored */
} tally;

static void count(tally *t, uint8_t hit) {
    t->n++;
    t->plain += hit & 1;
    t->mirror += hit >> 1;
    t->lost += hit == 1;
    t->won += hit == 2;
}

/* Agreement beyond guessing, mirrored, is at least `share` of that of the images as they
 * are. */
static bool keeps(const tally *t, double chance, double share) {
    return t->mirror / t->n - chance >= share * (t->plain / t->n - chance);
}

/* McNemar's test: is more lost than won by more than luck? */
static bool surely_loses(const tally *t) {
    return t->lost - t->won > CERTAIN * sqrt(t->lost + t->won);
}

static assay_status
judge(assay_ctx *ctx, const flip_check *f, size_t queries, int classes, bool *out) {
    assay_status status = ASSAY_OK;
    tally *of = NULL, all = {0};
    double chance = 0;
    ASSAY_TRY(mem_new(ctx, &of, (size_t)classes, sizeof *of));
    for (size_t q = 0; q < queries; q++) {
        count(&of[f->labels[f->row[q]]], f->hit[q]);
        count(&all, f->hit[q]);
    }
    for (int c = 0; c < classes; c++)
        chance += of[c].n / all.n * of[c].n / all.n;
    log_verbose(ctx, "flip", "neighbours agree %.3f, mirrored %.3f, by chance %.3f",
                all.plain / all.n, all.mirror / all.n, chance);
    /* Neighbours that know nothing can't vouch for the mirror. */
    bool know = all.plain / all.n > chance + 2 * sqrt(chance * (1 - chance) / all.n);
    *out = know && keeps(&all, chance, MEAN_SHARE);
    for (int c = 0; c < classes; c++) {
        const tally *t = &of[c];
        if (t->n == 0)
            continue;
        bool bad = !keeps(t, t->n / all.n, CLASS_SHARE) && surely_loses(t);
        *out = *out && !bad;
        log_verbose(ctx, "flip", "class %d: %.3f, mirrored %.3f%s", c, t->plain / t->n,
                    t->mirror / t->n, bad ? ": lost" : "");
    }
done:
    mem_free(ctx, of);
    return status;
}

assay_status data_bears_flip(assay_ctx *ctx,
                             const npy_array *pixels,
                             const int32_t *labels,
                             uint64_t train_rows,
                             int classes,
                             uint64_t seed,
                             bool *out) {
    assay_status status = ASSAY_OK;
    float *plain = NULL, *mirror = NULL;
    double *square = NULL;
    uint8_t *hit = NULL;
    uint32_t *row = NULL;
    *out = false;
    size_t n = train_rows < CANDIDATES ? (size_t)train_rows : CANDIDATES;
    size_t queries = n < QUERIES ? n : QUERIES;
    size_t from = (size_t)pixels->dim[1], channels = (size_t)pixels->dim[3];
    size_t most = channels == 1 ? GRAY_SIDE : COLOR_SIDE,
           side = from < most ? from : most;
    size_t each = side * side * channels;
    if (n < 2 || classes < 2 || pixels->dim[1] != pixels->dim[2])
        return ASSAY_OK;
    ASSAY_TRY(mem_new(ctx, &plain, n * each, sizeof *plain));
    ASSAY_TRY(mem_new(ctx, &mirror, queries * each, sizeof *mirror));
    ASSAY_TRY(mem_new(ctx, &square, n, sizeof *square));
    ASSAY_TRY(mem_new(ctx, &hit, queries, 1));
    ASSAY_TRY(mem_new(ctx, &row, n, sizeof *row));
    rng_perm order = rng_perm_make(train_rows, seed, RNG_SELFTEST, 0);
    for (size_t i = 0; i < n; i++) {
        row[i] = (uint32_t)rng_perm_at(&order, i);
        const uint8_t *pixel = pixels->data + row[i] * from * from * channels;
        shrink(plain + i * each, pixel, from, side, channels, false);
        square[i] = simd()->f32_dot64(plain + i * each, plain + i * each, each);
        if (i < queries)
            shrink(mirror + i * each, pixel, from, side, channels, true);
    }
    const flip_check f = {n, each, plain, mirror, square, row, labels, hit};
    ASSAY_TRY(assay_parallel_for(ctx, queries, GRAIN, ask, (void *)&f));
    ASSAY_TRY(judge(ctx, &f, queries, classes, out));
done:
    mem_free(ctx, row);
    mem_free(ctx, hit);
    mem_free(ctx, square);
    mem_free(ctx, mirror);
    mem_free(ctx, plain);
    return status;
}
