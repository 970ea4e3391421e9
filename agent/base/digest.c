/* base/digest.c - see digest.h. */
#include "base/digest.h"

#include <sodium.h>
#include <string.h>

void digest_sha256(const void *data, size_t len, unsigned char out[DIGEST_LEN])
{
	crypto_hash_sha256(out, data, len);
}

char *digest_sha256_hex(const void *data, size_t len, char out[DIGEST_HEX])
{
	unsigned char raw[DIGEST_LEN];

	digest_sha256(data, len, raw);
	return sodium_bin2hex(out, DIGEST_HEX, raw, sizeof raw);
}

uint64_t digest_u64(const void *data, size_t len)
{
	unsigned char raw[DIGEST_LEN];
	uint64_t v;

	digest_sha256(data, len, raw);
	memcpy(&v, raw, sizeof v);
	return v ? v : 1;
}
