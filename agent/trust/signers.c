/*
 * allowed_signers in OpenSSH's grammar, stricter: one bad line fails the whole text, with its
 * number; times end in Z; principals are literal. And the flat list of revoked keys.
 */
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#include "base/text.h"
#include "trust/trust_int.h"

#define BLOB_MAX       4096 /* of one public key */
#define NAMESPACES_MAX 256  /* bytes of one option; matching backtracks */

struct line {
	const char *p, *end;
	int number;
	const char *what; /* of the text: "allowedSigners" or "revokedKeys" */
	struct error *err;
};

static int bad_line(const struct line *l, const char *why)
{
	return error_reason(l->err, ERROR_INVALID, "PolicyInvalid", "%s, line %d: %s", l->what,
			    l->number, why);
}

static int refused_kind(const struct line *l, const char *name)
{
	return error_reason(l->err, ERROR_INVALID, "PolicyInvalid",
			    "%s, line %d: this version does not take %s; wanted: ssh-ed25519",
			    l->what, l->number, name);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(struct line *l)
{
	while (l->p < l->end && blank(*l->p))
		l->p++;
}

/* The next word; white space inside double quotes belongs to it. Empty at the end. */
static int next_word(struct line *l, const char **word, size_t *len)
{
	bool quoted = false;

	skip_blanks(l);
	*word = l->p;
	for (; l->p < l->end && (quoted || !blank(*l->p)); l->p++)
		if (*l->p == '"')
			quoted = !quoted;
	*len = (size_t)(l->p - *word);
	return quoted ? bad_line(l, "a quotation mark is not closed") : 0;
}

/* Call fn for each line that says something. */
static int each_line(const char *text, size_t len, const char *what, struct error *err,
		     int (*fn)(struct line *l, void *arg), void *arg)
{
	const char *end = text + len;
	struct line l = {.what = what, .err = err};

	if (len > SIGNERS_MAX)
		return error_reason(err, ERROR_INVALID, "PolicyInvalid",
				    "%s: %zu bytes, at most %d are allowed", what, len,
				    SIGNERS_MAX);
	if (len >= 6 && memcmp(text, "SSHKRL", 6) == 0)
		return error_reason(
			err, ERROR_INVALID, "PolicyInvalid",
			"%s: a binary key revocation list is not taken; write the keys, "
			"one a line",
			what);
	if (memchr(text, 0, len))
		return error_reason(err, ERROR_INVALID, "PolicyInvalid", "%s: a NUL byte in it",
				    what);
	for (const char *p = text; p < end; p = l.end + 1) {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end;

		l.number++;
		l.p = p;
		l.end = stop > p && stop[-1] == '\r' ? stop - 1 : stop;
		skip_blanks(&l);
		if (l.p < l.end && *l.p != '#' && fn(&l, arg) < 0)
			return -1;
		l.end = stop;
	}
	return 0;
}

/* "<type> <base64> [comment]", `type` already read. The blob must name the same type. */
static int read_blob(struct line *l, const char *type, size_t type_len, unsigned char *blob,
		     struct wire *rest)
{
	const unsigned char *inner;
	const char *word;
	size_t len, inner_len;
	int n;

	if (next_word(l, &word, &len) < 0)
		return -1;
	n = base64_strict(word, len, blob, BLOB_MAX);
	if (len == 0 || n < 0)
		return bad_line(l, "after the key's type stands no base64 of a key");
	*rest = (struct wire){blob, blob + n};
	if (wire_string(rest, &inner, &inner_len) < 0 || inner_len != type_len ||
	    memcmp(inner, type, type_len) != 0)
		return bad_line(l, "the key is not of the type that is written before it");
	return n;
}

/* ---- allowed_signers ---- */

static bool pattern_matches(const char *pattern, size_t len, const char *s)
{
	for (; len > 0; pattern++, len--) {
		if (*pattern == '*') {
			for (const char *at = s;; at++) {
				if (pattern_matches(pattern + 1, len - 1, at))
					return true;
				if (!*at)
					return false;
			}
		}
		if (!*s || (*pattern != '?' && *pattern != *s))
			return false;
		s++;
	}
	return *s == '\0';
}

/* OpenSSH's pattern list: one "!" that matches excludes, else any that matches includes. */
static bool list_matches(const char *list, size_t len, const char *s)
{
	const char *end = list + len;
	bool found = false;

	for (const char *p = list; p <= end;) {
		const char *comma = memchr(p, ',', (size_t)(end - p)),
			   *stop = comma ? comma : end;
		bool negated = p < stop && *p == '!';

		p += negated;
		if (pattern_matches(p, (size_t)(stop - p), s)) {
			if (negated)
				return false;
			found = true;
		}
		p = stop + 1;
	}
	return found;
}

static bool digits(const char *s, size_t from, size_t n, int *out)
{
	*out = 0;
	for (size_t i = from; i < from + n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		*out = *out * 10 + (s[i] - '0');
	}
	return true;
}

/* YYYYMMDDZ, YYYYMMDDHHMMZ or YYYYMMDDHHMMSSZ. */
static int parse_time(const char *s, size_t len, int64_t *out)
{
	struct tm tm = {0}, back;
	int year, month;
	time_t t;

	if ((len != 9 && len != 13 && len != 15) || s[len - 1] != 'Z' ||
	    !digits(s, 0, 4, &year) || !digits(s, 4, 2, &month) ||
	    !digits(s, 6, 2, &tm.tm_mday))
		return -1;
	if ((len > 9 && (!digits(s, 8, 2, &tm.tm_hour) || !digits(s, 10, 2, &tm.tm_min))) ||
	    (len > 13 && !digits(s, 12, 2, &tm.tm_sec)))
		return -1;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	back = tm;
	t = timegm(&back);
	if (back.tm_year != tm.tm_year || back.tm_mon != tm.tm_mon ||
	    back.tm_mday != tm.tm_mday || back.tm_hour != tm.tm_hour ||
	    back.tm_min != tm.tm_min || back.tm_sec != tm.tm_sec)
		return -1;
	*out = t;
	return 0;
}

struct options {
	bool has_namespaces, has_after, has_before;
};

static bool option_is(const char *s, size_t len, const char *name)
{
	return strlen(name) == len && strncasecmp(s, name, len) == 0;
}

static int time_option(const struct line *l, const char *v, size_t len, bool *seen,
		       int64_t *out)
{
	if (*seen)
		return bad_line(l, "an option is there twice");
	*seen = true;
	if (parse_time(v, len, out) < 0)
		return bad_line(
			l, "valid-after and valid-before take \"YYYYMMDD[HHMM[SS]]Z\", the Z "
			   "included");
	return 0;
}

/* One of name or name="value"; `value` NULL: none was given. */
static int set_option(const struct line *l, const char *name, size_t len, const char *value,
		      size_t value_len, struct options *seen, struct signer *s)
{
	if (option_is(name, len, "cert-authority"))
		return refused_kind(l, "cert-authority lines (OpenSSH certificates)");
	if (value && option_is(name, len, "valid-after"))
		return time_option(l, value, value_len, &seen->has_after, &s->after_s);
	if (value && option_is(name, len, "valid-before"))
		return time_option(l, value, value_len, &seen->has_before, &s->before_s);
	if (value && option_is(name, len, "namespaces")) {
		if (seen->has_namespaces)
			return bad_line(l, "an option is there twice");
		seen->has_namespaces = true;
		if (value_len > NAMESPACES_MAX)
			return bad_line(l, "its list of namespaces is too long");
		s->git = list_matches(value, value_len, "git");
		return 0;
	}
	return bad_line(l, "an option that is none of namespaces=\"...\", valid-after=\"...\", "
			   "valid-before=\"...\"");
}

static int parse_options(const struct line *l, const char *p, size_t len, struct signer *s)
{
	struct options seen = {0};
	const char *end = p + len;

	while (p < end) {
		const char *name = p, *value = NULL;
		size_t name_len, value_len = 0;

		while (p < end && *p != ',' && *p != '=')
			p++;
		name_len = (size_t)(p - name);
		if (p < end && *p == '=') {
			const char *close;

			if (end - p < 3 || p[1] != '"')
				return bad_line(
					l, "an option's value must stand in quotation marks");
			value = p + 2;
			close = memchr(value, '"', (size_t)(end - value));
			if (!close)
				return bad_line(l, "a quotation mark is not closed");
			value_len = (size_t)(close - value);
			p = close + 1;
		}
		if (set_option(l, name, name_len, value, value_len, &seen, s) < 0)
			return -1;
		if (p < end && (*p != ',' || ++p == end))
			return bad_line(l, "options are separated by single commas");
	}
	if (s->after_s > s->before_s)
		return bad_line(l, "valid-after lies behind valid-before");
	return 0;
}

static int parse_principal(struct line *l, struct arena *arena, struct signer *s)
{
	const char *word;
	size_t len;

	if (next_word(l, &word, &len) < 0)
		return -1;
	if (len >= 2 && word[0] == '"' && word[len - 1] == '"') {
		word++;
		len -= 2;
	}
	for (size_t i = 0; i < len; i++)
		if (strchr("*?!\"", word[i]) || (unsigned char)word[i] < ' ')
			return bad_line(
				l, "principals are taken literally: no *, ?, ! or quotation "
				   "mark in them");
	if (text_utf8_bad(word, len) != len)
		return bad_line(l, "the principal is not UTF-8");
	for (size_t i = 0; i < len; i++)
		if (word[i] == ',' && (i == 0 || i + 1 == len || word[i - 1] == ','))
			return bad_line(l, "an empty name among the principals");
	for (size_t i = 0; i < len; i++)
		if (word[i] == ',')
			len = i;
	if (len == 0 || len > 127)
		return bad_line(l, "the principal is empty or longer than 127 bytes");
	s->principal = arena_strndup(arena, word, len);
	return 0;
}

static int signer_line(struct line *l, void *arg)
{
	struct signers *out = arg;
	struct signer s = {.after_s = INT64_MIN, .before_s = INT64_MAX, .git = true};
	unsigned char blob[BLOB_MAX];
	const char *word, *refused;
	const unsigned char *key;
	struct wire rest;
	size_t len, key_len;

	s.line = l->number;
	if (parse_principal(l, out->arena, &s) < 0 || next_word(l, &word, &len) < 0)
		return -1;
	refused = key_type_refused(word, len);
	if (!refused && len) {
		if (parse_options(l, word, len, &s) < 0 || next_word(l, &word, &len) < 0)
			return -1;
		refused = key_type_refused(word, len);
	}
	if (!refused)
		return bad_line(l, "wanted: principal, options, key type, key in base64");
	if (*refused)
		return refused_kind(l, refused);
	if (read_blob(l, word, len, blob, &rest) < 0)
		return -1;
	if (wire_string(&rest, &key, &key_len) < 0 || key_len != KEY_LEN || rest.p != rest.end)
		return bad_line(l, "the key is no Ed25519 key");
	memcpy(s.key, key, KEY_LEN);
	*vec_push(&out->list) = s;
	return 0;
}

static int signer_cmp(const void *a, const void *b)
{
	const struct signer *x = a, *y = b;
	int c = memcmp(x->key, y->key, KEY_LEN);

	return c ? c : x->line - y->line;
}

int signers_parse(const char *text, size_t len, struct signers *out, struct error *err)
{
	struct signers s = {.arena = arena_new()};

	if (each_line(text, len, "allowedSigners", err, signer_line, &s) < 0) {
		signers_clear(&s);
		return -1;
	}
	if (s.list.len == 0) {
		signers_clear(&s);
		return error_reason(err, ERROR_INVALID, "PolicyInvalid",
				    "allowedSigners: no key in it; wanted at least one line "
				    "\"name ssh-ed25519 AAAA...\"");
	}
	qsort(s.list.items, s.list.len, sizeof s.list.items[0], signer_cmp);
	*out = s;
	return 0;
}

void signers_clear(struct signers *s)
{
	vec_clear(&s->list);
	arena_free(s->arena);
	s->arena = NULL;
}

const struct signer *signers_find(const struct signers *s, const unsigned char *key, size_t *n)
{
	size_t lo = 0, hi = s->list.len, end;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (memcmp(s->list.items[mid].key, key, KEY_LEN) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (end = lo; end < s->list.len; end++)
		if (memcmp(s->list.items[end].key, key, KEY_LEN) != 0)
			break;
	*n = end - lo;
	return *n ? &s->list.items[lo] : NULL;
}

/* ---- Revoked keys ---- */

static int revoked_line(struct line *l, void *arg)
{
	struct revoked *out = arg;
	unsigned char blob[BLOB_MAX];
	struct wire rest;
	const char *word;
	size_t len;
	int n;

	if (next_word(l, &word, &len) < 0)
		return -1;
	if (!key_type_refused(word, len))
		return bad_line(l, "wanted: key type, key in base64; nothing else is taken");
	n = read_blob(l, word, len, blob, &rest);
	if (n < 0)
		return -1;
	crypto_hash_sha256(vec_push(&out->list)->fingerprint, blob, (size_t)n);
	return 0;
}

static int revoked_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct revoked_key));
}

int revoked_parse(const char *text, size_t len, struct revoked *out, struct error *err)
{
	struct revoked r = {0};

	if (each_line(text, len, "revokedKeys", err, revoked_line, &r) < 0) {
		vec_clear(&r.list);
		return -1;
	}
	if (r.list.len)
		qsort(r.list.items, r.list.len, sizeof r.list.items[0], revoked_cmp);
	*out = r;
	return 0;
}

bool revoked_has(const struct revoked *r, const unsigned char fingerprint[32])
{
	return r->list.len && bsearch(fingerprint, r->list.items, r->list.len,
				      sizeof r->list.items[0], revoked_cmp) != NULL;
}
