/*
 * The closed list of refusals, from which help, docs and metrics are derived, and the one way
 * to fill one in.
 */
#include <stdarg.h>
#include <stdio.h>

#include "trust/trust_int.h"

const struct refusal_info refusal_table[REFUSAL_CODES] = {
	[REFUSAL_NONE] = {"None", "Nothing to do.", "Every commit that was checked is good."},
	[REFUSAL_NO_POLICY] = {"NoPolicy",
			       "Create a TrustPolicy and name it in spec.trustPolicyRef.",
			       "No TrustPolicy is in force for this source. Without one nobody "
			       "is trusted, so "
			       "nothing is applied."},
	[REFUSAL_POLICY_INVALID] =
		{"PolicyInvalid", "Correct the TrustPolicy where the message points.",
		 "The TrustPolicy can't be read, or says something that this version does not "
		 "honour. A policy is taken whole or not at all, so that nobody relies on a "
		 "rule "
		 "that is not checked."},
	[REFUSAL_UNSIGNED] =
		{"Unsigned", "Sign the commit (git commit -S) and push it again.",
		 "A commit between the last trusted one and the new head carries no signature. "
		 "Merges and side branches count; a signed tip does not vouch for what is "
		 "below "
		 "it. Forges that rebase on merging drop signatures: switch that off."},
	[REFUSAL_MALFORMED_COMMIT] = {"MalformedCommit",
				      "Make the commit again with an up-to-date git.",
				      "The commit object breaks the strict grammar: a doubled "
				      "or misplaced header, a "
				      "second signature, a NUL byte, bytes that nothing signs. "
				      "git may take it; such "
				      "shapes can be read in two ways, so we don't."},
	[REFUSAL_UNSUPPORTED_SIGNATURE] =
		{"UnsupportedSignature",
		 "Sign with an Ed25519 SSH key (git config gpg.format ssh).",
		 "The commit is signed with something that this version does not check: "
		 "OpenPGP, "
		 "X.509, or an SSH key that is not ssh-ed25519. The message names it."},
	[REFUSAL_BAD_NAMESPACE] =
		{"BadNamespace", "Sign with git itself, and let the key's line allow \"git\".",
		 "The signature was made for another purpose than git (ssh-keygen -n), or the "
		 "key's line in allowedSigners has a namespaces option that leaves git out."},
	[REFUSAL_BAD_SIGNATURE] =
		{"BadSignature", "Find out who changed the commit after it was signed.",
		 "The signature does not fit the commit's bytes: the object was changed after "
		 "signing, or the signature was taken from another commit."},
	[REFUSAL_UNKNOWN_SIGNER] =
		{"UnknownSigner",
		 "Add the key to allowedSigners, if its owner is to be trusted.",
		 "The commit is signed, but no line of allowedSigners holds the key that it "
		 "names."},
	[REFUSAL_KEY_REVOKED] =
		{"KeyRevoked", "Have the change signed again with another key.",
		 "The key stands in revokedKeys. That holds for every commit not yet applied, "
		 "whenever it was signed."},
	[REFUSAL_KEY_NOT_YET_VALID] =
		{"KeyNotYetValid", "Correct valid-after, or the clock of who signed.",
		 "The commit's time, or the time at which it was first seen, lies before the "
		 "key's valid-after."},
	[REFUSAL_KEY_EXPIRED] =
		{"KeyExpired", "Sign with a key that is valid now, or extend valid-before.",
		 "The commit's time, or the time at which it was first seen, lies behind the "
		 "key's valid-before. The second is what a backdated commit runs into."},
	[REFUSAL_COMMIT_IN_FUTURE] =
		{"CommitInFuture", "Correct the clock of who committed, or of this agent.",
		 "The committer's time lies further ahead of our clock than clockSkew allows."},
	[REFUSAL_TIME_BEFORE_PARENT] =
		{"TimeBeforeParent", "Commit again with a right clock.",
		 "The committer's time lies before that of a parent by more than clockSkew: a "
		 "wrong clock, or a date chosen to fall into a key's validity."},
	[REFUSAL_PATH_NOT_ALLOWED] =
		{"PathNotAllowed", "Have the change signed by somebody allowed to make it.",
		 "The commit changes a path that its signer has no right to."},
	[REFUSAL_NOT_FAST_FORWARD] =
		{"NotFastForward",
		 "Put the branch back, or continue from the last trusted commit.",
		 "The last trusted commit is not on the first-parent line of the new head: the "
		 "branch was rewound, rewritten, or moved to another line of work. Signatures "
		 "don't name the branch they were made for, so old or foreign commits would "
		 "pass "
		 "otherwise."},
	[REFUSAL_HISTORY_GAP] =
		{"HistoryGap", "Make the whole history reachable again (no shallow clone).",
		 "A commit between the last trusted one and the new head is not there, or the "
		 "last trusted one itself is not: the way from one to the other can't be "
		 "checked."},
	[REFUSAL_NO_TRUST_ROOT] =
		{"NoTrustRoot", "Say in spec.firstTrust where trust begins.",
		 "Nothing was trusted yet, and the policy does not say how to begin: a pinned "
		 "commit, the whole history, or trust on first use spelled out."},
	[REFUSAL_TOO_MANY_COMMITS] =
		{"TooManyCommits",
		 "Pin a newer commit in spec.firstTrust, or push in smaller steps.",
		 "More new commits than one check takes (10,000)."},
	[REFUSAL_OBJECT_UNREADABLE] =
		{"ObjectUnreadable",
		 "Delete the Git cache; if it stays so, repair the repository.",
		 "A commit object is damaged, larger than 64 KiB, or of another type than it "
		 "should be."},
};

char *short_id(const struct object_id *id, char out[SHORT_ID])
{
	char hex[OBJECT_ID_HEX];

	memcpy(out, object_id_hex(id, hex), SHORT_ID - 1);
	out[SHORT_ID - 1] = '\0';
	return out;
}

int refuse(struct refusal *r, enum refusal_code code, const struct object_id *commit,
	   const char *fmt, ...)
{
	va_list ap;
	int n;

	r->code = code;
	r->has_commit = commit != NULL;
	if (commit)
		r->commit = *commit;
	n = snprintf(r->text, sizeof r->text, "%s: ", refusal_table[code].code);
	va_start(ap, fmt);
	vsnprintf(r->text + n, sizeof r->text - (size_t)n, fmt, ap);
	va_end(ap);
	return -1;
}
