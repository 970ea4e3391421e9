/* docs/trust.md says what the program says: every refusal with its advice, and only tests that
 * exist. */
#include "test.h"

#include <dirent.h>
#include <errno.h>

#include "trust/trust_int.h"

static void read_into(struct buf *out, const char *path)
{
	FILE *f = fopen(path, "r");
	char chunk[4096];
	size_t n;

	if (!f)
		fail_msg("%s: %s; run the tests from the repository's root", path,
			 strerror(errno));
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
		buf_add(out, chunk, n);
	fclose(f);
}

static void test_docs__every_refusal_stands_there_with_its_advice(void **state)
{
	AUTO(buf) doc = BUF_INIT;

	read_into(&doc, "docs/trust.md");
	for (int i = 1; i < REFUSAL_CODES; i++) {
		AUTO_FREE char *line = mem_printf("| `%s` | %s |\n", refusal_table[i].code,
						  refusal_table[i].advice);

		if (!strstr(doc.ptr, line))
			fail_msg("docs/trust.md lacks: %s", line);
	}
}

static void test_docs__every_test_that_is_named_exists(void **state)
{
	AUTO(buf) doc = BUF_INIT;
	AUTO(buf) tests = BUF_INIT;
	DIR *d = opendir("tests/unit");
	struct dirent *e;
	size_t found = 0;

	assert_non_null(d);
	read_into(&doc, "docs/trust.md");
	while ((e = readdir(d))) {
		AUTO_FREE char *path = mem_printf("tests/unit/%s", e->d_name);

		if (strstr(e->d_name, "_test.c"))
			read_into(&tests, path);
	}
	closedir(d);
	for (const char *p = doc.ptr; (p = strstr(p, "`test_")); p++) {
		AUTO_FREE char *name = mem_strndup(p + 1, strcspn(p + 1, "`"));
		AUTO_FREE char *definition = mem_printf("static void %s(", name);

		if (!strstr(tests.ptr, definition))
			fail_msg("docs/trust.md names %s, which is no test", name);
		found++;
	}
	assert_true(found > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_docs__every_refusal_stands_there_with_its_advice),
		cmocka_unit_test(test_docs__every_test_that_is_named_exists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
