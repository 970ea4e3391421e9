/* base/buf.c - see buf.h. */
#include "base/buf.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

char buf_empty[1];

void buf_init(struct buf *b)
{
	b->ptr = buf_empty;
	b->len = b->cap = 0;
}

void buf_clear(struct buf *b)
{
	if (b->cap)
		free(b->ptr);
	buf_init(b);
}

void buf_reset(struct buf *b)
{
	buf_truncate(b, 0);
}

void buf_truncate(struct buf *b, size_t len)
{
	if (len < b->len) {
		b->len = len;
		b->ptr[len] = '\0';
	}
}

void buf_reserve(struct buf *b, size_t extra)
{
	size_t need = b->len + extra + 1;

	if (need <= b->cap)
		return;
	size_t cap = b->cap + b->cap / 2 + 32;
	if (cap < need)
		cap = need;
	b->ptr = mem_realloc(b->cap ? b->ptr : NULL, cap);
	b->cap = cap;
	b->ptr[b->len] = '\0';
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	if (!len)
		return;
	buf_reserve(b, len);
	memcpy(b->ptr + b->len, data, len);
	b->len += len;
	b->ptr[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_reserve(b, 1);
	b->ptr[b->len++] = c;
	b->ptr[b->len] = '\0';
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	if (n > 0) {
		buf_reserve(b, (size_t)n);
		vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

char *buf_detach(struct buf *b)
{
	char *out = b->cap ? b->ptr : mem_alloc(1);

	buf_init(b);
	return out;
}

void buf_put_safe(struct buf *b, const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint32_t rune;
		size_t n = text_utf8_rune(s + i, len - i, &rune);

		if (!n || text_rune_unsafe(rune))
			buf_putc(b, '?');
		else
			buf_add(b, s + i, n);
		i += n ? n : 1;
	}
}

void buf_put_hex(struct buf *b, const unsigned char *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	buf_reserve(b, len * 2);
	for (size_t i = 0; i < len; i++) {
		buf_putc(b, digits[data[i] >> 4]);
		buf_putc(b, digits[data[i] & 15]);
	}
}

void buf_put_base64(struct buf *b, const void *data, size_t len)
{
	static const char abc[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = data;

	buf_reserve(b, len / 3 * 4 + 4);
	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			     (n > 2 ? p[i + 2] : 0);

		buf_putc(b, abc[v >> 18]);
		buf_putc(b, abc[v >> 12 & 63]);
		buf_putc(b, n > 1 ? abc[v >> 6 & 63] : '=');
		buf_putc(b, n > 2 ? abc[v & 63] : '=');
	}
}

int buf_base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int buf_put_base64_decoded(struct buf *b, const char *s, size_t len)
{
	size_t start = b->len, digits = 0, pads = 0;
	uint32_t bits = 0;

	for (size_t i = 0; i < len; i++) {
		if (isspace((unsigned char)s[i]))
			continue;
		if (s[i] == '=') {
			pads++;
			continue;
		}
		int d = buf_base64_digit(s[i]);
		if (d < 0 || pads)
			goto bad;
		bits = bits << 6 | (uint32_t)d;
		if (++digits % 4 == 0) {
			unsigned char out[3] = {(unsigned char)(bits >> 16),
						(unsigned char)(bits >> 8),
						(unsigned char)bits};
			buf_add(b, out, 3);
			bits = 0;
		}
	}
	size_t rest = digits % 4;
	if (rest == 1 || pads > 2 || (pads && rest + pads != 4))
		goto bad;
	if (rest >= 2)
		buf_putc(b, (char)(bits >> (rest == 2 ? 4 : 10)));
	if (rest == 3)
		buf_putc(b, (char)(bits >> 2));
	return 0;
bad:
	buf_truncate(b, start);
	return -1;
}
