/* value/yaml.c, yaml_text.c: documents, aliases, merge keys, and every refusal with its place.
 */
#include "test.h"

#include "base/clock.h"
#include "base/mem.h"
#include "value/json.h"
#include "value/yaml.h"

#define BYTES(s) s, sizeof(s) - 1

/* The canonical JSON of all documents, one a line; or the error as "Reason: text". */
static char *read_all(const char *data, size_t len, const struct value_limits *limits)
{
	AUTO_ARENA a = arena_new();
	struct buf out = BUF_INIT;
	struct value_docs docs = {0};
	struct error err = ERROR_INIT;
	char *exact = malloc(len ? len : 1); /* a byte too far is seen by the sanitizer */

	assert_non_null(exact);
	memcpy(exact, data, len);
	if (value_yaml_parse(a, exact, len, limits, &docs, &err)) {
		assert_int_equal(docs.list.len, 0);
		assert_int_equal(err.kind, ERROR_INVALID);
		buf_printf(&out, "%s: %s", error_code(&err), err.text);
	}
	free(exact);
	for (size_t i = 0; i < docs.list.len; i++) {
		if (i)
			buf_putc(&out, '\n');
		value_json_write(docs.list.items[i], &out);
	}
	value_docs_clear(&docs);
	return buf_detach(&out);
}

static void assert_reads(const char *data, size_t len, const char *wanted)
{
	char *seen = read_all(data, len, &value_limits_manifest);

	assert_row_text(seen, wanted, data);
	free(seen);
}

struct row {
	const char *data;
	size_t len;
	const char *wanted;
};

static void assert_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_reads(rows[i].data, rows[i].len, rows[i].wanted);
}

static void test_yaml__trees(void **state)
{
	static const struct row rows[] = {
		{BYTES("a: 1\nb:\n  c: [x, {d: e}]\n  f:\n  - g\n  -   - h\n      - i\n"),
		 "{\"a\":1,\"b\":{\"c\":[\"x\",{\"d\":\"e\"}],\"f\":[\"g\",[\"h\",\"i\"]]}}"},
		{BYTES("- a: 1\n  b: 2\n- \n- {}\n- []\n"), "[{\"a\":1,\"b\":2},null,{},[]]"},
		{BYTES("text"), "\"text\""},
		{BYTES("a: |\n  x\n   y\n\n  z\n\nb: >-\n  fol\n  ded\n\n  p\nc: |+\n  k\n\n"),
		 "{\"a\":\"x\\n y\\n\\nz\\n\",\"b\":\"fol ded\\np\",\"c\":\"k\\n\\n\"}"},
		{BYTES("a: 'it''s'\nb: \"\\x41\\u20ac\\U0001F600\\t\\/\\\n  joined\"\nc: two\n "
		       " "
		       "lines\n"),
		 "{\"a\":\"it's\",\"b\":\"A\xe2\x82\xac\xf0\x9f\x98\x80\\t/joined\","
		 "\"c\":\"two lines\"}"},
		{BYTES("? a\n: 1\n? b\n? \"c d\"\n: - x\n"),
		 "{\"a\":1,\"b\":null,\"c d\":[\"x\"]}"},
		{BYTES("{\"a\": [1, true, null], \"b\": \"x\"}"),
		 "{\"a\":[1,true,null],\"b\":\"x\"}"},
		{BYTES("[a, b: c, {d}]"), "[\"a\",{\"b\":\"c\"},{\"d\":null}]"},
		{BYTES("a: 1 # comment\n# more\nb: x#y\n"), "{\"a\":1,\"b\":\"x#y\"}"},
		{BYTES("a: |\r\n  x\r\n  y\r\nb: 1\r\n"), "{\"a\":\"x\\ny\\n\",\"b\":1}"},
		{BYTES("<<: {b: 1}\na: \xc3\xa9\n"), "{\"a\":\"\xc3\xa9\",\"b\":1}"},
	};

	assert_rows(rows, ARRAY_LEN(rows));
}

