/* allowed_signers and revokedKeys: OpenSSH's grammar, stricter; one bad line fails it all. */
#include "test.h"

#include <sodium.h>

#include "support/git_fixture.h"
#include "trust/trust_int.h"

#define KEY "AAAAC3NzaC1lZDI1NTE5AAAAIKAOEBy6cRzwn2Hrq9fOZKvM8dqEnXkPmDLBtY3R4Kcc"
#define ED  "ssh-ed25519 " KEY
#define DAY (24 * 3600)

static void test_signers__lines_that_are_taken(void **state)
{
	static const struct {
		const char *text, *principal;
		int64_t after, before;
		bool git;
	} rows[] = {
		{"a@x " ED "\n", "a@x", INT64_MIN, INT64_MAX, true},
		{"# comment\n\n  a@x\t" ED " some comment\r\n", "a@x", INT64_MIN, INT64_MAX,
		 true},
		{"a@x,b@x " ED, "a@x", INT64_MIN, INT64_MAX, true},
		{"\"Alice A\" " ED, "Alice A", INT64_MIN, INT64_MAX, true},
		{"a namespaces=\"git\" " ED, "a", INT64_MIN, INT64_MAX, true},
		{"a namespaces=\"file,g?t\" " ED, "a", INT64_MIN, INT64_MAX, true},
		{"a NameSpaces=\"*\" " ED, "a", INT64_MIN, INT64_MAX, true},
		{"a namespaces=\"file\" " ED, "a", INT64_MIN, INT64_MAX, false},
		{"a namespaces=\"*,!git\" " ED, "a", INT64_MIN, INT64_MAX, false},
		{"a namespaces=\"\" " ED, "a", INT64_MIN, INT64_MAX, false},
		{"a valid-after=\"19700102Z\" " ED, "a", DAY, INT64_MAX, true},
		{"a valid-after=\"197001020001Z\",valid-before=\"19700103000102Z\" " ED, "a",
		 DAY + 60, 2 * DAY + 62, true},
		{"a valid-before=\"20240229Z\",namespaces=\"git\" " ED, "a", INT64_MIN,
		 1709164800, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct signers s;
		struct error err = ERROR_INIT;
		const struct signer *line;

		if (signers_parse(rows[i].text, strlen(rows[i].text), &s, &err) < 0)
			fail_msg("%s: %s", rows[i].text, err.text);
		assert_int_equal(s.list.len, 1);
		line = &s.list.items[0];
		assert_string_equal(line->principal, rows[i].principal);
		assert_row(line->after_s == rows[i].after, rows[i].text);
		assert_row(line->before_s == rows[i].before, rows[i].text);
		assert_row(line->git == rows[i].git, rows[i].text);
		signers_clear(&s);
	}
}

static void test_signers__one_bad_line_fails_all_with_its_number(void **state)
{
	static const struct {
		const char *line, *why;
	} rows[] = {
		{"a@x", "wanted: principal"},
		{"a@x ssh-ed25519", "no base64"},
		{"a@x ssh-ed25519 !!!!", "no base64"},
		{"a@x ssh-ed25519 QUJD", "not of the type"},
		{"a@x ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", "no Ed25519 key"},
		{"a@x " ED "AAAA", "no Ed25519 key"},
		{"a@x ssh-rsa " KEY, "does not take RSA keys"},
		{"a@x ecdsa-sha2-nistp256 " KEY, "does not take ECDSA keys"},
		{"a@x sk-ssh-ed25519@openssh.com " KEY, "does not take security keys"},
		{"a@x ssh-ed25519-cert-v01@openssh.com " KEY, "certificates"},
		{"a@x cert-authority " ED, "cert-authority"},
		{"*@x " ED, "literally"},
		{"a?x " ED, "literally"},
		{"!a " ED, "literally"},
		{",a " ED, "empty name"},
		{"a,,b " ED, "empty name"},
		{"a, " ED, "empty name"},
		{"\"\" " ED, "empty"},
		{"\"a " ED, "quotation mark"},
		{"a\xff " ED, "UTF-8"},
		{"a no-such-option " ED, "none of"},
		{"a namespaces=git " ED, "quotation marks"},
		{"a namespaces " ED, "none of"},
		{"a namespaces=\"git\",namespaces=\"x\" " ED, "twice"},
		{"a namespaces=\"git\", " ED, "commas"},
		{"a namespaces=\"git\"x " ED, "commas"},
		{"a valid-after=\"20240101\" " ED, "Z included"},
		{"a valid-after=\"2024010Z\" " ED, "Z included"},
		{"a valid-after=\"20240230Z\" " ED, "Z included"},
		{"a valid-after=\"202401012460Z\" " ED, "Z included"},
		{"a valid-after=\"20240101Z\",valid-after=\"20240101Z\" " ED, "twice"},
		{"a valid-after=\"20240102Z\",valid-before=\"20240101Z\" " ED, "behind"},
		{"a ssh-ed25519\x0b" KEY, "none of"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_FREE char *text = mem_printf("good " ED "\n%s\n", rows[i].line);
		struct signers s;
		struct error err = ERROR_INIT;

		assert_row(signers_parse(text, strlen(text), &s, &err) < 0, rows[i].line);
		assert_string_equal(error_code(&err), "PolicyInvalid");
		if (!strstr(err.text, "allowedSigners, line 2: ") ||
		    !strstr(err.text, rows[i].why))
			fail_msg("%s: seen \"%s\", wanted \"%s\"", rows[i].line, err.text,
				 rows[i].why);
	}
}

static void test_signers__size_nul_and_emptiness(void **state)
{
	AUTO_FREE char *big = test_repeat("#", SIGNERS_MAX + 1);
	AUTO_FREE char *most =
		mem_printf("a " ED "\n%.*s", (int)(SIGNERS_MAX - strlen("a " ED "\n")), big);
	struct signers s;
	struct error err = ERROR_INIT;

	assert_int_equal(strlen(most), SIGNERS_MAX);
	assert_int_equal(signers_parse(most, SIGNERS_MAX, &s, &err), 0);
	signers_clear(&s);
	assert_int_equal(signers_parse(big, SIGNERS_MAX + 1, &s, &err), -1);
	assert_non_null(strstr(err.text, "at most 1048576"));
	assert_int_equal(signers_parse("a\0b", 3, &s, &err), -1);
	assert_non_null(strstr(err.text, "NUL"));
	assert_int_equal(signers_parse("# nothing\n", 10, &s, &err), -1);
	assert_non_null(strstr(err.text, "no key in it"));
}

static void test_signers__all_lines_of_a_key_are_found_in_order(void **state)
{
	AUTO(buf) text = BUF_INIT;
	struct test_key keys[20];
	struct signers s;
	size_t n;

	for (int i = 0; i < 20; i++) {
		char seed[16];

		snprintf(seed, sizeof seed, "%d", i);
		test_key_make(&keys[i], seed);
	}
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 19; i++)
			test_key_line(&keys[i], round == 0 ? "zoe" : "adam", NULL, &text);
	assert_int_equal(signers_parse(text.ptr, text.len, &s, NULL), 0);
	for (int i = 0; i < 19; i++) {
		const struct signer *first = signers_find(&s, keys[i].public, &n);

		assert_int_equal(n, 3);
		assert_int_equal(first->line, i + 1);
		assert_string_equal(first->principal, "zoe");
	}
	assert_null(signers_find(&s, keys[19].public, &n));
	for (int i = 0; i < 20; i++)
		test_key_clear(&keys[i]);
	signers_clear(&s);
}

static void test_revoked__flat_list_is_taken_all_else_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"SSHKRL\n", "binary key revocation list"}, {"a@x " ED, "wanted: key type"},
		{"serial: 1", "wanted: key type"},	    {"ssh-ed25519", "no base64"},
		{"ssh-rsa " KEY, "not of the type"},
	};
	unsigned char blob[64], sum[32];
	struct revoked r;
	int n = base64_strict(KEY, strlen(KEY), blob, sizeof blob);

	assert_int_equal(
		revoked_parse("# none\n" ED " x\n", strlen("# none\n" ED " x\n"), &r, NULL), 0);
	crypto_hash_sha256(sum, blob, (size_t)n);
	assert_true(revoked_has(&r, sum));
	sum[0] ^= 1;
	assert_false(revoked_has(&r, sum));
	vec_clear(&r.list);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct error err = ERROR_INIT;

		assert_row(revoked_parse(bad[i].text, strlen(bad[i].text), &r, &err) < 0,
			   bad[i].text);
		if (!strstr(err.text, bad[i].why))
			fail_msg("%s: seen \"%s\", wanted \"%s\"", bad[i].text, err.text,
				 bad[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signers__lines_that_are_taken),
		cmocka_unit_test(test_signers__one_bad_line_fails_all_with_its_number),
		cmocka_unit_test(test_signers__size_nul_and_emptiness),
		cmocka_unit_test(test_signers__all_lines_of_a_key_are_found_in_order),
		cmocka_unit_test(test_revoked__flat_list_is_taken_all_else_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
