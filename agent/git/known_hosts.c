/*
 * known_hosts: is this host key pinned for that host? The child asks before it sends anything
 * over SSH; there is no "accept for now".
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#include "git/git_int.h"

struct known_line {
	const char *hosts, *key; /* key: base64 */
	size_t hosts_len, key_len;
	bool revoked;
};

static const char *word_end(const char *p, const char *end)
{
	while (p < end && *p != ' ' && *p != '\t')
		p++;
	return p;
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

/* "[@marker] hosts keytype base64 [comment]". Lines that say something else don't pin. */
static bool split_line(const char *p, const char *end, struct known_line *out)
{
	const char *stop;

	*out = (struct known_line){0};
	if (end > p && end[-1] == '\r')
		end--;
	p = skip_blanks(p, end);
	if (p == end || *p == '#')
		return false;
	if (*p == '@') {
		stop = word_end(p, end);
		out->revoked = (size_t)(stop - p) == 8 && memcmp(p, "@revoked", 8) == 0;
		if (!out->revoked)
			return false;
		p = skip_blanks(stop, end);
	}
	stop = word_end(p, end);
	out->hosts = p;
	out->hosts_len = (size_t)(stop - p);
	p = skip_blanks(word_end(skip_blanks(stop, end), end), end);
	stop = word_end(p, end);
	out->key = p;
	out->key_len = (size_t)(stop - p);
	return out->key_len > 0;
}

static bool glob(const char *pattern, size_t len, const char *s)
{
	for (; len > 0; pattern++, len--) {
		if (*pattern == '*') {
			for (const char *at = s;; at++) {
				if (glob(pattern + 1, len - 1, at))
					return true;
				if (!*at)
					return false;
			}
		}
		if (!*s)
			return false;
		if (*pattern != '?' && (*pattern | 32) != (*s | 32))
			return false;
		s++;
	}
	return *s == '\0';
}

/* "|1|salt|hash": HMAC-SHA1 of the name under the salt, both in base64. */
static bool hashed_matches(const char *p, size_t len, const char *host)
{
	AUTO(buf) salt = BUF_INIT;
	AUTO(buf) wanted = BUF_INIT;
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned sum_len = 0;
	const char *bar = memchr(p, '|', len);

	if (!bar || buf_put_base64_decoded(&salt, p, (size_t)(bar - p)) < 0 ||
	    buf_put_base64_decoded(&wanted, bar + 1, len - (size_t)(bar + 1 - p)) < 0)
		return false;
	HMAC(EVP_sha1(), salt.ptr, (int)salt.len, (const unsigned char *)host, strlen(host),
	     sum, &sum_len);
	return wanted.len == sum_len && memcmp(wanted.ptr, sum, sum_len) == 0;
}

static bool hosts_match(const char *list, size_t len, const char *host)
{
	const char *end = list + len;
	bool found = false;
	int stars = 0;

	if (len > 3 && memcmp(list, "|1|", 3) == 0)
		return hashed_matches(list + 3, len - 3, host);
	for (size_t i = 0; i < len; i++)
		stars += list[i] == '*';
	if (stars > 16)
		return false;
	for (const char *p = list; p < end;) {
		const char *comma = memchr(p, ',', (size_t)(end - p)),
			   *stop = comma ? comma : end;
		bool negated = *p == '!';

		p += negated;
		if (glob(p, (size_t)(stop - p), host)) {
			if (negated)
				return false;
			found = true;
		}
		p = stop + 1;
	}
	return found;
}

static bool key_matches(const struct known_line *l, const unsigned char *key, size_t key_len)
{
	AUTO(buf) blob = BUF_INIT;

	return buf_put_base64_decoded(&blob, l->key, l->key_len) == 0 && blob.len == key_len &&
	       memcmp(blob.ptr, key, key_len) == 0;
}

enum host_key known_hosts_check(const char *text, const char *host, int port,
				const unsigned char *key, size_t key_len)
{
	AUTO_FREE char *name =
		port && port != 22 ? mem_printf("[%s]:%d", host, port) : mem_strdup(host);
	enum host_key found = HOST_KEY_UNKNOWN;

	for (const char *p = text; *p;) {
		const char *end = p + strcspn(p, "\n");
		struct known_line l;

		if (split_line(p, end, &l) && hosts_match(l.hosts, l.hosts_len, name)) {
			bool same = key_matches(&l, key, key_len);

			if (same && l.revoked)
				return HOST_KEY_REVOKED;
			if (same)
				found = HOST_KEY_MATCHES;
			else if (found == HOST_KEY_UNKNOWN && !l.revoked)
				found = HOST_KEY_DIFFERS;
		}
		p = *end ? end + 1 : end;
	}
	return found;
}
