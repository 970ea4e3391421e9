/* health/workloads.c - rules of what runs pods. Order inside a rule: what will not mend itself
 * first, then what is on its way. */
#include "base/text.h"
#include "health/health_int.h"

#define LL(n) ((long long)(n))

/* The controller could not make pods (quota, admission): its own words are the best reason. */
static bool failed_to_create(const struct value *o, struct buf *why, enum health *h)
{
	if (!health_condition_is(o, "ReplicaFailure", "True"))
		return false;
	*h = health_by_condition(why, HEALTH_DEGRADED, health_condition(o, "ReplicaFailure"));
	return true;
}

static enum health some_of(struct buf *why, int64_t have, int64_t want, const char *what)
{
	return health_because(why, HEALTH_PROGRESSING, "%lld of %lld replicas %s", LL(have),
			      LL(want), what);
}

enum health health_deployment(const struct value *o, int64_t now_ms, struct buf *why)
{
	int64_t want = health_int(o, "spec", "replicas", 1);
	int64_t have = health_int(o, "status", "replicas", 0);
	int64_t updated = health_int(o, "status", "updatedReplicas", 0);
	int64_t ready = health_int(o, "status", "readyReplicas", 0);
	int64_t available = health_int(o, "status", "availableReplicas", 0);
	const struct value *progressing = health_condition(o, "Progressing");
	enum health h;

	if (text_eq(value_get_str(progressing, "reason"), "ProgressDeadlineExceeded"))
		return health_by_condition(why, HEALTH_DEGRADED, progressing);
	if (failed_to_create(o, why, &h))
		return h;
	if (value_get_bool(value_get(o, "spec"), "paused", false))
		return health_because(why, HEALTH_SUSPENDED, "paused: spec.paused is true");
	if (health_int(o, "status", "observedGeneration", -1) < 0)
		return health_because(why, HEALTH_PROGRESSING,
				      "its controller has not seen it yet");
	if (updated < want)
		return some_of(why, updated, want, "updated");
	if (have > updated)
		return health_because(why, HEALTH_PROGRESSING, "%lld old replicas still run",
				      LL(have - updated));
	if (available < updated)
		return some_of(why, available, want, "available");
	if (have < want || ready < want)
		return some_of(why, ready, want, "ready");
	if (progressing &&
	    !text_eq(value_get_str(progressing, "reason"), "NewReplicaSetAvailable"))
		return health_by_condition(why, HEALTH_PROGRESSING, progressing);
	if (health_condition_is(o, "Available", "False"))
		return health_by_condition(why, HEALTH_PROGRESSING,
					   health_condition(o, "Available"));
	return HEALTH_HEALTHY;
}

enum health health_replica_set(const struct value *o, int64_t now_ms, struct buf *why)
{
	int64_t want = health_int(o, "spec", "replicas", 1);
	int64_t have = health_int(o, "status", "replicas", 0);
	int64_t labelled = health_int(o, "status", "fullyLabeledReplicas", 0);
	int64_t ready = health_int(o, "status", "readyReplicas", 0);
	int64_t available = health_int(o, "status", "availableReplicas", 0);
	enum health h;

	if (failed_to_create(o, why, &h))
		return h;
	if (health_int(o, "status", "observedGeneration", -1) < 0)
		return health_because(why, HEALTH_PROGRESSING,
				      "its controller has not seen it yet");
	if (labelled < want)
		return some_of(why, labelled, want, "made");
	if (available < want)
		return some_of(why, available, want, "available");
	if (ready < want)
		return some_of(why, ready, want, "ready");
	if (have > want)
		return health_because(why, HEALTH_PROGRESSING,
				      "%lld replicas too many still run", LL(have - want));
	return HEALTH_HEALTHY;
}

enum health health_stateful_set(const struct value *o, int64_t now_ms, struct buf *why)
{
	const struct value *strategy = value_at(o, "spec", "updateStrategy", NULL);
	const struct value *status = value_get(o, "status");
	int64_t want = health_int(o, "spec", "replicas", 1);
	int64_t have = health_int(o, "status", "replicas", 0);
	int64_t ready = health_int(o, "status", "readyReplicas", 0);
	int64_t updated = health_int(o, "status", "updatedReplicas", 0);
	int64_t partition = value_get_int(value_get(strategy, "rollingUpdate"), "partition", 0);

