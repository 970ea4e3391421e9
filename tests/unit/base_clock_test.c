/* base/clock.c: RFC 3339 both ways, strictly. */
#include "test.h"

#include "base/clock.h"
#include "base/mem.h"

static void test_clock__times_are_shown(void **state)
{
	static const struct {
		int64_t ms;
		const char *text, *micro;
	} rows[] = {
		{0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"},
		{1, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.001000Z"},
		{-1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.999000Z"},
		{-1000, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.000000Z"},
		{1769860800123, "2026-01-31T12:00:00Z", "2026-01-31T12:00:00.123000Z"},
		{951782400000, "2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000000Z"},
		{253402300799999, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999000Z"},
	};
	char out[CLOCK_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_string_equal(clock_rfc3339(rows[i].ms, out), rows[i].text);
		assert_string_equal(clock_micro(rows[i].ms, out), rows[i].micro);
	}
}

static void test_clock__times_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} rows[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2026-01-31T12:00:00Z", 1769860800000},
		{"2026-01-31T12:00:00.123Z", 1769860800123},
		{"2026-01-31T12:00:00.123456Z", 1769860800123},
		{"2026-01-31T12:00:00.123999999Z", 1769860800123},
		{"2026-01-31T12:00:00.5Z", 1769860800500},
		{"2026-01-31T14:00:00+02:00", 1769860800000},
		{"2026-01-31T06:30:00.250-05:30", 1769860800250},
		{"2000-02-29T00:00:00Z", 951782400000},
		{"1969-12-31T23:59:59.999Z", -1},
		{"9999-12-31T23:59:59.999Z", 253402300799999},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = 77;
		assert_row(clock_parse(rows[i].text, &ms) == 0, rows[i].text);
		assert_row(ms == rows[i].ms, rows[i].text);
	}
}

static void test_clock__other_texts_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"now",
		"2026-01-31",
		"2026-01-31T12:00:00",
		"2026-01-31T12:00:00z",
		"2026-01-31t12:00:00Z",
		"2026-01-31 12:00:00Z",
		" 2026-01-31T12:00:00Z",
		"2026-01-31T12:00:00Z ",
		"2026-1-31T12:00:00Z",
		"2026- 1-31T12:00:00Z",
		"26-01-31T12:00:00Z",
		"02026-01-31T12:00:00Z",
		"2026-00-31T12:00:00Z",
		"2026-13-01T12:00:00Z",
		"2026-01-00T12:00:00Z",
		"2026-01-32T12:00:00Z",
		"2026-02-29T12:00:00Z", /* no leap year */
		"2026-04-31T12:00:00Z",
		"2026-01-31T24:00:00Z",
		"2026-01-31T12:60:00Z",
		"2026-01-31T12:00:60Z",
		"2026-01-31T12:00Z",
		"2026-01-31T12:00:00.Z",
		"2026-01-31T12:00:00,5Z",
		"2026-01-31T12:00:00.5",
		"2026-01-31T12:00:00+2:00",
		"2026-01-31T12:00:00+02",
		"2026-01-31T12:00:00+0200",
		"2026-01-31T12:00:00+24:00",
		"2026-01-31T12:00:00+02:60",
		"2026-01-31T12:00:00+02:00Z",
		"2026-01-31T12:00:00+-1:00",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = 77;
		assert_row(clock_parse(rows[i], &ms) == -1, rows[i]);
		assert_row(ms == 77, rows[i]);
	}
}

static void test_clock__reading_undoes_showing(void **state)
{
	char out[CLOCK_TEXT_MAX];
	int64_t back;

	for (int64_t ms = -62135596800000; ms < 253402300800000;
	     ms += 86400000LL * 97 + 12345678) {
		assert_int_equal(clock_parse(clock_micro(ms, out), &back), 0);
		assert_int_equal(back, ms);
	}
}

static void test_clock__now_is_after_2025_and_monotonic_goes_on(void **state)
{
	int64_t before = clock_mono_us();

	assert_true(clock_now_ms() > 1735689600000);
	assert_true(clock_mono_us() >= before);
	assert_true(clock_mono_ms() >= before / 1000);
	assert_true(clock_mono_ms() <= clock_mono_us() / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock__times_are_shown),
		cmocka_unit_test(test_clock__times_are_read),
		cmocka_unit_test(test_clock__other_texts_are_refused),
		cmocka_unit_test(test_clock__reading_undoes_showing),
		cmocka_unit_test(test_clock__now_is_after_2025_and_monotonic_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
