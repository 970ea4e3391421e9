/*
 * The strict splitter: a commit object's raw bytes into tree, parents, time, signature and
 * payload, by a grammar that leaves no second reading. git and libgit2 take more; what they
 * take and we don't is refused as MalformedCommit. trust.c checks signatures over what comes
 * out here.
 */
#include "trust/trust_int.h"

struct split {
	const char *p, *end; /* what is left of the header */
	struct commit c;
	bool author, committer, encoding;
	struct error *err;
};

static int malformed(struct split *s, const char *why)
{
	return error_set(s->err, ERROR_REFUSED, "%s", why);
}

/* "tree <40 digits>\n" and "parent <40 digits>\n". */
static bool id_line(const char *line, size_t len, const char *key, struct object_id *id)
{
	size_t key_len = strlen(key);
	char hex[OBJECT_ID_HEX];

	if (len != key_len + OBJECT_ID_HEX - 1 || memcmp(line, key, key_len) != 0)
		return false;
	memcpy(hex, line + key_len, OBJECT_ID_HEX - 1);
	hex[OBJECT_ID_HEX - 1] = '\0';
	return object_id_parse(hex, id) == 0;
}

/* The line at s->p without its newline; -1 at the end of the bytes. */
static int line_at(const struct split *s, const char **line, size_t *len)
{
	const char *nl = memchr(s->p, '\n', (size_t)(s->end - s->p));

	if (!nl)
		return -1;
	*line = s->p;
	*len = (size_t)(nl - s->p);
	return 0;
}

static size_t span_to(const char *p, const char *end, const char *stops)
{
	const char *at = p;

	while (at < end && !strchr(stops, *at))
		at++;
	return (size_t)(at - p);
}

/* "NAME <EMAIL> SECONDS +ZONE", as `git fsck` wants it. */
static bool person(const char *p, size_t len, int64_t *seconds)
{
	const char *end = p + len;
	int64_t n = 0;
	size_t digits = 0;

	if (len == 0 || *p == '<')
		return false;
	p += span_to(p, end, "<>");
	if (p >= end || *p != '<' || p[-1] != ' ')
		return false;
	p++;
	p += span_to(p, end, "<>");
	if (end - p < 2 || p[0] != '>' || p[1] != ' ')
		return false;
	p += 2;
	if (end - p > 1 && p[0] == '0' && p[1] != ' ')
		return false;
	for (; p < end && *p >= '0' && *p <= '9'; p++, digits++)
		if (digits < 12)
			n = n * 10 + (*p - '0');
	if (digits == 0 || digits > 11 || end - p != 6 || p[0] != ' ' ||
	    (p[1] != '+' && p[1] != '-'))
		return false;
	for (int i = 2; i < 6; i++)
		if (p[i] < '0' || p[i] > '9')
			return false;
	*seconds = n;
	return true;
}

static int split_ids(struct split *s)
{
	struct object_id id;
	const char *line;
	size_t len;

	if (line_at(s, &line, &len) < 0 || !id_line(line, len, "tree ", &s->c.tree)) {
		if (s->end - s->p > 69 && s->p[69] == '\n')
			return malformed(s, "its ids are SHA-256, wanted SHA-1");
		return malformed(s, "it does not begin with \"tree\" and an id");
	}
	s->p = line + len + 1;
	s->c.parents = s->p;
	while (line_at(s, &line, &len) == 0 && id_line(line, len, "parent ", &id)) {
		if (++s->c.parent_count > PARENTS_MAX)
			return error_set(s->err, ERROR_REFUSED, "more than %d parents",
					 PARENTS_MAX);
		s->p = line + len + 1;
	}
	return 0;
}

static int split_people(struct split *s)
{
	const char *line;
	int64_t authored;
	size_t len;

	if (line_at(s, &line, &len) < 0 || len < 7 || memcmp(line, "author ", 7) != 0 ||
	    !person(line + 7, len - 7, &authored))
		return malformed(s, "after tree and parents stands no well-formed author line");
	s->p = line + len + 1;
	if (line_at(s, &line, &len) < 0 || len < 10 || memcmp(line, "committer ", 10) != 0 ||
	    !person(line + 10, len - 10, &s->c.committed_s))
		return malformed(s, "after the author stands no well-formed committer line");
	s->p = line + len + 1;
	return 0;
}

