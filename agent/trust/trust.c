/*
 * The decision: is this revision to be applied? Finds where trust begins, takes every new
 * commit in order, stops at the first that fails. Only here is a struct verified made.
 */
#include <sodium.h>
#include <stdlib.h>

#include "trust/judge_int.h"

struct verified {
	unsigned holders;
	struct object_id commit, tree;
	struct odb *odb;
	char *url;
	char principal[128], fingerprint[FINGERPRINT], subject[128];
	int64_t committed_ms;
	size_t commits;
};

static struct verified *verified_new(const struct revision *rev, const struct commit *c,
				     const struct signature *s, size_t commits)
{
	struct verified *v = mem_alloc(sizeof *v);

	v->holders = 1;
	v->commit = *revision_commit(rev);
	v->tree = c->tree;
	v->odb = odb_ref(revision_odb(rev));
	v->url = mem_strdup(revision_url(rev));
	if (s && s->signer)
		snprintf(v->principal, sizeof v->principal, "%s", s->signer->principal);
	if (s)
		memcpy(v->fingerprint, s->fingerprint, sizeof v->fingerprint);
	commit_subject(c, v->subject, sizeof v->subject);
	v->committed_ms = c->committed_s * 1000;
	v->commits = commits;
	return v;
}

/* ---- A commit that was trusted before ---- */

/* It passed once; only revocation reaches back. Its signer is told when still known. */
static int check_again(const struct revision *rev, const struct judge *j, struct verified **out,
		       struct refusal *r)
{
	const struct object_id *id = revision_commit(rev);
	AUTO(buf) raw = BUF_INIT;
	struct signature s = {0};
	struct sshsig sig;
	struct commit c;
	size_t n;

	if (judge_read(revision_odb(rev), id, &raw, &c, r) < 0)
		return -1;
	if (c.sig && !sshsig_parse(c.sig, c.sig_len, true, &sig, NULL)) {
		if (judge_revoked(j, id, &sig, r) < 0)
			return -1;
		s.signer = signers_find(&j->policy->signers, sig.key, &n);
		if (s.signer &&
		    !sshsig_verify(&sig, c.raw, c.sig_from, c.raw + c.sig_to, c.len - c.sig_to))
			s.signer = NULL;
		if (s.signer)
			fingerprint_text(sig.fingerprint, s.fingerprint);
	}
	*out = verified_new(rev, &c, &s, 0);
	return 0;
}

/* Is `wanted` on the first-parent line of `from`? */
static int on_first_parents(struct odb *odb, const struct object_id *from,
			    const struct object_id *wanted, struct refusal *r)
{
	AUTO(buf) raw = BUF_INIT;
	struct object_id at = *from;
	char a[SHORT_ID], b[SHORT_ID];
	struct commit c;

	for (int i = 0; i < RANGE_MAX; i++) {
		if (object_id_eq(&at, wanted))
			return 0;
		if (judge_read(odb, &at, &raw, &c, r) < 0)
			return -1;
		if (c.parent_count == 0)
			break;
		commit_parent(&c, 0, &at);
	}
	return refuse(
		r, REFUSAL_NOT_FAST_FORWARD, wanted,
		"commit %s was never trusted: it is not on the first-parent line below %s, the "
		"last trusted one",
		short_id(wanted, a), short_id(from, b));
}

int trust_again(const struct revision *rev, const struct object_id *last_trusted,
		const struct policy *policy, struct verified **out, struct refusal *refusal)
{
	struct judge j = {.policy = policy};

	*refusal = (struct refusal){.code = REFUSAL_NONE};
	if (sodium_init() < 0)
		abort();
	if (!policy)
		return refuse(refusal, REFUSAL_NO_POLICY, NULL, "no TrustPolicy is in force");
	if (on_first_parents(revision_odb(rev), last_trusted, revision_commit(rev), refusal) <
	    0)
		return -1;
	return check_again(rev, &j, out, refusal);
}

/* ---- A new one ---- */

