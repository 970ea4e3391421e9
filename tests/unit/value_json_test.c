/* value/json.c, json_write.c: every refusal with its place, caps, canonical bytes. */
#include "test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "value/json.h"

static int parse(struct arena *a, const char *data, size_t len, struct value **out,
		 struct error *err)
{
	return value_json_parse(a, data, len, &value_limits_manifest, out, err);
}

static char *canonical(const char *json)
{
	AUTO_ARENA a = arena_new();
	struct buf out = BUF_INIT;
	struct error err = ERROR_INIT;
	struct value *v = NULL;

	if (parse(a, json, strlen(json), &v, &err))
		fail_msg("%s: %s", json, err.text);
	value_json_write(v, &out);
	return buf_detach(&out);
}

/* In a block of exactly that size, for the address sanitizer. */
static void assert_refused(const char *data, size_t len, const char *reason, const char *text)
{
	AUTO_ARENA a = arena_new();
	struct error err = ERROR_INIT;
	struct value untouched, *v = &untouched;
	char *exact = malloc(len ? len : 1);

	assert_non_null(exact);
	memcpy(exact, data, len);
	assert_row(parse(a, exact, len, &v, &err) == -1, text);
	free(exact);
	assert_ptr_equal(v, &untouched);
	assert_error(&err, ERROR_INVALID, reason, text);
}

