/* base/buf.c: growth, invariants, safe text, hex, base64. */
#include "test.h"

#include "base/buf.h"
#include "base/mem.h"

static void test_buf__empty_is_a_c_string_that_is_not_ours(void **state)
{
	AUTO(buf) a = BUF_INIT;
	struct buf b;

	buf_init(&b);
	assert_string_equal(a.ptr, "");
	assert_string_equal(b.ptr, "");
	buf_add(&a, "", 0);
	buf_add(&a, NULL, 0);
	assert_ptr_equal(a.ptr, buf_empty);
	buf_reset(&a);
	buf_clear(&b);
	assert_int_equal(buf_empty[0], 0);
}

static void test_buf__appends_and_ends_in_nul(void **state)
{
	AUTO(buf) b = BUF_INIT;

	buf_puts(&b, "ab");
	buf_putc(&b, 'c');
	buf_printf(&b, "-%d-%s", 7, "x");
	buf_add(&b, "\0z", 2);
	assert_int_equal(b.len, 9);
	assert_memory_equal(b.ptr, "abc-7-x\0z", 10);
	for (int i = 0; i < 10000; i++) {
		buf_putc(&b, 'y');
		assert_int_equal(b.ptr[b.len], 0);
		assert_true(b.cap > b.len);
	}
	buf_truncate(&b, 3);
	assert_string_equal(b.ptr, "abc");
	buf_truncate(&b, 100);
	assert_int_equal(b.len, 3);
}

static void test_buf__printf_of_long_text_is_whole(void **state)
{
	AUTO(buf) b = BUF_INIT;
	char *text = test_repeat("0123456789", 5000);

	buf_puts(&b, "<");
	buf_printf(&b, "%s>", text);
	assert_int_equal(b.len, 50002);
	assert_memory_equal(b.ptr + 1, text, 50000);
	free(text);
}

static void test_buf__reset_keeps_memory_and_clear_gives_it_up(void **state)
{
	struct buf b = BUF_INIT;

	buf_puts(&b, "hello");
	char *was = b.ptr;
	buf_reset(&b);
	assert_ptr_equal(b.ptr, was);
	assert_string_equal(b.ptr, "");
	buf_clear(&b);
	assert_ptr_equal(b.ptr, buf_empty);
	buf_puts(&b, "again");
	assert_string_equal(b.ptr, "again");
	buf_clear(&b);
}

static void test_buf__detach_hands_over(void **state)
{
	struct buf b = BUF_INIT;
	char *s = buf_detach(&b);

	assert_string_equal(s, "");
	free(s);
	buf_puts(&b, "x");
	s = buf_detach(&b);
	assert_string_equal(s, "x");
	assert_int_equal(b.len, 0);
	free(s);
	buf_puts(&b, "y");
	assert_string_equal(b.ptr, "y");
	buf_clear(&b);
}

static void test_buf__reserve_grows_by_more_than_asked(void **state)
{
	AUTO(buf) b = BUF_INIT;
	size_t moves = 0, cap = 0;

	for (int i = 0; i < 1000000; i++) {
		buf_putc(&b, 'x');
		if (b.cap != cap)
			moves++;
		cap = b.cap;
	}
	assert_true(moves < 40); /* else appending is quadratic */
}

static void test_buf__safe_text_has_nothing_that_hides_or_controls(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "plain \xc3\xa9 \xe2\x82\xac "
								 "\xf0\x9f\x98\x80"},
		{"a\nb\tc\x1b[31m\x7f", "a?b?c?[31m?"},
		{"\xe2\x80\xae"
		 "x\xe2\x80\x8b"
		 "y\xef\xbb\xbf",
		 "?x?y?"},		 /* right-to-left override, zero width space, BOM */
		{"\xc2\x85", "?"},	 /* next line */
		{"\xff\xc3(", "?\x3f("}, /* not UTF-8 */
		{"\xed\xa0\x80", "???"}, /* surrogate */
		{"\xc0\x80", "??"},	 /* overlong NUL */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(buf) b = BUF_INIT;
		buf_put_safe(&b, rows[i].in, strlen(rows[i].in));
		assert_string_equal(b.ptr, rows[i].out);
	}
	AUTO(buf) b = BUF_INIT;
	buf_put_safe(&b, "a\0b", 3);
	assert_string_equal(b.ptr, "a?b");
}

