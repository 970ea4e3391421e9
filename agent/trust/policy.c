/*
 * TrustPolicy: from the object in the cluster, or from an allowed_signers file alone. Every
 * field is honoured or refused by name: a policy that says more than we check must not seem to
 * hold.
 */
#include <sodium.h>
#include <stdlib.h>

#include "base/text.h"
#include "trust/trust_int.h"

struct reader {
	struct policy *p;
	crypto_generichash_state seen; /* of all that the policy says */
	struct error *err;
};

static int invalid(struct reader *r, const char *field, const char *why)
{
	return error_reason(r->err, ERROR_INVALID, "PolicyInvalid", "spec.%s: %s", field, why);
}

static void note(struct reader *r, const char *field, const void *data, size_t len)
{
	unsigned long long n = len;

	crypto_generichash_update(&r->seen, (const unsigned char *)field, strlen(field) + 1);
	crypto_generichash_update(&r->seen, (const unsigned char *)&n, sizeof n);
	crypto_generichash_update(&r->seen, data, len);
}

static int read_signers(struct reader *r, const struct value *v)
{
	if (!v || v->type != VALUE_STRING)
		return invalid(r, "allowedSigners",
			       "wanted the text of an allowed_signers file");
	note(r, "allowedSigners", v->text.ptr, v->text.len);
	return signers_parse(v->text.ptr, v->text.len, &r->p->signers, r->err);
}

static int read_revoked(struct reader *r, const struct value *v)
{
	if (v->type != VALUE_STRING)
		return invalid(r, "revokedKeys", "wanted a text with one public key a line");
	note(r, "revokedKeys", v->text.ptr, v->text.len);
	return revoked_parse(v->text.ptr, v->text.len, &r->p->revoked, r->err);
}

static int read_skew(struct reader *r, const struct value *v)
{
	const char *s = value_str(v);

	if (!s || text_duration_ms(s, &r->p->skew_ms) < 0 || r->p->skew_ms < 0 ||
	    r->p->skew_ms > CLOCK_SKEW_MAX)
		return invalid(r, "clockSkew", "wanted a duration like \"5m\", at most 24h");
	return 0;
}

static int set_first_trust(struct reader *r, const struct member *m)
{
	struct policy *p = r->p;
	const char *s = value_str(m->value);

	if (text_eq(m->key, "commit")) {
		if (!s || object_id_parse(s, &p->first_commit) < 0)
			return invalid(r, "firstTrust.commit",
				       "wanted a full commit id, 40 digits");
		p->first_trust = FIRST_TRUST_COMMIT;
		return 0;
	}
	if (!text_eq(m->key, "wholeHistory") && !text_eq(m->key, "trustOnFirstUse"))
		return invalid(r, "firstTrust",
			       "wanted one of commit, wholeHistory, trustOnFirstUse");
	if (m->value->type != VALUE_BOOL || !m->value->boolean)
		return invalid(r, "firstTrust",
			       "wholeHistory and trustOnFirstUse can only be true");
	p->first_trust = text_eq(m->key, "wholeHistory") ? FIRST_TRUST_WHOLE : FIRST_TRUST_USE;
	return 0;
}

static int read_first_trust(struct reader *r, const struct value *v)
{
	if (v->type != VALUE_OBJECT || value_len(v) != 1)
		return invalid(r, "firstTrust",
			       "wanted exactly one of commit, wholeHistory, trustOnFirstUse");
	return set_first_trust(r, &v->object.members[0]);
}

static int read_field(struct reader *r, const struct member *m)
{
	static const struct {
		const char *name;
		int (*read)(struct reader *r, const struct value *v);
	} fields[] = {
		{"allowedSigners", read_signers},
		{"revokedKeys", read_revoked},
		{"clockSkew", read_skew},
		{"firstTrust", read_first_trust},
	};
	AUTO(buf) safe = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (text_eq(m->key, fields[i].name))
			return fields[i].read(r, m->value);
	buf_put_safe(&safe, m->key, strnlen(m->key, 64));
	return invalid(
		r, safe.ptr,
		"not honoured by this version, so the whole policy is refused; remove it");
}

static struct policy *policy_new(struct reader *r, struct error *err)
{
	struct policy *p = mem_alloc(sizeof *p);

	if (sodium_init() < 0)
		abort();
	p->skew_ms = CLOCK_SKEW_MS;
	*r = (struct reader){.p = p, .err = err};
	crypto_generichash_init(&r->seen, NULL, 0, crypto_generichash_BYTES_MIN);
	return p;
}

static void finish(struct reader *r)
{
	struct policy *p = r->p;
	unsigned char sum[crypto_generichash_BYTES_MIN];

	note(r, "clockSkew", &p->skew_ms, sizeof p->skew_ms);
	note(r, "firstTrust", &p->first_trust, sizeof p->first_trust);
	note(r, "commit", &p->first_commit, sizeof p->first_commit);
	crypto_generichash_final(&r->seen, sum, sizeof sum);
	memcpy(&p->digest, sum, sizeof p->digest);
	if (p->digest == 0)
		p->digest = 1;
}

int policy_from_object(const struct value *object, struct policy **out, struct error *err)
{
	const struct value *spec = value_get(object, "spec");
	struct member *m;
	struct reader r;
	struct policy *p;

	if (!spec || spec->type != VALUE_OBJECT)
		return error_reason(err, ERROR_INVALID, "PolicyInvalid",
				    "spec: missing, or no object");
	p = policy_new(&r, err);
	object_each (spec, i, m) {
		if (read_field(&r, m) < 0) {
			policy_free(p);
			return -1;
		}
	}
	if (p->signers.list.len == 0) {
		policy_free(p);
		return error_reason(
			err, ERROR_INVALID, "PolicyInvalid",
			"spec.allowedSigners: missing; without it nobody is trusted");
	}
	finish(&r);
	*out = p;
	return 0;
}

int policy_from_allowed_signers(const char *text, size_t len, struct policy **out,
				struct error *err)
{
	struct reader r;
	struct policy *p = policy_new(&r, err);

	note(&r, "allowedSigners", text, len);
	if (signers_parse(text, len, &p->signers, err) < 0) {
		policy_free(p);
		return -1;
	}
	finish(&r);
	*out = p;
	return 0;
}

void policy_free(struct policy *p)
{
	if (!p)
		return;
	signers_clear(&p->signers);
	vec_clear(&p->revoked.list);
	free(p);
}

uint64_t policy_digest(const struct policy *p)
{
	return p->digest;
}
