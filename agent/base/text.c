/* base/text.c - see text.h. */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

size_t text_utf8_rune(const char *s, size_t len, uint32_t *rune)
{
	const unsigned char *p = (const unsigned char *)s;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n;
	uint32_t r;

	if (!len)
		return 0;
	if (p[0] < 0x80) {
		*rune = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] < 0xe0)
		n = 2, r = p[0] & 0x1f;
	else if (p[0] >= 0xe0 && p[0] < 0xf0)
		n = 3, r = p[0] & 0x0f;
	else if (p[0] >= 0xf0 && p[0] < 0xf5)
		n = 4, r = p[0] & 0x07;
	else
		return 0;
	if (n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		r = r << 6 | (p[i] & 0x3f);
	}
	if (r < least[n] || r > 0x10ffff || (r >= 0xd800 && r <= 0xdfff))
		return 0;
	*rune = r;
	return n;
}

size_t text_utf8_bad(const char *s, size_t len)
{
	size_t i = 0;
	uint32_t rune;

	while (i < len) {
		size_t n =
			(unsigned char)s[i] < 0x80 ? 1 : text_utf8_rune(s + i, len - i, &rune);
		if (!n)
			return i;
		i += n;
	}
	return len;
}

bool text_rune_unsafe(uint32_t r)
{
	return r < 0x20 || (r >= 0x7f && r < 0xa0) || (r >= 0x200b && r <= 0x200f) ||
	       (r >= 0x2028 && r <= 0x202e) || (r >= 0x2060 && r <= 0x206f) || r == 0xfeff ||
	       r == 0x061c || (r >= 0xe0000 && r <= 0xe007f);
}

bool text_eq(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

bool text_starts(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool text_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && !memcmp(s + n - m, suffix, m);
}

bool text_is_hex(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
			return false;
	return true;
}

int text_u64(const char *s, size_t len, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!len)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		uint64_t d = (uint64_t)(s[i] - '0');
		if (v > (max - d) / 10 || d > max)
			return -1;
		v = v * 10 + d;
	}
	*out = v;
	return 0;
}

int text_duration_ms(const char *s, int64_t *ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"ms", 1}, {"h", 3600000}, {"m", 60000}, {"s", 1000}};
	const int64_t most = 10LL * 366 * 86400 * 1000;
	int64_t total = 0;

	if (!strcmp(s, "0")) {
		*ms = 0;
		return 0;
	}
	if (!*s)
		return -1;
	while (*s) {
		size_t digits = strspn(s, "0123456789"), u;
		uint64_t v;

		if (text_u64(s, digits, (uint64_t)most, &v))
			return -1;
		s += digits;
		for (u = 0; u < sizeof units / sizeof *units; u++)
			if (text_starts(s, units[u].unit))
				break;
		if (u == sizeof units / sizeof *units || (int64_t)v > most / units[u].ms)
			return -1;
		total += (int64_t)v * units[u].ms;
		s += strlen(units[u].unit);
		if (total > most)
			return -1;
	}
	*ms = total;
	return 0;
}

char *text_duration(int64_t ms, char out[24])
{
	if (ms < 1000)
		snprintf(out, 24, "%dms", (int)ms);
	else if (ms < 60000)
		snprintf(out, 24, "%d.%ds", (int)(ms / 1000), (int)(ms % 1000 / 100));
	else if (ms < 3600000)
		snprintf(out, 24, "%dm%02ds", (int)(ms / 60000), (int)(ms / 1000 % 60));
	else
		snprintf(out, 24, "%lldh%02dm", (long long)(ms / 3600000),
			 (int)(ms / 60000 % 60));
	return out;
}
