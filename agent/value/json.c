/* value/json.c - the reader: one pass by recursive descent, no deeper than the cap; see json.h.
 */
#include "value/json.h"

#include <string.h>

#include "base/text.h"
#include "value/build_int.h"
#include "value/value_int.h"

struct reader {
	const char *p, *end;
	const char *line_start;
	uint32_t line;
	uint32_t wide; /* continuation bytes of this line so far: columns count characters */
	int depth;
	struct build build;
	struct buf scratch; /* the text of a string with escapes */
	struct error *err;
};

struct span {
	const char *ptr;
	size_t len;
};

static int read_value(struct reader *r, struct value **out);

static struct place here(const struct reader *r, const char *p)
{
	return (struct place){r->line, (uint32_t)(p - r->line_start) - r->wide + 1};
}

static int fail(struct reader *r, const char *p, const char *what)
{
	struct place at = here(r, p);

	return error_reason(r->err, ERROR_INVALID, "JsonInvalid", "line %u, column %u: %s",
			    at.line, at.column, what);
}

/* "X is wanted, not Y", where Y is what stands at r->p. */
static int fail_wanted(struct reader *r, const char *wanted)
{
	struct place at = here(r, r->p);
	char seen[BUILD_SHOWN];
	uint32_t rune;
	size_t n = text_utf8_rune(r->p, (size_t)(r->end - r->p), &rune);

	if (r->p == r->end)
		return error_reason(r->err, ERROR_INVALID, "JsonInvalid",
				    "line %u, column %u: %s is wanted, but the text ends here",
				    at.line, at.column, wanted);
	if (!n || text_rune_unsafe(rune))
		return error_reason(r->err, ERROR_INVALID, "JsonInvalid",
				    "line %u, column %u: %s is wanted, not byte 0x%02x",
				    at.line, at.column, wanted, (unsigned char)*r->p);
	return error_reason(r->err, ERROR_INVALID, "JsonInvalid",
			    "line %u, column %u: %s is wanted, not '%s'", at.line, at.column,
			    wanted, build_shown(seen, r->p, n));
}

static inline void skip_space(struct reader *r)
{
	const char *p = r->p;

	for (; p < r->end && (unsigned char)*p <= ' '; p++) {
		if (*p == '\n') {
			r->line++;
			r->line_start = p + 1;
			r->wide = 0;
		} else if (*p != ' ' && *p != '\t' && *p != '\r') {
			break;
		}
	}
	r->p = p;
}

/* The first byte from p on that is a quote, a backslash, a control character or not ASCII. */
static inline const char *plain_run(const char *p, const char *end)
{
	const uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;

	while (end - p >= 8) {
		uint64_t w, quote, slash;

		memcpy(&w, p, 8);
		quote = w ^ ones * '"';
		slash = w ^ ones * '\\';
		if (((quote - ones) | (slash - ones) | (w - ones * 0x20) | w) & high)
			break;
		p += 8;
	}
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)(*p - 0x20) < 0x60)
		p++;
	return p;
}

static int hex4(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int d = c >= '0' && c <= '9'		     ? c - '0'
			: (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
							     : -1;
		if (d < 0)
			return -1;
		v = v << 4 | d;
	}
	return v;
}

static void put_rune(struct buf *b, uint32_t r)
{
	if (r < 0x80) {
		buf_putc(b, (char)r);
	} else if (r < 0x800) {
		buf_putc(b, (char)(0xc0 | r >> 6));
		buf_putc(b, (char)(0x80 | (r & 0x3f)));
	} else if (r < 0x10000) {
		buf_putc(b, (char)(0xe0 | r >> 12));
		buf_putc(b, (char)(0x80 | (r >> 6 & 0x3f)));
		buf_putc(b, (char)(0x80 | (r & 0x3f)));
	} else {
		buf_putc(b, (char)(0xf0 | r >> 18));
		buf_putc(b, (char)(0x80 | (r >> 12 & 0x3f)));
		buf_putc(b, (char)(0x80 | (r >> 6 & 0x3f)));
		buf_putc(b, (char)(0x80 | (r & 0x3f)));
	}
}

/* p is behind "\u". Returns what follows, or NULL. */
static const char *read_unicode(struct reader *r, const char *p)
{
	int hi = hex4(p, r->end), lo;

	if (hi < 0) {
		fail(r, p - 2, "\\u needs four hexadecimal digits");
		return NULL;
	}
	if (hi == 0) {
		fail(r, p - 2, "\\u0000 (NUL) is not allowed in a string");
		return NULL;
	}
	if (hi < 0xd800 || hi > 0xdfff) {
		put_rune(&r->scratch, (uint32_t)hi);
		return p + 4;
	}
	if (hi > 0xdbff || r->end - p < 6 || p[4] != '\\' || p[5] != 'u' ||
	    (lo = hex4(p + 6, r->end)) < 0xdc00 || lo > 0xdfff) {
		fail(r, p - 2, "half of a surrogate pair stands alone");
		return NULL;
	}
	put_rune(&r->scratch,
		 0x10000 + ((uint32_t)(hi - 0xd800) << 10) + (uint32_t)(lo - 0xdc00));
	return p + 10;
}

