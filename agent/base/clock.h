/*
 * base/clock.h - time. Pure code takes `now` as a parameter; only the edges call these.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_now_ms(void);  /* milliseconds since 1970, UTC */
int64_t clock_mono_ms(void); /* boot-time clock: counts suspend, never steps */
int64_t clock_mono_us(void);

#define CLOCK_TEXT_MAX 32
/* "2026-01-31T12:00:00Z"; returns out. */
char *clock_rfc3339(int64_t ms, char out[CLOCK_TEXT_MAX]);
/* "2026-01-31T12:00:00.123000Z", Kubernetes' MicroTime. */
char *clock_micro(int64_t ms, char out[CLOCK_TEXT_MAX]);
/* RFC 3339 with Z or an offset to milliseconds. 0 or -1. */
int clock_parse(const char *s, int64_t *ms);

#endif
