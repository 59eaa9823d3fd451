/* Both operands are brought into tiles of 1 KiB (A where it does not lie so already):
 * sixteen rows of 32 numbers of A, and of B sixteen rows of pairs, so that one
 * instruction multiplies 16 x 32 by 32 x 16. Two by two tiles of C stay in registers over
 * k; a long k is taken in stretches, added up in C. */
#include "nn/gemm_half.h"

#include "base/cpu.h"

#include <string.h>

enum {
    TILE = 1024, /* bytes */
    DEPTH = 512, /* of a stretch of k, where C is f32 */
    TALL = 32    /* rows and columns of C at once */
};

static size_t up(size_t n, size_t to) {
    return (n + to - 1) / to * to;
}

size_t gemm_half_scratch(size_t m, size_t n, size_t k) {
    (void)m;
    size_t deep = up(k, 32);
    return up(n, TALL) * deep * 2 + TALL * deep * 2 + TALL * TALL * sizeof(float);
}

bool gemm_half_runs(void) {
    return cpu_amx();
}

#if defined(__AMX_BF16__)

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* ---- sixteen 32-bit pairs at a time ---- */

/* 32 numbers one behind the other from `i` on, the first `count` of them; zeros behind.
 */
INLINE __m512i line(const void *at, bool half, size_t i, size_t count) {
    __mmask32 m = count >= 32 ? 0xffffffffu : (__mmask32)((1u << count) - 1);
    if (half)
        return _mm512_maskz_loadu_epi16(m, (const uint16_t *)at + i);
    const float *p = (const float *)at + i;
    __m512 low = _mm512_maskz_loadu_ps((__mmask16)m, p);
    __m512 high = _mm512_maskz_loadu_ps((__mmask16)(m >> 16), p + 16);
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* Sixteen numbers, as bf16 in the low halves of sixteen. */
INLINE __m512i single(const void *at, bool half, size_t i, __mmask16 m) {
    if (half)
        return _mm512_cvtepu16_epi32(
            _mm256_maskz_loadu_epi16(m, (const uint16_t *)at + i));
    __m512 v = _mm512_maskz_loadu_ps(m, (const float *)at + i);
    return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(v));
}

INLINE void turn(__m512i r[16]) {
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            r[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + j + 2]);
            r[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + j + 2]);
        }
    for (int i = 0; i < 16; i += 8)
        for (int j = 0; j < 4; j++) {
            t[i + j] = _mm512_shuffle_i32x4(r[i + j], r[i + j + 4], 0x88);
            t[i + j + 4] = _mm512_shuffle_i32x4(r[i + j], r[i + j + 4], 0xdd);
        }
    for (int j = 0; j < 8; j++) {
        r[j] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0x88);
        r[j + 8] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0xdd);
    }
}

/* One tile of the sixteen lines (rows of A, columns of B) from `at` on, `count` of them
 * there, k numbers of each; `step` and `along` are the distances between lines and along
 * them. In pairs: number p of line i goes to row p / 2, pair i; else to row i, place p.
 */
INLINE void pack(uint8_t *to,
                 const void *at,
                 bool half,
                 size_t step,
                 size_t along,
                 size_t first,
                 size_t count,
                 size_t k,
                 bool pairs) {
    __m512i r[16];
    bool lies_in_lines = along == 1;
    if (lies_in_lines) {
        for (size_t i = 0; i < 16; i++)
            r[i] =
                i < count ? line(at, half, first + i * step, k) : _mm512_setzero_si512();
    } else {
        __mmask16 m = count >= 16 ? 0xffff : (__mmask16)((1u << count) - 1);
        for (size_t p = 0; p < 16; p++) {
            __m512i low = _mm512_setzero_si512(), high = low;
            if (2 * p < k)
                low = single(at, half, first + 2 * p * along, m);
            if (2 * p + 1 < k)
                high = single(at, half, first + (2 * p + 1) * along, m);
            r[p] = _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
        }
    }
    if (lies_in_lines == pairs)
        turn(r);
    for (size_t i = 0; i < 16; i++)
        _mm512_store_si512(to + i * 64, r[i]);
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Lines [line, line + 32) over k numbers from `depth` on: [2][k / 32] tiles. */
static void pack_lines(uint8_t *to,
                       const void *at,
                       bool half,
                       size_t step,
                       size_t along,
                       size_t first,
                       size_t lines,
                       size_t depth,
                       size_t k,
                       bool pairs) {
    for (size_t i = 0; i < 2; i++)
        for (size_t p = 0; p < k; p += 32, to += TILE) {
            size_t from = first + 16 * i;
            size_t count = lines > from ? least(16, lines - from) : 0;
            size_t start = from * step + (depth + p) * along, deep = least(32, k - p);
            if (count == 0)
                memset(to, 0, TILE);
            else if (half && along == 1)
                pack(to, at, true, step, 1, start, count, deep, pairs);
            else if (along == 1)
                pack(to, at, false, step, 1, start, count, deep, pairs);
            else if (half)
                pack(to, at, true, step, along, start, count, deep, pairs);
            else
                pack(to, at, false, step, along, start, count, deep, pairs);
        }
}

/* ---- products ---- */

typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} tile_config;

