/*
 * trust/trust.h - decides whether a revision may be applied.
 *
 * In:  a revision (git/git.h) and the policy in force.
 * Out: a verified revision, the only thing that desired_make() accepts, or a refusal.
 *
 * Every commit in (last_trusted, head] is split by our own strict grammar over the raw object
 * bytes, its signature checked over exactly those bytes, its signer looked up in
 * allowed_signers (OpenSSH's grammar, stricter), oldest first; the first that fails refuses the
 * whole revision. Fast-forward only. Nothing here talks to the network or to the cluster.
 */
#ifndef TRUST_TRUST_H
#define TRUST_TRUST_H

#include "git/git.h"
#include "value/value.h"

/* ---- Policy ---- */

struct policy; /* immutable */

/* From a TrustPolicy object (spec of modelsync.dev/v1alpha1). A field that this version does
 * not honour is refused by name (PolicyInvalid), never ignored: policies only narrow. */
int policy_from_object(const struct value *object, struct policy **out, struct error *err);
/* From the text of an allowed_signers file alone, for `modelsync verify`. */
int policy_from_allowed_signers(const char *text, size_t len, struct policy **out,
				struct error *err);
void policy_free(struct policy *p);
/* Changes whenever what the policy says changes; never 0. */
uint64_t policy_digest(const struct policy *p);

/* ---- Refusals ---- */

/* The closed list; docs/reference/reasons.md is made from refusal_table. */
enum refusal_code {
	REFUSAL_NONE,
	REFUSAL_NO_POLICY,
	REFUSAL_POLICY_INVALID,
	REFUSAL_UNSIGNED,
	REFUSAL_MALFORMED_COMMIT,
	REFUSAL_UNSUPPORTED_SIGNATURE, /* OpenPGP, X.509, another key type or hash: named */
	REFUSAL_BAD_NAMESPACE,
	REFUSAL_BAD_SIGNATURE,
	REFUSAL_UNKNOWN_SIGNER,
	REFUSAL_KEY_REVOKED,
	REFUSAL_KEY_NOT_YET_VALID,
	REFUSAL_KEY_EXPIRED,
	REFUSAL_COMMIT_IN_FUTURE,
	REFUSAL_TIME_BEFORE_PARENT,
	REFUSAL_PATH_NOT_ALLOWED,
	REFUSAL_NOT_FAST_FORWARD,
	REFUSAL_HISTORY_GAP,
	REFUSAL_NO_TRUST_ROOT, /* nothing trusted yet and the policy names no first trust */
	REFUSAL_TOO_MANY_COMMITS,
	REFUSAL_OBJECT_UNREADABLE,
	REFUSAL_CODES
};
struct refusal_info {
	const char *code;   /* stable, CamelCase: "UnknownSigner" */
	const char *advice; /* one sentence: what a person should do */
	const char *detail; /* a paragraph for `modelsync explain` and the docs */
};
extern const struct refusal_info refusal_table[REFUSAL_CODES];

struct refusal {
	enum refusal_code code;
	bool has_commit;
	struct object_id commit;
	char path[256];		   /* or "" */
	char fingerprint[64];	   /* "SHA256:..." or "" */
	char principal[128];	   /* or "" */
	char rule[64];		   /* or "" */
	char text[ERROR_TEXT_MAX]; /* one sentence: commit, seen, wanted */
};

/* ---- Checking ---- */

struct verified; /* opaque: only trust_check() makes one */

/*
 * `last_trusted` NULL: the policy's first trust decides (pinned commit, whole history, or trust
 * on first use spelled out). `now_ms`: wall clock. `first_seen_ms`: when this agent first saw
 * the head (both must lie in the keys' validity). Returns 0 with *out owned by the caller, or
 * -1 with `refusal` filled. Takes over nothing. Cost: one pass, O(new commits).
 */
int trust_check(const struct revision *rev, const struct object_id *last_trusted,
		const struct policy *policy, int64_t now_ms, int64_t first_seen_ms,
		struct verified **out, struct refusal *refusal);
/*
 * A commit that is last_trusted itself or an ancestor of it by first parents: it was verified
 * when it was trusted. For healing and for going on after a restart; revoked keys are checked
 * again by the policy in force.
 */
int trust_again(const struct revision *rev, const struct object_id *last_trusted,
		const struct policy *policy, struct verified **out, struct refusal *refusal);

const struct object_id *verified_commit(const struct verified *v);
const struct object_id *verified_tree(const struct verified *v);
struct odb *verified_odb(const struct verified *v); /* borrowed, lives as long as v */
const char *verified_url(const struct verified *v);
const char *verified_signer(const struct verified *v);	    /* principal, "" when first trust */
const char *verified_fingerprint(const struct verified *v); /* "SHA256:...", or "" */
const char *
verified_subject(const struct verified *v); /* first line of the message, made safe */
int64_t verified_committed_ms(const struct verified *v);
size_t verified_commits(const struct verified *v); /* how many were checked in this pass */
struct verified *verified_ref(struct verified *v);
void verified_free(struct verified *v);

/* One row a commit, for `modelsync verify`: checks all, does not stop at the first. */
struct verify_row {
	struct object_id commit;
	struct refusal refusal; /* code REFUSAL_NONE: good */
	char principal[128], fingerprint[64], subject[128];
};
typedef void verify_fn(void *arg, const struct verify_row *row);
int trust_report(const struct revision *head, const struct object_id *base /* or NULL: root */,
		 const struct policy *policy, int64_t now_ms, verify_fn *fn, void *arg,
		 struct error *err);

#endif
