/* Thumbnails in sheets: JPEG atlases of up to 1024 tiles, sized to fit what room the page
 * has left. A row has one tile, whichever sections show it. */
#ifndef REPORT_ATLAS_H
#define REPORT_ATLAS_H

#include "report/view.h"

enum {
    ATLAS_COLUMNS = 32,
    ATLAS_TILES = ATLAS_COLUMNS * ATLAS_COLUMNS,
    ATLAS_MOST = 64,
    ATLAS_RANKS = 4
};

typedef struct atlas {
    const report_view *v;
    uint32_t *row; /* [n] rows in the order they matter */
    size_t n, cap;
    uint8_t *rank;  /* [rows of the audit] as asked, below ATLAS_RANKS */
    int32_t *tile;  /* [rows of the audit] tile, or -1 */
    size_t shown;   /* the first so many have a tile */
    int side, cell; /* pixels of a picture; of its place in the sheet (JPEG's blocks) */
    int quality;    /* JPEG's */
    int columns;    /* of every sheet */
    buf sheet[ATLAS_MOST]; /* base64 of each */
    int n_sheets;
} atlas;

ASSAY_MUST_CHECK assay_status atlas_create(atlas *a, const report_view *v);
void atlas_free(atlas *a); /* accepts a zeroed one */
/* Asks for a tile. The rank is the least asked for: 0 comes before 1. */
ASSAY_MUST_CHECK assay_status atlas_want(atlas *a, uint32_t row, uint8_t rank);
/* Orders the wishes and gives each a tile; sizes are not known yet. */
ASSAY_MUST_CHECK assay_status atlas_assign(atlas *a);
/* Draws the sheets as fine and large as they take at most `room` bytes; at the
 * smallest size, as many tiles as fit. `shown` and `tile` follow. */
ASSAY_MUST_CHECK assay_status atlas_draw(atlas *a, uint64_t room);
/* -1: a placeholder. */
int32_t atlas_tile(const atlas *a, uint32_t row);

#endif
