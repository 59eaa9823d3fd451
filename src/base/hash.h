/* Checksums and content hashes. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli), continuing from `crc` (0 to start). */
uint32_t hash_crc32c(uint32_t crc, const void *data, size_t bytes);

/* SHA-256 (FIPS 180-4). */
typedef struct hash_sha256 {
    uint32_t h[8];
    uint64_t bytes;
    uint8_t block[64];
} hash_sha256;
void hash_sha256_init(hash_sha256 *s);
void hash_sha256_add(hash_sha256 *s, const void *data, size_t bytes);
void hash_sha256_u64(hash_sha256 *s, uint64_t v);       /* as 8 little-endian bytes */
void hash_sha256_str(hash_sha256 *s, const char *text); /* length, then bytes */
void hash_sha256_end(hash_sha256 *s, uint8_t out[32]);
void hash_hex(char out[65], const uint8_t digest[32]);

#endif
