/* Armored SSH signatures: one form is taken, everything else is refused, by name where it has
 * one. */
#include "test.h"

#include "support/git_fixture.h"
#include "trust/trust_int.h"

#define PAYLOAD "what was signed"

static enum refusal_code parse(const struct buf *armor, struct sshsig *out, struct error *err)
{
	return sshsig_parse(armor->ptr, armor->len, true, out, err);
}

static void test_sshsig__both_hashes_and_any_line_width_verify(void **state)
{
	static const struct test_sig rows[] = {
		{.hash = "sha512"}, {.hash = "sha256"}, {.width = 1},
		{.width = 64},	    {.width = 2000},
	};
	struct test_key k;

	test_key_make(&k, "one");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(buf) armor = BUF_INIT;
		struct error err = ERROR_INIT;
		struct sshsig s;

		test_sign(&k, &rows[i], PAYLOAD, strlen(PAYLOAD), &armor);
		assert_int_equal(parse(&armor, &s, &err), REFUSAL_NONE);
		assert_true(sshsig_verify(&s, PAYLOAD, 5, PAYLOAD + 5, strlen(PAYLOAD) - 5));
		assert_false(sshsig_verify(&s, PAYLOAD, 5, PAYLOAD + 5, strlen(PAYLOAD) - 6));
		assert_memory_equal(s.key, k.public, 32);
	}
	test_key_clear(&k);
}

static void test_sshsig__other_shapes_are_refused(void **state)
{
	static const struct {
		struct test_sig how;
		enum refusal_code code;
		const char *text;
	} rows[] = {
		{{.ns = "file"}, REFUSAL_BAD_NAMESPACE, "namespace \"file\""},
		{{.ns = ""}, REFUSAL_BAD_NAMESPACE, "namespace \"\""},
		{{.ns = "gitx"}, REFUSAL_BAD_NAMESPACE, "gitx"},
		{{.reserved = "x"}, REFUSAL_MALFORMED_COMMIT, "nothing signs"},
		{{.tail = "x"}, REFUSAL_MALFORMED_COMMIT, "nothing signs"},
		{{.version = 2}, REFUSAL_UNSUPPORTED_SIGNATURE, "version"},
		{{.hash = "sha1"}, REFUSAL_UNSUPPORTED_SIGNATURE, "hash"},
		{{.hash = "SHA512"}, REFUSAL_UNSUPPORTED_SIGNATURE, "hash"},
		{{.key_type = "ssh-rsa"}, REFUSAL_UNSUPPORTED_SIGNATURE, "RSA"},
		{{.key_type = "ssh-dss"}, REFUSAL_UNSUPPORTED_SIGNATURE, "DSA"},
		{{.key_type = "ecdsa-sha2-nistp256"},
		 REFUSAL_UNSUPPORTED_SIGNATURE,
		 "nistp256"},
		{{.key_type = "ecdsa-sha2-nistp521"},
		 REFUSAL_UNSUPPORTED_SIGNATURE,
		 "nistp521"},
		{{.key_type = "sk-ssh-ed25519@openssh.com"},
		 REFUSAL_UNSUPPORTED_SIGNATURE,
		 "sk-ssh-ed25519"},
		{{.key_type = "sk-ecdsa-sha2-nistp256@openssh.com"},
		 REFUSAL_UNSUPPORTED_SIGNATURE,
		 "sk-ecdsa"},
		{{.key_type = "ssh-ed25519-cert-v01@openssh.com"},
		 REFUSAL_UNSUPPORTED_SIGNATURE,
		 "certificates"},
		{{.key_type = "mldsa44-ed25519"},
		 REFUSAL_UNSUPPORTED_SIGNATURE,
		 "unknown type"},
		{{.sig_type = "rsa-sha2-512"},
		 REFUSAL_MALFORMED_COMMIT,
		 "no Ed25519 signature"},
		{{.end = " -----END SSH SIGNATURE-----\n x"},
		 REFUSAL_MALFORMED_COMMIT,
		 "follows its END line"},
		{{.end = " -----END SSH SIGNATURE-----\n"},
		 REFUSAL_MALFORMED_COMMIT,
		 "follows its END line"},
		{{.end = " -----END SSH SIGNATURE----- "},
		 REFUSAL_MALFORMED_COMMIT,
		 "not base64"},
		{{.end = " \n -----END SSH SIGNATURE-----"},
		 REFUSAL_MALFORMED_COMMIT,
		 "not base64"},
		{{.end = " AAAA\n -----END SSH SIGNATURE-----"},
		 REFUSAL_MALFORMED_COMMIT,
		 "not base64|nothing signs"},
		{{.end = "-----END SSH SIGNATURE-----"}, REFUSAL_MALFORMED_COMMIT, "indented"},
		{{.end = ""}, REFUSAL_MALFORMED_COMMIT, "indented"},
	};
	struct test_key k;

	test_key_make(&k, "one");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(buf) armor = BUF_INIT;
		struct error err = ERROR_INIT;
		struct sshsig s;
		AUTO_FREE char *first = mem_strndup(rows[i].text, strcspn(rows[i].text, "|"));

		test_sign(&k, &rows[i].how, PAYLOAD, strlen(PAYLOAD), &armor);
		assert_int_equal(parse(&armor, &s, &err), rows[i].code);
		if (!strstr(err.text, first) &&
		    !strstr(err.text, strrchr(rows[i].text, '|')
					      ? strrchr(rows[i].text, '|') + 1
					      : first))
			fail_msg("row %zu: seen \"%s\", wanted \"%s\"", i, err.text,
				 rows[i].text);
	}
	test_key_clear(&k);
}

