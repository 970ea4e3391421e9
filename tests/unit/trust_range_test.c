/* Where trust begins and which way it may go on: first trust, fast-forward, gaps, caps. */
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

static struct policy *alice_with(struct fixture *f, const char *first_trust)
{
	AUTO(buf) text = BUF_INIT;

	fixture_signer(f, &text, "alice", NULL);
	return policy_of(text.ptr, "", first_trust);
}

static void remove_object(struct fixture *f, const struct object_id *id)
{
	char hex[OBJECT_ID_HEX];

	object_id_hex(id, hex);
	fixture_sh(f, "rm -f .git/objects/%.2s/%s", hex, hex + 2);
}

static void test_first_trust__each_kind_begins_where_it_says(void **state)
{
	struct fixture *f = *state;
	struct object_id unsigned_root, pinned;
	char hex[OBJECT_ID_HEX];
	struct policy *none, *use, *whole, *commit;
	struct verified *v;

	fixture_sh(f, "git commit -q --allow-empty --no-gpg-sign -m root");
	unsigned_root = fixture_id(f, "HEAD");
	fixture_sh(f, "git commit -q --allow-empty --no-gpg-sign -m 'also unsigned'");
	pinned = fixture_id(f, "HEAD");
	none = alice_with(f, "");
	use = alice_with(f, "{trustOnFirstUse: true}");
	whole = alice_with(f, WHOLE_HISTORY);
	AUTO_FREE char *pin = mem_printf("{commit: %s}", object_id_hex(&pinned, hex));
	commit = alice_with(f, pin);

	assert_int_equal(check(f, "main", NULL, NULL), REFUSAL_NO_POLICY);
	assert_int_equal(check(f, "main", NULL, none), REFUSAL_NO_TRUST_ROOT);
	assert_int_equal(check(f, "main", NULL, use), REFUSAL_UNSIGNED);
	assert_int_equal(check(f, "main", NULL, whole), REFUSAL_UNSIGNED);
	/* the pinned commit itself needs no signature */
	assert_int_equal(check_as(f, "main", NULL, commit, clock_now_ms(), 0, NULL, &v),
			 REFUSAL_NONE);
	assert_int_equal(verified_commits(v), 0);
	assert_string_equal(verified_signer(v), "");
	verified_free(v);

	fixture_commit(f, "a");
	assert_int_equal(check(f, "main", NULL, use), REFUSAL_NONE);
	assert_int_equal(check(f, "main", NULL, whole), REFUSAL_UNSIGNED);
	assert_int_equal(check(f, "main", NULL, commit), REFUSAL_NONE);
	assert_int_equal(check(f, "main", &pinned, none), REFUSAL_NONE);
	assert_int_equal(check(f, "main", &unsigned_root, commit), REFUSAL_UNSIGNED);
	/* older than the pin, and beside it */
	fixture_sh(f, "git branch old HEAD~2 && git checkout -q -b side old && "
		      "git commit -q --allow-empty -m s");
	assert_int_equal(check(f, "old", NULL, commit), REFUSAL_NOT_FAST_FORWARD);
	assert_int_equal(check(f, "side", NULL, commit), REFUSAL_NOT_FAST_FORWARD);
	policy_free(none);
	policy_free(use);
	policy_free(whole);
	policy_free(commit);
}

static void test_range__only_fast_forward_by_first_parents(void **state)
{
	struct fixture *f = *state;
	struct policy *p = alice_with(f, WHOLE_HISTORY);
	struct object_id a = fixture_commit(f, "a"), b = fixture_commit(f, "b"), c;
	struct refusal r;

	fixture_sh(f, "git checkout -q -b dev HEAD~1 && git commit -q --allow-empty -m dev");
	fixture_sh(f, "git merge -q --no-ff -m 'main into dev' main && git checkout -q main");
	c = fixture_commit(f, "c");
	assert_int_equal(check(f, "main", &a, p), REFUSAL_NONE);
	/* rewound */
	assert_int_equal(check_as(f, "main~1", &c, p, clock_now_ms(), 0, &r, NULL),
			 REFUSAL_NOT_FAST_FORWARD);
	assert_non_null(strstr(r.text, "is older than"));
	assert_int_equal(check(f, "main~2", &c, p), REFUSAL_NOT_FAST_FORWARD);
	/* another signed line of work put in its place */
	assert_int_equal(check_as(f, "dev", &c, p, clock_now_ms(), 0, &r, NULL),
			 REFUSAL_NOT_FAST_FORWARD);
	/* the last trusted one is there, as a second parent only */
	assert_int_equal(check(f, "dev", &b, p), REFUSAL_NOT_FAST_FORWARD);
	/* rewritten */
	fixture_sh(f, "git checkout -q -b again main && git commit -q --amend -m other");
	assert_int_equal(check(f, "again", &c, p), REFUSAL_NOT_FAST_FORWARD);
	/* nothing in common */
	fixture_sh(f, "git checkout -q --orphan new && git commit -q -m new");
	assert_int_equal(check(f, "new", &c, p), REFUSAL_NOT_FAST_FORWARD);
	policy_free(p);
}

