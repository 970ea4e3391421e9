/*
 * SSH signatures: armor, blob, Ed25519 by libsodium. Takes one form only, in which no byte is
 * free to differ; every other kind of key or signature is refused by its name.
 */
#include <sodium.h>

#include "trust/trust_int.h"

#define BEGIN_LINE "-----BEGIN SSH SIGNATURE-----"
#define END_LINE   "-----END SSH SIGNATURE-----"
#define NAMESPACE  "git"

/* ---- Base64 that takes one spelling only ---- */

struct base64 {
	unsigned char *out;
	size_t len, max;
	uint32_t bits;
	int chars, pads; /* of the group of four so far */
	bool ended;	 /* padding was seen */
};

static int base64_group(struct base64 *b)
{
	size_t n = (size_t)(3 - b->pads);

	/* Bits that padding hides must be zero. */
	if (b->pads > 2 || (b->pads && (b->bits & (b->pads == 1 ? 0xff : 0xffff))))
		return -1;
	if (b->len + n > b->max)
		return -1;
	for (size_t i = 0; i < n; i++)
		b->out[b->len++] = (unsigned char)(b->bits >> (16 - 8 * i));
	b->ended = b->pads > 0;
	b->bits = 0;
	b->chars = b->pads = 0;
	return 0;
}

static int base64_feed(struct base64 *b, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int d = buf_base64_digit(s[i]);

		if (b->ended || (d < 0 && s[i] != '=') || (d >= 0 && b->pads))
			return -1;
		if (d < 0)
			b->pads++;
		b->bits = b->bits << 6 | (uint32_t)(d < 0 ? 0 : d);
		if (++b->chars == 4 && base64_group(b) < 0)
			return -1;
	}
	return 0;
}

int base64_strict(const char *s, size_t len, unsigned char *out, size_t max)
{
	struct base64 b = {.out = out, .max = max};

	if (base64_feed(&b, s, len) < 0 || b.chars)
		return -1;
	return (int)b.len;
}

/* ---- SSH's wire format ---- */

int wire_u32(struct wire *w, uint32_t *n)
{
	if (w->end - w->p < 4)
		return -1;
	*n = (uint32_t)w->p[0] << 24 | (uint32_t)w->p[1] << 16 | (uint32_t)w->p[2] << 8 |
	     w->p[3];
	w->p += 4;
	return 0;
}

int wire_string(struct wire *w, const unsigned char **s, size_t *len)
{
	uint32_t n;

	if (wire_u32(w, &n) < 0 || n > (size_t)(w->end - w->p))
		return -1;
	*s = w->p;
	*len = n;
	w->p += n;
	return 0;
}

bool wire_is(const unsigned char *s, size_t len, const char *text)
{
	return strlen(text) == len && memcmp(s, text, len) == 0;
}

