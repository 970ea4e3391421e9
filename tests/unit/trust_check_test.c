/* The decision on histories made by the real git: what is refused, and that nothing good is. */
#include "test.h"

#include "base/clock.h"
#include "support/trust_fixture.h"

static int make(void **state)
{
	*state = mem_alloc(sizeof(struct fixture));
	fixture_make(*state);
	return 0;
}

static int clear(void **state)
{
	fixture_clear(*state);
	free(*state);
	return 0;
}

static void test_check__signed_history_is_verified(void **state)
{
	struct fixture *f = *state;
	struct policy *p = policy_alice(f);
	struct object_id first = fixture_commit(f, "a");
	struct refusal r;
	struct verified *v;
	AUTO_FREE char *tree = NULL;
	char hex[OBJECT_ID_HEX];

	fixture_commit(f, "b");
	fixture_commit(f, "c");
	assert_int_equal(check_as(f, "main", &first, p, clock_now_ms(), 0, &r, &v),
			 REFUSAL_NONE);
	assert_int_equal(verified_commits(v), 2);
	assert_string_equal(verified_signer(v), "alice");
	assert_string_equal(verified_subject(v), "Change c");
	assert_int_equal(strlen(verified_fingerprint(v)), 50);
	tree = fixture_out(f, "git rev-parse HEAD^{tree}");
	assert_string_equal(object_id_hex(verified_tree(v), hex), tree);
	verified_free(verified_ref(v));
	assert_string_equal(verified_url(v), f->work);
	verified_free(v);
	policy_free(p);
}

static void test_check__unsigned_commit_anywhere_is_refused(void **state)
{
	static const char *const shapes[] = {
		/* the tip */
		"git commit -q --allow-empty --no-gpg-sign -m bad",
		/* below a signed tip */
		"git commit -q --allow-empty --no-gpg-sign -m bad && git commit -q "
		"--allow-empty -m x",
		/* a merge of signed work */
		"git checkout -q -b s && git commit -q --allow-empty -m s && git checkout -q "
		"main && "
		"git commit -q --allow-empty -m m && git merge -q --no-gpg-sign -m bad s",
		/* on a side branch, under a signed merge */
		"git checkout -q -b s && git commit -q --allow-empty --no-gpg-sign -m bad && "
		"git commit -q --allow-empty -m s && git checkout -q main && "
		"git merge -q --no-ff -m m s",
		/* in one arm of an octopus */
		"for i in 1 2 3; do git checkout -q -b s$i main && touch $i && git add $i && "
		"git commit -q -m s$i $(test $i = 2 && echo --no-gpg-sign); done; "
		"git checkout -q main && git merge -q -m octopus s1 s2 s3",
		/* an unsigned merge of a signed tag: the tag's signature is not the commit's */
		"git checkout -q -b s && git commit -q --allow-empty -m s && git tag -s -m t t "
		"&& "
		"git checkout -q main && git commit -q --allow-empty -m m && "
		"git merge -q --no-gpg-sign -m bad t && git cat-file commit HEAD | grep -q "
		"mergetag && "
		"git cat-file commit HEAD | grep -q 'BEGIN SSH SIGNATURE'",
		/* an unrelated history merged in */
		"git checkout -q --orphan o && git commit -q --allow-empty --no-gpg-sign -m "
		"bad && "
		"git checkout -q -f main && git merge -q --no-ff --allow-unrelated-histories "
		"-m m o",
	};
	struct fixture *f = *state;
	struct policy *p = policy_alice(f);

	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		struct refusal r;
		struct object_id base = fixture_commit(f, "base"), bad;
		AUTO_FREE char *seen = NULL;

		fixture_sh(f, "%s", shapes[i]);
		assert_row(check_as(f, "main", &base, p, clock_now_ms(), 0, &r, NULL) ==
				   REFUSAL_UNSIGNED,
			   shapes[i]);
		bad = r.commit;
		char hex[OBJECT_ID_HEX];

		seen = fixture_out(f, "git log -1 --format=%%s%%G? %s",
				   object_id_hex(&bad, hex));
		assert_row(r.has_commit && strchr(seen, 'N'), shapes[i]);
		fixture_sh(
			f,
			"git checkout -q main && git reset -q --hard %s && "
			"git for-each-ref --format='%%(refname)' refs/heads/s\\* refs/heads/o "
			"refs/tags | xargs -r -n1 git update-ref -d",
			object_id_hex(&base, hex));
	}
	policy_free(p);
}

