/* value/yaml_text.c - what is wrong with a YAML text before libyaml reads it, and what libyaml
 * says is wrong, in words that tell what to do. */
#include "value/yaml_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "value/build_int.h"

#define DIRECTIVES_MOST 64 /* libyaml compares each %TAG with all before it */

static int fail(struct error *err, struct place at, const char *what)
{
	return error_reason(err, ERROR_INVALID, "YamlInvalid", "line %u, column %u: %s",
			    at.line, at.column, what);
}

/* libyaml's commonest complaints in words that say what to do. */
static const char *plainer(const char *problem)
{
	static const struct {
		const char *theirs, *ours;
	} words[] = {
		{"mapping values are not allowed in this context",
		 "a ':' can't stand here: check the indentation, or quote the value"},
		{"did not find expected key", "a key is wanted here: check the indentation"},
		{"did not find expected '-' indicator",
		 "a '-' is wanted here: check the indentation"},
		{"could not find expected ':'", "a ':' is wanted after the key"},
		{"block sequence entries are not allowed in this context",
		 "a '-' can't stand here: check the indentation"},
		{"found unexpected end of stream", "the file ends too early"},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(problem, words[i].theirs))
			return words[i].ours;
	return problem;
}

/* Behind the line break at p, of the kinds libyaml knows; NULL when there is none. */
static const char *after_break(const char *p, const char *end)
{
	size_t left = (size_t)(end - p);

	if (left >= 2 && !memcmp(p, "\r\n", 2))
		return p + 2;
	if (left >= 1 && (*p == '\n' || *p == '\r'))
		return p + 1;
	if (left >= 2 && !memcmp(p, "\xc2\x85", 2)) /* next line */
		return p + 2;
	if (left >= 3 && (!memcmp(p, "\xe2\x80\xa8", 3) || !memcmp(p, "\xe2\x80\xa9", 3)))
		return p + 3;
	return NULL;
}

/* The byte at a mark, which counts lines and characters; NUL when it isn't there. */
static char byte_at(const char *data, const char *end, yaml_mark_t mark)
{
	const char *p = data, *next;

	for (size_t line = 0; line < mark.line && p < end; p = next) {
		next = after_break(p, end);
		if (next)
			line++;
		else
			next = p + 1;
	}
	for (size_t i = 0; i < mark.column && p < end; i++)
		for (p++; p < end && (*p & 0xc0) == 0x80;)
			p++;
	return p < end ? *p : '\0';
}

int yaml_syntax_error(const yaml_parser_t *p, const char *data, size_t len, struct error *err)
{
	const char *problem = p->problem ? p->problem : "unreadable";
	struct place at = {(uint32_t)p->problem_mark.line + 1,
			   (uint32_t)p->problem_mark.column + 1};

	if (p->error == YAML_MEMORY_ERROR)
		abort();
	if (p->error == YAML_READER_ERROR)
		return fail(err, place_of(data, p->problem_offset), plainer(problem));
	if (!strcmp(problem, "found character that cannot start any token")) {
		char c = byte_at(data, data + len, p->problem_mark);

		if (c == '\t')
			return fail(err, at, "a tab can't indent: use spaces");
		if (c <= ' ' || c > '~')
			return fail(err, at, "this character can't start a value: quote it");
		return error_reason(err, ERROR_INVALID, "YamlInvalid",
				    "line %u, column %u: '%c' can't start a value: quote it",
				    at.line, at.column, c);
	}
	if (p->context && p->context_mark.line != p->problem_mark.line)
		return error_reason(err, ERROR_INVALID, "YamlInvalid",
				    "line %u, column %u: %s (%s that starts at line %zu)",
				    at.line, at.column, plainer(problem), p->context,
				    p->context_mark.line + 1);
	return fail(err, at, plainer(problem));
}

/* The line with one directive (%) too many, or NULL. */
static const char *excess_directive(const char *data, const char *end)
{
	size_t directives = 0;
	bool at_start = true;

	for (const char *p = data, *next; p < end; p = next) {
		next = after_break(p, end);
		if (at_start && *p == '%' && ++directives > DIRECTIVES_MOST)
			return p;
		at_start = next != NULL;
		if (!next)
			next = p + 1;
	}
	return NULL;
}

int yaml_check_bytes(const char *data, size_t len, struct error *err)
{
	const struct place first = {1, 1};
	const char *p = memchr(data, '\0', len), *end = data + len;
	size_t bad = text_utf8_bad(data, len);

	if (len >= 2 && (!memcmp(data, "\xff\xfe", 2) || !memcmp(data, "\xfe\xff", 2)))
		return fail(err, first, "this is UTF-16: save the file as UTF-8");
	if (len >= 3 && !memcmp(data, "\xef\xbb\xbf", 3))
		return fail(err, first,
			    "a byte order mark: save the file as UTF-8 without one");
	if (p && (size_t)(p - data) < bad)
		return fail(err, place_of(data, (size_t)(p - data)),
			    "a NUL byte: the file must be text in UTF-8");
	if (bad < len)
		return fail(err, place_of(data, bad), "a byte that is not UTF-8");
	p = excess_directive(data, end);
	if (p)
		return fail(err, place_of(data, (size_t)(p - data)),
			    "too many lines that start with %");
	return 0;
}
