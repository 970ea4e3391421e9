/* The strict splitter: what it takes is made of exactly its parts, in their order. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "trust/trust_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* An exact copy, so that reading past the end is seen. */
	char *raw = malloc(size ? size : 1);
	struct error err = ERROR_INIT;
	struct commit c;
	char subject[128];

	memcpy(raw, data, size);
	if (commit_split(raw, size, &c, &err) == 0) {
		struct sshsig s;

		if (memchr(raw, 0, size) || c.sig_to > size || c.sig_from > c.sig_to ||
		    c.message < raw || c.message > raw + size || c.message[-1] != '\n' ||
		    c.message[-2] != '\n' || memcmp(raw, "tree ", 5) != 0 || c.committed_s < 0)
			abort();
		for (size_t i = 0; i < c.parent_count; i++) {
			struct object_id id;

			commit_parent(&c, i, &id);
		}
		if (c.sig) {
			if (memcmp(raw + c.sig_from, "gpgsig ", 7) != 0 ||
			    raw[c.sig_to - 1] != '\n' ||
			    c.sig + c.sig_len + 1 != raw + c.sig_to)
				abort();
			sshsig_parse(c.sig, c.sig_len, true, &s, NULL);
		}
		commit_subject(&c, subject, sizeof subject);
	}
	free(raw);
	return 0;
}
