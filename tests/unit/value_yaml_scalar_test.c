/* value/yaml_scalar.c: every scalar as kubectl reads it, numbers to the digit. */
#include "test.h"

#include "base/mem.h"
#include "base/text.h"
#include "value/json.h"
#include "value/yaml.h"
#include "value_yaml_scalar_rows.h"

/* Where we differ from kubectl, on purpose: it takes some of these keys as ".inf" or ".nan",
 * and can't take integers of 64 bits as keys (with a plus it makes them floats). */
static bool key_differs(const char *scalar)
{
	static const char *const names[] = {
		".inf",
		".Inf",
		".INF",
		"+.inf",
		"-.inf",
		"-.Inf",
		"+.INF",
		".nan",
		".NaN",
		".NAN",
		"1e300",
		"1e308",
		"3.5e38",
		"!!float .inf",
		"1.7976931348623157e308",
		"01777777777777777777777",
		"0xffffffffffffffff",
		"0x8000000000000000",
		"9223372036854775808",
		"18446744073709551615",
		"+9223372036854775808",
		"+18446744073709551615",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(scalar, names[i]))
			return true;
	return strlen(scalar) > 300 || (text_starts(scalar, "0b1") && strlen(scalar) == 66);
}

/* The root of one document, or NULL when it is refused. */
static struct value *parse(struct arena *a, const char *text)
{
	struct value_docs docs = {0};
	struct error err = ERROR_INIT;
	struct value *v = NULL;

	if (value_yaml_parse(a, text, strlen(text), &value_limits_manifest, &docs, &err) == 0) {
		assert_int_equal(docs.list.len, 1);
		v = docs.list.items[0];
	}
	value_docs_clear(&docs);
	return v;
}

static bool same(const struct value *seen, const struct value *wanted)
{
	if (seen->type == VALUE_NUMBER && wanted->type == VALUE_NUMBER)
		return strtod(seen->text.ptr, NULL) == strtod(wanted->text.ptr, NULL);
	return value_equal(seen, wanted);
}

static void test_yaml_scalar__value_is_what_kubectl_makes_of_it(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(scalar_rows); i++) {
		AUTO_ARENA a = arena_new();
		const char *scalar = scalar_rows[i].scalar, *json = scalar_rows[i].value;
		struct value *seen = parse(a, arena_printf(a, "a: %s\n", scalar)),
			     *wanted = NULL;

		if (json)
			assert_int_equal(value_json_parse(a, json, strlen(json),
							  &value_limits_manifest, &wanted,
							  NULL),
					 0);
		assert_row(!seen == !wanted, scalar);
		if (seen)
			assert_row(same(value_get(seen, "a"), wanted), scalar);
	}
}

static void test_yaml_scalar__key_is_what_kubectl_makes_of_it(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(scalar_rows); i++) {
		AUTO_ARENA a = arena_new();
		const char *scalar = scalar_rows[i].scalar;
		struct value *seen;

		if (key_differs(scalar))
			continue;
		seen = parse(a, arena_printf(a, "? %s\n: v\n", scalar));
		assert_row(!seen == !scalar_rows[i].key, scalar);
		if (seen)
			assert_row_text(seen->object.members[0].key, scalar_rows[i].key,
					scalar);
	}
}

static void test_yaml_scalar__numbers_keep_their_digits(void **state)
{
	static const struct {
		const char *scalar, *number;
	} rows[] = {
		{"123456789012345678901234567890", "123456789012345678901234567890"},
		{"18446744073709551616", "18446744073709551616"},
		{"-9223372036854775809", "-9223372036854775809"},
		{"9007199254740993", "9007199254740993"},
		{"0xffffffffffffffff", "18446744073709551615"},
		{"-0x8000000000000000", "-9223372036854775808"},
		{"0.30000000000000000000001", "0.30000000000000000000001"},
		{"1.10", "1.10"},
		{"1.0", "1.0"},
		{"1e3", "1e3"},
		{"1E+03", "1E+03"},
		{"1e-400", "1e-400"},
		{"-0", "-0"},
		{"+0", "0"},
		{"+1", "1"},
		{"1_000", "1000"},
		{"007.50", "7.50"},
		{"00.5", "0.5"},
		{".50", "0.50"},
		{"-.5e-3", "-0.5e-3"},
		{"1.", "1"},
		{"1.e3", "1e3"},
		{"08", "8"},
		{"0777777777777777777777777777", "777777777777777777777777777"},
		{"!!float 1", "1"},
		{"!!float 1e400", "1e400"},
		{"!!float \"2.50\"", "2.50"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_ARENA a = arena_new();
		struct value *v =
			value_get(parse(a, arena_printf(a, "a: %s\n", rows[i].scalar)), "a");

		assert_row(v && v->type == VALUE_NUMBER, rows[i].scalar);
		assert_row_text(v->text.ptr, rows[i].number, rows[i].scalar);
		assert_int_equal(v->text.len, strlen(rows[i].number));
	}
}

static void test_yaml_scalar__keys_that_kubectl_takes_and_we_refuse(void **state)
{
	static const char *const rows[] = {".inf", "-.Inf", ".nan", "1e300", "3.5e38"};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_ARENA a = arena_new();
		assert_row(!parse(a, arena_printf(a, "? %s\n: v\n", rows[i])), rows[i]);
	}
}

static void test_yaml_scalar__keys_of_64_bits_are_taken(void **state)
{
	AUTO_ARENA a = arena_new();

	assert_non_null(value_get(parse(a, "0xffffffffffffffff: v\n"), "18446744073709551615"));
	assert_non_null(value_get(parse(a, "9223372036854775808: v\n"), "9223372036854775808"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yaml_scalar__value_is_what_kubectl_makes_of_it),
		cmocka_unit_test(test_yaml_scalar__key_is_what_kubectl_makes_of_it),
		cmocka_unit_test(test_yaml_scalar__numbers_keep_their_digits),
		cmocka_unit_test(test_yaml_scalar__keys_that_kubectl_takes_and_we_refuse),
		cmocka_unit_test(test_yaml_scalar__keys_of_64_bits_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
