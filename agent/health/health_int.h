/*
 * health/health_int.h - what the rules share. A rule is called when the object is not being
 * deleted and its controller has seen its last change; `why` is empty.
 */
#ifndef HEALTH_HEALTH_INT_H
#define HEALTH_HEALTH_INT_H

#include "health/health.h"

typedef enum health health_rule(const struct value *object, int64_t now_ms, struct buf *why);

/* workloads.c */
health_rule health_deployment, health_stateful_set, health_daemon_set, health_replica_set,
	health_job, health_cron_job;
/* kinds.c */
health_rule health_pod, health_claim, health_disruption_budget, health_autoscaler,
	health_service, health_crd, health_api_service, health_namespace;

/* Replace `why` and return h. */
enum health health_because(struct buf *why, enum health h, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with "Reason: message" of a condition. */
enum health health_by_condition(struct buf *why, enum health h, const struct value *condition);
/* status.conditions[type], or NULL. */
const struct value *health_condition(const struct value *object, const char *type);
bool health_condition_is(const struct value *object, const char *type, const char *status);
/* object.PART.KEY as a whole number: health_int(o, "spec", "replicas", 1). */
int64_t health_int(const struct value *object, const char *part, const char *key,
		   int64_t fallback);

#endif
