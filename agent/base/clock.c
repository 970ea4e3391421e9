/* base/clock.c - see clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_now_ms(void)
{
	return read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_mono_ms(void)
{
	return read_us(CLOCK_BOOTTIME) / 1000;
}

int64_t clock_mono_us(void)
{
	return read_us(CLOCK_BOOTTIME);
}

/* "2026-01-31T12:00:00", the year with four digits at least. Returns the length. */
static size_t put(int64_t ms, char out[CLOCK_TEXT_MAX])
{
	time_t s = (time_t)(ms / 1000 - (ms % 1000 < 0));
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	n = (size_t)snprintf(out, CLOCK_TEXT_MAX, "%04d", tm.tm_year + 1900);
	return n + strftime(out + n, CLOCK_TEXT_MAX - n, "-%m-%dT%H:%M:%S", &tm);
}

char *clock_rfc3339(int64_t ms, char out[CLOCK_TEXT_MAX])
{
	size_t n = put(ms, out);

	snprintf(out + n, CLOCK_TEXT_MAX - n, "Z");
	return out;
}

char *clock_micro(int64_t ms, char out[CLOCK_TEXT_MAX])
{
	size_t n = put(ms, out);

	snprintf(out + n, CLOCK_TEXT_MAX - n, ".%03d000Z", (int)((ms % 1000 + 1000) % 1000));
	return out;
}

/* Exactly `digits` decimal digits at *p, within [least, most]. */
static int number(const char **p, int digits, int least, int most, int *out)
{
	int v = 0;

	for (; digits; digits--, (*p)++) {
		if (**p < '0' || **p > '9')
			return -1;
		v = v * 10 + (**p - '0');
	}
	*out = v;
	return v < least || v > most ? -1 : 0;
}

static int literal(const char **p, char c)
{
	return *(*p)++ == c ? 0 : -1;
}

/* "Z", "+02:00" or "-02:00", and nothing behind it. */
static int offset(const char *p, int64_t *ms)
{
	int h, m, sign = *p == '-' ? -1 : 1;

	*ms = 0;
	if (*p == 'Z')
		return p[1] ? -1 : 0;
	if (*p != '+' && *p != '-')
		return -1;
	p++;
	if (number(&p, 2, 0, 23, &h) || literal(&p, ':') || number(&p, 2, 0, 59, &m) || *p)
		return -1;
	*ms = sign * (h * 60 + m) * 60000LL;
	return 0;
}

int clock_parse(const char *s, int64_t *ms)
{
	struct tm tm = {0};
	int64_t ahead, fraction = 0;

	if (number(&s, 4, 0, 9999, &tm.tm_year) || literal(&s, '-') ||
	    number(&s, 2, 1, 12, &tm.tm_mon) || literal(&s, '-') ||
	    number(&s, 2, 1, 31, &tm.tm_mday) || literal(&s, 'T') ||
	    number(&s, 2, 0, 23, &tm.tm_hour) || literal(&s, ':') ||
	    number(&s, 2, 0, 59, &tm.tm_min) || literal(&s, ':') ||
	    number(&s, 2, 0, 59, &tm.tm_sec))
		return -1;
	if (*s == '.') {
		if (*++s < '0' || *s > '9')
			return -1;
		for (int scale = 100; *s >= '0' && *s <= '9'; s++, scale /= 10)
			fraction += (*s - '0') * scale;
	}
	if (offset(s, &ahead))
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	int day = tm.tm_mday;
	int64_t at = (int64_t)timegm(&tm) * 1000;
	if (tm.tm_mday != day) /* 30 February became a day in March */
		return -1;
	*ms = at + fraction - ahead;
	return 0;
}