static void test_range__old_work_merged_late_is_checked_and_old_commits_are_not(void **state)
{
	struct fixture *f = *state;
	struct policy *p = alice_with(f, WHOLE_HISTORY);
	struct object_id last;
	struct verified *v;

	/* ten unsigned commits, trusted before anybody signed */
	fixture_sh(
		f,
		"for i in 1 2 3 4 5 6 7 8 9 10; do GIT_COMMITTER_DATE=2020-01-${i}T00:00:00Z "
		"git commit -q --allow-empty --no-gpg-sign -m $i; done");
	fixture_sh(f, "git branch late HEAD~8");
	last = fixture_commit(f, "a");
	fixture_sh(
		f,
		"git checkout -q late && GIT_COMMITTER_DATE=2020-01-03T01:00:00Z git commit -q "
		"--allow-empty -m late && git checkout -q main && git merge -q -m m late");
	assert_int_equal(check_as(f, "main", &last, p, clock_now_ms(), 0, NULL, &v),
			 REFUSAL_NONE);
	assert_int_equal(verified_commits(v), 2);
	verified_free(v);
	policy_free(p);
}

static void test_range__missing_objects_are_a_gap(void **state)
{
	struct fixture *f = *state;
	struct policy *p = alice_with(f, WHOLE_HISTORY);
	struct object_id a = fixture_commit(f, "a"), b = fixture_commit(f, "b"), gone = {{1}};

	fixture_commit(f, "c");
	assert_int_equal(check(f, "main", &gone, p), REFUSAL_HISTORY_GAP);
	fixture_sh(f, "git clone -q --depth 2 file://%s ../shallow", f->work);
	struct fixture shallow = *f;

	snprintf(shallow.work, sizeof shallow.work, "%s/shallow", f->dir);
	assert_int_equal(check(&shallow, "main", NULL, p), REFUSAL_HISTORY_GAP);
	assert_int_equal(check(&shallow, "main", &a, p), REFUSAL_HISTORY_GAP);
	assert_int_equal(check(&shallow, "main", &b, p), REFUSAL_NONE);
	/* grafts and replacements of the repository change nothing */
	char ha[OBJECT_ID_HEX], hb[OBJECT_ID_HEX];

	fixture_sh(f,
		   "git replace --graft %s 2>/dev/null; mkdir -p .git/info && "
		   "echo %s > .git/info/grafts && echo %s > .git/shallow",
		   object_id_hex(&b, hb), hb, hb);
	assert_int_equal(check(f, "main", &a, p), REFUSAL_NONE);
	remove_object(f, &b);
	assert_int_equal(check(f, "main", &a, p), REFUSAL_HISTORY_GAP);
	assert_string_equal(object_id_hex(&a, ha), ha);
	policy_free(p);
}

static int again(struct fixture *f, const char *rev, const struct object_id *last,
		 const struct policy *p)
{
	struct revision *rv;
	struct refusal r;
	struct verified *v = NULL;
	int rc;

	assert_int_equal(revision_local(f->work, rev, &rv, NULL), 0);
	rc = trust_again(rv, last, p, &v, &r);
	assert_int_equal(rc == 0, r.code == REFUSAL_NONE);
	assert_int_equal(rc == 0, v != NULL);
	verified_free(v);
	revision_free(rv);
	return (int)r.code;
}

static void test_again__only_what_was_trusted_and_is_not_revoked(void **state)
{
	struct fixture *f = *state;
	struct policy *p = alice_with(f, WHOLE_HISTORY), *revoked;
	AUTO(buf) alice = BUF_INIT;
	AUTO(buf) bob = BUF_INIT;
	struct object_id last;

	fixture_commit(f, "a");
	fixture_sh(f, "git checkout -q -b side && git commit -q --allow-empty -m side && "
		      "git checkout -q main && git commit -q --allow-empty -m b && "
		      "git merge -q -m m side");
	last = fixture_id(f, "main");
	fixture_commit(f, "newer");
	assert_int_equal(again(f, "main~1", &last, p), REFUSAL_NONE);
	assert_int_equal(again(f, "main~3", &last, p), REFUSAL_NONE);
	assert_int_equal(again(f, "side", &last, p), REFUSAL_NOT_FAST_FORWARD);
	assert_int_equal(again(f, "main", &last, p), REFUSAL_NOT_FAST_FORWARD);
	assert_int_equal(again(f, "main~1", &last, NULL), REFUSAL_NO_POLICY);
	fixture_signer(f, &alice, "alice", NULL);
	fixture_signer(f, &bob, "bob", NULL);
	revoked = policy_of(bob.ptr, alice.ptr + strlen("alice "), WHOLE_HISTORY);
	assert_int_equal(again(f, "main~1", &last, revoked), REFUSAL_KEY_REVOKED);
	policy_free(revoked);
	policy_free(p);
}

