/*
 * The same checks for `modelsync verify`: one row a commit, not stopping at the first that
 * fails.
 */
#include <sodium.h>
#include <stdlib.h>

#include "trust/judge_int.h"

struct report {
	struct judge judge;
	struct buf raw;
	verify_fn *fn;
	void *arg;
};

static void report_row(struct report *p, const struct range *range, uint32_t at,
		       const struct refusal *line)
{
	struct verify_row row = {.commit = range->nodes.items[at].id};
	struct signature s = {0};
	struct commit c = {0};

	if (judge_node(&p->judge, range, at, &p->raw, &c, &s, &row.refusal) == 0) {
		snprintf(row.principal, sizeof row.principal, "%s", s.signer->principal);
		if (line->code && at == range->head)
			row.refusal = *line;
	}
	memcpy(row.fingerprint, row.refusal.fingerprint, sizeof row.fingerprint);
	if (s.signer)
		memcpy(row.fingerprint, s.fingerprint, sizeof row.fingerprint);
	if (c.raw)
		commit_subject(&c, row.subject, sizeof row.subject);
	p->fn(p->arg, &row);
}

/* Only the head, as trust on first use looks at it: no parent is asked for. */
static void report_head(struct report *p, const struct revision *rev)
{
	struct verify_row row = {.commit = *revision_commit(rev)};
	struct signature s = {0};
	struct commit c;

	if (judge_read(revision_odb(rev), &row.commit, &p->raw, &c, &row.refusal) == 0) {
		commit_subject(&c, row.subject, sizeof row.subject);
		if (judge_now(&p->judge, &row.commit, &c, &row.refusal) == 0 &&
		    judge_signature(&p->judge, &row.commit, &c, &s, &row.refusal) == 0)
			snprintf(row.principal, sizeof row.principal, "%s",
				 s.signer->principal);
		memcpy(row.fingerprint, row.refusal.fingerprint, sizeof row.fingerprint);
	}
	p->fn(p->arg, &row);
}

static int report_range(struct report *p, const struct revision *rev,
			const struct object_id *base, struct error *err)
{
	struct refusal line = {.code = REFUSAL_NONE};
	struct range range;

	if (range_make(revision_odb(rev), revision_commit(rev), base, REPORT_MAX,
		       p->judge.policy->skew_ms / 1000, &range, &line) < 0)
		return error_reason(err, ERROR_REFUSED, refusal_table[line.code].code, "%s",
				    line.text);
	range_fast_forward(&range, &line);
	for (size_t i = 0; i < range.order.len; i++)
		report_row(p, &range, range.order.items[i], &line);
	range_clear(&range);
	if (line.code && range.order.len == 0)
		return error_reason(err, ERROR_REFUSED, refusal_table[line.code].code, "%s",
				    line.text);
	return 0;
}

int trust_report(const struct revision *head, const struct object_id *base,
		 const struct policy *policy, int64_t now_ms, verify_fn *fn, void *arg,
		 struct error *err)
{
	struct report p = {
		.judge = {.policy = policy, .now_ms = now_ms, .first_seen_ms = now_ms},
		.raw = BUF_INIT,
		.fn = fn,
		.arg = arg};
	int rc = 0;

	if (sodium_init() < 0)
		abort();
	if (!base && policy->first_trust == FIRST_TRUST_COMMIT)
		base = &policy->first_commit;
	if (!base && policy->first_trust == FIRST_TRUST_USE)
		report_head(&p, head);
	else if (!base || !object_id_eq(base, revision_commit(head)))
		rc = report_range(&p, head, base, err);
	buf_clear(&p.raw);
	return rc;
}
