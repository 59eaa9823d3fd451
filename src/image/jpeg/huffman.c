/* Derives Huffman tables, and remembers them by their content: deriving one costs more
 * than decoding a thumbnail with it. */
#include "image/jpeg/huffman.h"

#include <string.h>

enum { DC_VALUE_BITS = 11, AC_VALUE_BITS = 10, ALL = JPG_BLOCK, RUN_16 = 0xF0 };

/* The value that `bits` further bits stand for (T.81, figure F.12). */
static int extend(int v, int bits) {
    return bits && v < 1 << (bits - 1) ? v - (1 << bits) + 1 : v;
}

/* How far an AC symbol leads; a DC symbol takes one place. */
static uint32_t advance(int symbol, bool ac) {
    if (!ac)
        return 1;
    if (symbol & 15)
        return (uint32_t)(symbol >> 4) + 1;
    return symbol == RUN_16 ? 16 : ALL;
}

/* The entries of one code of `length` bits. code_of: length << 8 | symbol. */
static void fill_fast(jpg_table *t, uint16_t *code_of, int code, int length, int symbol) {
    int rest = JPG_LOOKUP_BITS - length, value_bits = symbol & 15;
    if (rest < 0)
        return;
    size_t first = (size_t)code << rest;
    uint32_t step = advance(symbol, t->ac) << 8;
    for (int i = 0; i < 1 << rest; i++) {
        uint32_t *entry = &t->fast[first + (size_t)i];
        code_of[first + (size_t)i] = (uint16_t)(length << 8 | symbol);
        if (value_bits > rest) {
            *entry = (uint32_t)length << 24 | (uint32_t)symbol << 16 |
                     (uint32_t)JPG_UNSETTLED << 8;
            continue;
        }
        int v = extend(i >> (rest - value_bits), value_bits); /* 0 of 0 bits */
        *entry = (uint32_t)(v & 0xFFFF) << 16 | step | (uint32_t)(length + value_bits);
    }
}

/* Walks each window from code to code; the last one's value may reach beyond it. */
static void fill_skip(jpg_table *t, const uint16_t *code_of) {
    for (uint32_t window = 0; window < JPG_LOOKUPS; window++) {
        uint32_t bits = 0, steps = 0, end = 0;
        while (!end) {
            uint32_t code = code_of[(window << bits) & (JPG_LOOKUPS - 1)];
            uint32_t step = advance((int)(code & 255), true);
            if (code == 0 || bits + (code >> 8) > JPG_LOOKUP_BITS)
                break;
            if (step == ALL)
                end = JPG_SKIP_END;
            else if (steps + step >= ALL)
                break;
            else
                steps += step;
            bits += (code >> 8) + (code & 15);
        }
        if (bits == 0)
            steps = JPG_SKIP_NONE;
        t->skip[window] = (uint16_t)((end | steps) << 8 | bits);
    }
}

/* Adds a second step to each that leaves room for it. */
static void fill_pairs(jpg_table *t) {
    for (uint32_t window = 0; window < JPG_LOOKUPS; window++) {
        uint32_t first = t->fast[window], bits = first & 255, step = 0;
        uint32_t second = t->fast[(window << bits) & (JPG_LOOKUPS - 1)];
        if (bits > 0 && (first >> 8 & 255) < ALL && (second & 255) > 0 &&
            bits + (second & 255) <= JPG_LOOKUP_BITS) {
            bits += second & 255;
            step = second >> 8 & 255;
        }
        t->pair[window] = (uint16_t)(step << 8 | bits);
    }
}

static assay_status derive(jpg_table *t, const jpg_huffman *source, bool ac) {
    uint16_t code_of[JPG_LOOKUPS] = {0};
    int code = 0, k = 0;
    t->source = *source;
    t->ac = ac;
    for (int i = 0; i < JPG_LOOKUPS; i++)
        t->fast[i] = (uint32_t)JPG_UNSETTLED << 8;
    for (int length = 1; length <= 16; length++, code <<= 1) {
        int n = source->counts[length];
        t->delta[length] = k - code;
        t->last[length] = n ? code + n - 1 : -1;
        if (n && code + n >= 1 << length) /* all ones is no code */
            return err_set(ASSAY_E_FORMAT, "damaged JPEG: a Huffman table");
        for (int i = 0; i < n; i++, k++, code++) {
            int symbol = source->symbols[k];
            if (!ac && symbol > 15)
                return err_set(ASSAY_E_FORMAT, "damaged JPEG: a Huffman table");
            if ((symbol & 15) > (ac ? AC_VALUE_BITS : DC_VALUE_BITS))
                return err_set(ASSAY_E_UNSUPPORTED,
                               "a JPEG with coefficients of too many bits");
            fill_fast(t, code_of, code, length, symbol);
        }
    }
    if (ac) {
        fill_skip(t, code_of);
        fill_pairs(t);
    }
    return ASSAY_OK;
}

void jpg_tables_free(jpg_tables *t) {
    for (int i = 0; i < JPG_TABLES; i++)
        mem_free(t->ctx, t->table[i]);
    *t = (jpg_tables){.ctx = t->ctx};
}

static bool matches(const jpg_table *t, const jpg_huffman *source, bool ac) {
    return t->used && t->ac == ac &&
           memcmp(t->source.counts, source->counts, sizeof source->counts) == 0 &&
           memcmp(t->source.symbols, source->symbols, (size_t)source->n) == 0;
}

assay_status
jpg_tables_get(const jpg_table **out, jpg_tables *t, const jpg_huffman *source, bool ac) {
    assay_status status = ASSAY_OK;
    int oldest = 0;
    *out = NULL;
    for (int i = 0; i < JPG_TABLES; i++) {
        jpg_table *at = t->table[i];
        if (!at) { /* none behind it either */
            oldest = i;
            break;
        }
        if (matches(at, source, ac)) {
            at->used = ++t->clock;
            *out = at;
            return ASSAY_OK;
        }
        if (at->used < t->table[oldest]->used)
            oldest = i;
    }
    if (!t->table[oldest])
        ASSAY_TRY(mem_new(t->ctx, &t->table[oldest], 1, sizeof *t->table[oldest]));
    t->table[oldest]->used = 0;
    ASSAY_TRY(derive(t->table[oldest], source, ac));
    t->table[oldest]->used = ++t->clock;
    *out = t->table[oldest];
done:
    return status;
}
