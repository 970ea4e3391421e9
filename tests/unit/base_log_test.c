/* base/log.c: what comes out of standard error, line by line. */
#include "test.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "value/json.h"

#define LINE_MAX_SEEN 16384

/* Standard error goes to a file between capture_start() and capture_end(). */
static int saved, file;

static void capture_start(void)
{
	char name[] = "/tmp/log_test.XXXXXX";

	file = mkstemp(name);
	assert_true(file >= 0);
	unlink(name);
	saved = dup(STDERR_FILENO);
	dup2(file, STDERR_FILENO);
}

static const char *capture_end(void)
{
	static char text[LINE_MAX_SEEN];
	ssize_t n = pread(file, text, sizeof text - 1, 0);

	dup2(saved, STDERR_FILENO);
	close(saved);
	close(file);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

/* The line without its time, which is checked to be one. */
static const char *without_time(const char *line)
{
	static char out[LINE_MAX_SEEN];
	char when[CLOCK_TEXT_MAX] = "";
	const char *at = strstr(line, "time=");
	int64_t ms;

	assert_non_null(at);
	memcpy(when, at + 5, strlen("2026-01-31T12:00:00.123000Z"));
	assert_int_equal(clock_parse(when, &ms), 0);
	snprintf(out, sizeof out, "%.*s%s", (int)(at - line), line, at + 5 + strlen(when) + 1);
	return out;
}

static void test_log__text_line(void **state)
{
	assert_int_equal(log_configure("info", "text"), 0);
	capture_start();
	log_info("sync", "all is well", "app", "team/web", "none", NULL, "commit", "3f2a",
		 LOG_END);
	assert_string_equal(
		without_time(capture_end()),
		"<6>level=info stage=sync app=team/web commit=3f2a msg=\"all is well\"\n");
}

static void test_log__foreign_text_is_escaped(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"plain/x:1-2_3", "plain/x:1-2_3"},
		{"", "\"\""},
		{"two words", "\"two words\""},
		{"a=b", "\"a=b\""},
		{"q\"\\", "\"q\\\"\\\\\""},
		{"line\nmsg=forged", "\"line\\nmsg=forged\""},
		{"\x1b[31mred\r", "\"?[31mred?\""},
		{"\xe2\x80\xae"
		 "evil",
		 "\"?evil\""},
		{"caf\xc3\xa9", "\"caf\xc3\xa9\""},
		{"\xff", "\"?\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char wanted[200];

		capture_start();
		log_error("x", "m", "k", rows[i].in, LOG_END);
		snprintf(wanted, sizeof wanted, "<3>level=error stage=x k=%s msg=m\n",
			 rows[i].out);
		assert_string_equal(without_time(capture_end()), wanted);
	}
}

static void test_log__values_are_cut(void **state)
{
	char *words = test_repeat("x ", 5000), *word = test_repeat("x", 5000);
	const char *line;

	capture_start();
	log_warn("x", "m", "a", words, "b", word, LOG_END);
	line = capture_end();
	assert_true(strlen(line) > 4000);
	assert_true(strlen(line) < 4300);
	free(words);
	free(word);
}

static void test_log__json_line_is_json(void **state)
{
	AUTO_ARENA a = arena_new();
	struct value *v;
	struct error err = ERROR_INIT;

	assert_int_equal(log_configure("info", "json"), 0);
	capture_start();
	log_info("sync", "m", "k", "a\"b\\c\nd\x01\xff\xe2\x82\xac\t", LOG_END);
	const char *line = capture_end();
	log_configure("info", "text");
	assert_int_equal(
		value_json_parse(a, line, strlen(line), &value_limits_manifest, &v, &err), 0);
	assert_string_equal(value_get_str(v, "k"), "a\"b\\c\nd??\xe2\x82\xac?");
	assert_string_equal(value_get_str(v, "level"), "info");
	assert_string_equal(value_get_str(v, "stage"), "sync");
	assert_string_equal(value_get_str(v, "msg"), "m");
}

static void test_log__level_is_obeyed(void **state)
{
	static const struct {
		const char *level;
		int lines;
	} rows[] = {{"error", 1}, {"warn", 2}, {"info", 3}, {"debug", 4}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int lines = 0;

		assert_int_equal(log_configure(rows[i].level, NULL), 0);
		capture_start();
		log_error("x", "m", LOG_END);
		log_warn("x", "m", LOG_END);
		log_info("x", "m", LOG_END);
		log_debug("x", "m", LOG_END);
		for (const char *p = capture_end(); *p; p++)
			lines += *p == '\n';
		assert_int_equal(lines, rows[i].lines);
	}
	log_configure("info", "text");
	assert_true(log_enabled(LOG_INFO));
	assert_false(log_enabled(LOG_DEBUG));
}

static void test_log__unknown_settings_are_refused(void **state)
{
	assert_int_equal(log_configure("loud", "text"), -1);
	assert_int_equal(log_configure("", "text"), -1);
	assert_int_equal(log_configure("info", "xml"), -1);
	assert_int_equal(log_configure(NULL, NULL), 0);
}

static void test_log__refused_settings_change_nothing(void **state)
{
	assert_int_equal(log_configure("info", "text"), 0);
	assert_int_equal(log_configure("debug", "xml"), -1);
	assert_false(log_enabled(LOG_DEBUG));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log__text_line),
		cmocka_unit_test(test_log__foreign_text_is_escaped),
		cmocka_unit_test(test_log__values_are_cut),
		cmocka_unit_test(test_log__json_line_is_json),
		cmocka_unit_test(test_log__level_is_obeyed),
		cmocka_unit_test(test_log__unknown_settings_are_refused),
		cmocka_unit_test(test_log__refused_settings_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
