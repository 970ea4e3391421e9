/* base/text.c: UTF-8, numbers, durations. */
#include "test.h"

#include "base/mem.h"
#include "base/text.h"

static void test_text__runes_at_the_edges(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		uint32_t rune;
	} rows[] = {
		{"\x7f", 1, 0x7f},
		{"\xc2\x80", 2, 0x80},
		{"\xdf\xbf", 2, 0x7ff},
		{"\xe0\xa0\x80", 3, 0x800},
		{"\xed\x9f\xbf", 3, 0xd7ff},
		{"\xee\x80\x80", 3, 0xe000},
		{"\xef\xbf\xbf", 3, 0xffff},
		{"\xf0\x90\x80\x80", 4, 0x10000},
		{"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
		/* refused */
		{"\x80", 0, 0},		    /* continuation alone */
		{"\xc0\xaf", 0, 0},	    /* overlong */
		{"\xc1\xbf", 0, 0},	    /* overlong */
		{"\xe0\x9f\xbf", 0, 0},	    /* overlong */
		{"\xf0\x8f\xbf\xbf", 0, 0}, /* overlong */
		{"\xed\xa0\x80", 0, 0},	    /* first surrogate */
		{"\xed\xbf\xbf", 0, 0},	    /* last surrogate */
		{"\xf4\x90\x80\x80", 0, 0}, /* above U+10FFFF */
		{"\xf5\x80\x80\x80", 0, 0},
		{"\xff", 0, 0},
		{"\xc3(", 0, 0},	/* continuation missing */
		{"\xe2\x82(", 0, 0},	/* second one missing */
		{"\xf0\x9f\x98", 0, 0}, /* cut */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t rune = 0;
		size_t len = strlen(rows[i].bytes);

		assert_int_equal(text_utf8_rune(rows[i].bytes, len, &rune), rows[i].n);
		assert_int_equal(rune, rows[i].rune);
		assert_int_equal(text_utf8_bad(rows[i].bytes, len), rows[i].n ? len : 0);
	}
	assert_int_equal(text_utf8_rune("", 0, &(uint32_t){0}), 0);
	assert_int_equal(text_utf8_rune("\0", 1, &(uint32_t){0}), 1);
}

static void test_text__a_rune_is_not_read_beyond_the_length(void **state)
{
	uint32_t rune;

	assert_int_equal(text_utf8_rune("\xe2\x82\xac", 2, &rune), 0);
	assert_int_equal(text_utf8_bad("ab\xe2\x82\xac", 4), 2);
	assert_int_equal(text_utf8_bad("ab\xe2\x82\xac", 5), 5);
	assert_int_equal(text_utf8_bad("a\xffz", 3), 1);
}

static void test_text__unsafe_runes(void **state)
{
	static const uint32_t unsafe[] = {0,	  9,	  0x1f,	  0x7f,	   0x80,   0x9f,
					  0x61c,  0x200b, 0x200f, 0x2028,  0x202e, 0x2066,
					  0x2069, 0x206f, 0xfeff, 0xe0001, 0xe007f};
	static const uint32_t safe[] = {' ', '~', 0xa0, 0xe9, 0x200a, 0x2010, 0x20ac, 0x1f600};

	for (size_t i = 0; i < ARRAY_LEN(unsafe); i++)
		assert_true(text_rune_unsafe(unsafe[i]));
	for (size_t i = 0; i < ARRAY_LEN(safe); i++)
		assert_false(text_rune_unsafe(safe[i]));
}

static void test_text__comparisons(void **state)
{
	assert_true(text_eq(NULL, NULL));
	assert_false(text_eq(NULL, ""));
	assert_false(text_eq("", NULL));
	assert_true(text_eq("a", (const char[]){'a', 0}));
	assert_false(text_eq("a", "ab"));
	assert_true(text_starts("refs/heads/main", "refs/heads/"));
	assert_false(text_starts("ref", "refs"));
	assert_true(text_starts("x", ""));
	assert_true(text_ends("a.yaml", ".yaml"));
	assert_true(text_ends("a", ""));
	assert_false(text_ends("yaml", ".yaml"));
	assert_true(text_is_hex("0123456789abcdef", 16));
	assert_false(text_is_hex("AB", 2));
	assert_false(text_is_hex("0g", 2));
	assert_true(text_is_hex("0g", 1));
}

static void test_text__u64(void **state)
{
	static const struct {
		const char *s;
		uint64_t max, out;
		int rc;
	} rows[] = {
		{"0", UINT64_MAX, 0, 0},
		{"0", 0, 0, 0},
		{"1", 0, 0, -1},
		{"007", 7, 7, 0},
		{"8", 7, 0, -1},
		{"9", 8, 0, -1},
		{"65535", 65535, 65535, 0},
		{"65536", 65535, 0, -1},
		{"18446744073709551615", UINT64_MAX, UINT64_MAX, 0},
		{"18446744073709551616", UINT64_MAX, 0, -1},
		{"99999999999999999999", UINT64_MAX, 0, -1},
		{"", 9, 0, -1},
		{"+1", 9, 0, -1},
		{"-1", 9, 0, -1},
		{" 1", 9, 0, -1},
		{"1 ", 9, 0, -1},
		{"1x", 9, 0, -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t v = 12345;

		assert_row(text_u64(rows[i].s, strlen(rows[i].s), rows[i].max, &v) ==
				   rows[i].rc,
			   rows[i].s);
		assert_row(v == (rows[i].rc ? 12345 : rows[i].out), rows[i].s);
	}
}

static void test_text__duration_is_read(void **state)
{
	static const struct {
		const char *s;
		int64_t ms; /* -1: refused */
	} rows[] = {
		{"0", 0},
		{"0s", 0},
		{"90s", 90000},
		{"250ms", 250},
		{"1h30m", 5400000},
		{"1m1ms", 60001},
		{"3m0s", 180000},
		{"87840h", 316224000000}, /* ten years of 366 days, the most */
		{"87840h1ms", -1},
		{"87841h", -1},
		{"99999999999999999999h", -1},
		{"316224000000000s", -1},
		{"", -1},
		{"5", -1},
		{"s", -1},
		{"-5s", -1},
		{"5 s", -1},
		{"5d", -1},
		{"5sx", -1},
		{"1h30", -1},
		{"00", -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = 77;
		int rc = text_duration_ms(rows[i].s, &ms);

		assert_row(rc == (rows[i].ms < 0 ? -1 : 0), rows[i].s);
		assert_row(ms == (rows[i].ms < 0 ? 77 : rows[i].ms), rows[i].s);
	}
}

static void test_text__duration_is_shown(void **state)
{
	static const struct {
		int64_t ms;
		const char *s;
	} rows[] = {{0, "0ms"},
		    {999, "999ms"},
		    {1000, "1.0s"},
		    {12340, "12.3s"},
		    {59999, "59.9s"},
		    {60000, "1m00s"},
		    {245000, "4m05s"},
		    {3599999, "59m59s"},
		    {3600000, "1h00m"},
		    {90061000, "25h01m"},
		    {INT64_MAX, "2562047788015h12m"}};
	char out[24];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(text_duration(rows[i].ms, out), rows[i].s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text__runes_at_the_edges),
		cmocka_unit_test(test_text__a_rune_is_not_read_beyond_the_length),
		cmocka_unit_test(test_text__unsafe_runes),
		cmocka_unit_test(test_text__comparisons),
		cmocka_unit_test(test_text__u64),
		cmocka_unit_test(test_text__duration_is_read),
		cmocka_unit_test(test_text__duration_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
