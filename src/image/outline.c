/* What a loader must know of an encoded picture before it decodes a window of it: its
 * size and how it is turned, from the first markers or the first chunk alone. */
#include "image/inside.h"

static unsigned be16(const uint8_t *p) {
    return (unsigned)(p[0] << 8 | p[1]);
}

/* Whether a marker begins a frame (SOF0 to SOF15 without DHT, JPG and DAC). */
static bool begins_frame(unsigned marker) {
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 &&
           marker != 0xCC;
}

static bool jpeg_outline(const uint8_t *p, size_t n, image_outline *o) {
    size_t at = 2;
    while (n - at >= 4 && p[at] == 0xFF) {
        unsigned marker = p[at + 1];
        if (marker == 0xFF) { /* fill */
            at++;
            continue;
        }
        if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) { /* no length */
            at += 2;
            continue;
        }
        size_t length = be16(p + at + 2);
        if (marker == 0xDA || marker == 0xD9 || length < 2 || length > n - at - 2)
            return false;
        if (begins_frame(marker)) {
            if (length < 8)
                return false;
            o->height = (int)be16(p + at + 5);
            o->width = (int)be16(p + at + 7);
            return true;
        }
        at += 2 + length;
    }
    return false;
}

static bool png_outline(const uint8_t *p, size_t n, image_outline *o) {
    if (n < 24 || be16(p + 16) != 0 || be16(p + 20) != 0)
        return false; /* wider than 65535, or no IHDR */
    o->width = (int)be16(p + 18);
    o->height = (int)be16(p + 22);
    return true;
}

bool image_outline_read(const uint8_t *data, size_t n, image_outline *out) {
    *out = (image_outline){.kind = image_sniff(data, n)};
    bool read = out->kind == IMAGE_JPEG  ? n >= 2 && jpeg_outline(data, n, out)
                : out->kind == IMAGE_PNG ? png_outline(data, n, out)
                                         : false;
    out->orientation = read ? exif_orientation(out->kind, data, n) : 1;
    return read && out->width > 0 && out->height > 0;
}
