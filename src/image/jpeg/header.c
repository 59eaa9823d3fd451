/* Headers: what is legal and ours is accepted; the legal rest is UNSUPPORTED; all that
 * libjpeg would warn of is refused as well. */
#include "image/jpeg/header.h"

#include "image/inside.h"

#include <string.h>

enum {
    MARKER_SOF0 = 0xC0, /* baseline */
    MARKER_SOF1 = 0xC1, /* the same with more tables */
    MARKER_DHT = 0xC4,
    MARKER_SOF15 = 0xCF,
    MARKER_RST0 = 0xD0,
    MARKER_EOI = 0xD9,
    MARKER_SOS = 0xDA,
    MARKER_DQT = 0xDB,
    MARKER_DNL = 0xDC,
    MARKER_DRI = 0xDD,
    MARKER_APP0 = 0xE0,
    MARKER_APP14 = 0xEE,
    JFIF_BYTES = 14, /* shorter ones are no JFIF segments */
    ADOBE_BYTES = 12,
    NO_ADOBE = -1,
    ADOBE_YCC = 1,
    FANCY_WIDTH = 3 /* narrower chroma is not interpolated by libjpeg */
};

static const uint8_t natural_order[JPG_BLOCK] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6,  7,  14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

/* What the walk over the segments learns besides the header itself. */
typedef struct segments {
    jpg_header *header;
    bool frame, jfif;
    int adobe; /* its colour transform */
} segments;

static unsigned get16(const uint8_t *p) {
    return (unsigned)(p[0] << 8 | p[1]);
}

static assay_status damaged(const char *what) {
    return err_set(ASSAY_E_FORMAT, "damaged JPEG: %s", what);
}

static assay_status not_ours(const char *what) {
    return err_set(ASSAY_E_UNSUPPORTED, "a JPEG with %s", what);
}

static assay_status read_frame(segments *g, const uint8_t *s, size_t n) {
    jpg_header *h = g->header;
    if (g->frame || n < 6)
        return damaged("its frame header");
    g->frame = true;
    if (s[0] != 8)
        return not_ours("samples of other than 8 bits");
    h->height = (int)get16(s + 1);
    h->width = (int)get16(s + 3);
    h->components = s[5];
    if (h->width == 0 || h->height == 0)
        return not_ours("no size in its header");
    if (h->components != 1 && h->components != 3)
        return not_ours("other than 1 or 3 components");
    if (n != 6 + 3 * (size_t)h->components)
        return damaged("its frame header");
    for (int i = 0; i < h->components; i++) {
        jpg_component *c = &h->component[i];
        c->id = s[6 + 3 * i];
        c->h = s[7 + 3 * i] >> 4;
        c->v = s[7 + 3 * i] & 15;
        c->quant = s[8 + 3 * i];
        if (c->h < 1 || c->h > 4 || c->v < 1 || c->v > 4 || c->quant > 3)
            return damaged("its frame header");
    }
    return ASSAY_OK;
}

static assay_status read_huffman(segments *g, const uint8_t *s, size_t n) {
    while (n > 0) {
        if (n < 17 || s[0] >> 4 > 1 || (s[0] & 15) > 3)
            return damaged("a Huffman table");
        jpg_huffman *t = &g->header->huffman[s[0] >> 4][s[0] & 15];
        size_t symbols = 0;
        for (int i = 1; i <= 16; i++)
            symbols += t->counts[i] = s[i];
        if (symbols > 256 || n < 17 + symbols)
            return damaged("a Huffman table");
        memset(t->symbols, 0, sizeof t->symbols);
        memcpy(t->symbols, s + 17, symbols);
        t->n = (int)symbols;
        t->present = true;
        s += 17 + symbols;
        n -= 17 + symbols;
    }
    return ASSAY_OK;
}

static assay_status read_quant(segments *g, const uint8_t *s, size_t n) {
    while (n > 0) {
        bool wide = s[0] >> 4 != 0;
        size_t bytes = 1 + (wide ? 2 : 1) * (size_t)JPG_BLOCK;
        if (s[0] >> 4 > 1 || (s[0] & 15) > 3 || n < bytes)
            return damaged("a quantisation table");
        uint16_t *q = g->header->quant[s[0] & 15];
        for (int i = 0; i < JPG_BLOCK; i++)
            q[natural_order[i]] = (uint16_t)(wide ? get16(s + 1 + 2 * i) : s[1 + i]);
        g->header->quant_present[s[0] & 15] = true;
        s += bytes;
        n -= bytes;
    }
    return ASSAY_OK;
}

static assay_status read_app0(segments *g, const uint8_t *s, size_t n) {
    if (n < JFIF_BYTES || memcmp(s, "JFIF", 5) != 0)
        return ASSAY_OK;
    g->jfif = true;
    return s[5] == 1 ? ASSAY_OK : not_ours("a JFIF segment of another version");
}

static void read_app14(segments *g, const uint8_t *s, size_t n) {
    if (n >= ADOBE_BYTES && memcmp(s, "Adobe", 5) == 0)
        g->adobe = s[11];
}