static void test_json__refusals_name_line_and_column(void **state)
{
#define BYTES(s) s, sizeof(s) - 1
	static const struct {
		const char *data;
		size_t len;
		const char *text;
	} rows[] = {
		{BYTES(""), "line 1, column 1: a value is wanted, but the text ends here"},
		{BYTES(" \n "), "line 2, column 2: a value is wanted, but the text ends here"},
		{BYTES("{} x"), "line 1, column 4: the end of the text is wanted, not 'x'"},
		{BYTES("{}\n{}"), "line 2, column 1: the end of the text is wanted, not '{'"},
		{BYTES("[1,]"), "line 1, column 4: a value is wanted, not ']'"},
		{BYTES("[1 2]"), "line 1, column 4: ',' or ']' is wanted, not '2'"},
		{BYTES("[1"), "line 1, column 3: ',' or ']' is wanted, but the text ends here"},
		{BYTES("["), "line 1, column 2: a value is wanted, but the text ends here"},
		{BYTES("]"), "line 1, column 1: a value is wanted, not ']'"},
		{BYTES("{"), "line 1, column 2: a key in double quotes is wanted, but the text "
			     "ends here"},
		{BYTES("{a:1}"), "line 1, column 2: a key in double quotes is wanted, not 'a'"},
		{BYTES("{'a':1}"),
		 "line 1, column 2: a key in double quotes is wanted, not '''"},
		{BYTES("{\"a\":1,}"),
		 "line 1, column 8: a key in double quotes is wanted, not '}'"},
		{BYTES("{\"a\" 1}"), "line 1, column 6: ':' is wanted, not '1'"},
		{BYTES("{\"a\":}"), "line 1, column 6: a value is wanted, not '}'"},
		{BYTES("{\"a\":1 \"b\":2}"),
		 "line 1, column 8: ',' or '}' is wanted, not '\"'"},
		{BYTES("{\n \"a\": 1,\n \"b\": /* */ 2}"),
		 "line 3, column 7: a value is wanted, not '/'"},
		/* words and numbers */
		{BYTES("truth"), "line 1, column 1: truth is no JSON value"},
		{BYTES("nul"), "line 1, column 1: nul is no JSON value"},
		{BYTES("True"), "line 1, column 1: True is no JSON value"},
		{BYTES("[NaN]"), "line 1, column 2: NaN is no JSON value"},
		{BYTES("-Infinity"), "line 1, column 1: -Infinity is no JSON value"},
		{BYTES("01"), "line 1, column 1: 01 is no JSON value"},
		{BYTES("-01"), "line 1, column 1: -01 is no JSON value"},
		{BYTES("1."), "line 1, column 1: 1. is no JSON value"},
		{BYTES(".5"), "line 1, column 1: .5 is no JSON value"},
		{BYTES("+1"), "line 1, column 1: +1 is no JSON value"},
		{BYTES("-"), "line 1, column 1: - is no JSON value"},
		{BYTES("1e"), "line 1, column 1: 1e is no JSON value"},
		{BYTES("1e+"), "line 1, column 1: 1e+ is no JSON value"},
		{BYTES("1.5.2"), "line 1, column 1: 1.5.2 is no JSON value"},
		{BYTES("0x10"), "line 1, column 1: 0x10 is no JSON value"},
		{BYTES("1_000"), "line 1, column 1: 1_000 is no JSON value"},
		{BYTES("--1"), "line 1, column 1: --1 is no JSON value"},
		/* strings */
		{BYTES("\"abc"), "line 1, column 5: the text ends inside a string"},
		{BYTES("\"abc\\"), "line 1, column 5: unknown escape in a string"},
		{BYTES("[\"\\x41\"]"), "line 1, column 3: unknown escape in a string"},
		{BYTES("\"\\\0\""), "line 1, column 2: unknown escape in a string"},
		{BYTES("\"a\nb\""),
		 "line 1, column 3: a control character in a string must be escaped"},
		{BYTES("\"a\0b\""),
		 "line 1, column 3: a control character in a string must be escaped"},
		{BYTES("\"\\u12\""), "line 1, column 2: \\u needs four hexadecimal digits"},
		{BYTES("\"\\u12g4\""), "line 1, column 2: \\u needs four hexadecimal digits"},
		{BYTES("\"\\u"), "line 1, column 2: \\u needs four hexadecimal digits"},
		{BYTES("\"a\\u0000\""),
		 "line 1, column 3: \\u0000 (NUL) is not allowed in a string"},
		{BYTES("{\"a\\u0000\":1}"),
		 "line 1, column 4: \\u0000 (NUL) is not allowed in a string"},
		{BYTES("\"\\ud800\""),
		 "line 1, column 2: half of a surrogate pair stands alone"},
		{BYTES("\"\\udc00\""),
		 "line 1, column 2: half of a surrogate pair stands alone"},
		{BYTES("\"\\ud800\\u0041\""),
		 "line 1, column 2: half of a surrogate pair stands alone"},
		{BYTES("\"\\ud800\\ue000\""),
		 "line 1, column 2: half of a surrogate pair stands alone"},
		{BYTES("\"\\ud800\\ud800\""),
		 "line 1, column 2: half of a surrogate pair stands alone"},
		{BYTES("\"\\ud800\\n00000\""),
		 "line 1, column 2: half of a surrogate pair stands alone"},
		{BYTES("\"\\ud83d\\ude0"),
		 "line 1, column 2: half of a surrogate pair stands alone"},
		/* bytes */
		{BYTES("\"\xff\""), "line 1, column 2: a byte that is not UTF-8"},
		{BYTES("\"\xc0\xaf\""), "line 1, column 2: a byte that is not UTF-8"},
		{BYTES("\"\xed\xa0\x80\""), "line 1, column 2: a byte that is not UTF-8"},
		{BYTES("\"\xe2\x82\""), "line 1, column 2: a byte that is not UTF-8"},
		{BYTES("\"\xe2\x82"), "line 1, column 2: a byte that is not UTF-8"},
		{BYTES("\xef\xbb\xbf{}"),
		 "line 1, column 1: a byte order mark: save the file as UTF-8 without one"},
		{BYTES("\xff\xfe{\0}\0"), "line 1, column 1: a value is wanted, not byte 0xff"},
		{BYTES("{\0}\0"),
		 "line 1, column 2: a key in double quotes is wanted, not byte "
		 "0x00"},
		{BYTES("{}\0"),
		 "line 1, column 3: the end of the text is wanted, not byte 0x00"},
		{BYTES("[\x01]"), "line 1, column 2: a value is wanted, not byte 0x01"},
		{BYTES("[\xc2\xa0]"), "line 1, column 2: a value is wanted, not '\xc2\xa0'"},
		/* columns count characters, lines count line feeds */
		{BYTES("[\"\xe2\x82\xac\xf0\x9f\x98\x80\", x]"),
		 "line 1, column 8: x is no JSON value"},
		{BYTES("[\"\xe2\x82\xac\",\r\n\"\xe2\x82\xac\",\r\n x]"),
		 "line 3, column 2: x is no JSON value"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_refused(rows[i].data, rows[i].len, "JsonInvalid", rows[i].text);
}

static void test_json__duplicate_key_is_refused_with_line(void **state)
{
	static const struct {
		const char *json, *text;
	} rows[] = {
		{"{\"a\":1,\"a\":1}",
		 "line 1, column 8: key \"a\" stands twice in one map (first at line 1)"},
		{"{\n \"a\": {\n  \"x\": 1,\n  \"y\": 2,\n  \"x\": 3}}",
		 "line 5, column 3: key \"x\" stands twice in one map (first at line 3)"},
		{"{\"a\":1,\n\"\\u0061\":2}",
		 "line 2, column 1: key \"a\" stands twice in one map (first at line 1)"},
		{"{\"\":1,\"\":2}",
		 "line 1, column 7: key \"\" stands twice in one map (first at line 1)"},
		{"{\"a\\nb\":1,\"a\\nb\":2}",
		 "line 1, column 11: key \"a?b\" stands twice in one map (first at line 1)"},
		{"[{\"a\":1},{\"a\":1,\"b\":2,\"a\":3}]",
		 "line 1, column 23: key \"a\" stands twice in one map (first at line 1)"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_refused(rows[i].json, strlen(rows[i].json), "DuplicateKey",
			       rows[i].text);
	free(canonical("[{\"a\":{\"a\":1}},{\"a\":2,\"A\":3,\"aa\":4}]"));
}

/* Small objects are compared key by key, large ones by hash: each place in each size. */
static void test_json__duplicate_key_is_found_in_objects_of_all_sizes(void **state)
{
	for (int size = 2; size < 100; size += size < 40 ? 1 : 13)
		for (int twin = 0; twin < size - 1; twin++) {
			AUTO(buf) json = BUF_INIT;
			AUTO(buf) fine = BUF_INIT;
			char text[100];

			for (int i = 0; i < size; i++) {
				buf_printf(&json, "%s\"k%d\":0", i ? ",\n" : "{",
					   i == size - 1 ? twin : i);
				buf_printf(&fine, "%s\"k%d\":0", i ? ",\n" : "{", i);
			}
			buf_putc(&json, '}');
			buf_putc(&fine, '}');
			snprintf(
				text, sizeof text,
				"line %d, column 1: key \"k%d\" stands twice in one map (first "
				"at line %d)",
				size, twin, twin + 1);
			assert_refused(json.ptr, json.len, "DuplicateKey", text);
			free(canonical(fine.ptr));
		}
}

static void test_json__a_long_key_is_cut_in_the_message(void **state)
{
	AUTO(buf) json = BUF_INIT;
	char *key = test_repeat("\xe2\x82\xac", 500);

	buf_printf(&json, "{\"%s\":1,\"%s\":2}", key, key);
	AUTO_ARENA a = arena_new();
	struct error err = ERROR_INIT;
	struct value *v = NULL;
	assert_int_equal(parse(a, json.ptr, json.len, &v, &err), -1);
	assert_non_null(strstr(err.text, "\xe2\x82\xac...\" stands twice"));
	assert_true(strlen(err.text) < 160);
	free(key);
}

static void test_json__depth_one_below_and_one_above(void **state)
{
	static const char *const open[] = {"[", "{\"a\":"}, *const shut[] = {"]", "}"};

	for (int kind = 0; kind < 2; kind++)
		for (int depth = 99; depth <= 101; depth++) {
			AUTO_ARENA a = arena_new();
			AUTO(buf) json = BUF_INIT;
			struct error err = ERROR_INIT;
			struct value *v = NULL;
			char text[80];

			for (int i = 0; i < depth; i++)
				buf_puts(&json, open[kind]);
			buf_puts(&json, "1");
			for (int i = 0; i < depth; i++)
				buf_puts(&json, shut[kind]);
			assert_int_equal(parse(a, json.ptr, json.len, &v, &err),
					 depth > 100 ? -1 : 0);
			snprintf(text, sizeof text,
				 "line 1, column %d: nested more than 100 levels deep",
				 kind ? 501 : 101);
			if (depth > 100)
				assert_error(&err, ERROR_INVALID, "TooDeep", text);
		}
}

static void test_json__wide_is_not_deep(void **state)
{
	AUTO(buf) json = BUF_INIT;

	for (int i = 0; i < 1000; i++)
		buf_puts(&json, i ? ",[{}]" : "[[]");
	buf_puts(&json, "]");
	free(canonical(json.ptr));
}

static void test_json__nodes_one_below_and_one_above(void **state)
{
	const struct value_limits limits = {1000, 5, 10};
	static const struct {
		const char *json;
		int rc;
	} rows[] = {{"[1,2,3,4]", 0},
		    {"[1,2,3,4,5]", -1},
		    {"{\"a\":1,\"b\":[true,null]}", 0},
		    {"{\"a\":1,\"b\":[true,null,{}]}", -1},
		    {"[[],[],[],[],\"x\"]", -1}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_ARENA a = arena_new();
		struct error err = ERROR_INIT;
		struct value *v = NULL;

		assert_row(value_json_parse(a, rows[i].json, strlen(rows[i].json), &limits, &v,
					    &err) == rows[i].rc,
			   rows[i].json);
		if (rows[i].rc)
			assert_string_equal(error_code(&err), "TooManyNodes");
	}
	AUTO_ARENA a = arena_new();
	struct error err = ERROR_INIT;
	struct value *v = NULL;
	value_json_parse(a, "[1,\n2,3,4, 5]", 13, &limits, &v, &err);
	assert_error(&err, ERROR_INVALID, "TooManyNodes",
		     "line 2, column 8: more than 5 values");
}

static void test_json__bytes_one_below_and_one_above(void **state)
{
	const struct value_limits limits = {8, 100, 10};
	AUTO_ARENA a = arena_new();
	struct error err = ERROR_INIT;
	struct value *v = NULL;

	assert_int_equal(value_json_parse(a, "[1,2,3] ", 7, &limits, &v, &err), 0);
	assert_int_equal(value_json_parse(a, "[1,2,3] ", 8, &limits, &v, &err), 0);
	assert_int_equal(value_json_parse(a, "[1,2,3]  ", 9, &limits, &v, &err), -1);
	assert_error(&err, ERROR_INVALID, "TooLarge", "9 bytes, at most 8 are allowed");
}

static void test_json__the_manifest_caps_are_what_the_header_says(void **state)
{
	assert_int_equal(value_limits_manifest.bytes, 3 * 1024 * 1024);
	assert_int_equal(value_limits_manifest.nodes, 100000);
	assert_int_equal(value_limits_manifest.depth, 100);
	assert_int_equal(value_limits_api.bytes, 64 * 1024 * 1024);
	assert_int_equal(value_limits_api.nodes, 4000000);
	assert_int_equal(value_limits_api.depth, 100);
}

static void test_json__canonical_bytes(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{" { \"b\" : 1 ,\n\t\"a\":[ ] , \"c\":{ } }\r\n",
		 "{\"a\":[],\"b\":1,\"c\":{}}"},
		{"{\"b\":1,\"a\":2,\"ab\":3,\"\":4,\"\xc3\xa9\":5,\"Z\":6,\"a0\":7}",
		 "{\"\":4,\"Z\":6,\"a\":2,\"a0\":7,\"ab\":3,\"b\":1,\"\xc3\xa9\":5}"},
		{"{\"z\":{\"y\":1,\"x\":[{\"b\":0,\"a\":0}]}}",
		 "{\"z\":{\"x\":[{\"a\":0,\"b\":0}],\"y\":1}}"},
		{"[0,-0,1.0,1.50,1e3,1E+03,1e-400,1e400]",
		 "[0,-0,1.0,1.50,1e3,1E+03,1e-400,1e400]"},
		{"123456789012345678901234567890", "123456789012345678901234567890"},
		{"\"\\u0041\\/\\u00e9\\u20ac\\ud83d\\ude00\"",
		 "\"A/\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
		{"\"\\\"\\\\\\b\\f\\n\\r\\t\\u0008\\u001F\\u0001\\u007f\"",
		 "\"\\\"\\\\\\b\\f\\n\\r\\t\\b\\u001f\\u0001\x7f\""},
		{"\"<>&\\u2028\"", "\"<>&\xe2\x80\xa8\""},
		{"[true,false,null,\"\"]", "[true,false,null,\"\"]"},
		{"\"12345678\xc3\xa9"
		 "12345678\"",
		 "\"12345678\xc3\xa9"
		 "12345678\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *once = canonical(rows[i].in), *twice = canonical(once);

		assert_string_equal(once, rows[i].out);
		assert_string_equal(twice, once);
		free(once);
		free(twice);
	}
}

/* A string is scanned eight bytes at a time: each special byte at each offset. */
static void test_json__strings_of_all_lengths(void **state)
{
	for (size_t len = 0; len < 40; len++)
		for (size_t at = 0; at <= len; at++) {
			AUTO(buf) json = BUF_INIT;
			AUTO(buf) bad = BUF_INIT;
			AUTO_ARENA a = arena_new();
			struct error err = ERROR_INIT;
			struct value *v = NULL;
			char text[80];

			buf_printf(&json, "\"%.*s\\n%.*s\"", (int)at,
				   "abcdefghijklmnopqrstuvwxyz~!#[]^_{|}0123", (int)(len - at),
				   "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ:;<=");
			assert_int_equal(parse(a, json.ptr, json.len, &v, &err), 0);
			assert_int_equal(v->text.len, len + 1);
			assert_int_equal(v->text.ptr[at], '\n');
			assert_int_equal(v->text.ptr[len + 1], 0);
			buf_add(&bad, json.ptr, json.len);
			memcpy(bad.ptr + 1 + at, "\x1f-", 2);
			assert_int_equal(parse(a, bad.ptr, bad.len, &v, &err), -1);
			snprintf(text, sizeof text,
				 "line 1, column %zu: a control character in a string must be "
				 "escaped",
				 at + 2);
			assert_string_equal(err.text, text);
		}
}

static void test_json__values_know_where_they_stood(void **state)
{
	AUTO_ARENA a = arena_new();
	struct value *v = NULL;
	const char *json = "{\"\xe2\x82\xac\": 1,\n  \"b\": [true,\n\n \"x\"]}";

	assert_int_equal(parse(a, json, strlen(json), &v, NULL), 0);
	assert_int_equal(v->line, 1);
	assert_int_equal(v->column, 1);
	v = value_at(v, "\xe2\x82\xac", NULL);
	assert_int_equal(v->column, 7);
	assert_int_equal(parse(a, json, strlen(json), &v, NULL), 0);
	assert_int_equal(value_get(v, "b")->line, 2);
	assert_int_equal(value_get(v, "b")->column, 8);
	assert_int_equal(value_at(v, "b", "#1", NULL)->line, 4);
	assert_int_equal(value_at(v, "b", "#1", NULL)->column, 2);
}

static void test_json__pretty(void **state)
{
	AUTO_ARENA a = arena_new();
	AUTO(buf) out = BUF_INIT;
	struct value *v = NULL;
	const char *json = "{\"b\":[1,{\"x\":null}],\"a\":{},\"c\":[],\"d\":\"q\\\"\"}";

	assert_int_equal(parse(a, json, strlen(json), &v, NULL), 0);
	value_json_pretty(v, &out);
	assert_string_equal(out.ptr, "{\n"
				     "  \"b\": [\n"
				     "    1,\n"
				     "    {\n"
				     "      \"x\": null\n"
				     "    }\n"
				     "  ],\n"
				     "  \"a\": {},\n"
				     "  \"c\": [],\n"
				     "  \"d\": \"q\\\"\"\n"
				     "}");
}

static void test_json__an_error_may_be_ignored(void **state)
{
	AUTO_ARENA a = arena_new();
	struct value *v = NULL;

	assert_int_equal(parse(a, "[", 1, &v, NULL), -1);
	assert_int_equal(parse(a, "{\"a\":1,\"a\":2}", 13, &v, NULL), -1);
	assert_null(v);
}

/* What would take minutes if any part were quadratic; the whole is well below a second. */
static void test_json__large_input_takes_linear_time(void **state)
{
	AUTO_ARENA a = arena_new();
	AUTO(buf) json = BUF_INIT;
	struct error err = ERROR_INIT;
	struct value *v = NULL;
	int64_t start = clock_mono_ms();

	buf_puts(&json, "{\"keys\":{");
	for (int i = 0; i < 200000; i++)
		buf_printf(&json, "%s\"key-%d\":%d", i ? "," : "", i, i);
	buf_puts(&json, "},\"text\":\"");
	for (int i = 0; i < 500000; i++)
		buf_puts(&json, "\\n\xc3\xa9");
	buf_puts(&json, "\"}");
	assert_int_equal(value_json_parse(a, json.ptr, json.len, &value_limits_api, &v, &err),
			 0);
	assert_int_equal(value_len(value_get(v, "keys")), 200000);
	buf_reset(&json);
	value_json_write(v, &json);
	assert_true(clock_mono_ms() - start < 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json__refusals_name_line_and_column),
		cmocka_unit_test(test_json__duplicate_key_is_refused_with_line),
		cmocka_unit_test(test_json__duplicate_key_is_found_in_objects_of_all_sizes),
		cmocka_unit_test(test_json__a_long_key_is_cut_in_the_message),
		cmocka_unit_test(test_json__depth_one_below_and_one_above),
		cmocka_unit_test(test_json__wide_is_not_deep),
		cmocka_unit_test(test_json__nodes_one_below_and_one_above),
		cmocka_unit_test(test_json__bytes_one_below_and_one_above),
		cmocka_unit_test(test_json__the_manifest_caps_are_what_the_header_says),
		cmocka_unit_test(test_json__canonical_bytes),
		cmocka_unit_test(test_json__strings_of_all_lengths),
		cmocka_unit_test(test_json__values_know_where_they_stood),
		cmocka_unit_test(test_json__pretty),
		cmocka_unit_test(test_json__an_error_may_be_ignored),
		cmocka_unit_test(test_json__large_input_takes_linear_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