static void test_yaml__documents(void **state)
{
	static const struct row rows[] = {
		{BYTES(""), ""},
		{BYTES("# only a comment\n"), ""},
		{BYTES("---\n---\n# x\n---\n~\n---\nnull\n"), ""},
		{BYTES("a: 1\n---\nb: 2\n"), "{\"a\":1}\n{\"b\":2}"},
		{BYTES("---\na: 1\n...\n---\n---\n- 2\n...\n"), "{\"a\":1}\n[2]"},
		{BYTES("--- x\n--- {}\n--- \"\"\n"), "\"x\"\n{}\n\"\""},
		{BYTES("%YAML 1.1\n%TAG !e! tag:yaml.org,2002:\n---\n!e!str 1\n"), "\"1\""},
		/* one that is wrong spoils all, anchors end with their document */
		{BYTES("a: 1\n---\na: b: c\n"), "YamlInvalid: line 3, column 5: a ':' can't "
						"stand here: check the indentation, or "
						"quote the value"},
		{BYTES("a: &x 1\n---\nb: *x\n"),
		 "YamlInvalid: line 3, column 4: alias *x has no anchor before it"},
	};

	assert_rows(rows, ARRAY_LEN(rows));
}

static void test_yaml__aliases_are_expanded(void **state)
{
	static const struct row rows[] = {
		{BYTES("a: &x {k: [1, ~]}\nb: *x\nc: [*x, *x]\n"),
		 "{\"a\":{\"k\":[1,null]},\"b\":{\"k\":[1,null]},"
		 "\"c\":[{\"k\":[1,null]},{\"k\":[1,null]}]}"},
		{BYTES("- &a x\n- *a\n- &a z\n- *a\n"), "[\"x\",\"x\",\"z\",\"z\"]"},
		{BYTES("&k name: &v value\n*v : *k\n"),
		 "{\"name\":\"value\",\"value\":\"name\"}"},
		{BYTES("a: &n 0x10\n*n : 1\n"), "{\"16\":1,\"a\":16}"},
		{BYTES("a: &b yes\n*b : 1\n"), "{\"a\":true,\"true\":1}"},
		{BYTES("a: &e []\nb: *e\nc: &f\nd: *f\n"),
		 "{\"a\":[],\"b\":[],\"c\":null,\"d\":null}"},
		{BYTES("a: &a [*a]\n"), "YamlInvalid: line 1, column 8: alias *a stands inside "
					"the value that it names"},
		{BYTES("a: &a\n  b: {c: *a}\n"), "YamlInvalid: line 2, column 10: alias *a "
						 "stands inside the value that it names"},
		{BYTES("a: *none\n"),
		 "YamlInvalid: line 1, column 4: alias *none has no anchor before it"},
		{BYTES("a: &l [1]\n*l : 1\n"), "YamlInvalid: line 2, column 1: a key must be a "
					       "scalar"},
		{BYTES("a: &n ~\n*n : 1\n"),
		 "YamlInvalid: line 2, column 1: a key can't be null: "
		 "quote it"},
	};

	assert_rows(rows, ARRAY_LEN(rows));
}

/* One alias that is changed later must not change the other. */
static void test_yaml__aliases_are_copies(void **state)
{
	AUTO_ARENA a = arena_new();
	struct value_docs docs = {0};
	const char *text = "a: &x {k: 1}\nb: *x\n";

	assert_int_equal(
		value_yaml_parse(a, text, strlen(text), &value_limits_manifest, &docs, NULL),
		0);
	struct value *v = docs.list.items[0];
	value_set_int(a, value_get(v, "a"), "k", 2);
	assert_int_equal(value_get_int(value_get(v, "b"), "k", 0), 1);
	value_docs_clear(&docs);
}

