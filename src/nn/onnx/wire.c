/* Walks protobuf's wire format (varints, fixed words, things with a length) without
 * keeping anything. Its own recursion ends at WIRE_MAX_DEPTH. */
#include "nn/onnx/wire.h"

typedef struct walk {
    const uint8_t *bytes;
    wire_child_fn child;
    size_t items, fields;
} walk;

static assay_status bad(size_t at, const char *what) {
    assay_status status = err_set(ASSAY_E_FORMAT, "%s", what);
    err_where("offset %zu", at);
    return status;
}

/* One varint of at most ten bytes; false when it does not end before `end`. */
static bool varint(const walk *w, size_t *at, size_t end, uint64_t *out) {
    *out = 0;
    for (int shift = 0; shift < 70 && *at < end; shift += 7) {
        uint8_t byte = w->bytes[(*at)++];
        *out |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static assay_status
walk_message(walk *w, size_t at, size_t end, const void *type, int depth) {
    assay_status status = ASSAY_OK;
    if (depth > WIRE_MAX_DEPTH)
        return bad(at, "messages are nested too deeply");
    while (at < end) {
        size_t field_at = at;
        uint64_t tag, length = 0;
        if (!varint(w, &at, end, &tag) || tag >> 3 == 0 || tag >> 32)
            return bad(field_at, "not a protobuf field");
        if (++w->fields > WIRE_MAX_FIELDS)
            return bad(field_at, "too many fields");
        switch (tag & 7) {
        case 0:
            if (!varint(w, &at, end, &length))
                return bad(field_at, "a number does not end");
            length = 0;
            break;
        case 1:
            length = 8;
            break;
        case 2:
            if (!varint(w, &at, end, &length))
                return bad(field_at, "a length does not end");
            if (++w->items > WIRE_MAX_ITEMS)
                return bad(field_at, "too many fields");
            break;
        case 5:
            length = 4;
            break;
        default:
            return bad(field_at, "not a protobuf field");
        }
        if (length > end - at)
            return bad(field_at, "a field reaches past the end of what holds it");
        const void *inner = (tag & 7) == 2 ? w->child(type, (uint32_t)(tag >> 3)) : NULL;
        if (inner)
            ASSAY_TRY(walk_message(w, at, at + (size_t)length, inner, depth + 1));
        at += (size_t)length;
    }
done:
    return status;
}

assay_status
wire_check(const uint8_t *bytes, size_t n, const void *type, wire_child_fn child) {
    walk w = {.bytes = bytes, .child = child};
    return walk_message(&w, 0, n, type, 0);
}
