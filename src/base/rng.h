/* Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011). No state: a draw is a
 * function of key (seed, stream) and counter (epoch, sample, draw), so results ignore
 * scheduling. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

/* One stream per use; a new use adds a line, never renumbers. */
enum rng_stream {
    RNG_ORDER = 1,
    RNG_INIT = 2,
    RNG_SUBSET = 3,
    RNG_PLANT = 4,
    RNG_SKETCH = 5,
    RNG_SELFTEST = 6,
    RNG_BOOTSTRAP = 7,
    RNG_TEST = 8,
    RNG_ORDER_BLOCK = 16,  /* which blocks a window of quasi-random opens */
    RNG_ORDER_WINDOW = 17, /* and the rows of a window among themselves */
    RNG_ORDER_DRAW = 18,   /* weighted draws */
    RNG_PACK = 20,
    RNG_BENCH = 21,       /* data to measure on */
    RNG_WINDOW = 22,      /* where a window of a text begins */
    RNG_MIX = 30,         /* batches of images mixed while training */
    RNG_GENERATE = 23,    /* tokens drawn from a model */
    RNG_CURVATURE = 26,   /* where a search for the largest curvature begins */
    RNG_LDS_TRUTH = 40,   /* subsets whose models are the truth */
    RNG_LDS_FIT = 41,     /* subsets that settings are chosen on */
    RNG_DATAMODELS = 42,  /* subsets that datamodels are fitted to */
    RNG_REMOVED = 44,     /* rows that a counterfactual removes at random */
    RNG_CLUSTERS = 45,    /* where k-means begins */
    RNG_FISHER = 45,      /* tokens drawn from what a model says of each place */
    RNG_TRANSFORM = 1000, /* + the transform's place in the pipeline */
    RNG_DROPOUT = 1 << 20 /* + the node's index */
};

/* The bare generator: 4 words from a 128-bit counter and a 64-bit key. */
void rng_philox4x32(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);
/* A bijection on 64 bits that mixes well. */
uint64_t rng_mix64(uint64_t x);

/* Four words for one counter. */
void rng_philox(uint32_t out[4],
                uint64_t seed,
                uint32_t stream,
                uint32_t epoch,
                uint64_t sample,
                uint32_t draw);

/* A cursor over draws 0, 1, 2... of one (seed, stream, epoch, sample). Lives on the
 * stack. */
typedef struct rng {
    uint64_t key, sample;
    uint32_t epoch, draw, have, word[4];
} rng;
rng rng_at(uint64_t seed, uint32_t stream, uint32_t epoch, uint64_t sample);
uint32_t rng_u32(rng *r);
uint64_t rng_u64(rng *r);
double rng_uniform(rng *r);             /* [0, 1), 53 bits */
uint64_t rng_below(rng *r, uint64_t n); /* [0, n), unbiased, n >= 1 */
double rng_normal(rng *r);              /* N(0, 1), Box-Muller */

/* A keyed permutation of [0, n): Feistel with cycle-walking. Starts in O(1), no table. */
typedef struct rng_perm {
    uint64_t n, key;
    uint32_t half_bits;
} rng_perm;
rng_perm rng_perm_make(uint64_t n, uint64_t seed, uint32_t stream, uint32_t epoch);
uint64_t rng_perm_at(const rng_perm *p, uint64_t i); /* where i goes */

#endif
