/* value/value.c: making, changing and reading trees, on hostile ones too. */
#include "test.h"

#include "base/mem.h"
#include "value/json.h"

static struct value *parse(struct arena *a, const char *json)
{
	struct value *v = NULL;
	struct error err = ERROR_INIT;

	if (value_json_parse(a, json, strlen(json), &value_limits_manifest, &v, &err))
		fail_msg("%s: %s", json, err.text);
	return v;
}

static void assert_json(const struct value *v, const char *wanted)
{
	AUTO(buf) out = BUF_INIT;

	value_json_write(v, &out);
	assert_string_equal(out.ptr, wanted);
}

static void test_value__a_tree_made_by_hand(void **state)
{
	AUTO_ARENA a = arena_new();
	struct value *v = value_object(a), *list = value_array(a);

	value_set_string(a, v, "name", "x");
	value_set_int(a, v, "least", INT64_MIN);
	value_set(a, v, "list", list);
	for (int i = 0; i < 6; i++) /* beyond the first capacity */
		value_push(a, list, value_int(a, i));
	value_push(a, list, value_null(a));
	value_push(a, list, value_bool(a, true));
	value_push(a, list, value_stringn(a, "abc", 2));
	assert_json(v, "{\"least\":-9223372036854775808,"
		       "\"list\":[0,1,2,3,4,5,null,true,\"ab\"],\"name\":\"x\"}");
	assert_int_equal(v->line, 0);
}

static void test_value__set_replaces_in_place_and_appends_else(void **state)
{
	AUTO_ARENA a = arena_new();
	struct value *v = parse(a, "{\"b\":1,\"a\":2}");
	char key[] = "c";

	value_set_int(a, v, "b", 3);
	value_set_int(a, v, key, 4);
	key[0] = 'x';
	for (int i = 0; i < 40; i++) {
		char name[16];
		snprintf(name, sizeof name, "k%d", i);
		value_set_int(a, v, name, i);
	}
	assert_int_equal(value_len(v), 43);
	assert_string_equal(v->object.members[0].key, "b");
	assert_string_equal(v->object.members[2].key, "c");
	assert_int_equal(v->object.members[2].key_len, 1);
	assert_int_equal(value_get_int(v, "b", 0), 3);
	assert_int_equal(value_get_int(v, "k39", 0), 39);
}

static void test_value__remove(void **state)
{
	AUTO_ARENA a = arena_new();
	struct value *v = parse(a, "{\"a\":1,\"b\":2,\"c\":3}");

	assert_true(value_remove(v, "b"));
	assert_false(value_remove(v, "b"));
	assert_json(v, "{\"a\":1,\"c\":3}");
	assert_true(value_remove(v, "c"));
	assert_true(value_remove(v, "a"));
	assert_json(v, "{}");
	assert_false(value_remove(NULL, "a"));
	assert_false(value_remove(value_null(a), "a"));
}

static void test_value__object_at_makes_what_is_missing(void **state)
{
	AUTO_ARENA a = arena_new();
	struct value *v = parse(a, "{\"metadata\":{\"name\":\"x\"},\"labels\":3}");

	assert_ptr_equal(value_object_at(a, v, "metadata"), value_get(v, "metadata"));
	value_set_int(a, value_object_at(a, v, "labels"), "n", 1);
	value_set_int(a, value_object_at(a, v, "new"), "n", 2);
	assert_json(v,
		    "{\"labels\":{\"n\":1},\"metadata\":{\"name\":\"x\"},\"new\":{\"n\":2}}");
}

