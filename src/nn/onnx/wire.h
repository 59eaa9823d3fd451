/* A look at protobuf bytes before they are parsed: every length must stay inside what
 * holds it, and messages must not nest deeply or be too many. The parser behind it
 * recurses as deep as its input says and allocates for every field it sees. */
#ifndef NN_ONNX_WIRE_H
#define NN_ONNX_WIRE_H

#include "base/ctx.h"

enum { WIRE_MAX_DEPTH = 32, WIRE_MAX_ITEMS = 1 << 22, WIRE_MAX_FIELDS = 1 << 26 };

/* The type of the messages in field `field` of a message of type `type`; NULL if there
 * are none in it. */
typedef const void *(*wire_child_fn)(const void *type, uint32_t field);

/* FORMAT with the offset. */
ASSAY_MUST_CHECK assay_status wire_check(const uint8_t *bytes,
                                         size_t n,
                                         const void *type,
                                         wire_child_fn child);

#endif
