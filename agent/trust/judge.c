/*
 * Judges one commit: split, signature, signer, times. trust.c takes them in order.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "trust/judge_int.h"

#define TEXT_OF(ms) clock_rfc3339((ms), (char[CLOCK_TEXT_MAX]){0})

/* "commit 3f2a...: <why the parser said no>" */
static int refuse_parsed(struct refusal *r, enum refusal_code code, const struct object_id *id,
			 const struct error *why)
{
	char s[SHORT_ID];

	return refuse(r, code, id, "commit %s: %s", short_id(id, s), why->text);
}

int judge_read(struct odb *odb, const struct object_id *id, struct buf *raw, struct commit *c,
	       struct refusal *r)
{
	struct error err = ERROR_INIT;

	buf_reset(raw);
	if (odb_read(odb, id, OBJECT_COMMIT, GIT_COMMIT_MAX, raw, &err) < 0)
		return refuse_parsed(r,
				     strcmp(error_code(&err), "ObjectMissing") == 0
					     ? REFUSAL_HISTORY_GAP
					     : REFUSAL_OBJECT_UNREADABLE,
				     id, &err);
	if (commit_split(raw->ptr, raw->len, c, &err) < 0)
		return refuse_parsed(r, REFUSAL_MALFORMED_COMMIT, id, &err);
	return 0;
}

/* When one of several lines of a key will do, the first that does; else the first one's fault.
 */
static enum refusal_code line_fits(const struct signer *s, int64_t committed_s, int64_t seen_s,
				   bool *seen)
{
	if (!s->git)
		return REFUSAL_BAD_NAMESPACE;
	*seen = committed_s >= s->after_s && committed_s <= s->before_s;
	if (committed_s < s->after_s || seen_s < s->after_s)
		return REFUSAL_KEY_NOT_YET_VALID;
	if (committed_s > s->before_s || seen_s > s->before_s)
		return REFUSAL_KEY_EXPIRED;
	return REFUSAL_NONE;
}

static int refuse_line(struct refusal *r, enum refusal_code code, const struct judge *j,
		       const struct object_id *id, const struct commit *c,
		       const struct signer *s, bool seen)
{
	int64_t at_ms = seen ? j->first_seen_ms : c->committed_s * 1000;
	const char *how = seen ? "was first seen at" : "is dated";
	char a[SHORT_ID];

	short_id(id, a);
	snprintf(r->principal, sizeof r->principal, "%s", s->principal);
	if (code == REFUSAL_BAD_NAMESPACE)
		return refuse(r, code, id,
			      "commit %s: allowedSigners line %d allows key %s other "
			      "namespaces only, "
			      "wanted \"git\"",
			      a, s->line, r->fingerprint);
	if (code == REFUSAL_KEY_EXPIRED)
		return refuse(r, code, id, "commit %s %s %s, key %s of %s is valid to %s", a,
			      how, TEXT_OF(at_ms), r->fingerprint, s->principal,
			      TEXT_OF(s->before_s * 1000));
	return refuse(r, code, id, "commit %s %s %s, key %s of %s is valid from %s", a, how,
		      TEXT_OF(at_ms), r->fingerprint, s->principal, TEXT_OF(s->after_s * 1000));
}

/* The line of allowedSigners that lets this key sign this commit. */
static const struct signer *find_signer(const struct judge *j, const struct object_id *id,
					const struct commit *c, const struct sshsig *sig,
					struct refusal *r)
{
	size_t n;
	const struct signer *s = signers_find(&j->policy->signers, sig->key, &n);
	enum refusal_code first = REFUSAL_NONE;
	bool first_seen = false;
	char a[SHORT_ID];

	if (!s) {
		refuse(r, REFUSAL_UNKNOWN_SIGNER, id,
		       "commit %s is signed by key %s, wanted a key of allowedSigners",
		       short_id(id, a), r->fingerprint);
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		bool seen = false;
		enum refusal_code code =
			line_fits(&s[i], c->committed_s, j->first_seen_ms / 1000, &seen);

		if (!code)
			return &s[i];
		if (i == 0) {
			first = code;
			first_seen = seen;
		}
	}
	refuse_line(r, first, j, id, c, s, first_seen);
	return NULL;
}

static int parse_signature(const struct object_id *id, const struct commit *c,
			   struct sshsig *sig, struct refusal *r)
{
	struct error err = ERROR_INIT;
	enum refusal_code code;
	char a[SHORT_ID];