static void test_check__merges_of_signed_work_are_good(void **state)
{
	struct fixture *f = *state;
	struct policy *p = policy_alice(f);
	struct object_id root = fixture_commit(f, "a");

	fixture_sh(
		f,
		"for i in 1 2 3; do git checkout -q -b s$i main && touch $i && git add $i && "
		"git commit -q -m s$i; done; git checkout -q main && "
		"git merge -q -m octopus s1 s2 s3");
	fixture_sh(f, "git checkout -q -b t && git commit -q --allow-empty -m t && "
		      "git tag -s -m 'a tag' v1 && git checkout -q main && "
		      "git commit -q --allow-empty -m m && git merge -q -m 'merge tag' v1 && "
		      "git cat-file commit HEAD | grep -q mergetag");
	assert_int_equal(check(f, "main", &root, p), REFUSAL_NONE);
	assert_int_equal(check(f, "main", NULL, p), REFUSAL_NONE);
	fixture_sh(f, "git verify-commit HEAD HEAD~1 HEAD~2");
	policy_free(p);
}

static void test_check__odd_but_honest_commits_are_good(void **state)
{
	struct fixture *f = *state;
	struct policy *p = policy_alice(f);
	struct object_id root = fixture_commit(f, "a");

	fixture_sh(f, "printf 'no final newline' | "
		      "git commit -q --allow-empty --cleanup=verbatim -F -");
	fixture_sh(f, "git commit -q --allow-empty --allow-empty-message -m ''");
	fixture_sh(f, "printf 'M\\374ller\\n' | git -c i18n.commitEncoding=ISO-8859-1 "
		      "commit -q --allow-empty --cleanup=verbatim -F -");
	fixture_sh(f, "printf 'gpgsig no\\ntree no\\n\\n-----BEGIN SSH SIGNATURE-----\\n' | "
		      "git commit -q --allow-empty --cleanup=verbatim -F -");
	fixture_sh(
		f,
		"GIT_COMMITTER_NAME=\"J\xc3\xb6rg, the 'O'\" git commit -q --allow-empty -m n");
	fixture_sh(f,
		   "head -c 40000 /dev/zero | tr '\\0' x | git commit -q --allow-empty -F -");
	fixture_sh(f, "git verify-commit $(git rev-list HEAD)");
	assert_int_equal(check(f, "main", &root, p), REFUSAL_NONE);
	policy_free(p);
}

