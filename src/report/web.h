/* The page's style and script, embedded when the library is built (cmake/embed.cmake). */
#ifndef REPORT_WEB_H
#define REPORT_WEB_H

#include <stddef.h>

extern const unsigned char report_css[];
extern const size_t report_css_bytes;
extern const unsigned char report_js[];
extern const size_t report_js_bytes;

#endif
