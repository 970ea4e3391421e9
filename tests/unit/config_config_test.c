/*
 * Settings: the table itself, and who wins among defaults, file, environment and flags.
 */
#include "test.h"

#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/config_int.h"

static char file[64];

static int setup(void **state)
{
	log_configure("error", "text");
	unsetenv("STATE_DIRECTORY");
	for (size_t i = 0; i < settings_count; i++) {
		AUTO(buf) env = BUF_INIT;

		setting_put_env(&env, &settings[i]);
		unsetenv(env.ptr);
	}
	unsetenv("MODELSYNC_CONFIG");
	snprintf(file, sizeof file, "/tmp/modelsync-config-%d", (int)getpid());
	return 0;
}

static int teardown(void **state)
{
	unlink(file);
	return setup(state);
}

static void write_file(const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* argv from words, the program's name put before; stops at NULL. */
static int load(struct config *c, char **argv, int *rest, struct error *err)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	config_init(c);
	return config_load(c, argc, argv, rest, err);
}
#define ARGV(...) ((char *[]){(char *)"modelsync", __VA_ARGS__, NULL})

static void test_table__is_sound(void **state)
{
	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *s = &settings[i];

		assert_row(s->help && *s->help, s->name);
		assert_row(strlen(s->help) < 120, s->name);
		assert_row(s->name[0] != '-' && !strstr(s->name, "--"), s->name);
		assert_row(s->name[strspn(s->name, "abcdefghijklmnopqrstuvwxyz-")] == 0,
			   s->name);
		assert_row(s->type == SETTING_STRING || s->fallback, s->name);
		for (size_t j = 0; j < i; j++)
			assert_row(s->offset != settings[j].offset, s->name);
	}
}

static void test_defaults(void **state)
{
	struct config c;

	config_init(&c);
	assert_null(c.kubeconfig);
	assert_string_equal(c.ns, "modelsync");
	assert_string_equal(c.listen, "127.0.0.1:8080");
	assert_string_equal(c.cache_dir, "/var/lib/modelsync");
	assert_int_equal(c.poll_interval_ms, 60000);
	assert_int_equal(c.sync_timeout_ms, 600000);
	assert_int_equal(c.concurrency, 32);
	assert_false(c.allow_http_urls);
	config_clear(&c);
	setenv("STATE_DIRECTORY", "/srv/a:/srv/b", 1);
	config_init(&c);
	assert_string_equal(c.cache_dir, "/srv/a");
	config_clear(&c);
}

