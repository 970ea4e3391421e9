/* base/digest.c: the published test vectors of SHA-256. */
#include "test.h"

#include "base/digest.h"

#define ABC   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void test_digest__published_vectors(void **state)
{
	char hex[DIGEST_HEX];
	char *million = test_repeat("a", 1000000);

	assert_string_equal(digest_sha256_hex("", 0, hex), EMPTY);
	assert_string_equal(digest_sha256_hex("abc", 3, hex), ABC);
	assert_string_equal(digest_sha256_hex(million, 1000000, hex),
			    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(million);
}

static void test_digest__raw_and_hex_agree(void **state)
{
	unsigned char raw[DIGEST_LEN];

	digest_sha256("abc", 3, raw);
	assert_int_equal(raw[0], 0xba);
	assert_int_equal(raw[31], 0xad);
}

static void test_digest__short_one_is_the_first_eight_bytes(void **state)
{
	unsigned char raw[DIGEST_LEN];
	uint64_t v, wanted;

	digest_sha256("abc", 3, raw);
	memcpy(&wanted, raw, 8);
	v = digest_u64("abc", 3);
	assert_true(v == wanted);
	assert_true(v != digest_u64("abd", 3));
	assert_true(digest_u64("", 0) != 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest__published_vectors),
		cmocka_unit_test(test_digest__raw_and_hex_agree),
		cmocka_unit_test(test_digest__short_one_is_the_first_eight_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