static void test_yaml__merge_keys(void **state)
{
	static const struct row rows[] = {
		{BYTES("d: &d {a: 1, b: 2}\ne:\n  <<: *d\n  b: 3\n  c: 4\n"),
		 "{\"d\":{\"a\":1,\"b\":2},\"e\":{\"a\":1,\"b\":3,\"c\":4}}"},
		{BYTES("c: 4\n<<: {a: 1}\n"), "{\"a\":1,\"c\":4}"},
		{BYTES("<<: [{a: 1, b: 1}, {b: 2, c: 2}]\nc: 3\n"),
		 "{\"a\":1,\"b\":1,\"c\":3}"},
		{BYTES("x: &x {<<: {a: 1, b: 1}, b: 2}\nz: {<<: *x, c: 3}\n"),
		 "{\"x\":{\"a\":1,\"b\":2},\"z\":{\"a\":1,\"b\":2,\"c\":3}}"},
		{BYTES("<<: []\na: 1\n"), "{\"a\":1}"},
		{BYTES("<<: {}\n"), "{}"},
		{BYTES("!!merge <<: {a: 1}\n"), "{\"a\":1}"},
		{BYTES("\"<<\": {a: 1}\n"), "{\"<<\":{\"a\":1}}"},
		{BYTES("a: <<\n"), "{\"a\":\"<<\"}"},
		{BYTES("a: 1\nb:\n  c: 0\n  <<: {c: 1}\n"),
		 "YamlInvalid: line 4, column 3: the merge key << comes after key \"c\" (line "
		 "3), "
		 "which it also sets: put << first"},
		{BYTES("<<: {a: 1}\n<<: {b: 1}\n"),
		 "DuplicateKey: line 2, column 1: key \"<<\" stands twice in one map (first at "
		 "line 1)"},
		{BYTES("<<: {a: 1}\na: 2\na: 3\n"),
		 "DuplicateKey: line 3, column 1: key \"a\" stands twice in one map (first at "
		 "line 2)"},
		{BYTES("<<: 1\n"),
		 "YamlInvalid: line 1, column 1: a merge key << needs a map or a list of maps"},
		{BYTES("a:\n  <<:\n"),
		 "YamlInvalid: line 2, column 3: a merge key << needs a map or a list of maps"},
		{BYTES("<<: [{a: 1}, 2]\n"),
		 "YamlInvalid: line 1, column 1: a merge key << needs a map or a list of maps"},
		{BYTES("<<: [[{a: 1}]]\n"),
		 "YamlInvalid: line 1, column 1: a merge key << needs a map or a list of maps"},
	};

	assert_rows(rows, ARRAY_LEN(rows));
}

/* The members of a merged map are many: found by hash, in either kind of order. */
static void test_yaml__merge_of_large_maps(void **state)
{
	AUTO(buf) text = BUF_INIT;
	AUTO_ARENA a = arena_new();
	struct value_docs docs = {0};
	const int n = 20000;

	buf_puts(&text, "base: &base\n");
	for (int i = 0; i < n; i++)
		buf_printf(&text, "  k%d: base\n", i);
	buf_puts(&text, "all:\n  <<: *base\n");
	for (int i = 1; i < n; i += 2)
		buf_printf(&text, "  k%d: own\n", i);
	assert_int_equal(
		value_yaml_parse(a, text.ptr, text.len, &value_limits_manifest, &docs, NULL),
		0);
	struct value *all = value_get(docs.list.items[0], "all");
	assert_int_equal(value_len(all), n);
	assert_string_equal(value_get_str(all, "k0"), "base");
	assert_string_equal(value_get_str(all, "k1"), "own");
	assert_string_equal(all->object.members[1].key, "k1"); /* replaced in its place */
	assert_string_equal(value_get_str(all, "k19999"), "own");
	value_docs_clear(&docs);
}

static void test_yaml__duplicate_key_is_refused_with_line(void **state)
{
	static const struct row rows[] = {
		{BYTES("spec:\n  replicas: 1\n  x:\n    replicas: 2\n  y: z\n\n  replicas: "
		       "3\n"),
		 "DuplicateKey: line 7, column 3: key \"replicas\" stands twice in one map "
		 "(first at "
		 "line 2)"},
		{BYTES("{a: 1, a: 2}"), "DuplicateKey: line 1, column 8: key \"a\" stands "
					"twice in one map (first at line "
					"1)"},
		{BYTES("1: a\n\"1\": b\n"), "DuplicateKey: line 2, column 1: key \"1\" stands "
					    "twice in one map (first at line "
					    "1)"},
		{BYTES("0x10: a\n16: b\n"), "DuplicateKey: line 2, column 1: key \"16\" stands "
					    "twice in one map (first at line "
					    "1)"},
		{BYTES("yes: a\ntrue: b\n"), "DuplicateKey: line 2, column 1: key \"true\" "
					     "stands twice in one map (first at "
					     "line 1)"},
		{BYTES("a:\n- b: 1\n- b: 2\n  b: 3\n"),
		 "DuplicateKey: line 4, column 3: key \"b\" stands twice in one map (first at "
		 "line "
		 "3)"},
	};

	assert_rows(rows, ARRAY_LEN(rows));
}