static void test_check__strangers_and_revoked_keys_are_refused(void **state)
{
	struct fixture *f = *state;
	AUTO(buf) signers = BUF_INIT;
	AUTO(buf) bob = BUF_INIT;
	struct object_id base = fixture_commit(f, "a");
	struct policy *p, *without, *revoked;
	struct refusal r;
	struct verified *v;

	fixture_signer(f, &signers, "alice", NULL);
	without = policy_of(signers.ptr, "", WHOLE_HISTORY);
	fixture_signer(f, &signers, "bob", NULL);
	fixture_signer(f, &bob, "bob", NULL);
	p = policy_of(signers.ptr, "", WHOLE_HISTORY);
	revoked = policy_of(signers.ptr, bob.ptr + strlen("bob "), WHOLE_HISTORY);
	fixture_sh(f, "git -c user.signingkey=../bob.pub commit -q --allow-empty -m b");
	assert_int_equal(check_as(f, "main", &base, p, clock_now_ms(), 0, &r, &v),
			 REFUSAL_NONE);
	assert_string_equal(verified_signer(v), "bob");
	verified_free(v);
	assert_int_equal(check_as(f, "main", &base, without, clock_now_ms(), 0, &r, NULL),
			 REFUSAL_UNKNOWN_SIGNER);
	assert_int_equal(strlen(r.fingerprint), 50);
	assert_int_equal(check_as(f, "main", &base, revoked, clock_now_ms(), 0, &r, NULL),
			 REFUSAL_KEY_REVOKED);
	/* Revocation reaches back to what was trusted already. */
	struct object_id head = fixture_id(f, "main");

	assert_int_equal(check(f, "main", &head, revoked), REFUSAL_KEY_REVOKED);
	assert_int_equal(check(f, "main", &head, without), REFUSAL_NONE);
	fixture_sh(f, "git -c user.signingkey=../mallory.pub commit -q --allow-empty -m m");
	assert_int_equal(check(f, "main", &head, p), REFUSAL_UNKNOWN_SIGNER);
	policy_free(p);
	policy_free(without);
	policy_free(revoked);
}

/* ---- Time ---- */

#define T(s) clock_parse_or_fail(s)
static int64_t clock_parse_or_fail(const char *s)
{
	int64_t ms;

	assert_int_equal(clock_parse(s, &ms), 0);
	return ms;
}

static void test_check__key_must_be_valid_when_signed_and_when_seen(void **state)
{
	static const struct {
		const char *options, *date, *seen;
		enum refusal_code code;
	} rows[] = {
		{"valid-before=\"20250101Z\"", "2024-12-31T00:00:00Z", "2024-12-31T01:00:00Z",
		 REFUSAL_NONE},
		/* the last second counts */
		{"valid-before=\"20250101Z\"", "2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z",
		 REFUSAL_NONE},
		{"valid-before=\"20250101Z\"", "2025-01-01T00:00:01Z", "2025-01-01T00:00:01Z",
		 REFUSAL_KEY_EXPIRED},
		/* dated too late by a clock that is ahead */
		{"valid-before=\"20250101Z\"", "2025-01-01T00:02:00Z", "2024-12-31T23:59:00Z",
		 REFUSAL_KEY_EXPIRED},
		/* backdated: git says good, we saw it too late */
		{"valid-before=\"20250101Z\"", "2024-12-31T00:00:00Z", "2025-06-01T00:00:00Z",
		 REFUSAL_KEY_EXPIRED},
		{"valid-after=\"20250101Z\"", "2024-12-31T23:59:59Z", "2025-06-01T00:00:00Z",
		 REFUSAL_KEY_NOT_YET_VALID},
		{"valid-after=\"20250101Z\"", "2025-01-01T00:00:00Z", "2025-06-01T00:00:00Z",
		 REFUSAL_NONE},
		{"namespaces=\"file\"", "2025-01-01T00:00:00Z", "2025-06-01T00:00:00Z",
		 REFUSAL_BAD_NAMESPACE},
		{"namespaces=\"git\"", "2025-01-01T00:00:00Z", "2025-06-01T00:00:00Z",
		 REFUSAL_NONE},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(buf) signers = BUF_INIT;
		struct refusal r;
		struct policy *p;
		char rev[32];

		fixture_sh(
			f,
			"git checkout -q --orphan b%zu && GIT_COMMITTER_DATE=%s git commit -q "
			"--allow-empty -m x",
			i, rows[i].date);
		fixture_signer(f, &signers, "alice", rows[i].options);
		p = policy_of(signers.ptr, "", WHOLE_HISTORY);
		snprintf(rev, sizeof rev, "b%zu", i);
		if (check_as(f, rev, NULL, p, T("2025-06-01T00:00:00Z"), T(rows[i].seen), &r,
			     NULL) != rows[i].code)
			fail_msg("row %zu: seen %s", i, r.text);
		if (r.code == REFUSAL_BAD_NAMESPACE)
			assert_non_null(strstr(r.text, "allowedSigners line 1"));
		if (r.code)
			assert_string_equal(r.principal, "alice");
		policy_free(p);
	}
}