static assay_status read_scan(segments *g, const uint8_t *s, size_t n) {
    jpg_header *h = g->header;
    if (!g->frame || n < 1)
        return damaged("its scan header");
    if (s[0] != h->components)
        return not_ours("several scans");
    if (n != 4 + 2 * (size_t)h->components)
        return damaged("its scan header");
    for (int i = 0; i < h->components; i++) {
        jpg_component *c = &h->component[i];
        if (s[1 + 2 * i] != c->id)
            return not_ours("components out of order");
        c->dc = s[2 + 2 * i] >> 4;
        c->ac = s[2 + 2 * i] & 15;
        if (c->dc > 3 || c->ac > 3)
            return damaged("its scan header");
        if (!h->huffman[0][c->dc].present || !h->huffman[1][c->ac].present ||
            !h->quant_present[c->quant])
            return not_ours("tables left out");
    }
    const uint8_t *band = s + 1 + 2 * h->components;
    if (band[0] != 0 || band[1] != 63 || band[2] != 0)
        return not_ours("coefficients in several scans");
    return ASSAY_OK;
}

static assay_status
read_segment(segments *g, unsigned marker, const uint8_t *s, size_t n) {
    switch (marker) {
    case MARKER_SOF0:
    case MARKER_SOF1:
        return read_frame(g, s, n);
    case MARKER_DHT:
        return read_huffman(g, s, n);
    case MARKER_DQT:
        return read_quant(g, s, n);
    case MARKER_DRI:
        if (n != 2)
            return damaged("its restart interval");
        g->header->restart = (int)get16(s);
        return ASSAY_OK;
    case MARKER_APP0:
        return read_app0(g, s, n);
    case MARKER_APP14:
        read_app14(g, s, n);
        return ASSAY_OK;
    case MARKER_SOS:
        return read_scan(g, s, n);
    default:
        break;
    }
    if ((marker > MARKER_SOF1 && marker <= MARKER_SOF15) || marker == MARKER_DNL)
        return not_ours("other than baseline coding");
    if (marker < MARKER_SOF0 || (marker >= MARKER_RST0 && marker <= MARKER_EOI))
        return damaged("a marker out of place");
    return ASSAY_OK; /* comments and the like */
}

static assay_status read_segments(segments *g, const uint8_t *p, size_t n) {
    size_t at = 2;
    for (;;) {
        while (n - at >= 2 && p[at] == 0xFF && p[at + 1] == 0xFF)
            at++;
        if (n - at < 4)
            return damaged("it ends within its headers");
        if (p[at] != 0xFF)
            return damaged("no marker where one must be");
        unsigned marker = p[at + 1];
        size_t length = get16(p + at + 2);
        if (length < 2 || length > n - at - 2)
            return damaged("a segment's length");
        assay_status status = read_segment(g, marker, p + at + 4, length - 2);
        if (status != ASSAY_OK)
            return status;
        at += 2 + length;
        if (marker == MARKER_SOS) {
            g->header->scan = at;
            return ASSAY_OK;
        }
    }
}

/* Three components are Y, Cb, Cr by libjpeg's rules; RGB and guesses are left to it. */
static assay_status check_colour(const segments *g) {
    const jpg_component *c = g->header->component;
    if (g->header->components == 1 || g->jfif)
        return ASSAY_OK;
    if (g->adobe != NO_ADOBE)
        return g->adobe == ADOBE_YCC ? ASSAY_OK : not_ours("colours other than YCbCr");
    if (c[0].id != 1 || c[1].id != 2 || c[2].id != 3)
        return not_ours("colours not named");
    return ASSAY_OK;
}

static assay_status check_sampling(jpg_header *h) {
    jpg_component *c = h->component;
    if (h->components == 1) { /* one component is never interleaved */
        c[0].h = c[0].v = 1;
        return ASSAY_OK;
    }
    if (c[0].id == c[1].id || c[0].id == c[2].id || c[1].id == c[2].id)
        return not_ours("components of one name");
    if (c[1].h != 1 || c[1].v != 1 || c[2].h != 1 || c[2].v != 1 || c[0].h > 2 ||
        c[0].v > 2)
        return not_ours("unusual chroma subsampling");
    return ASSAY_OK;
}

static int divide_up(int a, int b) {
    return (a + b - 1) / b;
}

/* Sizes that follow from the header's. */
static assay_status derive_sizes(jpg_header *h) {
    h->h_max = h->component[0].h;
    h->v_max = h->component[0].v;
    h->mcus_x = divide_up(h->width, 8 * h->h_max);
    h->mcus_y = divide_up(h->height, 8 * h->v_max);
    for (int i = 0; i < h->components; i++) {
        jpg_component *c = &h->component[i];
        c->width = divide_up(h->width * c->h, h->h_max);
        c->height = divide_up(h->height * c->v, h->v_max);
        if (i > 0 && h->h_max == 2 && c->width < FANCY_WIDTH)
            return not_ours("too few columns of chroma");
        for (int k = 0; k < JPG_BLOCK; k++)
            if (h->quant[c->quant][k] > INT16_MAX)
                return not_ours("quantisation steps beyond 15 bits");
    }
    return image_check_size((uint64_t)h->width, (uint64_t)h->height);
}

assay_status jpg_header_read(jpg_header *out, const uint8_t *jpeg, size_t n) {
    segments g = {.header = out, .adobe = NO_ADOBE};
    assay_status status = ASSAY_OK;
    out->restart = out->components = 0;
    for (int i = 0; i < 4; i++) {
        out->quant_present[i] = false;
        out->huffman[0][i].present = out->huffman[1][i].present = false;
        out->huffman[0][i].counts[0] = out->huffman[1][i].counts[0] = 0;
    }
    if (n < 4 || jpeg[0] != 0xFF || jpeg[1] != 0xD8)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "not a JPEG");
    ASSAY_TRY(read_segments(&g, jpeg, n));
    ASSAY_TRY(check_colour(&g));
    ASSAY_TRY(check_sampling(out));
    ASSAY_TRY(derive_sizes(out));
done:
    return status;
}
