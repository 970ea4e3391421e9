/*
 * health/health.h - one object -> its health and why. Pure.
 *
 * Rules: kstatus, corrected (a running Job is not healthy, a failed Pod neither); words: Argo
 * CD's.
 */
#ifndef HEALTH_HEALTH_H
#define HEALTH_HEALTH_H

#include "value/value.h"

/* From best to worst, as Argo CD orders them; the worst of an application's objects is its own.
 */
enum health {
	HEALTH_HEALTHY,
	HEALTH_SUSPENDED,
	HEALTH_PROGRESSING,
	HEALTH_MISSING,
	HEALTH_DEGRADED,
	HEALTH_UNKNOWN,
};
const char *health_name(enum health h); /* "Healthy", ... */

/* Whether health of this kind needs the whole object; if not, one that exists is healthy. */
bool health_needs_body(const char *group, const char *kind);

/* `why` gets one sentence a person can act on ("1 of 3 replicas available; container web:
 * ImagePullBackOff: ..."), "" when healthy. */
enum health health_of(const struct value *object, int64_t now_ms, struct buf *why);

#endif
