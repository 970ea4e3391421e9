/* TrustPolicy: every field is honoured, or refuses the whole policy by its name. */
#include "test.h"

#include "trust/trust_int.h"
#include "value/yaml.h"

#define ED	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKAOEBy6cRzwn2Hrq9fOZKvM8dqEnXkPmDLBtY3R4Kcc"
#define SIGNERS "allowedSigners: 'a " ED "'"
#define ID	"4b825dc642cb6eb9a060e54bf8d69288fbee4904"

static int parse(const char *spec, struct policy **out, struct error *err)
{
	AUTO_ARENA arena = arena_new();
	AUTO(value_docs) docs = {0};
	AUTO_FREE char *text = mem_printf("kind: TrustPolicy\nspec: %s\n", spec);

	if (value_yaml_parse(arena, text, strlen(text), &value_limits_manifest, &docs, err) < 0)
		fail_msg("%s: %s", text, err->text);
	return policy_from_object(docs.list.items[0], out, err);
}

static void test_policy__fields_are_honoured(void **state)
{
	static const struct {
		const char *spec;
		enum first_trust first;
		int64_t skew;
		size_t revoked;
	} rows[] = {
		{"{" SIGNERS "}", FIRST_TRUST_NONE, 300000, 0},
		{"{" SIGNERS ", clockSkew: 0s}", FIRST_TRUST_NONE, 0, 0},
		{"{" SIGNERS ", clockSkew: 24h}", FIRST_TRUST_NONE, 86400000, 0},
		{"{" SIGNERS ", firstTrust: {commit: " ID "}}", FIRST_TRUST_COMMIT, 300000, 0},
		{"{" SIGNERS ", firstTrust: {wholeHistory: true}}", FIRST_TRUST_WHOLE, 300000,
		 0},
		{"{" SIGNERS ", firstTrust: {trustOnFirstUse: true}}", FIRST_TRUST_USE, 300000,
		 0},
		{"{" SIGNERS ", revokedKeys: '" ED "'}", FIRST_TRUST_NONE, 300000, 1},
		{"{" SIGNERS ", revokedKeys: ''}", FIRST_TRUST_NONE, 300000, 0},
	};
	uint64_t digests[ARRAY_LEN(rows)];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy *p;
		struct error err = ERROR_INIT;

		if (parse(rows[i].spec, &p, &err) < 0)
			fail_msg("%s: %s", rows[i].spec, err.text);
		assert_int_equal(p->first_trust, rows[i].first);
		assert_int_equal(p->skew_ms, rows[i].skew);
		assert_int_equal(p->revoked.list.len, rows[i].revoked);
		digests[i] = policy_digest(p);
		assert_true(digests[i] != 0);
		policy_free(p);
	}
	for (size_t i = 0; i < ARRAY_LEN(rows) - 1; i++)
		for (size_t j = i + 1; j < ARRAY_LEN(rows) - 1; j++)
			assert_true(digests[i] != digests[j]);
}

static void test_policy__what_it_cannot_honour_refuses_it(void **state)
{
	static const struct {
		const char *spec, *text;
	} rows[] = {
		{"{}", "spec.allowedSigners: missing"},
		{"[]", "spec: missing"},
		{"{allowedSigners: 7}", "spec.allowedSigners: wanted the text"},
		{"{allowedSigners: ''}", "no key in it"},
		{"{allowedSigners: 'a ssh-rsa AAAA'}", "line 1"},
		{"{" SIGNERS ", rules: []}", "spec.rules: not honoured"},
		{"{" SIGNERS ", groups: {}}", "spec.groups: not honoured"},
		{"{" SIGNERS ", mergeMethods: [merge]}", "spec.mergeMethods: not honoured"},
		{"{" SIGNERS ", forgeKeys: []}", "spec.forgeKeys: not honoured"},
		{"{" SIGNERS ", resetTo: x}", "spec.resetTo: not honoured"},
		{"{" SIGNERS ", allowedsigners: x}", "spec.allowedsigners: not honoured"},
		{"{" SIGNERS ", revokedKeys: [x]}", "spec.revokedKeys: wanted"},
		{"{" SIGNERS ", revokedKeys: x}", "revokedKeys, line 1"},
		{"{" SIGNERS ", clockSkew: 25h}", "spec.clockSkew: wanted"},
		{"{" SIGNERS ", clockSkew: 5}", "spec.clockSkew: wanted"},
		{"{" SIGNERS ", clockSkew: -5m}", "spec.clockSkew: wanted"},
		{"{" SIGNERS ", firstTrust: {}}", "spec.firstTrust: wanted exactly one"},
		{"{" SIGNERS ", firstTrust: x}", "spec.firstTrust: wanted exactly one"},
		{"{" SIGNERS ", firstTrust: {wholeHistory: true, trustOnFirstUse: true}}",
		 "spec.firstTrust: wanted exactly one"},
		{"{" SIGNERS ", firstTrust: {wholeHistory: false}}", "can only be true"},
		{"{" SIGNERS ", firstTrust: {wholeHistory: 'true'}}", "can only be true"},
		{"{" SIGNERS ", firstTrust: {tag: v1}}", "wanted one of commit"},
		{"{" SIGNERS ", firstTrust: {commit: main}}", "40 digits"},
		{"{" SIGNERS
		 ", firstTrust: {commit: 4B825DC642CB6EB9A060E54BF8D69288FBEE4904}}",
		 "40 digits"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy *p = NULL;
		struct error err = ERROR_INIT;

		assert_row(parse(rows[i].spec, &p, &err) < 0, rows[i].spec);
		assert_null(p);
		assert_string_equal(error_code(&err), "PolicyInvalid");
		if (!strstr(err.text, rows[i].text))
			fail_msg("%s: seen \"%s\", wanted \"%s\"", rows[i].spec, err.text,
				 rows[i].text);
	}
}

static void test_refusals__each_code_is_unique_and_explained(void **state)
{
	for (int i = 0; i < REFUSAL_CODES; i++) {
		const struct refusal_info *r = &refusal_table[i];

		assert_non_null(r->code);
		assert_non_null(r->advice);
		assert_non_null(r->detail);
		assert_true(r->advice[strlen(r->advice) - 1] == '.');
		for (int j = 0; j < i; j++)
			assert_string_not_equal(r->code, refusal_table[j].code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy__fields_are_honoured),
		cmocka_unit_test(test_policy__what_it_cannot_honour_refuses_it),
		cmocka_unit_test(test_refusals__each_code_is_unique_and_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