const char *key_type_refused(const char *type, size_t len)
{
	static const struct {
		const char *type, *name;
	} known[] = {
		{"ssh-ed25519", ""},
		{"sk-ssh-ed25519@openssh.com", "security keys (sk-ssh-ed25519)"},
		{"sk-ecdsa-sha2-nistp256@openssh.com", "security keys (sk-ecdsa)"},
		{"webauthn-sk-ecdsa-sha2-nistp256@openssh.com", "security keys (webauthn)"},
		{"ecdsa-sha2-nistp256", "ECDSA keys (nistp256)"},
		{"ecdsa-sha2-nistp384", "ECDSA keys (nistp384)"},
		{"ecdsa-sha2-nistp521", "ECDSA keys (nistp521)"},
		{"ssh-rsa", "RSA keys"},
		{"rsa-sha2-256", "RSA keys"},
		{"rsa-sha2-512", "RSA keys"},
		{"ssh-dss", "DSA keys"},
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (wire_is((const unsigned char *)type, len, known[i].type))
			return known[i].name;
	if (len > 21 && memcmp(type + len - 21, "-cert-v01@openssh.com", 21) == 0)
		return "OpenSSH certificates";
	return NULL;
}

char *fingerprint_text(const unsigned char digest[32], char out[FINGERPRINT])
{
	strcpy(out, "SHA256:");
	sodium_bin2base64(out + 7, FINGERPRINT - 7, digest, 32,
			  sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	return out;
}

/* ---- Armor ---- */

static enum refusal_code unsupported(struct error *err, const char *what)
{
	error_set(err, ERROR_REFUSED,
		  "its signature is of a kind that this version does not take: "
		  "%s; wanted: ssh-ed25519",
		  what);
	return REFUSAL_UNSUPPORTED_SIGNATURE;
}

static enum refusal_code broken(struct error *err, const char *why)
{
	error_set(err, ERROR_REFUSED, "its SSH signature is malformed: %s", why);
	return REFUSAL_MALFORMED_COMMIT;
}

static enum refusal_code other_armor(const char *p, size_t len, struct error *err)
{
	static const struct {
		const char *begin, *name;
	} kinds[] = {
		{"-----BEGIN PGP ", "OpenPGP"},
		{"-----BEGIN SIGNED MESSAGE-----", "X.509 (S/MIME)"},
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (len >= strlen(kinds[i].begin) &&
		    memcmp(p, kinds[i].begin, strlen(kinds[i].begin)) == 0)
			return unsupported(err, kinds[i].name);
	return broken(err, "it does not begin with \"" BEGIN_LINE "\"");
}

/* BEGIN line, lines of base64, END line, nothing more. */
static enum refusal_code dearmor(const char *p, size_t len, bool folded, struct base64 *b,
				 struct error *err)
{
	const char *end = p + len;
	size_t line = strlen(BEGIN_LINE);

	if (len <= line || memcmp(p, BEGIN_LINE, line) != 0 || p[line] != '\n')
		return other_armor(p, len, err);
	for (p += line + 1; p <= end; p += line + 1) {
		const char *nl;

		if (folded && (p == end || *p++ != ' '))
			return broken(err, "a line of it is not indented by one space");
		nl = memchr(p, '\n', (size_t)(end - p));
		line = (size_t)((nl ? nl : end) - p);
		if (wire_is((const unsigned char *)p, line, END_LINE)) {
			if (nl)
				return broken(err, "something follows its END line");
			return b->chars ? broken(err, "its base64 is cut short") : REFUSAL_NONE;
		}
		if (line == 0 || base64_feed(b, p, line) < 0)
			return broken(err, "a line of it is not base64, or it is too long");
	}
	return broken(err, "it has no END line");
}

/* ---- Blob ---- */

static enum refusal_code parse_key(const unsigned char *blob, size_t len, struct sshsig *out,
				   struct error *err)
{
	struct wire w = {blob, blob + len};
	const unsigned char *type, *key;
	size_t type_len, key_len;
	const char *refused;

	if (wire_string(&w, &type, &type_len) < 0)
		return broken(err, "it holds no public key");
	refused = key_type_refused((const char *)type, type_len);
	if (!refused)
		return unsupported(err, "an unknown type of key");
	if (*refused)
		return unsupported(err, refused);
	if (wire_string(&w, &key, &key_len) < 0 || key_len != KEY_LEN || w.p != w.end)
		return broken(err, "its public key is no Ed25519 key");
	memcpy(out->key, key, KEY_LEN);
	crypto_hash_sha256(out->fingerprint, blob, len);
	return REFUSAL_NONE;
}

static enum refusal_code parse_signature(const unsigned char *blob, size_t len,
					 struct sshsig *out, struct error *err)
{
	struct wire w = {blob, blob + len};
	const unsigned char *type, *sig;
	size_t type_len, sig_len;

	if (wire_string(&w, &type, &type_len) < 0 || !wire_is(type, type_len, "ssh-ed25519") ||
	    wire_string(&w, &sig, &sig_len) < 0 || sig_len != sizeof out->signature ||
	    w.p != w.end)
		return broken(err, "its signature part is no Ed25519 signature");
	memcpy(out->signature, sig, sizeof out->signature);
	return REFUSAL_NONE;
}

static enum refusal_code bad_namespace(const unsigned char *s, size_t len, struct error *err)
{
	AUTO(buf) safe = BUF_INIT;

	buf_put_safe(&safe, (const char *)s, len > 40 ? 40 : len);
	error_set(err, ERROR_REFUSED,
		  "it is signed for the namespace \"%s\", wanted \"" NAMESPACE "\"", safe.ptr);
	return REFUSAL_BAD_NAMESPACE;
}

static enum refusal_code parse_blob(const unsigned char *blob, size_t len, struct sshsig *out,
				    struct error *err)
{
	struct wire w = {blob + 6, blob + len};
	const unsigned char *key, *ns, *reserved, *hash, *sig;
	size_t key_len, ns_len, reserved_len, hash_len, sig_len;
	enum refusal_code code;
	uint32_t version;

	if (len < 6 || memcmp(blob, "SSHSIG", 6) != 0 || wire_u32(&w, &version) < 0)
		return broken(err, "its content is no SSHSIG");
	if (version != 1)
		return unsupported(err, "another version of SSHSIG");
	if (wire_string(&w, &key, &key_len) < 0 || wire_string(&w, &ns, &ns_len) < 0 ||
	    wire_string(&w, &reserved, &reserved_len) < 0 ||
	    wire_string(&w, &hash, &hash_len) < 0 || wire_string(&w, &sig, &sig_len) < 0)
		return broken(err, "its content is cut short");
	if (w.p != w.end || reserved_len)
		return broken(err, "it holds bytes that nothing signs");
	code = parse_key(key, key_len, out, err);
	if (code)
		return code;
	if (!wire_is(ns, ns_len, NAMESPACE))
		return bad_namespace(ns, ns_len, err);
	out->sha512 = wire_is(hash, hash_len, "sha512");
	if (!out->sha512 && !wire_is(hash, hash_len, "sha256"))
		return unsupported(err, "a hash other than sha256 and sha512");
	return parse_signature(sig, sig_len, out, err);
}

enum refusal_code sshsig_parse(const char *armor, size_t len, bool folded, struct sshsig *out,
			       struct error *err)
{
	unsigned char blob[SIGNATURE_MAX];
	struct base64 b = {.out = blob, .max = sizeof blob};
	struct sshsig parsed = {0};
	enum refusal_code code = dearmor(armor, len, folded, &b, err);

	if (!code)
		code = parse_blob(blob, b.len, &parsed, err);
	if (!code)
		*out = parsed;
	return code;
}

/* ---- Verifying ---- */

static size_t put_string(unsigned char *out, const void *s, size_t len)
{
	out[0] = out[1] = 0;
	out[2] = (unsigned char)(len >> 8);
	out[3] = (unsigned char)len;
	memcpy(out + 4, s, len);
	return 4 + len;
}

static size_t hash_two(bool sha512, const char *a, size_t a_len, const char *b, size_t b_len,
		       unsigned char out[64])
{
	if (sha512) {
		crypto_hash_sha512_state st;

		crypto_hash_sha512_init(&st);
		crypto_hash_sha512_update(&st, (const unsigned char *)a, a_len);
		crypto_hash_sha512_update(&st, (const unsigned char *)b, b_len);
		crypto_hash_sha512_final(&st, out);
		return 64;
	}
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, (const unsigned char *)a, a_len);
	crypto_hash_sha256_update(&st, (const unsigned char *)b, b_len);
	crypto_hash_sha256_final(&st, out);
	return 32;
}

bool sshsig_verify(const struct sshsig *s, const char *a, size_t a_len, const char *b,
		   size_t b_len)
{
	unsigned char hash[64], text[128];
	size_t hash_len = hash_two(s->sha512, a, a_len, b, b_len, hash);
	size_t n = 6;

	memcpy(text, "SSHSIG", 6);
	n += put_string(text + n, NAMESPACE, strlen(NAMESPACE));
	n += put_string(text + n, "", 0);
	n += put_string(text + n, s->sha512 ? "sha512" : "sha256", 6);
	n += put_string(text + n, hash, hash_len);
	return crypto_sign_verify_detached(s->signature, text, n, s->key) == 0;
}