/* p is at a backslash. */
static const char *read_escape(struct reader *r, const char *p)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *which;

	if (p + 1 < r->end && p[1] == 'u')
		return read_unicode(r, p + 2);
	which = p + 1 < r->end && p[1] ? strchr(from, p[1]) : NULL;
	if (!which) {
		fail(r, p, "unknown escape in a string");
		return NULL;
	}
	buf_putc(&r->scratch, to[which - from]);
	return p + 2;
}

/* A string with escapes or beyond ASCII; p is at the first byte that is not plain. */
static int read_string_slowly(struct reader *r, const char *p, struct span *out)
{
	const char *run = r->p;

	buf_reset(&r->scratch);
	for (;; p = plain_run(p, r->end)) {
		uint32_t rune;
		size_t n;

		buf_add(&r->scratch, run, (size_t)(p - run));
		run = p;
		if (p == r->end)
			return fail(r, p, "the text ends inside a string");
		if (*p == '"')
			break;
		if (*p == '\\') {
			run = p = read_escape(r, p);
			if (!p)
				return -1;
		} else if ((unsigned char)*p < 0x20) {
			return fail(r, p, "a control character in a string must be escaped");
		} else if ((n = text_utf8_rune(p, (size_t)(r->end - p), &rune))) {
			p += n;
			r->wide += (uint32_t)n - 1;
		} else {
			return fail(r, p, "a byte that is not UTF-8");
		}
	}
	*out = (struct span){r->scratch.ptr, r->scratch.len};
	r->p = p + 1;
	return 0;
}

/* r->p is at the opening quote. The span is good until the next call. */
static inline int read_string(struct reader *r, struct span *out)
{
	const char *p = plain_run(++r->p, r->end);

	if (p == r->end || *p != '"')
		return read_string_slowly(r, p, out);
	*out = (struct span){r->p, (size_t)(p - r->p)};
	r->p = p + 1;
	return 0;
}

const char *json_number_end(const char *p, const char *end)
{
	if (p < end && *p == '-')
		p++;
	if (p == end || *p < '0' || *p > '9')
		return NULL;
	if (*p++ != '0')
		while (p < end && *p >= '0' && *p <= '9')
			p++;
	if (p < end && *p == '.') {
		const char *digits = ++p;
		while (p < end && *p >= '0' && *p <= '9')
			p++;
		if (p == digits)
			return NULL;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		const char *digits = p;
		while (p < end && *p >= '0' && *p <= '9')
			p++;
		if (p == digits)
			return NULL;
	}
	return p;
}

/* Bytes that would go on with a word or number, so that 01, 1.e or truex are seen whole. */
static const char *word_end(const char *p, const char *end)
{
	while (p < end && ((*p >= '0' && *p <= '9') || ((*p | 32) >= 'a' && (*p | 32) <= 'z') ||
			   *p == '.' || *p == '+' || *p == '-' || *p == '_'))
		p++;
	return p;
}

static int fail_word(struct reader *r)
{
	struct place at = here(r, r->p);
	char word[BUILD_SHOWN];
	const char *end = word_end(r->p, r->end);

	if (end == r->p)
		return fail_wanted(r, "a value");
	return error_reason(r->err, ERROR_INVALID, "JsonInvalid",
			    "line %u, column %u: %s is no JSON value", at.line, at.column,
			    build_shown(word, r->p, (size_t)(end - r->p)));
}

static struct value *new_node(struct reader *r, enum value_type type)
{
	return build_node(&r->build, type, here(r, r->p), r->err);
}

static int read_number(struct reader *r, struct value **out)
{
	const char *end = json_number_end(r->p, r->end);

	if (!end || word_end(end, r->end) != end)
		return fail_word(r);
	struct value *v = new_node(r, VALUE_NUMBER);
	if (!v)
		return -1;
	v->text.len = (size_t)(end - r->p);
	v->text.ptr = arena_strndup(r->build.arena, r->p, v->text.len);
	r->p = end;
	*out = v;
	return 0;
}