static void test_sources__later_wins(void **state)
{
	struct config c;
	struct error err = ERROR_INIT;
	int rest = 0;

	write_file("logLevel: warn\nlogFormat: json\npollInterval: 5s\nconcurrency: 7\n"
		   "allowFileUrls: true\n");
	setenv("MODELSYNC_CONFIG", file, 1);
	setenv("MODELSYNC_LOG_LEVEL", "error", 1);
	setenv("MODELSYNC_POLL_INTERVAL", "6s", 1);
	setenv("MODELSYNC_NAMESPACE", "", 1); /* as if not set */
	setenv("MODELSYNC_PORT_80_TCP", "tcp://10.0.0.1", 1);
	if (load(&c, ARGV("--log-level=debug"), &rest, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(c.log_level, "debug");
	assert_string_equal(c.log_format, "json");
	assert_int_equal(c.poll_interval_ms, 6000);
	assert_int_equal(c.concurrency, 7);
	assert_true(c.allow_file_urls);
	assert_string_equal(c.ns, "modelsync");
	config_clear(&c);
	unsetenv("MODELSYNC_PORT_80_TCP");
}

static void test_flags__operands_keep_their_order(void **state)
{
	struct config c;
	struct error err = ERROR_INIT;
	char **argv = ARGV("web", "--namespace", "x", "--allow-http-urls", "api",
			   "--log-level=warn", "-", "--", "--listen");
	int rest = 0;

	if (load(&c, argv, &rest, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(c.ns, "x");
	assert_true(c.allow_http_urls);
	assert_string_equal(c.log_level, "warn");
	assert_int_equal(rest, 6);
	assert_string_equal(argv[5], "--");
	assert_string_equal(argv[6], "web");
	assert_string_equal(argv[7], "api");
	assert_string_equal(argv[8], "-");
	assert_string_equal(argv[9], "--listen");
	config_clear(&c);
}

static void test_flags__bad_ones_say_where_seen_wanted(void **state)
{
	static const struct {
		const char *word, *value, *reason, *text;
	} rows[] = {
		{"--poll-intervall=5s", NULL, "UnknownSetting",
		 "flag --poll-intervall: 'poll-intervall' is not known; is it "
		 "'poll-interval'?"},
		{"--zzzzzzzzzzzz", NULL, "UnknownSetting",
		 "flag --zzzzzzzzzzzz: 'zzzzzzzzzzzz' is not known"},
		{"-x", NULL, "UnknownSetting", "flag -x is not known"},
		{"--poll-interval", "5", "BadSetting",
		 "flag --poll-interval: '5' is not a duration from 1.0s to 24h00m, such as "
		 "90s or "
		 "1h30m"},
		{"--poll-interval=999ms", NULL, "BadSetting",
		 "flag --poll-interval: '999ms' is not a duration from 1.0s to 24h00m, such "
		 "as 90s "
		 "or 1h30m"},
		{"--concurrency=257", NULL, "BadSetting",
		 "flag --concurrency: '257' is not a number from 1 to 256"},
		{"--concurrency=0", NULL, "BadSetting",
		 "flag --concurrency: '0' is not a number from 1 to 256"},
		{"--concurrency", NULL, "BadSetting", "flag --concurrency: wants a value"},
		{"--config", NULL, "BadSetting", "flag --config: wants a value"},
		{"--allow-file-urls=yes", NULL, "BadSetting",
		 "flag --allow-file-urls: 'yes' is not true or false"},
		{"--log-level=warning", NULL, "BadSetting",
		 "flag --log-level: 'warning' is not one of error|warn|info|debug"},
		{"--log-level=", NULL, "BadSetting",
		 "flag --log-level: '' is not one of error|warn|info|debug"},
		{"--listen", "a\nb", "BadSetting",
		 "flag --listen: 'a?b' is not a text without control characters"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct error err = ERROR_INIT;
		struct config c;
		int rest = -7;

		assert_row(load(&c, ARGV((char *)rows[i].word, (char *)rows[i].value), &rest,
				&err) < 0,
			   rows[i].word);
		assert_row_text(err.reason, rows[i].reason, rows[i].word);
		assert_row_text(err.text, rows[i].text, rows[i].word);
		assert_row(rest == -7, rows[i].word);
		config_clear(&c);
	}
}

static void test_limits__one_below_and_one_above(void **state)
{
	char *longest = test_repeat("a", 4097);
	struct config c;

	config_init(&c);
	assert_int_equal(config_set(&c, "poll-interval", "1s", "t", NULL), 0);
	assert_int_equal(config_set(&c, "poll-interval", "24h", "t", NULL), 0);
	assert_int_equal(config_set(&c, "poll-interval", "86400001ms", "t", NULL), -1);
	assert_int_equal(config_set(&c, "concurrency", "256", "t", NULL), 0);
	assert_int_equal(config_set(&c, "context", longest, "t", NULL), -1);
	assert_null(c.context);
	longest[4096] = '\0';
	assert_int_equal(config_set(&c, "context", longest, "t", NULL), 0);
	config_clear(&c);
	free(longest);
}

static void test_file__bad_ones(void **state)
{
	static const struct {
		const char *text, *part;
	} rows[] = {
		{"logLevel: nope\n", ", line 1: logLevel: 'nope' is not one of"},
		{"# x\nlog-level: info\n", ", line 2: log-level: no setting has this key"},
		{"listen: [a]\n", ", line 1: listen: is array, wanted a plain value"},
		{"listen:\n", "wanted a plain value"},
		{"- a\n", "wanted one map of settings"},
		{"listen: a\n---\nlisten: b\n", "wanted one map of settings"},
		{"listen: a\nlisten: b\n", "line 2"},
		{"listen: \"\n", "configuration "},
	};

	setenv("MODELSYNC_CONFIG", file, 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct error err = ERROR_INIT;
		struct config c;
		int rest;

		write_file(rows[i].text);
		assert_row(load(&c, ARGV(NULL), &rest, &err) < 0, rows[i].text);
		if (!strstr(err.text, rows[i].part) || !strstr(err.text, file))
			fail_msg("%s: %s", rows[i].text, err.text);
		assert_int_equal(err.kind, ERROR_INVALID);
		config_clear(&c);
	}
}

static void test_file__missing_empty_and_too_large(void **state)
{
	char *large = test_repeat("#", 64 * 1024 + 1);
	struct error err = ERROR_INIT;
	struct config c;
	int rest;

	assert_int_equal(load(&c, ARGV("--config", file), &rest, &err), -1);
	assert_string_equal(err.reason, "BadConfigFile");
	config_clear(&c);
	write_file("");
	assert_int_equal(load(&c, ARGV("--config", file), &rest, &err), 0);
	config_clear(&c);
	write_file(large);
	assert_int_equal(load(&c, ARGV("--config", file), &rest, &err), -1);
	config_clear(&c);
	write_file(large + 1);
	assert_int_equal(load(&c, ARGV("--config", file), &rest, &err), 0);
	config_clear(&c);
	free(large);
}

static void test_environment__unknown_is_only_warned_of(void **state)
{
	struct error err = ERROR_INIT;
	struct config c;
	int rest;

	setenv("MODELSYNC_LOGLEVEL", "debug", 1);
	assert_int_equal(load(&c, ARGV(NULL), &rest, &err), 0);
	assert_string_equal(c.log_level, "info");
	config_clear(&c);
	unsetenv("MODELSYNC_LOGLEVEL");
	setenv("MODELSYNC_CONCURRENCY", "many", 1);
	assert_int_equal(load(&c, ARGV(NULL), &rest, &err), -1);
	assert_string_equal(
		err.text,
		"environment MODELSYNC_CONCURRENCY: 'many' is not a number from 1 to 256");
	config_clear(&c);
}

static void test_help__names_every_setting(void **state)
{
	AUTO(buf) help = BUF_INIT;
	AUTO(buf) reference = BUF_INIT;

	config_help(&help);
	config_reference(&reference);
	for (size_t i = 0; i < settings_count; i++) {
		AUTO_FREE char *flag = mem_printf("--%s", settings[i].name);
		AUTO(buf) env = BUF_INIT;

		setting_put_env(&env, &settings[i]);
		assert_row(strstr(help.ptr, flag), flag);
		assert_row(strstr(reference.ptr, flag), flag);
		assert_row(strstr(reference.ptr, env.ptr), flag);
	}
	for (const char *line = help.ptr; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 96);
	assert_non_null(
		strstr(help.ptr, "  --poll-interval=DURATION      How often Git is asked"));
	assert_non_null(strstr(reference.ptr,
			       "| `--log-level` | `MODELSYNC_LOG_LEVEL` | `logLevel` | "
			       "error\\|warn\\|info\\|debug | info | The least important"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(table__is_sound),
		T(defaults),
		T(sources__later_wins),
		T(flags__operands_keep_their_order),
		T(flags__bad_ones_say_where_seen_wanted),
		T(limits__one_below_and_one_above),
		T(file__bad_ones),
		T(file__missing_empty_and_too_large),
		T(environment__unknown_is_only_warned_of),
		T(help__names_every_setting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
