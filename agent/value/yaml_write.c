/* value/yaml_write.c - YAML for people, in kubectl's layout: two spaces, lists not indented
 * under their key, text of several lines as a block. What is not plainly a string for every
 * YAML reader is quoted. See yaml.h. */
#include "value/yaml.h"

#include <string.h>

#include "base/text.h"
#include "value/json.h"
#include "value/value_int.h"
#include "value/yaml_int.h"

#define SIMPLE_KEY_MOST \
	120 /* libyaml takes 1,024 characters; a longer key is written "? key" */

static void put_value(struct buf *out, const struct value *v, int indent, bool after_dash);

static void pad(struct buf *out, int indent)
{
	for (int i = 0; i < indent; i++)
		buf_putc(out, ' ');
}

/* True for characters that YAML readers would refuse, fold or drop when written as they are. */
static bool needs_escape(uint32_t r)
{
	return text_rune_unsafe(r) || r == 0xfffe || r == 0xffff;
}

/* Could be taken for a number, a date or a base-60 number by some reader, if not by kubectl. */
static bool like_number(const char *s, size_t len)
{
	struct buf number = BUF_INIT;
	bool truth, digit = *s >= '0' && *s <= '9';
	const char *end = json_number_end(s, s + len);
	enum scalar type = scalar_resolve(s, len, &truth, &number);

	buf_clear(&number);
	return type != SCALAR_STRING || end == s + len || (digit && strchr(s, ':')) ||
	       (digit && strspn(s, "0123456789") == 4 && s[4] == '-');
}

static bool plain_first(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c & 0x80) ||
	       (c && strchr("/_.+$(", c));
}

/* True when the text can stand without quotes, as a key or as a value. */
static bool plain(const char *s, size_t len)
{
	uint32_t rune;

	if (!len || !plain_first(*s) || like_number(s, len) || text_starts(s, "..."))
		return false;
	for (size_t i = 0, n; i < len; i += n) {
		char next = s[i + 1];

		n = text_utf8_rune(s + i, len - i, &rune);
		if (!n || needs_escape(rune))
			return false;
		if (s[i] == ' ' && (i + 1 == len || next == '#' || next == ' '))
			return false;
		if (s[i] == ':' && (i + 1 == len || next == ' '))
			return false;
		if (!plain_first(s[i]) && !strchr("-@=%)*^~;<>&#?, :", s[i]))
			return false;
	}
	return true;
}

/* Double quotes with JSON's escapes, and \u for what YAML would fold or refuse. */
static void put_quoted(struct buf *out, const char *s, size_t len)
{
	size_t run = 0;
	struct buf json = BUF_INIT;
	uint32_t rune;

	json_put_string(&json, s, len);
	for (size_t i = 0, n; i < json.len; i += n) {
		n = text_utf8_rune(json.ptr + i, json.len - i, &rune);
		if (n && !needs_escape(rune)) {
			run += n;
			continue;
		}
		buf_add(out, json.ptr + i - run, run);
		run = 0;
		if (!n)
			n = 1;
		else if (rune > 0xffff)
			buf_printf(out, "\\U%08x", rune);
		else
			buf_printf(out, "\\u%04x", rune);
	}
	buf_add(out, json.ptr + json.len - run, run);
	buf_clear(&json);
}

/* True when the text can be a block (|): it has lines, and nothing that a block would change.
 */
static bool block(const char *s, size_t len)
{
	uint32_t rune;

	if (!memchr(s, '\n', len) || *s == '\n' || *s == ' ' || *s == '\t')
		return false;
	for (size_t i = 0, n; i < len; i += n) {
		n = text_utf8_rune(s + i, len - i, &rune);
		if (!n || (needs_escape(rune) && rune != '\n' && rune != '\t'))
			return false;
	}
	return true;
}

static void put_block(struct buf *out, const char *s, size_t len, int indent)
{
	const char *end = s + len;

	buf_puts(out, end[-1] != '\n' ? "|-" : len > 1 && end[-2] == '\n' ? "|+" : "|");
	while (s < end) {
		const char *stop = memchr(s, '\n', (size_t)(end - s));
		size_t n = (size_t)((stop ? stop : end) - s);

		buf_putc(out, '\n');
		if (n)
			pad(out, indent);
		buf_add(out, s, n);
		s += n + 1;
	}
}

static void put_text(struct buf *out, const char *s, size_t len, int indent)
{
	if (plain(s, len))
		buf_add(out, s, len);
	else if (indent && block(s, len))
		put_block(out, s, len, indent);
	else
		put_quoted(out, s, len);
}

static void put_number(struct buf *out, const struct value *v)
{
	struct buf number = BUF_INIT;
	bool truth;

	/* 1e400 is a number in JSON, and text in YAML unless tagged */
	if (scalar_resolve(v->text.ptr, v->text.len, &truth, &number) == SCALAR_STRING)
		buf_puts(out, "!!float ");
	buf_clear(&number);
	buf_add(out, v->text.ptr, v->text.len);
}

static void put_scalar(struct buf *out, const struct value *v, int indent)
{
	if (v->type == VALUE_STRING)
		put_text(out, v->text.ptr, v->text.len, indent);
	else if (v->type == VALUE_NUMBER)
		put_number(out, v);
	else
		value_json_write(v, out); /* true, false, null, {}, [] */
}

static void put_member(struct buf *out, const struct member *m, int indent)
{
	const struct value *v = m->value;
	size_t start = out->len;

	put_text(out, m->key, m->key_len, 0);
	if (out->len - start > SIMPLE_KEY_MOST) {
		AUTO(buf) key = BUF_INIT;

		buf_puts(&key, out->ptr + start);
		buf_truncate(out, start);
		buf_printf(out, "? %s\n", key.ptr);
		pad(out, indent);
	}
	buf_putc(out, ':');
	if (!value_len(v)) {
		buf_putc(out, ' ');
		put_scalar(out, v, indent + 2);
		return;
	}
	buf_putc(out, '\n');
	pad(out, v->type == VALUE_ARRAY ? indent : indent + 2);
	put_value(out, v, v->type == VALUE_ARRAY ? indent : indent + 2, false);
}

/* The cursor stands at column `indent`; what is written ends without a line break. */
static void put_value(struct buf *out, const struct value *v, int indent, bool after_dash)
{
	struct value *item;
	struct member *m;

	if (!value_len(v)) {
		put_scalar(out, v, after_dash ? indent : 0);
		return;
	}
	array_each (v, i, item) {
		if (i) {
			buf_putc(out, '\n');
			pad(out, indent);
		}
		buf_puts(out, "- ");
		put_value(out, item, indent + 2, true);
	}
	object_each (v, i, m) {
		if (i) {
			buf_putc(out, '\n');
			pad(out, indent);
		}
		put_member(out, m, indent);
	}
}

void value_yaml_write(const struct value *v, struct buf *out)
{
	put_value(out, v, 0, false);
	buf_putc(out, '\n');
}
