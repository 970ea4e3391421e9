/* Attacks on single commits, on raw objects that git itself would not make. Whatever we accept,
 * the real git must accept too: `git verify-commit` and `git fsck` are the second opinion. */
#include "test.h"

#include "base/clock.h"
#include "support/trust_fixture.h"
#include "trust/judge_int.h"

#define TREE   "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n"
#define OTHER  "tree aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
#define AUTHOR "author A <a@x> 1700000000 +0000\n"
#define COMMIT "committer A <a@x> 1700000000 +0000\n"
#define HEAD   TREE AUTHOR COMMIT
#define TAIL   "\nmessage\n"

struct attack {
	struct fixture f;
	struct test_key carol;
	struct policy *policy; /* carol and alice */
};

static int make(void **state)
{
	struct attack *a = mem_alloc(sizeof *a);
	AUTO(buf) signers = BUF_INIT;
	AUTO_FREE char *path = NULL;
	FILE *file;

	fixture_make(&a->f);
	test_key_make(&a->carol, "carol");
	test_key_line(&a->carol, "carol", NULL, &signers);
	fixture_signer(&a->f, &signers, "alice", NULL);
	a->policy = policy_of(signers.ptr, "", WHOLE_HISTORY);
	path = mem_printf("%s/allowed", a->f.dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(signers.ptr, file);
	fclose(file);
	fixture_sh(&a->f, "git hash-object -t tree -w /dev/null");
	*state = a;
	return 0;
}

static int clear(void **state)
{
	struct attack *a = *state;

	policy_free(a->policy);
	test_key_clear(&a->carol);
	fixture_clear(&a->f);
	free(a);
	return 0;
}

/* Our verdict on raw bytes, without a repository. */
static enum refusal_code judge_raw(const struct policy *p, const char *raw, size_t len,
				   struct refusal *r)
{
	struct judge j = {
		.policy = p, .now_ms = clock_now_ms(), .first_seen_ms = clock_now_ms()};
	struct object_id id = {{0}};
	struct signature s;
	struct commit c;

	*r = (struct refusal){.code = REFUSAL_NONE};
	if (commit_split(raw, len, &c, NULL) < 0)
		return REFUSAL_MALFORMED_COMMIT;
	if (judge_now(&j, &id, &c, r) == 0)
		judge_signature(&j, &id, &c, &s, r);
	return r->code;
}

/* The real git's verdict: a good signature by an allowed key, and an object without fault. */
static bool git_accepts(struct fixture *f, const struct object_id *id)
{
	char hex[OBJECT_ID_HEX];

	object_id_hex(id, hex);
	return fixture_try(f,
			   "git verify-commit %s && git hash-object -t commit --stdin < ../raw",
			   hex) == 0;
}

struct shape {
	const char *name;
	enum refusal_code code;
	const char *head, *tail; /* NULL: HEAD and TAIL; the signature goes between */
	struct test_sig how;
	const char *before, *after; /* put around the finished signature header, unsigned */
	const char *append;	    /* bytes behind everything, unsigned */
	bool nul;		    /* and a NUL before those */
};

static const struct shape shapes[] = {
	{.name = "as it should be", .code = REFUSAL_NONE},
	{.name = "sha256", .code = REFUSAL_NONE, .how = {.hash = "sha256"}},
	{.name = "before encoding", .code = REFUSAL_NONE, .tail = "encoding UTF-8\n\nm\n"},
	{.name = "namespace file", .code = REFUSAL_BAD_NAMESPACE, .how = {.ns = "file"}},
	{.name = "reserved filled", .code = REFUSAL_MALFORMED_COMMIT, .how = {.reserved = "x"}},
	{.name = "bytes behind the blob",
	 .code = REFUSAL_MALFORMED_COMMIT,
	 .how = {.tail = "x"}},
	{.name = "bytes behind END",
	 .code = REFUSAL_MALFORMED_COMMIT,
	 .how = {.end = " -----END SSH SIGNATURE-----\n junk"}},
	{.name = "message changed after signing",
	 .code = REFUSAL_BAD_SIGNATURE,
	 .append = "more\n"},
	{.name = "NUL and junk appended",
	 .code = REFUSAL_MALFORMED_COMMIT,
	 .nul = true,
	 .append = "junk"},
	{.name = "extra gpgsigfoo", .code = REFUSAL_MALFORMED_COMMIT, .after = "gpgsigfoo x\n"},
	{.name = "extra gpgsig-sha256",
	 .code = REFUSAL_MALFORMED_COMMIT,
	 .after = "gpgsig-sha256 x\n"},
	{.name = "garbage gpgsig after",
	 .code = REFUSAL_MALFORMED_COMMIT,
	 .after = "gpgsig x\n"},
	{.name = "garbage gpgsig before",
	 .code = REFUSAL_MALFORMED_COMMIT,
	 .before = "gpgsig x\n"},
	{.name = "unsigned header added", .code = REFUSAL_BAD_SIGNATURE, .after = "x y\n"},
	{.name = "two trees, both signed",
	 .code = REFUSAL_MALFORMED_COMMIT,
	 .head = TREE OTHER AUTHOR COMMIT},
	{.name = "tree again behind the committer, signed",
	 .code = REFUSAL_MALFORMED_COMMIT,
	 .head = HEAD OTHER},
	{.name = "two authors, signed",
	 .code = REFUSAL_MALFORMED_COMMIT,
	 .head = TREE AUTHOR AUTHOR COMMIT},
	{.name = "parent behind the author, signed",
	 .code = REFUSAL_MALFORMED_COMMIT,
	 .head = TREE AUTHOR "parent 1111111111111111111111111111111111111111\n" COMMIT},
	{.name = "dated ahead",
	 .code = REFUSAL_COMMIT_IN_FUTURE,
	 .head = TREE AUTHOR "committer A <a@x> 99999999999 +0000\n"},
};

static void build(struct attack *a, const struct shape *s, struct buf *raw)
{
	AUTO(buf) signed_part = BUF_INIT;
	const char *head = s->head ? s->head : HEAD, *tail = s->tail ? s->tail : TAIL;
	size_t cut;

	test_sign_commit(&a->carol, &s->how, head, tail, &signed_part);
	cut = signed_part.len - strlen(tail);
	buf_puts(raw, head);
	buf_puts(raw, s->before ? s->before : "");
	buf_add(raw, signed_part.ptr + strlen(head), cut - strlen(head));
	buf_puts(raw, s->after ? s->after : "");
	buf_puts(raw, tail);
	if (s->nul)
		buf_putc(raw, '\0');
	buf_puts(raw, s->append ? s->append : "");
}

static void test_attack__shapes_that_git_or_libgit2_may_take(void **state)
{
	struct attack *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		AUTO(buf) raw = BUF_INIT;
		struct object_id id;
		struct refusal r;
		char hex[OBJECT_ID_HEX];

		build(a, &shapes[i], &raw);
		id = fixture_write(&a->f, "commit", &raw);
		if (check_as(&a->f, object_id_hex(&id, hex), NULL, a->policy, clock_now_ms(), 0,
			     &r, NULL) != shapes[i].code)
			fail_msg("%s: seen %s", shapes[i].name, r.text);
		if (shapes[i].code == REFUSAL_NONE)
			assert_row(git_accepts(&a->f, &id), shapes[i].name);
	}
}

