/* Policies and checks in one line. */
#include "../test.h"

#include "base/clock.h"
#include "trust_fixture.h"

struct policy *policy_of(const char *signers, const char *revoked, const char *first_trust)
{
	struct arena *a = arena_new();
	struct value *object = value_object(a), *spec = value_object_at(a, object, "spec");
	struct value *first;
	struct policy *p = NULL;
	struct error err = ERROR_INIT;
	char commit[64];

	value_set_string(a, spec, "allowedSigners", signers);
	value_set_string(a, spec, "revokedKeys", revoked);
	if (*first_trust) {
		first = value_object_at(a, spec, "firstTrust");
		if (sscanf(first_trust, "{commit: %40[0-9a-f]}", commit) == 1)
			value_set_string(a, first, "commit", commit);
		else
			value_set(a, first,
				  strstr(first_trust, "wholeHistory") ? "wholeHistory"
								      : "trustOnFirstUse",
				  value_bool(a, true));
	}
	if (policy_from_object(object, &p, &err) < 0)
		fail_msg("%s", err.text);
	arena_free(a);
	return p;
}

struct policy *policy_alice(struct fixture *f)
{
	AUTO(buf) text = BUF_INIT;

	fixture_signer(f, &text, "alice", NULL);
	return policy_of(text.ptr, "", WHOLE_HISTORY);
}

enum refusal_code check_as(struct fixture *f, const char *rev, const struct object_id *last,
			   const struct policy *p, int64_t now_ms, int64_t seen_ms,
			   struct refusal *refusal, struct verified **out)
{
	struct refusal local;
	struct verified *v = NULL;
	struct revision *r = NULL;
	struct error err = ERROR_INIT;

	refusal = refusal ? refusal : &local;
	if (revision_local(f->work, rev, &r, &err) < 0)
		fail_msg("%s", err.text);
	if (trust_check(r, last, p, now_ms, seen_ms ? seen_ms : now_ms, &v, refusal) < 0) {
		assert_null(v);
		assert_true(refusal->code != REFUSAL_NONE);
		assert_int_equal(strncmp(refusal->text, refusal_table[refusal->code].code,
					 strlen(refusal_table[refusal->code].code)),
				 0);
	} else {
		assert_int_equal(refusal->code, REFUSAL_NONE);
		assert_true(object_id_eq(verified_commit(v), revision_commit(r)));
	}
	revision_free(r);
	if (out)
		*out = v;
	else
		verified_free(v);
	return refusal->code;
}

enum refusal_code check(struct fixture *f, const char *rev, const struct object_id *last,
			const struct policy *p)
{
	return check_as(f, rev, last, p, clock_now_ms(), 0, NULL, NULL);
}