static int read_word(struct reader *r, struct value **out)
{
	static const struct {
		const char *word;
		size_t len;
		enum value_type type;
		bool truth;
	} words[] = {{"true", 4, VALUE_BOOL, true},
		     {"false", 5, VALUE_BOOL, false},
		     {"null", 4, VALUE_NULL, false}};
	size_t len = (size_t)(word_end(r->p, r->end) - r->p);

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (len != words[i].len || memcmp(r->p, words[i].word, len))
			continue;
		*out = new_node(r, words[i].type);
		if (!*out)
			return -1;
		(*out)->boolean = words[i].truth;
		r->p += len;
		return 0;
	}
	return fail_word(r);
}

static int read_text(struct reader *r, struct value **out)
{
	struct value *v = new_node(r, VALUE_STRING);
	struct span s;

	if (!v || read_string(r, &s))
		return -1;
	v->text.ptr = arena_strndup(r->build.arena, s.ptr, s.len);
	v->text.len = s.len;
	*out = v;
	return 0;
}

static struct value *open_container(struct reader *r, enum value_type type)
{
	struct value *v = NULL;

	if (r->depth >= r->build.limits->depth)
		build_too_deep(&r->build, here(r, r->p), r->err);
	else
		v = new_node(r, type);
	if (v) {
		r->depth++;
		r->p++;
	}
	skip_space(r);
	return v;
}

static int read_array(struct reader *r, struct value **out)
{
	struct value *v = open_container(r, VALUE_ARRAY), *item;
	size_t first = r->build.items.len;

	if (!v)
		return -1;
	if (r->p < r->end && *r->p == ']')
		goto closed;
	for (;;) {
		skip_space(r);
		if (read_value(r, &item))
			return -1;
		*vec_push(&r->build.items) = item;
		skip_space(r);
		if (r->p == r->end || (*r->p != ',' && *r->p != ']'))
			return fail_wanted(r, "',' or ']'");
		if (*r->p == ']')
			break;
		r->p++;
	}
closed:
	r->p++;
	r->depth--;
	build_array(&r->build, first, v);
	*out = v;
	return 0;
}

/* "key": value */
static int read_member(struct reader *r)
{
	struct place at = here(r, r->p);
	struct value *v;
	struct span key;

	if (r->p == r->end || *r->p != '"')
		return fail_wanted(r, "a key in double quotes");
	if (read_string(r, &key))
		return -1;
	size_t i = build_member(&r->build, key.ptr, key.len, at);
	skip_space(r);
	if (r->p == r->end || *r->p != ':')
		return fail_wanted(r, "':'");
	r->p++;
	skip_space(r);
	if (read_value(r, &v))
		return -1;
	r->build.members.items[i].m.value = v;
	return 0;
}

static int read_object(struct reader *r, struct value **out)
{
	struct value *v = open_container(r, VALUE_OBJECT);
	size_t first = r->build.members.len;

	if (!v)
		return -1;
	if (r->p < r->end && *r->p == '}')
		goto closed;
	for (;;) {
		skip_space(r);
		if (read_member(r))
			return -1;
		skip_space(r);
		if (r->p == r->end || (*r->p != ',' && *r->p != '}'))
			return fail_wanted(r, "',' or '}'");
		if (*r->p == '}')
			break;
		r->p++;
	}
closed:
	r->p++;
	r->depth--;
	if (build_object(&r->build, first, v, r->err))
		return -1;
	*out = v;
	return 0;
}

static int read_value(struct reader *r, struct value **out)
{
	switch (r->p < r->end ? *r->p : '\0') {
	case '{':
		return read_object(r, out);
	case '[':
		return read_array(r, out);
	case '"':
		return read_text(r, out);
	case '-':
	case '0' ... '9':
		return read_number(r, out);
	default:
		return read_word(r, out);
	}
}

static int read_document(struct reader *r, struct value **out)
{
	struct value *v = NULL;

	if (r->end - r->p >= 3 && !memcmp(r->p, "\xef\xbb\xbf", 3))
		return fail(r, r->p, "a byte order mark: save the file as UTF-8 without one");
	skip_space(r);
	if (read_value(r, &v))
		return -1;
	skip_space(r);
	if (r->p != r->end)
		return fail_wanted(r, "the end of the text");
	*out = v;
	return 0;
}

int value_json_parse(struct arena *a, const char *data, size_t len,
		     const struct value_limits *limits, struct value **out, struct error *err)
{
	struct reader r = {.p = data,
			   .end = data + len,
			   .line_start = data,
			   .line = 1,
			   .build = {.arena = a, .limits = limits, .invalid = "JsonInvalid"},
			   .scratch = BUF_INIT,
			   .err = err};

	if (len > limits->bytes)
		return build_too_large(limits, len, err);
	int rc = read_document(&r, out);
	build_clear(&r.build);
	buf_clear(&r.scratch);
	return rc;
}
