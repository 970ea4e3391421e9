/*
 * base/digest.h - SHA-256, whole and shortened. Shortened ones compare our own data with
 * itself; whatever an attacker may choose is compared whole.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdint.h>
#include <stddef.h>

#define DIGEST_LEN 32
#define DIGEST_HEX 65 /* with NUL */

void digest_sha256(const void *data, size_t len, unsigned char out[DIGEST_LEN]);
char *digest_sha256_hex(const void *data, size_t len, char out[DIGEST_HEX]);
/* The first 8 bytes of the SHA-256, as a number that is never 0. */
uint64_t digest_u64(const void *data, size_t len);

#endif