static bool key_is(const char *line, size_t key_len, const char *key)
{
	return strlen(key) == key_len && memcmp(line, key, key_len) == 0;
}

/* May this header stand after the committer, and for the how-manieth time? */
static int check_key(struct split *s, const char *line, size_t key_len)
{
	static const char *const fixed[] = {"tree", "parent", "author", "committer"};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (key_is(line, key_len, fixed[i]))
			return error_set(s->err, ERROR_REFUSED,
					 "a second or misplaced \"%s\" header", fixed[i]);
	if (key_is(line, key_len, "encoding")) {
		if (s->encoding)
			return malformed(s, "two \"encoding\" headers");
		s->encoding = true;
	}
	if (key_len < 6 || memcmp(line, "gpgsig", 6) != 0)
		return 0;
	if (key_len != 6)
		return malformed(s, "a header that begins with \"gpgsig\" and is another one");
	if (s->c.sig)
		return malformed(s, "two signature headers");
	return 0;
}

/* One header with its continuation lines. */
static int split_header(struct split *s)
{
	const char *line, *next;
	size_t len, next_len, key_len = 0;

	if (line_at(s, &line, &len) < 0)
		return malformed(s, "no blank line ends its headers");
	while (key_len < len && line[key_len] > ' ' && line[key_len] <= '~')
		key_len++;
	if (key_len == 0 || key_len == len || line[key_len] != ' ')
		return malformed(s,
				 "a header line without a name, or a stray continuation line");
	if (check_key(s, line, key_len) < 0)
		return -1;
	s->p = line + len + 1;
	while (line_at(s, &next, &next_len) == 0 && next_len > 0 && next[0] == ' ')
		s->p = next + next_len + 1;
	if (key_is(line, key_len, "gpgsig")) {
		s->c.sig = line + key_len + 1;
		s->c.sig_len = (size_t)(s->p - 1 - s->c.sig);
		s->c.sig_from = (size_t)(line - s->c.raw);
		s->c.sig_to = (size_t)(s->p - s->c.raw);
	}
	return 0;
}

int commit_split(const char *raw, size_t len, struct commit *out, struct error *err)
{
	struct split s = {
		.p = raw, .end = raw + len, .c = {.raw = raw, .len = len}, .err = err};

	if (memchr(raw, 0, len))
		return malformed(&s, "a NUL byte in it");
	if (split_ids(&s) < 0 || split_people(&s) < 0)
		return -1;
	while (s.p == s.end || *s.p != '\n')
		if (split_header(&s) < 0)
			return -1;
	s.c.message = s.p + 1;
	if (s.c.sig_len > SIGNATURE_MAX)
		return error_set(err, ERROR_REFUSED, "its signature has %zu bytes, at most %d",
				 s.c.sig_len, SIGNATURE_MAX);
	*out = s.c;
	return 0;
}

void commit_parent(const struct commit *c, size_t i, struct object_id *out)
{
	const size_t line = sizeof "parent " - 1 + OBJECT_ID_HEX;

	id_line(c->parents + i * line, line - 1, "parent ", out);
}

void commit_subject(const struct commit *c, char *out, size_t size)
{
	AUTO(buf) safe = BUF_INIT;
	const char *p = c->message, *end = c->raw + c->len;
	size_t len;

	while (p < end && *p == '\n')
		p++;
	len = span_to(p, end, "\n");
	buf_put_safe(&safe, p, len > 200 ? 200 : len);
	len = safe.len < size - 1 ? safe.len : size - 1;
	while (len < safe.len && len > 0 && ((unsigned char)safe.ptr[len] & 0xc0) == 0x80)
		len--;
	memcpy(out, safe.ptr, len);
	out[len] = '\0';
}
