/*
 * Object ids as text, and the one start of libgit2. First stop of everything in git/.
 */
#include "git/git_int.h"

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int object_id_parse(const char *hex, struct object_id *out)
{
	struct object_id id;

	for (int i = 0; i < OBJECT_ID_LEN; i++) {
		int hi = hex_value(hex[2 * i]);
		int lo = hi < 0 ? -1 : hex_value(hex[2 * i + 1]);

		if (lo < 0)
			return -1;
		id.raw[i] = (unsigned char)(hi << 4 | lo);
	}
	if (hex[2 * OBJECT_ID_LEN] != '\0')
		return -1;
	*out = id;
	return 0;
}

char *object_id_hex(const struct object_id *id, char out[OBJECT_ID_HEX])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < OBJECT_ID_LEN; i++) {
		out[2 * i] = digits[id->raw[i] >> 4];
		out[2 * i + 1] = digits[id->raw[i] & 15];
	}
	out[2 * OBJECT_ID_LEN] = '\0';
	return out;
}

bool object_id_eq(const struct object_id *a, const struct object_id *b)
{
	return memcmp(a->raw, b->raw, OBJECT_ID_LEN) == 0;
}

void git_library_start(void)
{
	static bool started;

	if (started)
		return;
	started = true;
	git_libgit2_init();
	for (int level = GIT_CONFIG_LEVEL_PROGRAMDATA; level <= GIT_CONFIG_LEVEL_GLOBAL;
	     level++)
		git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
	git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1);
	git_libgit2_opts(GIT_OPT_ENABLE_STRICT_OBJECT_CREATION, 1);
	/* What we read is kept by us, by blob id; a second copy only costs memory. */
	git_libgit2_opts(GIT_OPT_ENABLE_CACHING, 0);
	git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, (size_t)4 << 20);
	git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, (size_t)64 << 20);
}

int git_library_error(struct error *err, enum error_kind kind, const char *reason,
		      const char *what)
{
	const git_error *e = git_error_last();
	AUTO(buf) safe = BUF_INIT;

	if (e && e->message)
		buf_put_safe(&safe, e->message, strlen(e->message));
	return error_reason(err, kind, reason, "%s: %s", what,
			    safe.len ? safe.ptr : "no reason given");
}
