/* Random within a bounded number of open blocks, which come from all over the file.
 *
 * The n samples are cut into blocks (rows that are read in one go), and the blocks, from
 * a random one on and round the end, into strata of as many blocks as there are windows.
 * A window opens one block of each stratum and visits the rows of its blocks in random
 * order; then the next window begins. Since every window takes the same share of every
 * part of the file, a file sorted by class gives windows with the classes in proportion:
 * a pool of whole pages, or of blocks drawn anywhere, does not.
 *
 * In stratum s the window w takes block (stride * w + start(s)) mod windows: the stride
 * is drawn for the epoch, the start for epoch and stratum. Where the blocks are no
 * multiple of the windows, the last stratum has fewer, spread evenly over the windows, so
 * that floor(w * count / windows) blocks come before window w. All of it is arithmetic:
 * no table, and a place costs two draws. Counts of blocks stay below 2^32, so that
 * products of two fit. */
#include "data/order.h"

enum { MAX_COUNT_BITS = 31 };

static uint64_t start_of(const order_state *s, uint64_t stratum, uint64_t n) {
    rng r = rng_at(s->seed, RNG_ORDER_BLOCK, s->epoch, stratum + 1);
    return rng_below(&r, n);
}

static uint64_t common_divisor(uint64_t a, uint64_t b) {
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* x with a * x = 1 mod n; a and n have no common divisor. */
static uint64_t inverse(uint64_t a, uint64_t n) {
    int64_t r0 = (int64_t)n, r1 = (int64_t)(a % n), t0 = 0, t1 = 1;
    while (r1 != 0) {
        int64_t q = r0 / r1, r = r0 - q * r1, t = t0 - q * t1;
        r0 = r1;
        r1 = r;
        t0 = t1;
        t1 = t;
    }
    return (uint64_t)(t0 < 0 ? t0 + (int64_t)n : t0) % n;
}

/* ---- blocks in the sequence of windows ---- */

static uint64_t blocks_before(const order_blocks *b, uint64_t window) {
    return window * b->count / b->windows;
}

static uint64_t window_of(const order_blocks *b, uint64_t position) {
    return ((position + 1) * b->windows - 1) / b->count;
}

/* The block at a position of the sequence. */
static uint64_t block_at(const order_state *s, uint64_t position) {
    const order_blocks *b = &s->blocks;
    uint64_t w = window_of(b, position), before = blocks_before(b, w);
    uint64_t stratum = position - before, at;
    if (stratum + 1 < b->strata)
        at = (b->stride * w + start_of(s, stratum, b->windows)) % b->windows;
    else /* the how-manieth of the last stratum's, which are not in every window */
        at = (before - w * (b->strata - 1) + start_of(s, stratum, b->last)) % b->last;
    return (stratum * b->windows + at + b->shift) % b->count;
}

/* Where the sequence has a block: the other way round. */
static uint64_t position_of(const order_state *s, uint64_t block) {
    const order_blocks *b = &s->blocks;
    uint64_t u = (block + b->count - b->shift) % b->count;
    uint64_t stratum = u / b->windows, at = u % b->windows, w;
    if (stratum + 1 < b->strata) {
        uint64_t steps = at + b->windows - start_of(s, stratum, b->windows);
        w = steps % b->windows * inverse(b->stride, b->windows) % b->windows;
    } else {
        uint64_t nth = (at + b->last - start_of(s, stratum, b->last)) % b->last;
        w = ((nth + 1) * b->windows + b->last - 1) / b->last - 1;
    }
    return blocks_before(b, w) + stratum;
}

/* Rows before a position. */
static uint64_t rows_before(const order_blocks *b, uint64_t position) {
    return position * b->rows - (position > b->short_at ? b->missing : 0);
}

static uint64_t position_of_row(const order_blocks *b, uint64_t i) {
    bool behind = i >= (b->short_at + 1) * b->rows - b->missing;
    return (behind ? i + b->missing : i) / b->rows;
}

/* ---- the order ---- */

static void begin(order_state *s, const order_setup *setup, uint32_t epoch) {
    *s = (order_state){.n = setup->n, .seed = setup->seed, .epoch = epoch};
    order_blocks *b = &s->blocks;
    uint64_t n = setup->n, least = (n >> MAX_COUNT_BITS) + 1;
    b->rows = setup->block_rows > least ? setup->block_rows : least;
    b->rows = b->rows < n ? b->rows : n;
    b->count = (n - 1) / b->rows + 1;
    b->missing = b->count * b->rows - n;
    uint64_t pool = setup->pool_blocks > 0 ? setup->pool_blocks : b->count;
    b->windows = (b->count - 1) / pool + 1;
    b->strata = (b->count - 1) / b->windows + 1;
    b->last = b->count - (b->strata - 1) * b->windows;
    rng r = rng_at(s->seed, RNG_ORDER_BLOCK, epoch, 0);
    b->shift = rng_below(&r, b->count);
    b->stride = 1 + rng_below(&r, b->windows);
    while (common_divisor(b->stride, b->windows) != 1)
        b->stride++;
    b->short_at = position_of(s, b->count - 1);
}

static uint64_t at(const order_state *s, uint64_t i) {
    const order_blocks *b = &s->blocks;
    uint64_t w = window_of(b, position_of_row(b, i));
    uint64_t first = rows_before(b, blocks_before(b, w));
    uint64_t n = rows_before(b, blocks_before(b, w + 1)) - first;
    rng_perm perm = rng_perm_make(n, rng_mix64(s->seed ^ rng_mix64(w + 1)),
                                  RNG_ORDER_WINDOW, s->epoch);
    uint64_t k = first + rng_perm_at(&perm, i - first);
    uint64_t position = position_of_row(b, k);
    return block_at(s, position) * b->rows + k - rows_before(b, position);
}

const data_order assay_order_quasi_random = {
    .name = "quasi-random",
    .summary = "random within a bounded number of open pages",
    .begin = begin,
    .at = at,
};
