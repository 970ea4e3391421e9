/* value/json_write.c - the canonical and the pretty JSON writer; see json.h. */
#include "value/json.h"

#include <string.h>

#include "base/mem.h"
#include "value/value_int.h"

static size_t plain_run(const char *s, size_t len)
{
	size_t i = 0;

	while (i < len && (unsigned char)s[i] >= 0x20 && s[i] != '"' && s[i] != '\\')
		i++;
	return i;
}

void json_put_string(struct buf *out, const char *s, size_t len)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";

	buf_reserve(out, len + 2);
	buf_putc(out, '"');
	for (;;) {
		size_t n = plain_run(s, len);
		const char *which;

		buf_add(out, s, n);
		s += n;
		len -= n;
		if (!len)
			break;
		which = *s ? strchr(from, *s) : NULL;
		if (which)
			buf_add(out, (char[]){'\\', to[which - from]}, 2);
		else
			buf_printf(out, "\\u%04x", (unsigned char)*s);
		s++;
		len--;
	}
	buf_putc(out, '"');
}

static void put_scalar(const struct value *v, struct buf *out)
{
	if (v->type == VALUE_STRING)
		json_put_string(out, v->text.ptr, v->text.len);
	else if (v->type == VALUE_NUMBER)
		buf_add(out, v->text.ptr, v->text.len);
	else if (v->type == VALUE_BOOL)
		buf_puts(out, v->boolean ? "true" : "false");
	else
		buf_puts(out, "null");
}

static void put_object(const struct value *v, struct buf *out)
{
	AUTO_FREE const struct member **sorted = value_sorted(v);

	buf_putc(out, '{');
	for (size_t i = 0; i < v->object.len; i++) {
		const struct member *m = sorted ? sorted[i] : &v->object.members[i];

		if (i)
			buf_putc(out, ',');
		json_put_string(out, m->key, m->key_len);
		buf_putc(out, ':');
		value_json_write(m->value, out);
	}
	buf_putc(out, '}');
}

void value_json_write(const struct value *v, struct buf *out)
{
	if (v->type == VALUE_OBJECT) {
		put_object(v, out);
	} else if (v->type == VALUE_ARRAY) {
		buf_putc(out, '[');
		for (size_t i = 0; i < v->array.len; i++) {
			if (i)
				buf_putc(out, ',');
			value_json_write(v->array.items[i], out);
		}
		buf_putc(out, ']');
	} else {
		put_scalar(v, out);
	}
}

static void new_line(struct buf *out, int depth)
{
	buf_putc(out, '\n');
	for (int i = 0; i < depth; i++)
		buf_puts(out, "  ");
}

static void put_pretty(const struct value *v, struct buf *out, int depth)
{
	struct value *item;
	struct member *m;

	if (!value_len(v)) {
		value_json_write(v, out);
		return;
	}
	buf_putc(out, v->type == VALUE_OBJECT ? '{' : '[');
	array_each (v, i, item) {
		if (i)
			buf_putc(out, ',');
		new_line(out, depth + 1);
		put_pretty(item, out, depth + 1);
	}
	object_each (v, i, m) {
		if (i)
			buf_putc(out, ',');
		new_line(out, depth + 1);
		json_put_string(out, m->key, m->key_len);
		buf_puts(out, ": ");
		put_pretty(m->value, out, depth + 1);
	}
	new_line(out, depth);
	buf_putc(out, v->type == VALUE_OBJECT ? '}' : ']');
}

void value_json_pretty(const struct value *v, struct buf *out)
{
	put_pretty(v, out, 0);
}