static void test_value__paths(void **state)
{
	AUTO_ARENA a = arena_new();
	struct value *v = parse(a, "{\"spec\":{\"c\":[{\"n\":\"x\"},{\"n\":\"y\"}]},\"#0\":7}");

	assert_string_equal(value_str(value_at(v, "spec", "c", "#1", "n", NULL)), "y");
	assert_ptr_equal(value_at(v, NULL), v);
	assert_non_null(value_at(v, "#0", NULL)); /* in an object it is a key */
	assert_null(value_at(v, "spec", "c", "#2", NULL));
	assert_null(value_at(v, "spec", "c", "#-1", NULL));
	assert_null(value_at(v, "spec", "c", "1", NULL));
	assert_null(value_at(v, "spec", "c", "#", NULL));
	assert_null(value_at(v, "spec", "c", "#99999999999999999999", NULL));
	assert_null(value_at(v, "spec", "c", "n", NULL));
	assert_null(value_at(v, "nothing", "c", "n", NULL));
	assert_null(value_at(NULL, "a", NULL));
}

static void test_value__reading_the_wrong_type_gives_the_fallback(void **state)
{
	AUTO_ARENA a = arena_new();
	struct value *v =
		parse(a, "{\"s\":\"1\",\"b\":true,\"n\":null,\"o\":{},\"l\":[1],\"i\":5}");

	assert_null(value_get_str(v, "b"));
	assert_null(value_get_str(v, "i"));
	assert_null(value_get_str(v, "none"));
	assert_null(value_get_str(NULL, "s"));
	assert_string_equal(value_get_str(v, "s"), "1");
	assert_true(value_get_bool(v, "b", false));
	assert_true(value_get_bool(v, "s", true));
	assert_false(value_get_bool(v, "n", false));
	assert_int_equal(value_get_int(v, "s", -7), -7);
	assert_int_equal(value_get_int(v, "b", -7), -7);
	assert_int_equal(value_get_int(value_get(v, "l"), "0", -7), -7);
	assert_int_equal(value_len(value_get(v, "s")), 0);
	assert_int_equal(value_len(NULL), 0);
	assert_int_equal(value_len(value_get(v, "l")), 1);
	assert_null(value_get(value_get(v, "s"), "x"));
	assert_null(value_str(NULL));
}

static void test_value__whole_numbers_only(void **state)
{
	static const struct {
		const char *json;
		int64_t n;
	} rows[] = {{"{\"a\":1}", 1},
		    {"{\"a\":-3}", -3},
		    {"{\"a\":-0}", 0},
		    {"{\"a\":9223372036854775807}", INT64_MAX},
		    {"{\"a\":-9223372036854775808}", INT64_MIN},
		    {"{\"a\":9223372036854775808}", 77},
		    {"{\"a\":-9223372036854775809}", 77},
		    {"{\"a\":1.0}", 77},
		    {"{\"a\":1e3}", 77}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_ARENA a = arena_new();
		assert_row(value_get_int(parse(a, rows[i].json), "a", 77) == rows[i].n,
			   rows[i].json);
	}
}

static void test_value__equal(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{"null", "null", true},
		{"null", "false", false},
		{"true", "true", true},
		{"true", "false", false},
		{"1", "1", true},
		{"1", "1.0", false}, /* numbers are texts */
		{"1", "\"1\"", false},
		{"\"a\"", "\"ab\"", false},
		{"\"a\"", "\"b\"", false},
		{"[]", "{}", false},
		{"[1,2]", "[1,2]", true},
		{"[1,2]", "[2,1]", false},
		{"[1]", "[1,1]", false},
		{"{\"a\":1,\"b\":[2]}", "{\"b\":[2],\"a\":1}", true},
		{"{\"a\":1,\"b\":2}", "{\"b\":1,\"a\":2}", false},
		{"{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}", false},
		{"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
		{"{\"a\":1}", "{\"a\":2}", false},
		{"{\"\":1,\"a\":1,\"aa\":1}", "{\"aa\":1,\"a\":1,\"\":1}", true},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_ARENA a = arena_new();
		struct value *x = parse(a, rows[i].a), *y = parse(a, rows[i].b);
		assert_row(value_equal(x, y) == rows[i].equal, rows[i].a);
		assert_row(value_equal(y, x) == rows[i].equal, rows[i].a);
	}
}

