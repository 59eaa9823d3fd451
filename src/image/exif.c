/* The orientation tag, and nothing else of EXIF: how a camera was held. Every offset is
 * checked; what makes no sense counts as upright. */
#include "image/inside.h"

#include <string.h>

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, UPRIGHT = 1 };

static unsigned get16(const uint8_t *p, bool big) {
    return big ? (unsigned)(p[0] << 8 | p[1]) : (unsigned)(p[1] << 8 | p[0]);
}

static uint32_t get32(const uint8_t *p, bool big) {
    uint32_t a = get16(p, big), b = get16(p + 2, big);
    return big ? a << 16 | b : b << 16 | a;
}

/* A TIFF header and its first directory. */
static int tiff_orientation(const uint8_t *p, size_t n) {
    if (n < 8 || (memcmp(p, "II*\0", 4) != 0 && memcmp(p, "MM\0*", 4) != 0))
        return UPRIGHT;
    bool big = p[0] == 'M';
    uint32_t at = get32(p + 4, big);
    if (at > n - 2)
        return UPRIGHT;
    unsigned entries = get16(p + at, big);
    p += at + 2;
    n -= at + 2;
    for (unsigned i = 0; i < entries && n >= 12; i++, p += 12, n -= 12) {
        if (get16(p, big) != TAG_ORIENTATION)
            continue;
        unsigned v = get16(p + 8, big);
        bool one = get16(p + 2, big) == TYPE_SHORT && get32(p + 4, big) == 1;
        return one && v >= 1 && v <= 8 ? (int)v : UPRIGHT;
    }
    return UPRIGHT;
}

/* Walks the segments before the first scan. */
static int jpeg_orientation(const uint8_t *p, size_t n) {
    size_t at = 2;
    while (n - at >= 4 && p[at] == 0xFF) {
        unsigned marker = p[at + 1];
        if (marker == 0xFF) { /* fill */
            at++;
            continue;
        }
        if (marker == 0xDA || marker == 0xD9)
            break;
        if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) { /* no length */
            at += 2;
            continue;
        }
        size_t length = get16(p + at + 2, true);
        if (length < 2 || length > n - at - 2)
            break;
        const uint8_t *body = p + at + 4;
        if (marker == 0xE1 && length >= 8 && memcmp(body, "Exif\0\0", 6) == 0)
            return tiff_orientation(body + 6, length - 8);
        at += 2 + length;
    }
    return UPRIGHT;
}

/* Walks the chunks. */
static int png_orientation(const uint8_t *p, size_t n) {
    size_t at = 8;
    while (n - at >= 12) {
        uint32_t length = get32(p + at, true);
        if (length > n - at - 12)
            break;
        if (memcmp(p + at + 4, "eXIf", 4) == 0)
            return tiff_orientation(p + at + 8, length);
        at += (size_t)length + 12;
    }
    return UPRIGHT;
}

int exif_orientation(image_kind kind, const uint8_t *data, size_t n) {
    if (kind == IMAGE_JPEG && n >= 2)
        return jpeg_orientation(data, n);
    if (kind == IMAGE_PNG && n >= 8)
        return png_orientation(data, n);
    return UPRIGHT;
}
