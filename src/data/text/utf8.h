/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing past U+10FFFF. */
#ifndef DATA_TEXT_UTF8_H
#define DATA_TEXT_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum { UTF8_MOST = 4 };

/* Bytes of the character at `text` (1..4), its number in *out; 0 if there is none. */
size_t utf8_get(uint32_t *out, const uint8_t *text, size_t n);
/* Bytes written; 0 if there is no such character. */
size_t utf8_put(uint8_t out[UTF8_MOST], uint32_t character);

#endif
