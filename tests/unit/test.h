/*
 * test.h - what every unit test includes first: cmocka with the headers it wants, and helpers.
 *
 * One program a file; its main runs one group. Names: test_<what>__<what_is_true>.
 */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

/* `err` is of that kind, has that reason code and that text. */
#define assert_error(err, kind_, reason_, text_)                 \
	do {                                                     \
		assert_string_equal((err)->text, (text_));       \
		assert_int_equal((err)->kind, (kind_));          \
		assert_string_equal(error_code(err), (reason_)); \
	} while (0)

/* In a loop over a table: say which row is being looked at when it fails. */
#define assert_row(condition, row_name)                             \
	do {                                                        \
		if (!(condition))                                   \
			fail_msg("%s: %s", (row_name), #condition); \
	} while (0)
#define assert_row_text(seen, wanted, row_name)                                           \
	do {                                                                              \
		const char *seen_ = (seen), *wanted_ = (wanted);                          \
		if (strcmp(seen_ ? seen_ : "(null)", wanted_ ? wanted_ : "(null)"))       \
			fail_msg("%s: seen \"%s\", wanted \"%s\"", (row_name),            \
				 seen_ ? seen_ : "(null)", wanted_ ? wanted_ : "(null)"); \
	} while (0)

/* The pattern that many times, freed by the caller: for inputs one below and one above a cap.
 */
static inline char *test_repeat(const char *pattern, size_t times)
{
	size_t n = strlen(pattern);
	char *out = malloc(n * times + 1);

	assert_non_null(out);
	for (size_t i = 0; i < times; i++)
		memcpy(out + i * n, pattern, n);
	out[n * times] = '\0';
	return out;
}

#endif
