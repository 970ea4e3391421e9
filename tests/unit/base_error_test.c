/* base/error.c: texts that are cut, wrapped, NULL. */
#include "test.h"

#include "base/text.h"

static void test_error__set_fills_kind_and_text_and_returns_minus_one(void **state)
{
	struct error err = {.reason = "Old"};

	assert_int_equal(error_set(&err, ERROR_DENIED, "%s has %d", "a", 3), -1);
	assert_error(&err, ERROR_DENIED, "Denied", "a has 3");
	assert_null(err.reason);
}

static void test_error__reason_is_kept_by_wrap(void **state)
{
	struct error err = ERROR_INIT;

	assert_int_equal(error_reason(&err, ERROR_INVALID, "TooDeep", "line %d", 7), -1);
	assert_int_equal(error_wrap(&err, "file %s", "a.yaml"), -1);
	assert_int_equal(error_wrap(&err, "application x"), -1);
	assert_error(&err, ERROR_INVALID, "TooDeep", "application x: file a.yaml: line 7");
}

static void test_error__null_is_fine(void **state)
{
	assert_int_equal(error_set(NULL, ERROR_BUG, "x"), -1);
	assert_int_equal(error_reason(NULL, ERROR_BUG, "X", "x"), -1);
	assert_int_equal(error_wrap(NULL, "x"), -1);
}

static void test_error__longest_text_is_kept_and_one_more_is_cut(void **state)
{
	struct error err;
	char *fits = test_repeat("x", ERROR_TEXT_MAX - 1),
	     *more = test_repeat("x", ERROR_TEXT_MAX);

	error_set(&err, ERROR_BUG, "%s", fits);
	assert_string_equal(err.text, fits);
	error_set(&err, ERROR_BUG, "%s", more);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	assert_true(text_ends(err.text, "xx..."));
	free(fits);
	free(more);
}

static void test_error__cut_text_is_still_utf8(void **state)
{
	struct error err;
	char *text = test_repeat("\xf0\x9f\x98\x80", ERROR_TEXT_MAX); /* four bytes each */

	for (const char *p = "abcd"; *p; p++) { /* each place a cut can fall on */
		error_set(&err, ERROR_BUG, "%s%s", p, text);
		assert_true(text_ends(err.text, "..."));
		assert_int_equal(text_utf8_bad(err.text, strlen(err.text)), strlen(err.text));
		error_set(&err, ERROR_BUG, "%.*s", 300, text);
		error_wrap(&err, "%s%.*s", p, 200, text);
		assert_true(text_ends(err.text, "..."));
		assert_int_equal(text_utf8_bad(err.text, strlen(err.text)), strlen(err.text));
	}
	free(text);
}

static void test_error__wrap_that_leaves_no_room_is_cut(void **state)
{
	struct error err;
	char *outer = test_repeat("o", ERROR_TEXT_MAX * 2);

	error_set(&err, ERROR_BUG, "inner");
	error_wrap(&err, "%s", outer);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	assert_true(text_ends(err.text, "oo..."));
	free(outer);
}

static void test_error__text_may_be_made_of_itself(void **state)
{
	struct error err;

	error_set(&err, ERROR_TRANSIENT, "inner");
	error_set(&err, ERROR_GONE, "outer (%s), %s", err.text, err.text);
	assert_error(&err, ERROR_GONE, "Gone", "outer (inner), inner");
}

static void test_error__every_kind_has_a_code(void **state)
{
	static const struct {
		enum error_kind kind;
		const char *code;
	} rows[] = {
		{ERROR_NONE, "None"},	      {ERROR_TRANSIENT, "Transient"},
		{ERROR_CONFLICT, "Conflict"}, {ERROR_DENIED, "Denied"},
		{ERROR_INVALID, "Invalid"},   {ERROR_REFUSED, "Refused"},
		{ERROR_GONE, "Gone"},	      {ERROR_BUG, "Bug"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct error err = {.kind = rows[i].kind};
		assert_string_equal(error_code(&err), rows[i].code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error__set_fills_kind_and_text_and_returns_minus_one),
		cmocka_unit_test(test_error__reason_is_kept_by_wrap),
		cmocka_unit_test(test_error__null_is_fine),
		cmocka_unit_test(test_error__longest_text_is_kept_and_one_more_is_cut),
		cmocka_unit_test(test_error__cut_text_is_still_utf8),
		cmocka_unit_test(test_error__wrap_that_leaves_no_room_is_cut),
		cmocka_unit_test(test_error__text_may_be_made_of_itself),
		cmocka_unit_test(test_error__every_kind_has_a_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
