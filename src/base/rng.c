/* Philox4x32-10 and what is drawn with it. */
#include "base/rng.h"

#include <math.h>

/* Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
void rng_philox4x32(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection on 64 bits. */
uint64_t rng_mix64(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* Seed and stream have 96 bits, Philox's key 64: for one stream, a bijection of the seed.
 */
static uint64_t rng_key(uint64_t seed, uint32_t stream) {
    return rng_mix64(seed ^ rng_mix64((uint64_t)stream * 0x9E3779B97F4A7C15u));
}

static void
rng_block(uint32_t out[4], uint64_t key, uint32_t epoch, uint64_t sample, uint32_t draw) {
    const uint32_t c[4] = {draw, (uint32_t)sample, (uint32_t)(sample >> 32), epoch};
    const uint32_t k[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    rng_philox4x32(out, c, k);
}

void rng_philox(uint32_t out[4],
                uint64_t seed,
                uint32_t stream,
                uint32_t epoch,
                uint64_t sample,
                uint32_t draw) {
    rng_block(out, rng_key(seed, stream), epoch, sample, draw);
}

rng rng_at(uint64_t seed, uint32_t stream, uint32_t epoch, uint64_t sample) {
    return (rng){.key = rng_key(seed, stream), .epoch = epoch, .sample = sample};
}

uint32_t rng_u32(rng *r) {
    if (r->have == 0) {
        rng_block(r->word, r->key, r->epoch, r->sample, r->draw++);
        r->have = 4;
    }
    return r->word[4 - r->have--];
}

uint64_t rng_u64(rng *r) {
    uint64_t low = rng_u32(r);
    return low | (uint64_t)rng_u32(r) << 32;
}

double rng_uniform(rng *r) {
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

uint64_t rng_below(rng *r, uint64_t n) {
    uint64_t uneven =
        (0 - n) % n; /* 2^64 mod n: the first so many values would be too many */
    uint64_t x;
    do
        x = rng_u64(r);
    while (x < uneven);
    return x % n;
}

double rng_normal(rng *r) {
    double u = 1.0 - rng_uniform(r); /* (0, 1] */
    double v = rng_uniform(r);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

/* ---- permutation ---- */

#define PERM_ROUNDS 6

rng_perm rng_perm_make(uint64_t n, uint64_t seed, uint32_t stream, uint32_t epoch) {
    rng_perm p = {.n = n, .half_bits = 4};
    uint32_t w[4];
    rng_philox(w, seed, stream, epoch, n, 0);
    p.key = w[0] | (uint64_t)w[1] << 32;
    /* The domain is 4^half_bits >= n, at least 256: tiny Feistel networks mix badly. */
    while (p.half_bits < 32 && (n - 1) >> (2 * p.half_bits) != 0)
        p.half_bits++;
    return p;
}

uint64_t rng_perm_at(const rng_perm *p, uint64_t i) {
    const uint64_t mask = (UINT64_C(1) << p->half_bits) - 1;
    do { /* walk the cycle until it comes back into [0, n) */
        uint64_t left = i >> p->half_bits, right = i & mask;
        for (uint64_t round = 1; round <= PERM_ROUNDS; round++) {
            uint64_t f = rng_mix64(p->key + round * 0x9E3779B97F4A7C15u + right) & mask;
            uint64_t next = left ^ f;
            left = right;
            right = next;
        }
        i = left << p->half_bits | right;
    } while (i >= p->n);
    return i;
}