static void test_check__second_line_of_a_key_may_allow_it(void **state)
{
	struct fixture *f = *state;
	AUTO(buf) signers = BUF_INIT;
	struct policy *p;
	struct verified *v;

	fixture_commit(f, "a");
	fixture_signer(f, &signers, "alice", "valid-before=\"20200101Z\"");
	buf_printf(&signers, "# renewed\n");
	fixture_signer(f, &signers, "alice", "valid-after=\"20200102Z\"");
	p = policy_of(signers.ptr, "", WHOLE_HISTORY);
	assert_int_equal(check_as(f, "main", NULL, p, clock_now_ms(), 0, NULL, &v),
			 REFUSAL_NONE);
	verified_free(v);
	policy_free(p);
}

static void test_check__clocks_may_differ_by_the_skew_only(void **state)
{
	static const struct {
		const char *parent, *child, *now;
		enum refusal_code code;
	} rows[] = {
		{"2025-01-01T12:00:00Z", "2025-01-01T11:55:00Z", "2025-01-01T12:00:00Z",
		 REFUSAL_NONE},
		{"2025-01-01T12:00:00Z", "2025-01-01T11:54:59Z", "2025-01-01T12:00:00Z",
		 REFUSAL_TIME_BEFORE_PARENT},
		{"2025-01-01T12:00:00Z", "2025-01-01T12:05:00Z", "2025-01-01T12:00:00Z",
		 REFUSAL_NONE},
		{"2025-01-01T12:00:00Z", "2025-01-01T12:05:01Z", "2025-01-01T12:00:00Z",
		 REFUSAL_COMMIT_IN_FUTURE},
		/* far below: a date from before everything */
		{"2025-01-01T12:00:00Z", "1970-01-02T00:00:00Z", "2025-01-01T12:00:00Z",
		 REFUSAL_TIME_BEFORE_PARENT},
	};
	struct fixture *f = *state;
	struct policy *p = policy_alice(f);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct object_id parent;
		struct refusal r;
		char rev[32];

		snprintf(rev, sizeof rev, "b%zu", i);
		fixture_sh(f,
			   "git checkout -q --orphan %s && GIT_COMMITTER_DATE=%s git commit -q "
			   "--allow-empty -m x",
			   rev, rows[i].parent);
		parent = fixture_id(f, "HEAD");
		fixture_sh(f, "GIT_COMMITTER_DATE=%s git commit -q --allow-empty -m x",
			   rows[i].child);
		if (check_as(f, rev, &parent, p, T(rows[i].now), 0, &r, NULL) != rows[i].code)
			fail_msg("row %zu: seen %s", i, r.text);
	}
	policy_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_check__signed_history_is_verified, make,
						clear),
		cmocka_unit_test_setup_teardown(test_check__unsigned_commit_anywhere_is_refused,
						make, clear),
		cmocka_unit_test_setup_teardown(test_check__merges_of_signed_work_are_good,
						make, clear),
		cmocka_unit_test_setup_teardown(test_check__odd_but_honest_commits_are_good,
						make, clear),
		cmocka_unit_test_setup_teardown(
			test_check__strangers_and_revoked_keys_are_refused, make, clear),
		cmocka_unit_test_setup_teardown(
			test_check__key_must_be_valid_when_signed_and_when_seen, make, clear),
		cmocka_unit_test_setup_teardown(test_check__second_line_of_a_key_may_allow_it,
						make, clear),
		cmocka_unit_test_setup_teardown(test_check__clocks_may_differ_by_the_skew_only,
						make, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
