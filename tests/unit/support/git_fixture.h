/*
 * support/git_fixture.h - repositories made at run time by the real git and ssh-keygen, in a
 * folder of their own and with none of the user's configuration; and an SSH signer in C for the
 * shapes that ssh-keygen won't make.
 */
#ifndef TESTS_UNIT_SUPPORT_GIT_FIXTURE_H
#define TESTS_UNIT_SUPPORT_GIT_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "git/git.h"

#define FIXTURE_DIR  128
#define FIXTURE_PATH (FIXTURE_DIR + 32)

struct fixture {
	char dir[FIXTURE_DIR];	 /* holds keys alice, bob, mallory and the repository "work" */
	char work[FIXTURE_PATH]; /* dir/work, branch main, signed by alice */
};

void fixture_make(struct fixture *f);
void fixture_clear(struct fixture *f); /* removes it */

/* A shell command in the repository; it must succeed. */
void fixture_sh(struct fixture *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Its exit code instead. */
int fixture_try(struct fixture *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Its output without the last newline; the caller frees. */
char *fixture_out(struct fixture *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
struct object_id fixture_id(struct fixture *f, const char *rev);
/* A commit with one more line in `file`, signed by whoever user.signingkey is. */
struct object_id fixture_commit(struct fixture *f, const char *file);

/* The raw bytes of an object; and any bytes as an object, checked by nobody. */
void fixture_read(struct fixture *f, const char *rev, struct buf *out);
struct object_id fixture_write(struct fixture *f, const char *type, const struct buf *raw);
/* "alice ssh-ed25519 AAAA...\n", with options between when not NULL. */
void fixture_signer(struct fixture *f, struct buf *out, const char *who, const char *options);

/* ---- A signer in C ---- */

struct test_key {
	unsigned char public[32], secret[64];
	struct buf blob; /* the public key as SSH writes it */
};
void test_key_make(struct test_key *k, const char *seed); /* the same seed, the same key */
void test_key_clear(struct test_key *k);
void test_key_line(const struct test_key *k, const char *who, const char *options,
		   struct buf *out);

struct test_sig { /* NULL or 0: as it should be */
	const char *ns, *reserved, *hash, *key_type, *sig_type, *tail, *end;
	uint32_t version;
	size_t width; /* of an armored line */
};
/* The armored signature of `payload`, lines folded by a space as in a commit. */
void test_sign(const struct test_key *k, const struct test_sig *how, const char *payload,
	       size_t len, struct buf *out);
/* `head` and `tail` of a commit with a gpgsig header of both between them. */
void test_sign_commit(const struct test_key *k, const struct test_sig *how, const char *head,
		      const char *tail, struct buf *out);

#endif