/* 32 x 32 of C over `tiles` tiles of k. A: two rows of tiles, `a_next` bytes from one row
 * of tiles to the next, `a_step` along k, rows of a tile `a_row` bytes apart. */
static void multiply(float *c,
                     const uint8_t *a,
                     size_t a_next,
                     size_t a_step,
                     size_t a_row,
                     const uint8_t *b,
                     size_t tiles) {
    const uint8_t *b_next = b + tiles * TILE;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (size_t p = 0; p < tiles; p++) {
        _tile_loadd(4, a + p * a_step, a_row);
        _tile_loadd(6, b + p * TILE, 64);
        _tile_loadd(7, b_next + p * TILE, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(5, a + a_next + p * a_step, a_row);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, TALL * 4);
    _tile_stored(1, c + 16, TALL * 4);
    _tile_stored(2, c + 16 * TALL, TALL * 4);
    _tile_stored(3, c + 16 * TALL + 16, TALL * 4);
}

INLINE void put(row_values to, size_t at, __m512 v, __mmask16 m) {
    if (to.half)
        _mm256_mask_storeu_epi16((uint16_t *)to.at + at, m,
                                 (__m256i)_mm512_cvtneps_pbh(v));
    else
        _mm512_mask_storeu_ps((float *)to.at + at, m, v);
}

/* A finished 32 x 32 into C, at (row, column). */
static void
finish(const half_job *j, float *c, size_t row, size_t column, bool add, bool last) {
    size_t rows = least(TALL, j->m - row), columns = least(TALL, j->n - column);
    for (size_t i = 0; i < rows; i++)
        for (size_t q = 0; q < columns; q += 16) {
            size_t at = (row + i) * j->ldc + column + q, n = least(16, columns - q);
            __mmask16 m = (__mmask16)((1u << n) - 1);
            __m512 v = _mm512_load_ps(c + i * TALL + q);
            if (add)
                v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(m, (float *)j->c.at + at));
            if (last && j->bias)
                v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(m, j->bias + column + q));
            if (last && j->pre.at)
                put(j->pre, at, v, m);
            if (last && j->act != ACT_NONE)
                _mm512_store_ps(c + i * TALL + q, v);
            else
                put(j->c, at, v, m);
        }
    if (!last || j->act == ACT_NONE)
        return;
    row_kernels_avx512.act((row_values){c, false}, (row_values){c, false}, rows * TALL,
                           j->act);
    for (size_t i = 0; i < rows; i++)
        for (size_t q = 0; q < columns; q += 16) {
            size_t n = least(16, columns - q);
            put(j->c, (row + i) * j->ldc + column + q, _mm512_load_ps(c + i * TALL + q),
                (__mmask16)((1u << n) - 1));
        }
}

/* One stretch of k. */
static void
stretch(const half_job *j, size_t depth, size_t k, bool last, uint8_t *scratch) {
    size_t tiles = up(k, 32) / 32;
    float *c = (float *)(void *)scratch;
    uint8_t *a_room = scratch + TALL * TALL * sizeof *c;
    uint8_t *b = a_room + 2 * tiles * TILE;
    for (size_t q = 0; q < j->n; q += TALL)
        pack_lines(b + q / 16 * tiles * TILE, j->b.at, j->b.half, j->b.col, j->b.row, q,
                   j->n, depth, k, true);
    for (size_t i = 0; i < j->m; i += TALL) {
        bool lies = j->a.half && j->a.col == 1 && k % 32 == 0 && i + TALL <= j->m;
        const uint8_t *a = a_room;
        if (lies)
            a = (const uint8_t *)j->a.at + (i * j->a.row + depth) * 2;
        else
            pack_lines(a_room, j->a.at, j->a.half, j->a.row, j->a.col, i, j->m, depth, k,
                       false);
        for (size_t q = 0; q < j->n; q += TALL) {
            if (lies)
                multiply(c, a, 16 * j->a.row * 2, 64, j->a.row * 2,
                         b + q / 16 * tiles * TILE, tiles);
            else
                multiply(c, a, tiles * TILE, TILE, 64, b + q / 16 * tiles * TILE, tiles);
            finish(j, c, i, q, depth > 0, last);
        }
    }
}

void gemm_half_run(const half_job *j, void *scratch) {
    tile_config config = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        config.bytes[i] = 64;
        config.rows[i] = 16;
    }
    _tile_loadconfig(&config);
    size_t most = j->c.half ? j->k : DEPTH;
    for (size_t depth = 0; depth < j->k; depth += most) {
        size_t k = least(most, j->k - depth);
        stretch(j, depth, k, depth + k == j->k, scratch);
    }
    _tile_release();
}

#else

void gemm_half_run(const half_job *job, void *scratch) {
    (void)job;
    (void)scratch;
}

#endif
