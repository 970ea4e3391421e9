/* value/yaml_write.c: YAML for people that every YAML reader reads back as the same tree. */
#include "test.h"

#include "base/mem.h"
#include "value/json.h"
#include "value/yaml.h"

static struct value *from_json(struct arena *a, const char *json)
{
	struct value *v = NULL;
	struct error err = ERROR_INIT;

	if (value_json_parse(a, json, strlen(json), &value_limits_manifest, &v, &err))
		fail_msg("%s: %s", json, err.text);
	return v;
}

/* Writes the tree, checks that it reads back, returns the text. */
static const char *write(struct arena *a, const char *json)
{
	struct value *v = from_json(a, json);
	struct value_docs docs = {0};
	struct error err = ERROR_INIT;
	struct buf out = BUF_INIT;
	const char *text;

	value_yaml_write(v, &out);
	text = arena_strdup(a, out.ptr);
	buf_clear(&out);
	if (value_yaml_parse(a, text, strlen(text), &value_limits_manifest, &docs, &err))
		fail_msg("%s\nas YAML: %s\n%s", json, text, err.text);
	assert_int_equal(docs.list.len, v->type != VALUE_NULL);
	if (docs.list.len && !value_equal(v, docs.list.items[0]))
		fail_msg("%s reads back otherwise, as YAML:\n%s", json, text);
	value_docs_clear(&docs);
	return text;
}

static void test_yaml_write__layout_is_kubectls(void **state)
{
	AUTO_ARENA a = arena_new();

	assert_string_equal(
		write(a,
		      "{\"kind\":\"Deployment\",\"metadata\":{\"labels\":{},\"name\":\"web\"},"
		      "\"spec\":{\"containers\":[{\"name\":\"c\",\"args\":[\"-x\",\"--y=1\"],"
		      "\"ports\":[{\"containerPort\":80}]},{\"name\":\"d\"}],\"list\":[],"
		      "\"nested\":[[1,[2,3]],[]],\"none\":null,\"replicas\":3,\"ok\":true}}"),
		"kind: Deployment\n"
		"metadata:\n"
		"  labels: {}\n"
		"  name: web\n"
		"spec:\n"
		"  containers:\n"
		"  - name: c\n"
		"    args:\n"
		"    - \"-x\"\n"
		"    - \"--y=1\"\n"
		"    ports:\n"
		"    - containerPort: 80\n"
		"  - name: d\n"
		"  list: []\n"
		"  nested:\n"
		"  - - 1\n"
		"    - - 2\n"
		"      - 3\n"
		"  - []\n"
		"  none: null\n"
		"  replicas: 3\n"
		"  ok: true\n");
}