static void test_attack__signature_in_the_message_is_none(void **state)
{
	struct attack *a = *state;
	AUTO(buf) sig = BUF_INIT;
	AUTO(buf) raw = BUF_INIT;
	struct refusal r;

	test_sign_commit(&a->carol, NULL, HEAD, TAIL, &sig);
	buf_printf(&raw, HEAD "\n%s", sig.ptr + strlen(HEAD));
	assert_int_equal(judge_raw(a->policy, raw.ptr, raw.len, &r), REFUSAL_UNSIGNED);
}

static void test_attack__signature_of_another_commit_does_not_fit(void **state)
{
	struct attack *a = *state;
	AUTO(buf) one = BUF_INIT;
	AUTO(buf) two = BUF_INIT;
	AUTO(buf) mixed = BUF_INIT;
	struct refusal r;

	test_sign_commit(&a->carol, NULL, HEAD, "\none\n", &one);
	test_sign_commit(&a->carol, NULL, HEAD, "\ntwo\n", &two);
	assert_int_equal(one.len, two.len);
	buf_add(&mixed, one.ptr, one.len - 5);
	buf_puts(&mixed, "\ntwo\n");
	assert_int_equal(judge_raw(a->policy, one.ptr, one.len, &r), REFUSAL_NONE);
	assert_int_equal(judge_raw(a->policy, mixed.ptr, mixed.len, &r), REFUSAL_BAD_SIGNATURE);
}

static void test_attack__keys_of_other_kinds_are_refused_by_name(void **state)
{
	static const struct {
		const char *make, *name;
	} rows[] = {
		{"ssh-keygen -q -t rsa -b 2048 -N '' -f ../other", "RSA"},
		{"ssh-keygen -q -t ecdsa -b 256 -N '' -f ../other", "nistp256"},
		{"ssh-keygen -q -t ecdsa -b 521 -N '' -f ../other", "nistp521"},
		{"ssh-keygen -q -t ed25519 -N '' -f ../ca && "
		 "ssh-keygen -q -t ed25519 -N '' -f ../other && "
		 "ssh-keygen -q -s ../ca -I x -n alice ../other.pub && mv ../other-cert.pub "
		 "../other.pub",
		 "certificates"},
	};
	struct attack *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct refusal r;

		fixture_sh(&a->f, "rm -f ../other*; %s", rows[i].make);
		fixture_sh(
			&a->f,
			"git checkout -q --orphan o%zu && git -c user.signingkey=../other.pub "
			"commit -q --allow-empty -m x",
			i);
		assert_int_equal(
			check_as(&a->f, "HEAD", NULL, a->policy, clock_now_ms(), 0, &r, NULL),
			REFUSAL_UNSUPPORTED_SIGNATURE);
		if (!strstr(r.text, rows[i].name))
			fail_msg("seen \"%s\", wanted %s in it", r.text, rows[i].name);
	}
}

