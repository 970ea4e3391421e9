/*
 * trust/trust_int.h - what the files of trust/ share: a commit split into its parts, an SSH
 * signature, the signers, the policy, and the range of commits to check.
 */
#ifndef TRUST_TRUST_INT_H
#define TRUST_TRUST_INT_H

#include "base/mem.h"
#include "trust/trust.h"

#define KEY_LEN		 32
#define FINGERPRINT	 64 /* "SHA256:" and 43 characters */
#define SIGNATURE_MAX	 (16 * 1024)
#define SIGNERS_MAX	 (1024 * 1024)
#define RANGE_MAX	 10000	 /* new commits of one check */
#define REPORT_MAX	 1000000 /* the same for `modelsync verify` */
#define RANGE_OLD_MAX	 20000	 /* trusted commits looked at to find where new ones begin */
#define RANGE_MISSED_MAX 100	 /* reads that fail before the walk gives up */
#define PARENTS_MAX	 100	 /* of one commit */
#define CLOCK_SKEW_MS	 (5 * 60 * 1000)
#define CLOCK_SKEW_MAX	 (24LL * 3600 * 1000)

/* ---- commit.c: a commit object's raw bytes, split; borrows them ---- */

struct commit {
	const char *raw;
	size_t len;
	struct object_id tree;
	const char *parents; /* the first parent line; all have the same length */
	size_t parent_count;
	int64_t committed_s;	 /* seconds since 1970 */
	size_t sig_from, sig_to; /* the signature header in raw, final newline included */
	const char *sig;	 /* its value, lines still folded; NULL: unsigned */
	size_t sig_len;
	const char *message; /* up to raw + len */
};
/* The strict grammar of docs/trust.md. -1: `err` says which rule it breaks. */
int commit_split(const char *raw, size_t len, struct commit *out, struct error *err);
void commit_parent(const struct commit *c, size_t i, struct object_id *out);
/* First line of the message, made safe, at most `size` - 1 bytes. */
void commit_subject(const struct commit *c, char *out, size_t size);

/* ---- sshsig.c: an armored SSH signature ---- */

struct sshsig {
	unsigned char key[KEY_LEN];
	unsigned char signature[64];
	unsigned char fingerprint[32]; /* SHA-256 of the public key blob */
	bool sha512;
};
/* `folded`: every line but the first begins with one space, as in a commit's header. Returns
 * REFUSAL_NONE, or the code, with `err` filled. UnsupportedSignature names what was seen. */
enum refusal_code sshsig_parse(const char *armor, size_t len, bool folded, struct sshsig *out,
			       struct error *err);
/* Is it this key's signature over a followed by b? */
bool sshsig_verify(const struct sshsig *s, const char *a, size_t a_len, const char *b,
		   size_t b_len);
char *fingerprint_text(const unsigned char digest[32], char out[FINGERPRINT]); /* returns out */

/* The algorithm of a key type, for refusing by name: NULL when unknown, "" when supported. */
const char *key_type_refused(const char *type, size_t len);
/* Strict base64 (padded, nothing skipped) to bytes. -1: not base64, or more than `max`. */
int base64_strict(const char *s, size_t len, unsigned char *out, size_t max);

/* A cursor over length-prefixed strings, as SSH writes them. */
struct wire {
	const unsigned char *p, *end;
};
int wire_u32(struct wire *w, uint32_t *n);
int wire_string(struct wire *w, const unsigned char **s, size_t *len);
bool wire_is(const unsigned char *s, size_t len, const char *text);

/* ---- signers.c: allowed_signers and the flat list of revoked keys ---- */

struct signer {
	unsigned char key[KEY_LEN];
	char *principal;  /* the first of its line, in the arena */
	int64_t after_s;  /* valid from, inclusive; INT64_MIN: always */
	int64_t before_s; /* valid to, inclusive; INT64_MAX: for ever */
	bool git;	  /* its namespaces include "git" */
	int line;	  /* from 1 */
};
struct signers {
	struct arena *arena;
	VEC(struct signer) list; /* sorted by key, then line */
};
int signers_parse(const char *text, size_t len, struct signers *out, struct error *err);
void signers_clear(struct signers *s);
/* All lines of one key: the first of them, and how many. */
const struct signer *signers_find(const struct signers *s, const unsigned char *key, size_t *n);

struct revoked_key {
	unsigned char fingerprint[32];
};
struct revoked {
	VEC(struct revoked_key) list; /* sorted */
};
int revoked_parse(const char *text, size_t len, struct revoked *out, struct error *err);
bool revoked_has(const struct revoked *r, const unsigned char fingerprint[32]);

/* ---- policy.c ---- */

enum first_trust { FIRST_TRUST_NONE, FIRST_TRUST_COMMIT, FIRST_TRUST_WHOLE, FIRST_TRUST_USE };
struct policy {
	struct signers signers;
	struct revoked revoked;
	int64_t skew_ms;
	enum first_trust first_trust;
	struct object_id first_commit;
	uint64_t digest;
};

/* ---- refusal.c ---- */

/* Fill `r` (fingerprint and principal stay) with "Code: text"; returns -1. */
int refuse(struct refusal *r, enum refusal_code code, const struct object_id *commit,
	   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
#define SHORT_ID 13
char *short_id(const struct object_id *id, char out[SHORT_ID]); /* 12 digits; returns out */

/* ---- range.c: which commits are new, in what order ---- */

struct node {
	struct object_id id;
	int64_t committed_s;
	uint32_t edges, parents; /* first of its parents in range.edges, and how many */
	bool old;		 /* reachable from the base */
	bool loaded;		 /* committed_s and parents are known */
	bool done, ordered;
};
struct range {
	struct odb *odb;
	VEC(struct node) nodes;
	VEC(uint32_t) edges; /* indexes of parents */
	VEC(uint32_t) heap;  /* by time, newest first */
	VEC(uint32_t) order; /* the new commits, parents before children */
	uint32_t *slots;     /* hash table: index + 1 into nodes */
	size_t slot_count, fresh, old_seen;
	uint32_t head, base; /* RANGE_NONE: no base */
};
#define RANGE_NONE UINT32_MAX
/* Commits reachable from head and not from base (NULL: all). Walks by committer time; where
 * times lie, an old commit may be taken as new (and is then checked), never the reverse. */
int range_make(struct odb *odb, const struct object_id *head, const struct object_id *base,
	       size_t max, int64_t skew_s, struct range *out, struct refusal *refusal);
void range_clear(struct range *r);
/* -1 with `refusal`: the base is not on the first-parent line of the head. */
int range_fast_forward(const struct range *r, struct refusal *refusal);

#endif
