/* Members of a tar that lies in memory, with the places of their bytes: ustar, the names
 * and sizes of pax and GNU. One way, from front to back; nothing is unpacked. Nothing in
 * it is believed: every size is held against what is left. */
#ifndef DATA_TAR_H
#define DATA_TAR_H

#include "base/ctx.h"

enum { TAR_BLOCK = 512, TAR_NAME_BYTES = 4096 };

typedef enum tar_kind { TAR_FILE, TAR_FOLDER, TAR_LINK, TAR_OTHER } tar_kind;

typedef struct tar_member {
    char name[TAR_NAME_BYTES];
    tar_kind kind;
    uint64_t at; /* of its bytes */
    uint64_t bytes;
} tar_member;

typedef struct tar_reader {
    const uint8_t *data;
    uint64_t bytes, at;
    uint64_t wanted; /* after a member that is cut off: where it would end */
    bool ended;      /* the end mark was seen */
} tar_reader;

tar_reader tar_begin(const void *data, uint64_t bytes);
/* The next member; *more = false at the end. FORMAT with the byte as the place;
 * r->wanted > r->bytes then says that the data end too early. */
ASSAY_MUST_CHECK assay_status tar_next(tar_reader *r, tar_member *m, bool *more);

#endif
