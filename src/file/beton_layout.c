/* How metadata rows are laid out: by type, like a C structure. */
#include "file/beton_inside.h"

#include <assert.h>

enum { MAX_CELL = 1 << 16, MAX_ALIGN = 1 << 12 };

bool beton_cell_layout(beton_type type, uint32_t *bytes, uint32_t *align) {
    switch (type) {
    case BETON_FLOAT:
    case BETON_INT:
    case BETON_NDARRAY:
    case BETON_TENSOR:
        *bytes = 8;
        *align = 8;
        return true;
    case BETON_IMAGE:
        *bytes = 13; /* u8 mode, u16 width, u16 height, u64 pointer */
        *align = 1;
        return true;
    case BETON_BYTES:
    case BETON_JSON:
        *bytes = 16; /* u64 pointer, u64 size */
        *align = 1;
        return true;
    case BETON_CUSTOM:
        break;
    }
    *bytes = *align = 0;
    return false;
}

bool beton_allocates(beton_type type) {
    return type != BETON_FLOAT && type != BETON_INT;
}

uint32_t beton_ptr_offset(beton_type type) {
    return type == BETON_IMAGE ? 5 : 0;
}

bool beton_custom_is_sound(uint32_t cell_bytes,
                           uint32_t cell_align,
                           bool has_payload,
                           uint32_t ptr_offset) {
    return cell_bytes >= 1 && cell_bytes <= MAX_CELL && cell_align >= 1 &&
           cell_align <= MAX_ALIGN && (cell_align & (cell_align - 1)) == 0 &&
           (!has_payload || (cell_bytes >= 8 && ptr_offset <= cell_bytes - 8));
}

uint32_t beton_lay_out(beton_field *fields, int n) {
    uint32_t at = 0, largest = 1;
    for (int i = 0; i < n; i++) {
        beton_field *f = &fields[i];
        if (f->type != BETON_CUSTOM) {
            bool known = beton_cell_layout(f->type, &f->cell_bytes, &f->cell_align);
            assert(known);
            (void)known;
            f->has_payload = beton_allocates(f->type);
            f->ptr_offset = beton_ptr_offset(f->type);
        }
        at = (at + f->cell_align - 1) / f->cell_align * f->cell_align;
        f->cell_offset = at;
        at += f->cell_bytes;
        if (f->cell_align > largest)
            largest = f->cell_align;
    }
    return (at + largest - 1) / largest * largest;
}
