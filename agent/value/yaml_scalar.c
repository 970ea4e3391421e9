/* value/yaml_scalar.c - the type of a plain scalar, by the rules of Go's yaml.v2, which kubectl
 * uses through sigs.k8s.io/yaml; tests/unit/value_yaml_scalar_test.c holds a table made with
 * it. The one difference: numbers keep all their digits instead of passing through a float64.
 */
#include "value/yaml_int.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "value/value_int.h"

static const struct word {
	const char *text;
	enum scalar type;
	bool truth;
} words[] = {
	{"", SCALAR_NULL, false},	   {"~", SCALAR_NULL, false},
	{"null", SCALAR_NULL, false},	   {"Null", SCALAR_NULL, false},
	{"NULL", SCALAR_NULL, false},	   {"y", SCALAR_BOOL, true},
	{"Y", SCALAR_BOOL, true},	   {"yes", SCALAR_BOOL, true},
	{"Yes", SCALAR_BOOL, true},	   {"YES", SCALAR_BOOL, true},
	{"true", SCALAR_BOOL, true},	   {"True", SCALAR_BOOL, true},
	{"TRUE", SCALAR_BOOL, true},	   {"on", SCALAR_BOOL, true},
	{"On", SCALAR_BOOL, true},	   {"ON", SCALAR_BOOL, true},
	{"n", SCALAR_BOOL, false},	   {"N", SCALAR_BOOL, false},
	{"no", SCALAR_BOOL, false},	   {"No", SCALAR_BOOL, false},
	{"NO", SCALAR_BOOL, false},	   {"false", SCALAR_BOOL, false},
	{"False", SCALAR_BOOL, false},	   {"FALSE", SCALAR_BOOL, false},
	{"off", SCALAR_BOOL, false},	   {"Off", SCALAR_BOOL, false},
	{"OFF", SCALAR_BOOL, false},	   {".nan", SCALAR_NO_NUMBER, false},
	{".NaN", SCALAR_NO_NUMBER, false}, {".NAN", SCALAR_NO_NUMBER, false},
	{".inf", SCALAR_NO_NUMBER, false}, {".Inf", SCALAR_NO_NUMBER, false},
	{".INF", SCALAR_NO_NUMBER, false},
};

static const struct word *find_word(const char *s, size_t len)
{
	if (len && (*s == '+' || *s == '-') && len == 5 && s[1] == '.' && (s[2] | 32) == 'i')
		s++, len--; /* +.inf, -.inf */
	if (len > 5)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i].text) == len && !memcmp(words[i].text, s, len))
			return &words[i];
	return NULL;
}

/* Digits of `base`, nothing else, at least one (an octal's leading 0 counts), below 2^64. */
static bool read_digits(const char *s, int base, uint64_t *out)
{
	uint64_t v = 0;

	for (; *s; s++) {
		unsigned d = *s >= '0' && *s <= '9' ? (unsigned)(*s - '0')
			     : (*s | 32) >= 'a' && (*s | 32) <= 'f'
				     ? (unsigned)((*s | 32) - 'a') + 10
				     : 99;
		if (d >= (unsigned)base || v > (UINT64_MAX - d) / (unsigned)base)
			return false;
		v = v * (unsigned)base + d;
	}
	*out = v;
	return true;
}

/* An integer in Go's notation, `s` without its underscores; 64 bits, with a sign 63. */
static bool read_int(const char *s, struct buf *number)
{
	bool has_sign = *s == '+' || *s == '-', negative = *s == '-';
	const char *p = s + has_sign;
	int base = 10;
	uint64_t v;

	if (*p == '0' && p[1]) {
		char c = (char)(p[1] | 32);

		base = p[2] && c == 'x' ? 16 : p[2] && c == 'b' ? 2 : 8;
		p += base != 8 || (p[2] && c == 'o') ? 2 : 1;
		if (!has_sign && s[1] == 'b' && (*p == '+' || *p == '-')) {
			has_sign = true; /* 0b-101: yaml.v2 takes the sign there too */
			negative = *p++ == '-';
		}
	}
	if (!*p || !read_digits(p, base, &v))
		return false;
	if (negative ? v > (uint64_t)1 << 63 : has_sign && v > INT64_MAX)
		return false;
	if (json_number_end(s, s + strlen(s)) == s + strlen(s)) /* as it was written: 7, -0 */
		buf_puts(number, s);
	else
		buf_printf(number, "%s%" PRIu64, negative ? "-" : "", v);
	return true;
}

static const char *skip_digits(const char *p)
{
	while (*p >= '0' && *p <= '9')
		p++;
	return p;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?, within a float64's range. Written as
 * JSON: no plus, no leading zeros, a digit before the point, none or more after it. */
static bool read_float(const char *s, struct buf *number)
{
	const char *whole = s + (*s == '+' || *s == '-'), *whole_end = skip_digits(whole);
	const char *part = whole_end + (*whole_end == '.'), *part_end = skip_digits(part);
	const char *p = part_end;

	if (whole == whole_end && part == part_end)
		return false;
	if (*p == 'e' || *p == 'E') {
		p += p[1] == '+' || p[1] == '-' ? 2 : 1;
		const char *digits = p;
		p = skip_digits(p);
		if (p == digits)
			return false;
	}
	if (*p || isinf(strtod(s, NULL)))
		return false;
	if (*s == '-')
		buf_putc(number, '-');
	while (whole < whole_end && *whole == '0')
		whole++;
	if (whole == whole_end)
		buf_putc(number, '0');
	buf_add(number, whole, (size_t)(whole_end - whole));
	if (part < part_end)
		buf_putc(number, '.');
	buf_add(number, part, (size_t)(part_end - part));
	buf_puts(number, part_end);
	return true;
}

/* What Go asks of .5_0, where the underscores are not dropped beforehand. */
static bool underscores_between_digits(const char *s)
{
	for (const char *p = strchr(s, '_'); p; p = strchr(p + 1, '_'))
		if (skip_digits(p - 1) != p || skip_digits(p + 1) == p + 1)
			return false;
	return true;
}

static enum scalar read_number(const char *s, struct buf *number)
{
	if (*s != '.' && read_int(s, number))
		return SCALAR_INT;
	return read_float(s, number) ? SCALAR_FLOAT : SCALAR_STRING;
}

enum scalar scalar_resolve(const char *s, size_t len, bool *truth, struct buf *number)
{
	const struct word *w = find_word(s, len);

	if (w) {
		*truth = w->truth;
		return w->type;
	}
	if (!strchr("+-.0123456789", *s))
		return SCALAR_STRING;
	buf_reset(number);
	if (!memchr(s, '_', len))
		return read_number(s, number);
	if (*s == '.' && !underscores_between_digits(s))
		return SCALAR_STRING;
	AUTO(buf) plain = BUF_INIT;
	for (size_t i = 0; i < len; i++)
		if (s[i] != '_')
			buf_putc(&plain, s[i]);
	return read_number(plain.ptr, number);
}

int scalar_float_key(const char *number, struct buf *out)
{
	float f = strtof(number, NULL);
	char text[32];
	int digits = 1;

	if (isinf(f))
		return -1;
	do /* the fewest digits that read back as f: at most nine */
		snprintf(text, sizeof text, "%.*e", digits - 1, (double)f);
	while (strtof(text, NULL) != f && digits++ < 9);
	int exponent = atoi(strchr(text, 'e') + 1);
	if (exponent < -4 || exponent >= 6)
		buf_puts(out, text);
	else
		buf_printf(out, "%.*g", digits > 6 ? digits : 6, (double)f);
	return 0;
}
