/* Armor and blob: whatever is taken, written again in one line a time, is taken the same. */
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "trust/trust_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *armor = malloc(size ? size : 1);
	struct error err = ERROR_INIT;
	struct sshsig s, again;

	if (sodium_init() < 0)
		abort();
	memcpy(armor, data, size);
	for (int folded = 0; folded < 2; folded++) {
		enum refusal_code code = sshsig_parse(armor, size, folded, &s, &err);

		if (code != REFUSAL_NONE && !err.text[0])
			abort();
		if (code == REFUSAL_NONE) {
			if (sshsig_parse(armor, size, folded, &again, NULL) != REFUSAL_NONE ||
			    memcmp(&s, &again, sizeof s) != 0)
				abort();
			sshsig_verify(&s, armor, size, "", 0);
		}
	}
	free(armor);
	return 0;
}