	if (!c->sig)
		return refuse(
			r, REFUSAL_UNSIGNED, id,
			"commit %s has no signature, wanted one by a key of allowedSigners",
			short_id(id, a));
	code = sshsig_parse(c->sig, c->sig_len, true, sig, &err);
	return code ? refuse_parsed(r, code, id, &err) : 0;
}

int judge_revoked(const struct judge *j, const struct object_id *id, const struct sshsig *sig,
		  struct refusal *r)
{
	char a[SHORT_ID];

	if (!revoked_has(&j->policy->revoked, sig->fingerprint))
		return 0;
	fingerprint_text(sig->fingerprint, r->fingerprint);
	return refuse(r, REFUSAL_KEY_REVOKED, id,
		      "commit %s is signed by key %s, which stands in revokedKeys",
		      short_id(id, a), r->fingerprint);
}

int judge_signature(const struct judge *j, const struct object_id *id, const struct commit *c,
		    struct signature *out, struct refusal *r)
{
	struct sshsig sig;
	char a[SHORT_ID];

	if (parse_signature(id, c, &sig, r) < 0)
		return -1;
	fingerprint_text(sig.fingerprint, r->fingerprint);
	if (judge_revoked(j, id, &sig, r) < 0)
		return -1;
	out->signer = find_signer(j, id, c, &sig, r);
	if (!out->signer)
		return -1;
	if (!sshsig_verify(&sig, c->raw, c->sig_from, c->raw + c->sig_to, c->len - c->sig_to))
		return refuse(
			r, REFUSAL_BAD_SIGNATURE, id,
			"commit %s names key %s, but its signature does not fit its bytes",
			short_id(id, a), r->fingerprint);
	memcpy(out->fingerprint, r->fingerprint, sizeof out->fingerprint);
	return 0;
}

int judge_now(const struct judge *j, const struct object_id *id, const struct commit *c,
	      struct refusal *r)
{
	char a[SHORT_ID];

	if (c->committed_s * 1000 <= j->now_ms + j->policy->skew_ms)
		return 0;
	return refuse(r, REFUSAL_COMMIT_IN_FUTURE, id, "commit %s is dated %s, it is %s now",
		      short_id(id, a), TEXT_OF(c->committed_s * 1000), TEXT_OF(j->now_ms));
}

/* No parent may be younger than its child. (One that is not there was refused before: it stands
 * ahead of its child in the order.) */
static int judge_parents(const struct judge *j, const struct range *range, const struct node *n,
			 struct refusal *r)
{
	char a[SHORT_ID], b[SHORT_ID];

	for (uint32_t i = 0; i < n->parents; i++) {
		const struct node *p = &range->nodes.items[range->edges.items[n->edges + i]];

		short_id(&n->id, a);
		short_id(&p->id, b);
		if (!p->loaded && !p->old && !odb_has(range->odb, &p->id))
			return refuse(r, REFUSAL_HISTORY_GAP, &n->id,
				      "commit %s: its parent %s is not in the repository", a,
				      b);
		if (p->loaded &&
		    n->committed_s * 1000 + j->policy->skew_ms < p->committed_s * 1000)
			return refuse(r, REFUSAL_TIME_BEFORE_PARENT, &n->id,
				      "commit %s is dated %s, its parent %s %s", a,
				      TEXT_OF(n->committed_s * 1000), b,
				      TEXT_OF(p->committed_s * 1000));
	}
	return 0;
}

int judge_node(const struct judge *j, const struct range *range, uint32_t at, struct buf *raw,
	       struct commit *c, struct signature *out, struct refusal *r)
{
	const struct node *n = &range->nodes.items[at];

	r->fingerprint[0] = r->principal[0] = '\0';
	if (judge_read(range->odb, &n->id, raw, c, r) < 0)
		return -1;
	/* It can be read now and could not be during the walk: its ancestors were not seen. */
	if (!n->loaded) {
		char s[16];
		return refuse(
			r, REFUSAL_HISTORY_GAP, &n->id,
			"commit %s came while its history was walked; the next poll looks "
			"again",
			short_id(&n->id, s));
	}
	if (judge_parents(j, range, n, r) < 0 || judge_now(j, &n->id, c, r) < 0)
		return -1;
	return judge_signature(j, &n->id, c, out, r);
}