/* `n` commits by fast-import, unsigned: the cap comes before the signatures. */
static void import(struct fixture *f, const char *branch, int n)
{
	fixture_sh(
		f,
		"{ for i in $(seq %d); do printf 'commit refs/heads/%s\\ncommitter A <a@x> "
		"%%d +0000\\ndata 0\\n' $((1700000000+i)); done; } | git fast-import --quiet",
		n, branch);
}

static void test_range__new_commits_have_a_cap(void **state)
{
	struct fixture *f = *state;
	struct policy *p = alice_with(f, WHOLE_HISTORY);

	import(f, "most", RANGE_MAX);
	import(f, "more", RANGE_MAX + 1);
	assert_int_equal(check(f, "most", NULL, p), REFUSAL_UNSIGNED);
	assert_int_equal(check(f, "more", NULL, p), REFUSAL_TOO_MANY_COMMITS);
	/* a force-push to unrelated history that long, seen from a short one */
	struct object_id last = fixture_commit(f, "a");

	assert_int_equal(check(f, "more", &last, p), REFUSAL_TOO_MANY_COMMITS);
	assert_int_equal(check(f, "most", &last, p), REFUSAL_NOT_FAST_FORWARD);
	policy_free(p);
}

static void test_range__commit_objects_have_a_cap(void **state)
{
	struct fixture *f = *state;
	struct policy *p = alice_with(f, WHOLE_HISTORY);
	struct refusal r;

	fixture_sh(f, "head -c %d /dev/zero | tr '\\0' x | git commit -q --allow-empty -F -",
		   GIT_COMMIT_MAX);
	assert_int_equal(check_as(f, "main", NULL, p, clock_now_ms(), 0, &r, NULL),
			 REFUSAL_OBJECT_UNREADABLE);
	assert_non_null(strstr(r.text, "at most 65536"));
	policy_free(p);
}

/* ---- trust_report ---- */

struct seen {
	char text[256];
};

static void on_row(void *arg, const struct verify_row *row)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof s->text - n, "%s%s:%s", n ? " " : "", row->subject,
		 refusal_table[row->refusal.code].code);
}

static void assert_report(struct fixture *f, const char *rev, const struct object_id *base,
			  const struct policy *p, const char *wanted)
{
	struct revision *rv;
	struct seen seen = {""};
	struct error err = ERROR_INIT;

	assert_int_equal(revision_local(f->work, rev, &rv, NULL), 0);
	if (trust_report(rv, base, p, clock_now_ms(), on_row, &seen, &err) < 0)
		snprintf(seen.text, sizeof seen.text, "error %s", error_code(&err));
	assert_string_equal(seen.text, wanted);
	revision_free(rv);
}

static void test_report__goes_on_after_a_refusal(void **state)
{
	struct fixture *f = *state;
	struct policy *p = alice_with(f, WHOLE_HISTORY),
		      *use = alice_with(f, "{trustOnFirstUse}");
	struct object_id root, head;

	fixture_sh(f, "git commit -q --allow-empty -m 1");
	root = fixture_id(f, "HEAD");
	fixture_sh(f, "git commit -q --allow-empty --no-gpg-sign -m 2");
	fixture_sh(f, "git -c user.signingkey=../bob.pub commit -q --allow-empty -m 3");
	fixture_sh(f, "git commit -q --allow-empty -m 4");
	head = fixture_id(f, "HEAD");
	assert_report(f, "main", NULL, p, "1:None 2:Unsigned 3:UnknownSigner 4:None");
	assert_report(f, "main", &root, p, "2:Unsigned 3:UnknownSigner 4:None");
	assert_report(f, "main", NULL, use, "4:None");
	assert_report(f, "main", &head, p, "");
	assert_report(f, "main~3", &head, p, "error NotFastForward");
	policy_free(p);
	policy_free(use);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, make, clear)
	const struct CMUnitTest tests[] = {
		TEST(test_first_trust__each_kind_begins_where_it_says),
		TEST(test_range__only_fast_forward_by_first_parents),
		TEST(test_range__old_work_merged_late_is_checked_and_old_commits_are_not),
		TEST(test_range__missing_objects_are_a_gap),
		TEST(test_again__only_what_was_trusted_and_is_not_revoked),
		TEST(test_range__new_commits_have_a_cap),
		TEST(test_range__commit_objects_have_a_cap),
		TEST(test_report__goes_on_after_a_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