static void test_yaml__refusals_name_line_and_column(void **state)
{
	static const struct row rows[] = {
		/* syntax */
		{BYTES("a: b\n  c: d\n"), "YamlInvalid: line 2, column 4: a ':' can't stand "
					  "here: check the indentation, or "
					  "quote the value"},
		{BYTES("a: 1\n b: 2\n"), "YamlInvalid: line 2, column 3: a ':' can't stand "
					 "here: check the indentation, or "
					 "quote the value"},
		{BYTES("a:\n\tb: 1\n"),
		 "YamlInvalid: line 2, column 1: a tab can't indent: use spaces"},
		{BYTES("a: @x\n"),
		 "YamlInvalid: line 1, column 4: '@' can't start a value: quote it"},
		{BYTES("\xc3\xa9: 1\r\na: `x\n"),
		 "YamlInvalid: line 2, column 4: '`' can't start a value: quote it"},
		{BYTES("a: 1\nb\n"), "YamlInvalid: line 3, column 1: a ':' is wanted after the "
				     "key (while scanning a "
				     "simple key that starts at line 2)"},
		{BYTES("a:\n- b\nc\n"), "YamlInvalid: line 4, column 1: a ':' is wanted after "
					"the key (while scanning a "
					"simple key that starts at line 3)"},
		{BYTES("a: - b\n"), "YamlInvalid: line 1, column 4: a '-' can't stand here: "
				    "check the indentation"},
		{BYTES("a:\n  - b\n c: d\n"), "YamlInvalid: line 3, column 2: a key is wanted "
					      "here: check the indentation (while "
					      "parsing a block mapping that starts at line 1)"},
		{BYTES("- a\nb: c\n"), "YamlInvalid: line 2, column 1: a '-' is wanted here: "
				       "check the indentation (while "
				       "parsing a block collection that starts at line 1)"},
		{BYTES("a: [1, 2\n"), "YamlInvalid: line 2, column 1: did not find expected "
				      "',' or ']' (while parsing a "
				      "flow sequence that starts at line 1)"},
		{BYTES("a: \"b\nc: d\n"), "YamlInvalid: line 3, column 1: the file ends too "
					  "early (while scanning a quoted "
					  "scalar that starts at line 1)"},
		{BYTES("a: \"\\ud83d\\ude00\"\n"),
		 "YamlInvalid: line 1, column 7: found invalid Unicode character escape code"},
		/* keys */
		{BYTES("[a]: 1\n"), "YamlInvalid: line 1, column 1: a key must be a scalar"},
		{BYTES("? {a: 1}\n: 1\n"),
		 "YamlInvalid: line 1, column 3: a key must be a scalar"},
		{BYTES("~: 1\n"),
		 "YamlInvalid: line 1, column 1: a key can't be null: quote it"},
		{BYTES("?\n: 1\n"),
		 "YamlInvalid: line 1, column 2: a key can't be null: quote it"},
		{BYTES("a: 1\n1e300: 1\n"),
		 "YamlInvalid: line 2, column 1: a key can't be a number this big: quote it"},
		/* scalars */
		{BYTES("a:\n  b: .inf\n"),
		 "YamlInvalid: line 2, column 6: infinity and NaN are no "
		 "JSON numbers: quote it if it is text"},
		{BYTES(".nan: 1\n"),
		 "YamlInvalid: line 1, column 1: infinity and NaN are no JSON "
		 "numbers: quote it if it is text"},
		{BYTES("a: !!int x\n"), "YamlInvalid: line 1, column 4: \"x\" is no !!int"},
		{BYTES("a: !!int 1.5\n"), "YamlInvalid: line 1, column 4: \"1.5\" is no !!int"},
		{BYTES("a: !!float yes\n"),
		 "YamlInvalid: line 1, column 4: \"yes\" is no !!float"},
		{BYTES("a: !!bool 1\n"), "YamlInvalid: line 1, column 4: \"1\" is no !!bool"},
		{BYTES("a: !!null x\n"), "YamlInvalid: line 1, column 4: \"x\" is no !!null"},
		{BYTES("a: \"x\\0y\"\n"),
		 "YamlInvalid: line 1, column 4: NUL (\\0) is not allowed in a string"},
		{BYTES("\"\\x00\": 1\n"),
		 "YamlInvalid: line 1, column 1: NUL (\\0) is not allowed in a string"},
		/* tags */
		{BYTES("a: !!binary aGk=\n"),
		 "UnsupportedTag: line 1, column 4: tag !!binary is not supported here"},
		{BYTES("a: !!timestamp 2001-01-01\n"),
		 "UnsupportedTag: line 1, column 4: tag !!timestamp is not supported here"},
		{BYTES("a: !!set {b}\n"),
		 "UnsupportedTag: line 1, column 4: tag !!set is not supported here"},
		{BYTES("a: !!seq {}\n"),
		 "UnsupportedTag: line 1, column 4: tag !!seq is not supported here"},
		{BYTES("a: !!map []\n"),
		 "UnsupportedTag: line 1, column 4: tag !!map is not supported here"},
		{BYTES("a: !!map x\n"),
		 "UnsupportedTag: line 1, column 4: tag !!map is not supported here"},
		{BYTES("a: !env HOME\n"), "UnsupportedTag: line 1, column 4: tag !env is not "
					  "supported"},
		{BYTES("!ruby/object:X {}\n"),
		 "UnsupportedTag: line 1, column 1: tag !ruby/object:X is not supported"},
		/* bytes */
		{BYTES("a: \xc3(\n"),
		 "YamlInvalid: line 1, column 4: a byte that is not UTF-8"},
		{BYTES("a: 1\nb: \xed\xa0\x80\n"),
		 "YamlInvalid: line 2, column 4: a byte that is not UTF-8"},
		{BYTES("a: 1\nb\0: 2\n"),
		 "YamlInvalid: line 2, column 2: a NUL byte: the file must be text in UTF-8"},
		{BYTES("a: 1\n\0"),
		 "YamlInvalid: line 2, column 1: a NUL byte: the file must be text in UTF-8"},
		{BYTES("\xff\xfe"
		       "a\0:\0"),
		 "YamlInvalid: line 1, column 1: this is UTF-16: save the file as UTF-8"},
		{BYTES("\xfe\xff\0a\0:"),
		 "YamlInvalid: line 1, column 1: this is UTF-16: save the file as UTF-8"},
		{BYTES("a\0:\0"),
		 "YamlInvalid: line 1, column 2: a NUL byte: the file must be text in UTF-8"},
		{BYTES("\xef\xbb\xbf"
		       "a: 1\n"),
		 "YamlInvalid: line 1, column 1: a byte order mark: save the file as UTF-8 "
		 "without "
		 "one"},
		{BYTES("a: 1\nb: \x01\n"),
		 "YamlInvalid: line 2, column 4: control characters are not allowed"},
		{BYTES("a: \x7f\n"),
		 "YamlInvalid: line 1, column 4: control characters are not "
		 "allowed"},
		{BYTES("%YAML 3.0\n---\na\n"),
		 "YamlInvalid: line 1, column 1: found incompatible YAML document"},
	};

	assert_rows(rows, ARRAY_LEN(rows));
}