	if (health_int(o, "status", "observedGeneration", -1) < 0)
		return health_because(why, HEALTH_PROGRESSING,
				      "its controller has not seen it yet");
	if (text_eq(value_get_str(strategy, "type"), "OnDelete"))
		return HEALTH_HEALTHY; /* the user's hands drive it */
	if (have < want || ready < want)
		return some_of(why, ready, want, "ready");
	if (have > want)
		return health_because(why, HEALTH_PROGRESSING,
				      "%lld replicas too many still run", LL(have - want));
	if (partition > 0)
		return updated < want - partition
			       ? some_of(why, updated, want - partition, "updated")
			       : HEALTH_HEALTHY;
	if (health_int(o, "status", "currentReplicas", 0) < want ||
	    !text_eq(value_get_str(status, "currentRevision"),
		     value_get_str(status, "updateRevision")))
		return some_of(why, updated, want, "updated");
	return HEALTH_HEALTHY;
}

enum health health_daemon_set(const struct value *o, int64_t now_ms, struct buf *why)
{
	const struct value *status = value_get(o, "status");
	int64_t want = value_get_int(status, "desiredNumberScheduled", -1);
	bool by_hand = text_eq(value_str(value_at(o, "spec", "updateStrategy", "type", NULL)),
			       "OnDelete");

	if (want < 0 || value_get_int(status, "observedGeneration", -1) < 0)
		return health_because(why, HEALTH_PROGRESSING,
				      "its controller has not seen it yet");
	if (value_get_int(status, "currentNumberScheduled", 0) < want)
		return some_of(why, value_get_int(status, "currentNumberScheduled", 0), want,
			       "scheduled");
	if (!by_hand && value_get_int(status, "updatedNumberScheduled", 0) < want)
		return some_of(why, value_get_int(status, "updatedNumberScheduled", 0), want,
			       "updated");
	if (value_get_int(status, "numberAvailable", 0) < want)
		return some_of(why, value_get_int(status, "numberAvailable", 0), want,
			       "available");
	if (value_get_int(status, "numberReady", 0) < want)
		return some_of(why, value_get_int(status, "numberReady", 0), want, "ready");
	return HEALTH_HEALTHY;
}

/* Only Complete=True is healthy. A resumed Job keeps the condition Suspended with status False
 * (the normal state under Kueue): it runs. */
enum health health_job(const struct value *o, int64_t now_ms, struct buf *why)
{
	const struct value *spec = value_get(o, "spec");

	if (health_condition_is(o, "Failed", "True"))
		return health_by_condition(why, HEALTH_DEGRADED, health_condition(o, "Failed"));
	if (health_condition_is(o, "Complete", "True"))
		return HEALTH_HEALTHY;
	if (health_condition_is(o, "FailureTarget", "True"))
		return health_by_condition(why, HEALTH_PROGRESSING,
					   health_condition(o, "FailureTarget"));
	if (value_get_bool(spec, "suspend", false))
		return health_because(why, HEALTH_SUSPENDED, "suspended: spec.suspend is true");
	if (!value_get(value_get(o, "status"), "startTime"))
		return health_because(why, HEALTH_PROGRESSING, "not started yet");
	return health_because(why, HEALTH_PROGRESSING,
			      "running: %lld of %lld succeeded, %lld failed",
			      LL(health_int(o, "status", "succeeded", 0)),
			      LL(value_get_int(spec, "completions", 1)),
			      LL(health_int(o, "status", "failed", 0)));
}

enum health health_cron_job(const struct value *o, int64_t now_ms, struct buf *why)
{
	if (value_get_bool(value_get(o, "spec"), "suspend", false))
		return health_because(why, HEALTH_SUSPENDED, "suspended: spec.suspend is true");
	return HEALTH_HEALTHY;
}
