/* Words and numbers as people read them: thousands, per cent, escapes of HTML and CSV,
 * base64. Nothing here follows the locale: equal values give equal bytes everywhere. */
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include "base/buf.h"

/* 60000 as "60,000". */
void text_count(buf *b, uint64_t n);
/* `n` and a noun: "1 label", "60,000 labels" (an s is added). */
void text_counted(buf *b, uint64_t n, const char *noun);
/* With so many decimals (0..9), rounded half away from zero: "0.913", "-0.31"; "-" for
 * NaN, inf. */
void text_fixed(buf *b, double v, int decimals);
/* A share in [0,1] as a percentage: 0.9137 as "91.4 %". */
void text_percent(buf *b, double share);
/* The shortest form that reads back (of a float, if it is one); nothing for NaN, inf. */
void text_number(buf *b, double v);
/* Text for HTML, between tags or in a quoted attribute: & < > " ' become references,
 * control characters and invalid UTF-8 U+FFFD, and a number's " %" does not break. */
void text_html(buf *b, const char *text);
/* A field of a CSV file (RFC 4180): quoted where it has to be. */
void text_csv(buf *b, const char *text);
/* A field of a tab-separated file: backslash, tab and line ends become \\ \t \n \r. */
void text_tsv(buf *b, const char *text);
void text_base64(buf *b, const void *data, size_t bytes);

#endif