static void test_yaml_write__text_of_several_lines_is_a_block(void **state)
{
	static const struct {
		const char *json, *yaml;
	} rows[] = {
		{"{\"a\":\"x\\ny\\n\"}", "a: |\n  x\n  y\n"},
		{"{\"a\":\"x\\n\\n  y\"}", "a: |-\n  x\n\n    y\n"},
		{"{\"a\":\"x\\n\\n\",\"b\":1}", "a: |+\n  x\n\nb: 1\n"},
		{"[\"x\\ny\\n\",\"z\"]", "- |\n  x\n  y\n- z\n"},
		{"[[\"x\\n# y: z\\n\"]]", "- - |\n    x\n    # y: z\n"},
		{"{\"a\":{\"b\":\"x\\n\\ty \\n\"}}", "a:\n  b: |\n    x\n    \ty \n"},
		/* what a block would change is quoted */
		{"{\"a\":\" x\\ny\"}", "a: \" x\\ny\"\n"},
		{"{\"a\":\"\\nx\"}", "a: \"\\nx\"\n"},
		{"{\"a\":\"\\tx\\n\"}", "a: \"\\tx\\n\"\n"},
		{"{\"a\":\"x\\r\\ny\"}", "a: \"x\\r\\ny\"\n"},
		{"{\"a\":\"x\\n\\u2028\"}", "a: \"x\\n\\u2028\"\n"},
		{"{\"a\":\"\\n\"}", "a: \"\\n\"\n"},
		{"\"x\\ny\"", "\"x\\ny\"\n"},
		{"{\"x\\ny\":1}", "\"x\\ny\": 1\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_ARENA a = arena_new();
		assert_row_text(write(a, rows[i].json), rows[i].yaml, rows[i].json);
	}
}

/* Plain where no reader can take it for something else, quoted otherwise. */
static void test_yaml_write__quotes(void **state)
{
	static const char *const plain[] = {
		"x",	    "web-1",	"a.b/c_d",     "registry.io/a/b:1.0@sha256:0f",
		"10.0.0.1", "1.2.3",	"100m",	       "1Gi",
		"v1",	    "/var/lib", "a b c",       "x=y",
		"50%",	    "$(VAR)",	"http://x/y?", "a, b",
		"\xc3\xa9", "a*b?",	"a#b",	       "RollingUpdate"};
	static const char *const quoted[] = {
		"",	   "yes",  "No",    "y",   "on",   "true",  "null",	  "~",
		"Null",	   "1",	   "-1",    "+1",  "1.0",  ".5",    "1e3",	  "0x1f",
		"0o17",	   "017",  "1_000", "0b1", ".inf", "1e400", "2001-12-14", "12:30",
		"1:30:00", "a: b", "a #b",  " a",  "a ",   "- a",   "-a",	  "?",
		"#a",	   "&a",   "*a",    "!a",  "|",	   ">",	    "%a",	  "@a",
		"`a",	   "{a",   "[a",    "'a",  "a'b",  "a]",    "...",	  "<<",
		"=",	   "a  b", ":a",    "-",   "key:"};

	for (size_t i = 0; i < ARRAY_LEN(plain) + ARRAY_LEN(quoted); i++) {
		AUTO_ARENA a = arena_new();
		bool is_plain = i < ARRAY_LEN(plain);
		const char *text = is_plain ? plain[i] : quoted[i - ARRAY_LEN(plain)];
		const char *yaml = write(a, arena_printf(a, "{\"%s\":\"%s\"}", text, text));
		const char *wanted = is_plain ? arena_printf(a, "%s: %s\n", text, text)
					      : arena_printf(a, "\"%s\": \"%s\"\n", text, text);

		assert_row_text(yaml, wanted, text);
	}
}

static void test_yaml_write__characters_that_readers_would_lose_are_escaped(void **state)
{
	AUTO_ARENA a = arena_new();

	assert_string_equal(
		write(a, "\"q\\\" \\\\ \\u0007 \\u007f \\u0085 \\u2028 \\ufeff \\u200e \\uffff "
			 "\\udb40\\udc01 \\u00e9 \\ud83d\\ude00\""),
		"\"q\\\" \\\\ \\u0007 \\u007f \\u0085 \\u2028 \\ufeff \\u200e \\uffff "
		"\\U000e0001 \xc3\xa9 \xf0\x9f\x98\x80\"\n");
}

static void test_yaml_write__numbers_stay_numbers(void **state)
{
	AUTO_ARENA a = arena_new();

	assert_string_equal(
		write(a, "[0,-0,1.0,1e3,1E+5,123456789012345678901234567890,1e400]"),
		"- 0\n- -0\n- 1.0\n- 1e3\n- 1E+5\n- 123456789012345678901234567890\n"
		"- !!float 1e400\n");
}

static void test_yaml_write__long_keys_are_written_as_such(void **state)
{
	AUTO_ARENA a = arena_new();
	AUTO_FREE char *key = test_repeat("k", 1100);

	assert_string_equal(write(a, arena_printf(a, "[{\"%s\":{\"a\":1},\"b\":2}]", key)),
			    arena_printf(a, "- ? %s\n  :\n    a: 1\n  b: 2\n", key));
	write(a, arena_printf(a, "{\"%s \":\"x\\ny\\n\"}", key));
	write(a, arena_printf(a, "{\"%s \":[1,{\"%s\":[2]}]}", key, key));
}

static void test_yaml_write__roots_that_are_no_maps(void **state)
{
	AUTO_ARENA a = arena_new();

	assert_string_equal(write(a, "null"), "null\n");
	assert_string_equal(write(a, "{}"), "{}\n");
	assert_string_equal(write(a, "[]"), "[]\n");
	assert_string_equal(write(a, "\"x\""), "x\n");
	assert_string_equal(write(a, "\"...\""), "\"...\"\n");
	assert_string_equal(write(a, "\"---\""), "\"---\"\n");
	assert_string_equal(write(a, "5"), "5\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yaml_write__layout_is_kubectls),
		cmocka_unit_test(test_yaml_write__text_of_several_lines_is_a_block),
		cmocka_unit_test(test_yaml_write__quotes),
		cmocka_unit_test(
			test_yaml_write__characters_that_readers_would_lose_are_escaped),
		cmocka_unit_test(test_yaml_write__numbers_stay_numbers),
		cmocka_unit_test(test_yaml_write__long_keys_are_written_as_such),
		cmocka_unit_test(test_yaml_write__roots_that_are_no_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
