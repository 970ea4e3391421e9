/* Repositories and signatures for the tests of git/ and trust/. */
#include "../test.h"

#include <ftw.h>
#include <sodium.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "git_fixture.h"

/* libgit2 1.5 leaks a match in git_revparse_single(); only command-line use comes there. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libpcre2";
}

/* Standard output goes where ours goes, or into the log as standard error does. */
static char *command(struct fixture *f, bool heard, const char *fmt, va_list ap)
{
	AUTO(buf) text = BUF_INIT;

	buf_vprintf(&text, fmt, ap);
	return mem_printf("cd %s && exec 2>>%s/log %s && { %s\n}", f->work, f->dir,
			  heard ? "" : ">&2", text.ptr);
}

int fixture_try(struct fixture *f, const char *fmt, ...)
{
	va_list ap;
	int status;

	va_start(ap, fmt);
	AUTO_FREE char *line = command(f, false, fmt, ap);
	va_end(ap);
	status = system(line);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void fixture_sh(struct fixture *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	AUTO_FREE char *line = command(f, false, fmt, ap);
	va_end(ap);
	if (system(line) != 0)
		fail_msg("failed (see %s/log): %s", f->dir, line);
}

char *fixture_out(struct fixture *f, const char *fmt, ...)
{
	AUTO(buf) out = BUF_INIT;
	char chunk[4096];
	va_list ap;
	size_t n;
	FILE *p;

	va_start(ap, fmt);
	AUTO_FREE char *line = command(f, true, fmt, ap);
	va_end(ap);
	p = popen(line, "r");
	assert_non_null(p);
	while ((n = fread(chunk, 1, sizeof chunk, p)) > 0)
		buf_add(&out, chunk, n);
	if (pclose(p) != 0)
		fail_msg("failed (see %s/log): %s", f->dir, line);
	if (out.len && out.ptr[out.len - 1] == '\n')
		buf_truncate(&out, out.len - 1);
	return buf_detach(&out);
}

void fixture_make(struct fixture *f)
{
	static const char *const keys[] = {"alice", "bob", "mallory"};

	snprintf(f->dir, sizeof f->dir, "/tmp/modelsync-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->work, sizeof f->work, "%s/work", f->dir);
	assert_int_equal(mkdir(f->work, 0700), 0);
	setenv("HOME", f->dir, 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	unsetenv("SSH_AUTH_SOCK");
	unsetenv("GIT_DIR");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		fixture_sh(f, "ssh-keygen -q -t ed25519 -N '' -C %s -f ../%s", keys[i],
			   keys[i]);
	fixture_sh(
		f,
		"git init -q -b main && git config user.name Alice && "
		"git config user.email alice@example.org && git config gpg.format ssh && "
		"git config user.signingkey ../alice.pub && git config commit.gpgsign true && "
		"git config gc.auto 0 && "
		"git config gpg.ssh.allowedSignersFile %s/allowed",
		f->dir);
	fixture_sh(f, "for k in alice bob; do echo \"$k $(cut -d' ' -f1,2 ../$k.pub)\"; done "
		      "> ../allowed");
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void fixture_clear(struct fixture *f)
{
	nftw(f->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

struct object_id fixture_id(struct fixture *f, const char *rev)
{
	AUTO_FREE char *hex = fixture_out(f, "git rev-parse %s", rev);
	struct object_id id;

	assert_int_equal(object_id_parse(hex, &id), 0);
	return id;
}

struct object_id fixture_commit(struct fixture *f, const char *file)
{
	fixture_sh(f,
		   "mkdir -p \"$(dirname %s)\" && echo line >> %s && git add %s && "
		   "git commit -q -m 'Change %s'",
		   file, file, file, file);
	return fixture_id(f, "HEAD");
}

void fixture_read(struct fixture *f, const char *rev, struct buf *out)
{
	AUTO_FREE char *line = mem_printf("cd %s && git cat-file commit %s", f->work, rev);
	FILE *p = popen(line, "r");
	char chunk[4096];
	size_t n;

	assert_non_null(p);
	buf_reset(out);
	while ((n = fread(chunk, 1, sizeof chunk, p)) > 0)
		buf_add(out, chunk, n);
	assert_int_equal(pclose(p), 0);
}

struct object_id fixture_write(struct fixture *f, const char *type, const struct buf *raw)
{
	AUTO_FREE char *path = mem_printf("%s/raw", f->dir);
	struct object_id id;
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(raw->ptr, 1, raw->len, file), raw->len);
	assert_int_equal(fclose(file), 0);
	AUTO_FREE char *hex =
		fixture_out(f, "git hash-object -t %s -w --stdin --literally < ../raw", type);
	assert_int_equal(object_id_parse(hex, &id), 0);
	return id;
}

void fixture_signer(struct fixture *f, struct buf *out, const char *who, const char *options)
{
	AUTO_FREE char *key = fixture_out(f, "cut -d' ' -f1,2 ../%s.pub", who);

	buf_printf(out, "%s %s%s%s\n", who, options ? options : "", options ? " " : "", key);
}

/* ---- A signer in C ---- */

static void put_u32(struct buf *b, uint32_t n)
{
	const unsigned char bytes[] = {n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255};

	buf_add(b, bytes, 4);
}

static void put_string(struct buf *b, const void *s, size_t len)
{
	put_u32(b, (uint32_t)len);
	buf_add(b, s, len);
}

static void put_text(struct buf *b, const char *s)
{
	put_string(b, s, strlen(s));
}

void test_key_make(struct test_key *k, const char *seed)
{
	unsigned char full[32];

	assert_true(sodium_init() >= 0);
	crypto_generichash(full, sizeof full, (const unsigned char *)seed, strlen(seed), NULL,
			   0);
	crypto_sign_seed_keypair(k->public, k->secret, full);
	buf_init(&k->blob);
	put_text(&k->blob, "ssh-ed25519");
	put_string(&k->blob, k->public, sizeof k->public);
}

void test_key_clear(struct test_key *k)
{
	buf_clear(&k->blob);
}

void test_key_line(const struct test_key *k, const char *who, const char *options,
		   struct buf *out)
{
	buf_printf(out, "%s %s%sssh-ed25519 ", who, options ? options : "", options ? " " : "");
	buf_put_base64(out, k->blob.ptr, k->blob.len);
	buf_putc(out, '\n');
}

static void raw_signature(const struct test_key *k, const struct test_sig *how,
			  const char *payload, size_t len, unsigned char sig[64])
{
	const char *hash = how->hash ? how->hash : "sha512";
	unsigned char sum[64];
	AUTO(buf) text = BUF_INIT;

	buf_puts(&text, "SSHSIG");
	put_text(&text, how->ns ? how->ns : "git");
	put_text(&text, how->reserved ? how->reserved : "");
	put_text(&text, hash);
	if (strcmp(hash, "sha256") == 0) {
		crypto_hash_sha256(sum, (const unsigned char *)payload, len);
		put_string(&text, sum, 32);
	} else {
		crypto_hash_sha512(sum, (const unsigned char *)payload, len);
		put_string(&text, sum, 64);
	}
	crypto_sign_detached(sig, NULL, (const unsigned char *)text.ptr, text.len, k->secret);
}

static void make_blob(const struct test_key *k, const struct test_sig *how,
		      const unsigned char sig[64], struct buf *blob)
{
	AUTO(buf) part = BUF_INIT;

	buf_puts(blob, "SSHSIG");
	put_u32(blob, how->version ? how->version : 1);
	put_text(&part, how->key_type ? how->key_type : "ssh-ed25519");
	put_string(&part, k->public, sizeof k->public);
	put_string(blob, part.ptr, part.len);
	put_text(blob, how->ns ? how->ns : "git");
	put_text(blob, how->reserved ? how->reserved : "");
	put_text(blob, how->hash ? how->hash : "sha512");
	buf_reset(&part);
	put_text(&part, how->sig_type ? how->sig_type : "ssh-ed25519");
	put_string(&part, sig, 64);
	put_string(blob, part.ptr, part.len);
	if (how->tail)
		buf_puts(blob, how->tail);
}

void test_sign(const struct test_key *k, const struct test_sig *how, const char *payload,
	       size_t len, struct buf *out)
{
	static const struct test_sig plain;
	unsigned char sig[64];
	AUTO(buf) blob = BUF_INIT;
	AUTO(buf) text = BUF_INIT;
	size_t width;

	how = how ? how : &plain;
	width = how->width ? how->width : 70;
	raw_signature(k, how, payload, len, sig);
	make_blob(k, how, sig, &blob);
	buf_put_base64(&text, blob.ptr, blob.len);
	buf_puts(out, "-----BEGIN SSH SIGNATURE-----\n");
	for (size_t at = 0; at < text.len; at += width)
		buf_printf(out, " %.*s\n", (int)(text.len - at < width ? text.len - at : width),
			   text.ptr + at);
	buf_puts(out, how->end ? how->end : " -----END SSH SIGNATURE-----");
}

void test_sign_commit(const struct test_key *k, const struct test_sig *how, const char *head,
		      const char *tail, struct buf *out)
{
	AUTO(buf) payload = BUF_INIT;

	buf_printf(&payload, "%s%s", head, tail);
	buf_printf(out, "%sgpgsig ", head);
	test_sign(k, how, payload.ptr, payload.len, out);
	buf_printf(out, "\n%s", tail);
}