static void test_sshsig__other_armor_is_named(void **state)
{
	static const struct {
		const char *armor;
		enum refusal_code code;
		const char *text;
	} rows[] = {
		{"-----BEGIN PGP SIGNATURE-----\n \n iQ\n -----END PGP SIGNATURE-----",
		 REFUSAL_UNSUPPORTED_SIGNATURE, "OpenPGP"},
		{"-----BEGIN PGP MESSAGE-----\n x", REFUSAL_UNSUPPORTED_SIGNATURE, "OpenPGP"},
		{"-----BEGIN SIGNED MESSAGE-----\n MI\n -----END SIGNED MESSAGE-----",
		 REFUSAL_UNSUPPORTED_SIGNATURE, "X.509"},
		{"x", REFUSAL_MALFORMED_COMMIT, "does not begin"},
		{"", REFUSAL_MALFORMED_COMMIT, "does not begin"},
		{"-----BEGIN SSH SIGNATURE-----", REFUSAL_MALFORMED_COMMIT, "does not begin"},
		{"-----BEGIN SSH SIGNATURE-----\r\n AAAA\n -----END SSH SIGNATURE-----",
		 REFUSAL_MALFORMED_COMMIT, "does not begin"},
		{"-----BEGIN SSH SIGNATURE-----\n -----END SSH SIGNATURE-----",
		 REFUSAL_MALFORMED_COMMIT, "no SSHSIG"},
		{"-----BEGIN SSH SIGNATURE-----\n AAA\n -----END SSH SIGNATURE-----",
		 REFUSAL_MALFORMED_COMMIT, "cut short"},
		{"-----BEGIN SSH SIGNATURE-----\n U1NIU0lHAAAAAQ==\n -----END SSH "
		 "SIGNATURE-----",
		 REFUSAL_MALFORMED_COMMIT, "cut short"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct error err = ERROR_INIT;
		struct sshsig s;

		assert_int_equal(
			sshsig_parse(rows[i].armor, strlen(rows[i].armor), true, &s, &err),
			rows[i].code);
		if (!strstr(err.text, rows[i].text))
			fail_msg("row %zu: seen \"%s\", wanted \"%s\"", i, err.text,
				 rows[i].text);
	}
}

static void test_base64__takes_one_spelling_only(void **state)
{
	static const struct {
		const char *text;
		int len;
	} rows[] = {
		{"", 0},      {"QQ==", 1},   {"QUI=", 2},      {"QUJD", 3},  {"QUJDQQ==", 4},
		{"QQ", -1},   {"QQ=", -1},   {"Q===", -1},     {"====", -1}, {"QR==", -1},
		{"QUJ=", -1}, {"QQ==Q", -1}, {"QQ==QQ==", -1}, {"Q Q=", -1}, {"QU\nJD", -1},
		{"QU-_", -1}, {"Q=QQ", -1},
	};
	unsigned char out[16];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_row(base64_strict(rows[i].text, strlen(rows[i].text), out, sizeof out) ==
				   rows[i].len,
			   rows[i].text);
	assert_int_equal(base64_strict("QUJD", 4, out, 2), -1);
	assert_int_equal(base64_strict("QUJD", 4, out, 3), 3);
}

static void test_sshsig__weak_keys_and_signatures_do_not_verify(void **state)
{
	struct sshsig s = {.sha512 = true};

	/* The neutral element as key and R, S = 0: satisfies the bare equation for any message.
	 */
	s.key[0] = 1;
	s.signature[0] = 1;
	assert_false(sshsig_verify(&s, PAYLOAD, strlen(PAYLOAD), "", 0));
}

static void test_sshsig__every_cut_and_flip_is_refused(void **state)
{
	struct test_key k;
	AUTO(buf) armor = BUF_INIT;

	test_key_make(&k, "one");
	test_sign(&k, NULL, PAYLOAD, strlen(PAYLOAD), &armor);
	for (size_t i = 0; i < armor.len; i++) {
		struct sshsig s;

		assert_true(sshsig_parse(armor.ptr, i, true, &s, NULL) != REFUSAL_NONE);
		for (int bit = 0; bit < 8; bit++) {
			armor.ptr[i] ^= (char)(1 << bit);
			if (parse(&armor, &s, NULL) == REFUSAL_NONE &&
			    memcmp(s.key, k.public, 32) == 0 &&
			    sshsig_verify(&s, PAYLOAD, strlen(PAYLOAD), "", 0))
				fail_msg("byte %zu, bit %d: still good", i, bit);
			armor.ptr[i] ^= (char)(1 << bit);
		}
	}
	test_key_clear(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sshsig__both_hashes_and_any_line_width_verify),
		cmocka_unit_test(test_sshsig__other_shapes_are_refused),
		cmocka_unit_test(test_sshsig__other_armor_is_named),
		cmocka_unit_test(test_base64__takes_one_spelling_only),
		cmocka_unit_test(test_sshsig__weak_keys_and_signatures_do_not_verify),
		cmocka_unit_test(test_sshsig__every_cut_and_flip_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