static void test_yaml__core_tags(void **state)
{
	assert_reads(BYTES("[!!str 1, !!int \"2\", !!float 3, !!bool no, !!null \"\", ! 5, "
			   "!!map {}, !!seq [], !!str, !<tag:yaml.org,2002:int> '7', ! []]"),
		     "[\"1\",2,3,false,null,\"5\",{},[],\"\",7,[]]");
}

static void test_yaml__values_know_where_they_stood(void **state)
{
	AUTO_ARENA a = arena_new();
	struct value_docs docs = {0};
	const char *text = "# c\na: x\n\xc3\xa9\xc3\xa9: [1,  y]\n---\nb:\n  c: z\n";

	assert_int_equal(
		value_yaml_parse(a, text, strlen(text), &value_limits_manifest, &docs, NULL),
		0);
	struct value *v = value_at(docs.list.items[0], "\xc3\xa9\xc3\xa9", "#1", NULL);
	assert_int_equal(docs.list.items[0]->line, 2);
	assert_int_equal(v->line, 3);
	assert_int_equal(v->column, 10);
	v = value_at(docs.list.items[1], "b", "c", NULL);
	assert_int_equal(v->line, 6);
	assert_int_equal(v->column, 6);
	value_docs_clear(&docs);
}

static void assert_limited(const char *data, const struct value_limits *limits,
			   const char *reason)
{
	char *seen = read_all(data, strlen(data), limits);
	const char *wanted = reason ? reason : "";

	if (reason ? strncmp(seen, wanted, strlen(wanted)) : *seen != '{' && *seen != '[')
		fail_msg("%.60s: seen %.100s, wanted %s", data, seen, wanted);
	free(seen);
}

