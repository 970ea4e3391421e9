/*
 * forge_fuzz.c - outside bytes that forge/ reads: a list of statuses, a repository's URL, text
 * for a description. The first byte says which.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "forge/forge_int.h"

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void fuzz_list(const char *text, size_t len)
{
	AUTO(buf) description = BUF_INIT;
	enum commit_state state = COMMIT_PENDING;

	provider_gitea.parse(text, len, "modelsync/team/web", &state, &description);
	check(state <= COMMIT_ERROR);
}

static void fuzz_url(const char *text)
{
	struct repo_url u = REPO_URL_INIT;
	struct error err = ERROR_INIT;

	for (int nested = 0; nested < 2; nested++) {
		if (repo_url_parse(text, "https://f.example/git", nested, &u, &err) < 0) {
			check(u.owner.len == 0 && err.kind == ERROR_INVALID);
			continue;
		}
		check(u.owner.len && u.repo.len && !strpbrk(u.repo.ptr, "/ %?#\\\r\n"));
		check(!strpbrk(u.owner.ptr, nested ? " %?#\\\r\n" : "/ %?#\\\r\n"));
		check(!text_eq(u.repo.ptr, "..") && !text_eq(u.owner.ptr, ".."));
		check(!strchr(u.origin.ptr, '@'));
		repo_url_clear(&u);
	}
}

static void fuzz_text(const char *text)
{
	AUTO(buf) out = BUF_INIT;
	size_t chars = 0, n;
	uint32_t rune;

	description_put(&out, text, 140);
	for (size_t i = 0; i < out.len; i += n, chars++) {
		n = text_utf8_rune(out.ptr + i, out.len - i, &rune);
		check(n > 0 && !text_rune_unsafe(rune));
	}
	check(chars <= 140);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	text = calloc(1, size); /* one byte less, and a NUL */
	memcpy(text, data + 1, size - 1);
	switch (data[0]) {
	case 'u':
		fuzz_url(text);
		break;
	case 't':
		fuzz_text(text);
		break;
	default:
		fuzz_list(text, size - 1);
	}
	free(text);
	return 0;
}