static void test_buf__hex(void **state)
{
	AUTO(buf) b = BUF_INIT;

	buf_put_hex(&b, (const unsigned char *)"\x00\x1f\xff", 3);
	assert_string_equal(b.ptr, "001fff");
}

static void test_buf__base64_both_ways(void **state)
{
	static const struct {
		const char *raw, *text;
	} rows[] = {/* RFC 4648, section 10 */
		    {"", ""},
		    {"f", "Zg=="},
		    {"fo", "Zm8="},
		    {"foo", "Zm9v"},
		    {"foob", "Zm9vYg=="},
		    {"fooba", "Zm9vYmE="},
		    {"foobar", "Zm9vYmFy"},
		    {"\xfb\xff\xbf", "+/+/"}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(buf) b = BUF_INIT;
		AUTO(buf) back = BUF_INIT;
		AUTO(buf) unpadded = BUF_INIT;

		buf_put_base64(&b, rows[i].raw, strlen(rows[i].raw));
		assert_string_equal(b.ptr, rows[i].text);
		assert_int_equal(buf_put_base64_decoded(&back, b.ptr, b.len), 0);
		assert_string_equal(back.ptr, rows[i].raw);
		assert_int_equal(buf_put_base64_decoded(&unpadded, b.ptr, strcspn(b.ptr, "=")),
				 0);
		assert_string_equal(unpadded.ptr, rows[i].raw);
	}
}

static void test_buf__every_byte_survives_base64(void **state)
{
	unsigned char raw[256];
	AUTO(buf) text = BUF_INIT;
	AUTO(buf) back = BUF_INIT;

	for (int i = 0; i < 256; i++)
		raw[i] = (unsigned char)(i * 7);
	buf_put_base64(&text, raw, sizeof raw);
	assert_int_equal(buf_put_base64_decoded(&back, text.ptr, text.len), 0);
	assert_int_equal(back.len, sizeof raw);
	assert_memory_equal(back.ptr, raw, sizeof raw);
}

static void test_buf__base64_skips_white_space(void **state)
{
	AUTO(buf) b = BUF_INIT;
	const char *text = " Zm9v\r\n\tYmE=\n";

	assert_int_equal(buf_put_base64_decoded(&b, text, strlen(text)), 0);
	assert_string_equal(b.ptr, "fooba");
}

static void test_buf__bad_base64_is_refused_and_leaves_no_trace(void **state)
{
	static const char *const rows[] = {
		"Z",	"Zm9vY", "Z===",  "Zg=",  "Zm8==",    "=",     "Zg==Zg==", "Zm9v=",
		"Zm-v", "Zm_v",	 "Zm9v!", "Zg=x", "Zm9v====", "Zg===", "\xc3\xa9"};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(buf) b = BUF_INIT;
		buf_puts(&b, "kept");
		assert_row(buf_put_base64_decoded(&b, rows[i], strlen(rows[i])) == -1, rows[i]);
		assert_string_equal(b.ptr, "kept");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf__empty_is_a_c_string_that_is_not_ours),
		cmocka_unit_test(test_buf__appends_and_ends_in_nul),
		cmocka_unit_test(test_buf__printf_of_long_text_is_whole),
		cmocka_unit_test(test_buf__reset_keeps_memory_and_clear_gives_it_up),
		cmocka_unit_test(test_buf__detach_hands_over),
		cmocka_unit_test(test_buf__reserve_grows_by_more_than_asked),
		cmocka_unit_test(test_buf__safe_text_has_nothing_that_hides_or_controls),
		cmocka_unit_test(test_buf__hex),
		cmocka_unit_test(test_buf__base64_both_ways),
		cmocka_unit_test(test_buf__every_byte_survives_base64),
		cmocka_unit_test(test_buf__base64_skips_white_space),
		cmocka_unit_test(test_buf__bad_base64_is_refused_and_leaves_no_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