static void test_yaml__bytes_one_below_and_one_above(void **state)
{
	struct value_limits limits = {6, 100, 100};
	char *seen;

	assert_limited("[1,22]", &limits, NULL);
	seen = read_all("[1,22]\n", 7, &limits);
	assert_string_equal(seen, "TooLarge: 7 bytes, at most 6 are allowed");
	free(seen);
}

static void test_yaml__nodes_one_below_and_one_above(void **state)
{
	struct value_limits limits = {1000, 5, 100};

	assert_limited("[1, 2, 3, 4]", &limits, NULL);
	assert_limited("[1, 2, 3, 4, 5]", &limits,
		       "TooManyNodes: line 1, column 14: more than 5 values");
	assert_limited("a: 1\nb: 2\nc: {d: e}\n", &limits, NULL);
	assert_limited("a: 1\nb: 2\nc: {d: e, f: g}\n", &limits,
		       "TooManyNodes: line 3, column 14");
	assert_limited("- &a [x]\n- *a\n", &limits, NULL); /* 1 + 2 + 2 */
	assert_limited("- &a [x]\n- *a\n- y\n", &limits, "TooManyNodes: line 3, column 3");
	assert_limited("- &a [x, y]\n- *a\n", &limits, "TooManyNodes: line 2, column 3");
	assert_limited("- &a [x]\n- *a\n- *a\n", &limits, "TooManyNodes: line 3, column 3");
	assert_limited("a: &a {x: 1}\nb: {<<: *a}\n", &limits,
		       "TooManyNodes: line 2, column 9");
	assert_limited("--- 1\n--- 2\n--- 3\n--- 4\n--- 5\n--- 6\n", &limits,
		       "TooManyNodes: line 6, column 5");
	assert_limited("---\n---\n---\n---\n---\n---\n", &limits, "TooManyNodes");
}

static void test_yaml__depth_one_below_and_one_above(void **state)
{
	static const struct {
		const char *open, *shut;
		int column;
	} rows[] = {{"[", "]", 101}, {"{a: ", "}", 401}, {"- ", "", 201}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int depth = 99; depth <= 101; depth++) {
			AUTO_FREE char *open = test_repeat(rows[i].open, (size_t)depth);
			AUTO_FREE char *shut = test_repeat(rows[i].shut, (size_t)depth);
			AUTO_FREE char *text = mem_printf("%sx%s", open, shut);
			AUTO_FREE char *wanted =
				mem_printf("TooDeep: line 1, column %d: nested more than 100 "
					   "levels deep",
					   rows[i].column);

			assert_limited(text, &value_limits_manifest,
				       depth > 100 ? wanted : NULL);
		}
}

/* Each alias stands one level deeper than what it names: no way around the cap. */
static void test_yaml__depth_counts_through_aliases(void **state)
{
	for (int levels = 98; levels <= 101; levels++) {
		AUTO(buf) text = BUF_INIT;

		buf_puts(&text, "a0: &a0 [x]\n");
		for (int i = 1; i < levels; i++)
			buf_printf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
		assert_limited(text.ptr, &value_limits_manifest,
			       levels > 99 ? "TooDeep: line 100, column 12" : NULL);
	}
}

/* A merge lays the members of one map beside others, it doesn't nest them. */
static void test_yaml__depth_does_not_grow_with_merges(void **state)
{
	AUTO(buf) text = BUF_INIT;

	buf_puts(&text, "a0: &a0 {x: 1}\n");
	for (int i = 1; i < 150; i++)
		buf_printf(&text, "a%d: &a%d {<<: *a%d, k%d: 1}\n", i, i, i - 1, i);
	assert_limited(text.ptr, &value_limits_manifest, NULL);
}

