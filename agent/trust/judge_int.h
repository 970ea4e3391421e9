/*
 * trust/judge_int.h - one commit at a time: what judge.c gives to trust.c and report.c.
 */
#ifndef TRUST_JUDGE_INT_H
#define TRUST_JUDGE_INT_H

#include "trust/trust_int.h"

struct judge {
	const struct policy *policy;
	int64_t now_ms, first_seen_ms;
};
struct signature {
	const struct signer *signer; /* in the policy */
	char fingerprint[FINGERPRINT];
};

/* All return 0, or -1 with `r` filled. `raw` holds the bytes that `c` borrows. */
int judge_read(struct odb *odb, const struct object_id *id, struct buf *raw, struct commit *c,
	       struct refusal *r);
int judge_revoked(const struct judge *j, const struct object_id *id, const struct sshsig *sig,
		  struct refusal *r);
int judge_signature(const struct judge *j, const struct object_id *id, const struct commit *c,
		    struct signature *out, struct refusal *r);
int judge_now(const struct judge *j, const struct object_id *id, const struct commit *c,
	      struct refusal *r);
/* All of it, for one new commit of a range. */
int judge_node(const struct judge *j, const struct range *range, uint32_t at, struct buf *raw,
	       struct commit *c, struct signature *out, struct refusal *r);

#endif
