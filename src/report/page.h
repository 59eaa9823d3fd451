/* The page under way: HTML in a buffer, the tiles it wants, the rows it speaks of.
 * Private to the page's files: page.c puts it together, grids.c and classes.c write its
 * sections. */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H

#include "report/atlas.h"
#include "report/write.h"

typedef struct page {
    const report_view *v;
    const report_answer *answer;
    atlas tiles;
    buf b;
    int percent;     /* of the caps */
    bool collecting; /* a first pass: tiles are asked for, none is there yet */
    uint8_t rank;    /* of the tiles asked for now */
    uint32_t *row;   /* rows with a button, for the details */
    size_t n_rows, cap;
    uint8_t *told;       /* [rows] */
    assay_status status; /* the first failure; what follows does nothing harmful */
} page;

/* A cap on items, scaled by the page's percentage. */
size_t page_limit(const page *p, size_t cap);
/* Tiles of the first twelve items of a section come before all others. */
void page_item_rank(page *p, size_t item);

/* Text: as it is, or escaped. */
void page_raw(page *p, const char *html);
void page_text(page *p, const char *text);
void page_count(page *p, uint64_t n);
void page_class(page *p, int c); /* escaped name */
void page_id(page *p, uint32_t row);
void page_short(page *p, double v, int decimals); /* no zero before the point: ".998" */
void page_score(page *p, double score);           /* ".94", "1.00" */
void page_effect(page *p, double effect);         /* a sign always: "+.35" */

/* A picture without a name (decoration), and a button that opens its details; the
 * caption, between the two calls, names it. */
void page_picture(page *p, uint32_t row);
void page_button(page *p, uint32_t row, const char *kind);
void page_button_end(page *p);
/* "!label !copy" where the row is flagged elsewhere. */
void page_flags(page *p, uint32_t row, uint8_t but);

/* A section: heading with a count (0: none) and a line below. */
void page_section(
    page *p, const char *id, const char *title, uint64_t count, const char *lead);
void page_section_end(page *p);
/* Says so where the page shows fewer than there are. */
void page_capped(
    page *p, const char *what, uint64_t all, size_t shown, const char *where);
/* The answer's words where there is nothing to show. */
void page_nothing(page *p, const char *section);
/* The bar above a grid: its orders. `orders`: "score\0Score\0class\0Class\0\0". */
void page_sorts(page *p, const char *grid, const char *orders);

/* grids.c */
void page_labels(page *p);
void page_leakage(page *p);
void page_errors(page *p);
void page_copies(page *p);
void page_files(page *p);
/* classes.c */
void page_classes(page *p);
void page_made(page *p);

/* page.c: the whole page, at most `largest` bytes. */
ASSAY_MUST_CHECK assay_status report_page(buf *out,
                                          const report_view *v,
                                          int percent,
                                          uint64_t largest);

#endif