/* Forty thousand keys in opposite order: seconds if it were quadratic. */
static void test_value__equal_of_large_objects_in_another_order(void **state)
{
	AUTO_ARENA a = arena_new();
	AUTO(buf) up = BUF_INIT;
	AUTO(buf) down = BUF_INIT;
	const int n = 40000;

	for (int i = 0; i < n; i++) {
		buf_printf(&up, "%c\"k%d\":%d", i ? ',' : '{', i, i);
		buf_printf(&down, "%c\"k%d\":%d", i ? ',' : '{', n - 1 - i, n - 1 - i);
	}
	buf_putc(&up, '}');
	buf_putc(&down, '}');
	assert_true(value_equal(parse(a, up.ptr), parse(a, down.ptr)));
}

static void test_value__copy_is_deep(void **state)
{
	AUTO_ARENA a = arena_new();
	struct arena *b = arena_new();
	const char *json = "{\"a\":[1,{\"b\":\"x\"},null,false],\"c\":{},\"d\":[]}";
	struct value *v = parse(b, json), *copy = value_copy(a, v);

	assert_true(value_equal(v, copy));
	value_set_string(b, value_at(v, "a", "#1", NULL), "b", "changed");
	value_push(b, value_get(v, "d"), value_null(b));
	assert_int_equal(copy->object.members[0].value->line, 1);
	arena_free(b); /* the sanitizer build sees it when something was shared */
	assert_json(copy, json);
	value_set_int(a, value_get(copy, "c"), "n", 1);
	value_push(a, value_get(copy, "d"), value_int(a, 2));
	assert_json(value_get(copy, "c"), "{\"n\":1}");
	assert_json(value_get(copy, "d"), "[2]");
}

static void test_value__drop_nulls(void **state)
{
	AUTO_ARENA a = arena_new();
	struct value *v =
		parse(a, "{\"a\":null,\"b\":{\"c\":null,\"d\":[null,{\"e\":null}]},\"f\":1,"
			 "\"g\":null}");

	value_drop_nulls(v);
	assert_json(v, "{\"b\":{\"d\":[null,{}]},\"f\":1}");
	value_drop_nulls(NULL);
	value_drop_nulls(value_null(a));
}

static void test_value__each_of_nothing_is_nothing(void **state)
{
	AUTO_ARENA a = arena_new();
	const struct value *none = NULL, *text = value_string(a, "x");
	struct value *item;
	struct member *m;
	int seen = 0;

	array_each (none, i, item)
		seen++;
	object_each (none, i, m)
		seen++;
	array_each (text, i, item)
		seen++;
	object_each (text, i, m)
		seen++;
	assert_int_equal(seen, 0);
	const struct value *v = parse(a, "{\"a\":[1,2,3]}");
	object_each (v, i, m)
		array_each (m->value, k, item)
			seen += atoi(item->text.ptr);
	assert_int_equal(seen, 6);
}

static void test_value__types_have_names(void **state)
{
	assert_string_equal(value_type_name(VALUE_NULL), "null");
	assert_string_equal(value_type_name(VALUE_BOOL), "boolean");
	assert_string_equal(value_type_name(VALUE_NUMBER), "number");
	assert_string_equal(value_type_name(VALUE_STRING), "string");
	assert_string_equal(value_type_name(VALUE_ARRAY), "array");
	assert_string_equal(value_type_name(VALUE_OBJECT), "object");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_value__a_tree_made_by_hand),
		cmocka_unit_test(test_value__set_replaces_in_place_and_appends_else),
		cmocka_unit_test(test_value__remove),
		cmocka_unit_test(test_value__object_at_makes_what_is_missing),
		cmocka_unit_test(test_value__paths),
		cmocka_unit_test(test_value__reading_the_wrong_type_gives_the_fallback),
		cmocka_unit_test(test_value__whole_numbers_only),
		cmocka_unit_test(test_value__equal),
		cmocka_unit_test(test_value__equal_of_large_objects_in_another_order),
		cmocka_unit_test(test_value__copy_is_deep),
		cmocka_unit_test(test_value__drop_nulls),
		cmocka_unit_test(test_value__each_of_nothing_is_nothing),
		cmocka_unit_test(test_value__types_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
