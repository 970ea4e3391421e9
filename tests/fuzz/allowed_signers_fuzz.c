/* allowed_signers and revokedKeys: a text is taken whole or refused with a reason. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "trust/trust_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1);
	struct error err = ERROR_INIT;
	struct signers s;
	struct revoked r;

	memcpy(text, data, size);
	if (signers_parse(text, size, &s, &err) == 0) {
		for (size_t i = 0; i < s.list.len; i++) {
			const struct signer *line = &s.list.items[i];
			size_t n;

			if (!line->principal[0] || strpbrk(line->principal, "*?!,\"") ||
			    line->after_s > line->before_s ||
			    !signers_find(&s, line->key, &n) || !n)
				abort();
		}
		signers_clear(&s);
	} else if (strcmp(error_code(&err), "PolicyInvalid") != 0) {
		abort();
	}
	if (revoked_parse(text, size, &r, &err) == 0)
		vec_clear(&r.list);
	free(text);
	return 0;
}
