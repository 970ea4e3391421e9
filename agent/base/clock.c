/* base/clock.c - see clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
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

static void split(int64_t ms, struct tm *tm)
{
	time_t s = (time_t)(ms / 1000);

	gmtime_r(&s, tm);
}

char *clock_rfc3339(int64_t ms, char out[CLOCK_TEXT_MAX])
{
	struct tm tm;

	split(ms, &tm);
	strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}

char *clock_micro(int64_t ms, char out[CLOCK_TEXT_MAX])
{
	struct tm tm;
	size_t n;

	split(ms, &tm);
	n = strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, CLOCK_TEXT_MAX - n, ".%03d000Z", (int)(ms % 1000));
	return out;
}

int clock_parse(const char *s, int64_t *ms)
{
	struct tm tm = {0};
	int fraction = 0, scale = 100;
	const char *p = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);

	if (!p)
		return -1;
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++, scale /= 10)
			fraction += (*p - '0') * scale;
	int64_t at = (int64_t)timegm(&tm) * 1000 + fraction;
	if (*p == 'Z' && !p[1]) {
		*ms = at;
		return 0;
	}
	int h, m;
	char sign, end;
	if (sscanf(p, "%c%2d:%2d%c", &sign, &h, &m, &end) != 3 || (sign != '+' && sign != '-'))
		return -1;
	*ms = at - (sign == '+' ? 1 : -1) * (h * 60 + m) * 60000LL;
	return 0;
}
