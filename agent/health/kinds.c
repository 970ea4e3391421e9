/* health/kinds.c - rules of pods and of what stands around workloads. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "health/health_int.h"

#define UNSCHEDULABLE_MS 15000 /* a scheduler needs a moment, and so do new nodes */

/* ---- Pod ---- */

/* Waiting reasons that a person has to look at; others (ContainerCreating) pass by themselves.
 */
static bool stuck(const char *reason)
{
	static const char *const reasons[] = {
		"CrashLoopBackOff",	      "ImagePullBackOff",     "ErrImagePull",
		"ErrImageNeverPull",	      "InvalidImageName",     "ImageInspectError",
		"CreateContainerConfigError", "CreateContainerError", "RunContainerError",
		"RegistryUnavailable"};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (text_eq(reason, reasons[i]))
			return true;
	return false;
}

/* true: a container of this list waits for somebody to act. */
static bool waiting_container(const struct value *o, const char *list, struct buf *why)
{
	const struct value *c;

	array_each (value_at(o, "status", list, NULL), i, c) {
		const struct value *waiting = value_at(c, "state", "waiting", NULL);
		const char *reason = value_get_str(waiting, "reason");
		const char *message = value_get_str(waiting, "message");
		const struct value *last = value_at(c, "lastState", "terminated", NULL);

		if (!stuck(reason))
			continue;
		health_because(why, HEALTH_DEGRADED, "container %s: %s",
			       value_get_str(c, "name") ? value_get_str(c, "name") : "?",
			       reason);
		if (message)
			buf_printf(why, ": %.300s", message);
		if (last)
			buf_printf(why, " (last exit code %lld)",
				   (long long)value_get_int(last, "exitCode", -1));
		return true;
	}
	return false;
}

static enum health failed_pod(const struct value *o, struct buf *why)
{
	const struct value *status = value_get(o, "status"), *c;
	const char *reason = value_get_str(status, "reason");
	const char *message = value_get_str(status, "message");

	array_each (value_get(status, "containerStatuses"), i, c) {
		const struct value *end = value_at(c, "state", "terminated", NULL);
		int64_t code = value_get_int(end, "exitCode", 0);

		if (!reason && code)
			return health_because(
				why, HEALTH_DEGRADED, "container %s: %s, exit code %lld",
				value_get_str(c, "name") ? value_get_str(c, "name") : "?",
				value_get_str(end, "reason") ? value_get_str(end, "reason")
							     : "failed",
				(long long)code);
	}
	return health_because(why, HEALTH_DEGRADED, "%s%s%.300s", reason ? reason : "failed",
			      message ? ": " : "", message ? message : "");
}

static enum health pending_pod(const struct value *o, int64_t now_ms, struct buf *why)
{
	const struct value *scheduled = health_condition(o, "PodScheduled");
	const char *created = value_str(value_at(o, "metadata", "creationTimestamp", NULL));
	int64_t since;

	if (!text_eq(value_get_str(scheduled, "status"), "False"))
		return health_because(why, HEALTH_PROGRESSING, "is being started");
	if (text_eq(value_get_str(scheduled, "reason"), "Unschedulable") && created &&
	    !clock_parse(created, &since) && now_ms - since > UNSCHEDULABLE_MS)
		return health_by_condition(why, HEALTH_DEGRADED, scheduled);
	return health_by_condition(why, HEALTH_PROGRESSING, scheduled);
}

enum health health_pod(const struct value *o, int64_t now_ms, struct buf *why)
{
	const char *phase = value_get_str(value_get(o, "status"), "phase");

	if (text_eq(phase, "Succeeded"))
		return HEALTH_HEALTHY;
	if (text_eq(phase, "Failed"))
		return failed_pod(o, why);
	if (waiting_container(o, "initContainerStatuses", why) ||
	    waiting_container(o, "containerStatuses", why))
		return HEALTH_DEGRADED;
	if (text_eq(phase, "Running")) {
		if (health_condition_is(o, "Ready", "True"))
			return HEALTH_HEALTHY;
		if (health_condition(o, "Ready"))
			return health_by_condition(why, HEALTH_PROGRESSING,
						   health_condition(o, "Ready"));
		return health_because(why, HEALTH_PROGRESSING, "runs, and is not ready yet");
	}
	if (text_eq(phase, "Unknown"))
		return health_because(why, HEALTH_UNKNOWN, "its node can't be reached");
	return pending_pod(o, now_ms, why);
}