static void test_yaml__directives_are_capped(void **state)
{
	AUTO(buf) text = BUF_INIT;

	for (int i = 0; i < 64; i++)
		buf_printf(&text, "%%TAG !a%d! b\n", i);
	buf_puts(&text, "---\n{}\n");
	assert_limited(text.ptr, &value_limits_manifest, NULL);
	for (int i = 0; i < 64; i++)
		buf_printf(&text, "...\n%%TAG !a%d! b\n---\n{}\n", i);
	assert_limited(text.ptr, &value_limits_manifest,
		       "YamlInvalid: line 68, column 1: too many lines that start with %");
	assert_limited("{a: \"%\", b: '\n %\n %'}", &value_limits_manifest, NULL);
}

/* What takes libyaml, or a naive reader, minutes; here all together well below a second. */
static void test_yaml__attacks_are_fast(void **state)
{
	AUTO_FREE char *brackets = test_repeat("[", 500000);
	AUTO_FREE char *maps = test_repeat("{a: ", 500000);
	AUTO_FREE char *dashes = test_repeat("- ", 1000000);
	AUTO_FREE char *lines = test_repeat("\n", 3000000);
	AUTO_FREE char *digits = test_repeat("1", 3000000);
	AUTO(buf) bomb = BUF_INIT;
	AUTO(buf) tags = BUF_INIT;
	int64_t start = clock_mono_ms();
	char *seen;

	buf_puts(&bomb, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 9; i++) {
		buf_printf(&bomb, "a%d: &a%d [", i, i);
		for (int k = 0; k < 9; k++)
			buf_printf(&bomb, "%s*a%d", k ? "," : "", i - 1);
		buf_puts(&bomb, "]\n");
	}
	for (int i = 0; i < 150000; i++)
		buf_printf(&tags, "%%TAG !a%d! b\n", i);
	assert_limited(brackets, &value_limits_manifest, "TooDeep");
	assert_limited(maps, &value_limits_manifest, "TooDeep");
	assert_limited(dashes, &value_limits_manifest, "TooDeep");
	assert_limited(bomb.ptr, &value_limits_manifest, "TooManyNodes: line 6, column 10");
	assert_limited(tags.ptr, &value_limits_manifest, "YamlInvalid: line 65");
	assert_reads(lines, strlen(lines), "");
	seen = read_all(digits, strlen(digits), &value_limits_manifest);
	assert_int_equal(strlen(seen), 3000002); /* beyond a float64: text */
	free(seen);
	assert_true(clock_mono_ms() - start < 20000);
}

static void test_yaml__an_error_may_be_ignored(void **state)
{
	AUTO_ARENA a = arena_new();
	struct value_docs docs = {0};

	assert_int_equal(value_yaml_parse(a, "[", 1, &value_limits_manifest, &docs, NULL), -1);
	assert_int_equal(value_yaml_parse(a, "{a, a}", 6, &value_limits_manifest, &docs, NULL),
			 -1);
	assert_int_equal(docs.list.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yaml__trees),
		cmocka_unit_test(test_yaml__documents),
		cmocka_unit_test(test_yaml__aliases_are_expanded),
		cmocka_unit_test(test_yaml__aliases_are_copies),
		cmocka_unit_test(test_yaml__merge_keys),
		cmocka_unit_test(test_yaml__merge_of_large_maps),
		cmocka_unit_test(test_yaml__duplicate_key_is_refused_with_line),
		cmocka_unit_test(test_yaml__refusals_name_line_and_column),
		cmocka_unit_test(test_yaml__core_tags),
		cmocka_unit_test(test_yaml__values_know_where_they_stood),
		cmocka_unit_test(test_yaml__bytes_one_below_and_one_above),
		cmocka_unit_test(test_yaml__nodes_one_below_and_one_above),
		cmocka_unit_test(test_yaml__depth_one_below_and_one_above),
		cmocka_unit_test(test_yaml__depth_counts_through_aliases),
		cmocka_unit_test(test_yaml__depth_does_not_grow_with_merges),
		cmocka_unit_test(test_yaml__directives_are_capped),
		cmocka_unit_test(test_yaml__attacks_are_fast),
		cmocka_unit_test(test_yaml__an_error_may_be_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
