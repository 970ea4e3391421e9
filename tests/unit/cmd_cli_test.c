/* Flags, names and tables that all commands share; the table of commands itself. */
#include "test.h"

#include <unistd.h>

#include "cmd/cli.h"

static struct cli c;
static bool prune;
static const char *revision;
static const struct cli_flag flags[] = {
	{"prune", false, NULL, &prune, "  prune"},
	{"revision", true, &revision, NULL, "COMMIT  wait for it"},
	{NULL, false, NULL, NULL, NULL}};

/* Standard error is closed around the call: the words of a refusal are not this test's. */
static int parse(int *operands, const char *const *words)
{
	char *argv[16];
	int argc = 0, keep = dup(STDERR_FILENO), code;

	while (words[argc])
		argv[argc] = (char *)words[argc], argc++;
	argv[argc] = NULL;
	prune = false;
	revision = NULL;
	assert_non_null(freopen("/dev/null", "w", stderr));
	code = cli_flags(&c, argc, argv, flags, "sync APP", "about", operands);
	fflush(stderr);
	dup2(keep, STDERR_FILENO);
	close(keep);
	return code;
}
#define PARSE(at, ...) parse(at, (const char *const[]){"sync", __VA_ARGS__, NULL})

static void test_flags__common_and_own_are_read_in_any_order(void **state)
{
	int at;

	(void)state;
	assert_int_equal(PARSE(&at, "web", "-n", "team", "--prune", "-o", "json", "--timeout",
			       "90s", "--revision=abc", "--kubeconfig", "/k", "--context", "x"),
			 -1);
	assert_string_equal(c.ns, "team");
	assert_int_equal(c.output, CLI_JSON);
	assert_int_equal(c.timeout_ms, 90000);
	assert_string_equal(c.kubeconfig, "/k");
	assert_string_equal(c.context, "x");
	assert_true(prune);
	assert_string_equal(revision, "abc");
	assert_int_equal(at, 13);
}

static void test_flags__defaults(void **state)
{
	int at;

	(void)state;
	assert_int_equal(PARSE(&at, "web"), -1);
	assert_string_equal(c.ns, "modelsync");
	assert_int_equal(c.output, CLI_TABLE);
	assert_int_equal(c.timeout_ms, 300000);
	assert_int_equal(at, 1);
}

static void test_flags__wrong_use_is_exit_code_2(void **state)
{
	int at;

	(void)state;
	assert_int_equal(PARSE(&at, "--no-such-flag"), EXIT_USAGE);
	assert_int_equal(PARSE(&at, "-o", "xml"), EXIT_USAGE);
	assert_int_equal(PARSE(&at, "--timeout", "soon"), EXIT_USAGE);
	assert_int_equal(PARSE(&at, "--timeout", "0"), EXIT_USAGE);
	assert_int_equal(PARSE(&at, "--log-level", "loud"), EXIT_USAGE);
	assert_int_equal(PARSE(&at, "--revision"), EXIT_USAGE);
}

static void test_name__has_a_namespace_or_gets_the_agents(void **state)
{
	AUTO(buf) ns = BUF_INIT;
	AUTO(buf) name = BUF_INIT;

	(void)state;
	c.ns = "modelsync";
	cli_name(&c, "team/web", &ns, &name);
	assert_string_equal(ns.ptr, "team");
	assert_string_equal(name.ptr, "web");
	buf_reset(&ns);
	buf_reset(&name);
	cli_name(&c, "web", &ns, &name);
	assert_string_equal(ns.ptr, "modelsync");
	assert_string_equal(name.ptr, "web");
}

static void test_table__columns_fit_and_text_is_made_safe(void **state)
{
	static const char *const headers[] = {"NAME", "WHY", NULL};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct cli_table *t;

	(void)state;
	memset(&c, 0, sizeof c);
	t = cli_table_new(&c, headers);
	cli_cell(t, COLOR_NONE, "grün");
	cli_cell(t, COLOR_BAD, "a\033[31mb\n");
	cli_cell(t, COLOR_NONE, "x");
	cli_cell(t, COLOR_NONE, "y");
	cli_table_print(t, out);
	fclose(out);
	assert_string_equal(text, "NAME  WHY\ngrün  a?[31mb?\nx     y\n");
	free(text);
}

static void test_commands__have_a_summary_or_are_hidden(void **state)
{
	size_t hidden = 0;

	(void)state;
	for (const struct subcommand *s = subcommands; s->name; s++) {
		assert_non_null(s->run);
		hidden += !s->summary;
		for (const struct subcommand *o = s + 1; o->name; o++)
			assert_string_not_equal(s->name, o->name);
	}
	assert_int_equal(hidden, 2); /* git-fetch, reference */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags__common_and_own_are_read_in_any_order),
		cmocka_unit_test(test_flags__defaults),
		cmocka_unit_test(test_flags__wrong_use_is_exit_code_2),
		cmocka_unit_test(test_name__has_a_namespace_or_gets_the_agents),
		cmocka_unit_test(test_table__columns_fit_and_text_is_made_safe),
		cmocka_unit_test(test_commands__have_a_summary_or_are_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