/* ---- Others ---- */

enum health health_claim(const struct value *o, int64_t now_ms, struct buf *why)
{
	const char *phase = value_get_str(value_get(o, "status"), "phase");

	if (text_eq(phase, "Bound"))
		return HEALTH_HEALTHY;
	if (text_eq(phase, "Lost"))
		return health_because(why, HEALTH_DEGRADED, "its volume is lost");
	return health_because(why, HEALTH_PROGRESSING, "waits for a volume");
}

enum health health_disruption_budget(const struct value *o, int64_t now_ms, struct buf *why)
{
	const struct value *allowed = health_condition(o, "DisruptionAllowed");

	if (text_eq(value_get_str(allowed, "reason"), "SyncFailed"))
		return health_by_condition(why, HEALTH_DEGRADED, allowed);
	if (health_int(o, "status", "observedGeneration", -1) < 0)
		return health_because(why, HEALTH_PROGRESSING,
				      "its controller has not seen it yet");
	return HEALTH_HEALTHY;
}

/* ScalingActive is False with ScalingDisabled when somebody scaled to zero: meant so. */
enum health health_autoscaler(const struct value *o, int64_t now_ms, struct buf *why)
{
	const struct value *active = health_condition(o, "ScalingActive");

	if (health_condition_is(o, "AbleToScale", "False"))
		return health_by_condition(why, HEALTH_DEGRADED,
					   health_condition(o, "AbleToScale"));
	if (text_eq(value_get_str(active, "status"), "False")) {
		bool off = text_eq(value_get_str(active, "reason"), "ScalingDisabled");
		return health_by_condition(why, off ? HEALTH_SUSPENDED : HEALTH_DEGRADED,
					   active);
	}
	if (!health_condition(o, "AbleToScale") &&
	    text_starts(value_get_str(o, "apiVersion"), "autoscaling/v2"))
		return health_because(why, HEALTH_PROGRESSING,
				      "its controller has not seen it yet");
	return HEALTH_HEALTHY;
}

enum health health_service(const struct value *o, int64_t now_ms, struct buf *why)
{
	const char *type = value_str(value_at(o, "spec", "type", NULL));

	if (text_eq(type, "LoadBalancer") &&
	    !value_len(value_at(o, "status", "loadBalancer", "ingress", NULL)))
		return health_because(why, HEALTH_PROGRESSING,
				      "waits for the load balancer's address");
	return HEALTH_HEALTHY;
}

enum health health_crd(const struct value *o, int64_t now_ms, struct buf *why)
{
	const struct value *established = health_condition(o, "Established");

	if (health_condition_is(o, "NamesAccepted", "False"))
		return health_by_condition(why, HEALTH_DEGRADED,
					   health_condition(o, "NamesAccepted"));
	if (text_eq(value_get_str(established, "status"), "True"))
		return HEALTH_HEALTHY;
	if (text_eq(value_get_str(established, "status"), "False") &&
	    !text_eq(value_get_str(established, "reason"), "Installing"))
		return health_by_condition(why, HEALTH_DEGRADED, established);
	return health_because(why, HEALTH_PROGRESSING, "not established yet");
}

enum health health_api_service(const struct value *o, int64_t now_ms, struct buf *why)
{
	const struct value *available = health_condition(o, "Available");

	if (text_eq(value_get_str(available, "status"), "True"))
		return HEALTH_HEALTHY;
	if (available)
		return health_by_condition(why, HEALTH_PROGRESSING, available);
	return health_because(why, HEALTH_PROGRESSING, "not available yet");
}

enum health health_namespace(const struct value *o, int64_t now_ms, struct buf *why)
{
	if (text_eq(value_get_str(value_get(o, "status"), "phase"), "Terminating"))
		return health_because(why, HEALTH_PROGRESSING, "is being deleted");
	return HEALTH_HEALTHY;
}