/* ---- Mutations ---- */

static uint64_t seed = 20260101;

static uint32_t random_below(uint32_t limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % limit;
}

static void test_attack__every_byte_of_ten_commits_flipped_none_accepted(void **state)
{
	struct attack *a = *state;
	size_t tried = 0, accepted = 0;

	for (int i = 0; i < 10; i++) {
		AUTO(buf) raw = BUF_INIT;
		struct refusal r;

		fixture_commit(&a->f, i % 2 ? "a" : "b");
		if (i % 3 == 2)
			fixture_sh(
				&a->f,
				"git checkout -q -b s%d HEAD~1 && "
				"git commit -q --allow-empty -m s && git checkout -q main && "
				"git merge -q -m m s%d",
				i, i);
		fixture_read(&a->f, "HEAD", &raw);
		assert_int_equal(judge_raw(a->policy, raw.ptr, raw.len, &r), REFUSAL_NONE);
		for (size_t at = 0; at < raw.len; at++) {
			char flip = (char)(1 + random_below(255));

			raw.ptr[at] ^= flip;
			tried++;
			if (judge_raw(a->policy, raw.ptr, raw.len, &r) == REFUSAL_NONE)
				accepted++;
			raw.ptr[at] ^= flip;
		}
	}
	assert_true(tried > 5000);
	assert_int_equal(accepted, 0);
}

static void mutate_lines(struct buf *raw)
{
	static const char *const extra[] = {
		"encoding UTF-8\n",
		"gpgsig x\n",
		"x y\n",
		" \n",
		" x\n",
		"\n",
		TREE,
		COMMIT,
		"gpgsig -----BEGIN SSH SIGNATURE-----\n",
		"mergetag object 1\n type commit\n",
		" -----END SSH SIGNATURE-----\n",
	};
	size_t at = random_below((uint32_t)raw->len), len;
	AUTO(buf) out = BUF_INIT;
	const char *line;

	while (at > 0 && raw->ptr[at - 1] != '\n')
		at--;
	line = raw->ptr + at;
	len = strcspn(line, "\n") + 1;
	if (at + len > raw->len)
		len = raw->len - at;
	buf_add(&out, raw->ptr, at);
	switch (random_below(4)) {
	case 0: /* a line twice */
		buf_add(&out, line, len);
		buf_add(&out, line, len);
		break;
	case 1: /* a line less */
		break;
	case 2: /* one more */
		buf_puts(&out, extra[random_below(ARRAY_LEN(extra))]);
		buf_add(&out, line, len);
		break;
	default: /* a byte of it */
		buf_add(&out, line, len);
		out.ptr[at + random_below((uint32_t)len)] = (char)random_below(256);
	}
	buf_add(&out, line + len, raw->len - at - len);
	buf_reset(raw);
	buf_add(raw, out.ptr, out.len);
}

/* Mutated before signing, so that many have a right signature, and after. */
static void test_attack__what_we_accept_git_accepts_too(void **state)
{
	struct attack *a = *state;
	size_t accepted = 0;

	for (int i = 0; i < 4000; i++) {
		AUTO(buf) head = BUF_INIT;
		AUTO(buf) raw = BUF_INIT;
		struct refusal r;
		struct object_id id;

		buf_puts(&head, HEAD);
		if (i % 4)
			mutate_lines(&head);
		test_sign_commit(&a->carol, NULL, head.ptr, TAIL, &raw);
		if (i % 3 == 0)
			mutate_lines(&raw);
		if (judge_raw(a->policy, raw.ptr, raw.len, &r) != REFUSAL_NONE)
			continue;
		accepted++;
		/* Most accepted ones are the same; ask git about some of them. */
		if (accepted % 16)
			continue;
		id = fixture_write(&a->f, "commit", &raw);
		if (!git_accepts(&a->f, &id))
			fail_msg("mutation %d: we accept, git does not:\n%s", i, raw.ptr);
	}
	assert_true(accepted > 500);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, make, clear)
	const struct CMUnitTest tests[] = {
		TEST(test_attack__shapes_that_git_or_libgit2_may_take),
		TEST(test_attack__signature_in_the_message_is_none),
		TEST(test_attack__signature_of_another_commit_does_not_fit),
		TEST(test_attack__keys_of_other_kinds_are_refused_by_name),
		TEST(test_attack__every_byte_of_ten_commits_flipped_none_accepted),
		TEST(test_attack__what_we_accept_git_accepts_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