static int check_range(const struct revision *rev, const struct object_id *base,
		       const struct judge *j, struct verified **out, struct refusal *r)
{
	AUTO(buf) raw = BUF_INIT;
	struct signature s = {0};
	struct range range;
	struct commit c;
	int rc;

	if (range_make(revision_odb(rev), revision_commit(rev), base, RANGE_MAX,
		       j->policy->skew_ms / 1000, &range, r) < 0)
		return -1;
	rc = range_fast_forward(&range, r);
	for (size_t i = 0; rc == 0 && i < range.order.len; i++)
		rc = judge_node(j, &range, range.order.items[i], &raw, &c, &s, r);
	/* The head comes last, so c and s are the head's. */
	if (rc == 0 && range.order.len && range.order.items[range.order.len - 1] == range.head)
		*out = verified_new(rev, &c, &s, range.order.len);
	else if (rc == 0)
		rc = refuse(r, REFUSAL_HISTORY_GAP, revision_commit(rev),
			    "nothing was there to check");
	range_clear(&range);
	return rc;
}

/* Trust on first use: this one commit, signed by an allowed signer. */
static int check_first_use(const struct revision *rev, const struct judge *j,
			   struct verified **out, struct refusal *r)
{
	const struct object_id *id = revision_commit(rev);
	AUTO(buf) raw = BUF_INIT;
	struct signature s = {0};
	struct commit c;

	if (judge_read(revision_odb(rev), id, &raw, &c, r) < 0 || judge_now(j, id, &c, r) < 0 ||
	    judge_signature(j, id, &c, &s, r) < 0)
		return -1;
	*out = verified_new(rev, &c, &s, 1);
	return 0;
}

int trust_check(const struct revision *rev, const struct object_id *last_trusted,
		const struct policy *policy, int64_t now_ms, int64_t first_seen_ms,
		struct verified **out, struct refusal *refusal)
{
	struct judge j = {.policy = policy, .now_ms = now_ms, .first_seen_ms = first_seen_ms};
	const struct object_id *base = last_trusted;

	*refusal = (struct refusal){.code = REFUSAL_NONE};
	if (sodium_init() < 0)
		abort();
	if (!policy)
		return refuse(refusal, REFUSAL_NO_POLICY, NULL, "no TrustPolicy is in force");
	if (!base) {
		switch (policy->first_trust) {
		case FIRST_TRUST_NONE:
			return refuse(
				refusal, REFUSAL_NO_TRUST_ROOT, revision_commit(rev),
				"nothing is trusted yet, and the policy names no firstTrust");
		case FIRST_TRUST_USE:
			return check_first_use(rev, &j, out, refusal);
		case FIRST_TRUST_COMMIT:
			base = &policy->first_commit;
			break;
		case FIRST_TRUST_WHOLE:
			break;
		}
	}
	if (base && object_id_eq(base, revision_commit(rev)))
		return check_again(rev, &j, out, refusal);
	return check_range(rev, base, &j, out, refusal);
}

/* ---- Reading it ---- */

const struct object_id *verified_commit(const struct verified *v)
{
	return &v->commit;
}

const struct object_id *verified_tree(const struct verified *v)
{
	return &v->tree;
}

struct odb *verified_odb(const struct verified *v)
{
	return v->odb;
}

const char *verified_url(const struct verified *v)
{
	return v->url;
}

const char *verified_signer(const struct verified *v)
{
	return v->principal;
}

const char *verified_fingerprint(const struct verified *v)
{
	return v->fingerprint;
}

const char *verified_subject(const struct verified *v)
{
	return v->subject;
}

int64_t verified_committed_ms(const struct verified *v)
{
	return v->committed_ms;
}

size_t verified_commits(const struct verified *v)
{
	return v->commits;
}

struct verified *verified_ref(struct verified *v)
{
	v->holders++;
	return v;
}

void verified_free(struct verified *v)
{
	if (!v || --v->holders)
		return;
	odb_free(v->odb);
	free(v->url);
	free(v);
}
