/* health/health.c - what holds for every object, the table of kinds, and custom resources. */
#include <stdio.h>

#include "base/mem.h"
#include "base/text.h"
#include "health/health_int.h"

const char *health_name(enum health h)
{
	static const char *const names[] = {
		[HEALTH_HEALTHY] = "Healthy",	      [HEALTH_SUSPENDED] = "Suspended",
		[HEALTH_PROGRESSING] = "Progressing", [HEALTH_MISSING] = "Missing",
		[HEALTH_DEGRADED] = "Degraded",	      [HEALTH_UNKNOWN] = "Unknown",
	};

	return names[h];
}

/* ---- Kinds with a rule of their own ---- */

/* No Ingress here: many of its controllers never write an address, and to wait for one would be
 * to wait for ever. One that exists is healthy. */

static const struct {
	const char *group, *kind;
	health_rule *rule;
} rules[] = {
	{"apps", "Deployment", health_deployment},
	{"apps", "StatefulSet", health_stateful_set},
	{"apps", "DaemonSet", health_daemon_set},
	{"apps", "ReplicaSet", health_replica_set},
	{"batch", "Job", health_job},
	{"batch", "CronJob", health_cron_job},
	{"", "Pod", health_pod},
	{"", "PersistentVolumeClaim", health_claim},
	{"policy", "PodDisruptionBudget", health_disruption_budget},
	{"autoscaling", "HorizontalPodAutoscaler", health_autoscaler},
	{"", "Service", health_service},
	{"apiextensions.k8s.io", "CustomResourceDefinition", health_crd},
	{"apiregistration.k8s.io", "APIService", health_api_service},
	{"", "Namespace", health_namespace},
};

static health_rule *rule_of(const char *group, const char *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (!strcmp(rules[i].kind, kind) && !strcmp(rules[i].group, group))
			return rules[i].rule;
	return NULL;
}

/* Groups of Kubernetes itself: their kinds have a rule above, or no health (ConfigMap, RBAC). A
 * group that merely ends in k8s.io may be one of custom resources (gateway.networking.k8s.io).
 */
static const char *const builtin_groups[] = {"",
					     "admissionregistration.k8s.io",
					     "apiextensions.k8s.io",
					     "apiregistration.k8s.io",
					     "apps",
					     "authentication.k8s.io",
					     "authorization.k8s.io",
					     "autoscaling",
					     "batch",
					     "certificates.k8s.io",
					     "coordination.k8s.io",
					     "discovery.k8s.io",
					     "events.k8s.io",
					     "extensions",
					     "flowcontrol.apiserver.k8s.io",
					     "internal.apiserver.k8s.io",
					     "networking.k8s.io",
					     "node.k8s.io",
					     "policy",
					     "rbac.authorization.k8s.io",
					     "resource.k8s.io",
					     "scheduling.k8s.io",
					     "storage.k8s.io",
					     "storagemigration.k8s.io"};

static bool is_builtin(const char *group)
{
	for (size_t i = 0; i < ARRAY_LEN(builtin_groups); i++)
		if (!strcmp(builtin_groups[i], group))
			return true;
	return false;
}

bool health_needs_body(const char *group, const char *kind)
{
	return rule_of(group, kind) || !is_builtin(group);
}

/* ---- Shared by the rules ---- */

enum health health_because(struct buf *why, enum health h, const char *fmt, ...)
{
	va_list ap;

	buf_reset(why);
	va_start(ap, fmt);
	buf_vprintf(why, fmt, ap);
	va_end(ap);
	return h;
}

const struct value *health_condition(const struct value *object, const char *type)
{
	const struct value *c;

	array_each (value_at(object, "status", "conditions", NULL), i, c)
		if (text_eq(value_get_str(c, "type"), type))
			return c;
	return NULL;
}

bool health_condition_is(const struct value *object, const char *type, const char *status)
{
	return text_eq(value_get_str(health_condition(object, type), "status"), status);
}

enum health health_by_condition(struct buf *why, enum health h, const struct value *condition)
{
	const char *reason = value_get_str(condition, "reason");
	const char *message = value_get_str(condition, "message");

	buf_reset(why);
	buf_puts(why, reason && *reason ? reason : value_get_str(condition, "type"));
	if (message && *message)
		buf_printf(why, ": %.400s", message);
	return h;
}

int64_t health_int(const struct value *object, const char *part, const char *key,
		   int64_t fallback)
{
	return value_get_int(value_get(object, part), key, fallback);
}

/* ---- Every object ---- */

/* true: decided by what controllers of any kind write. */
static bool common(const struct value *o, struct buf *why, enum health *out)
{
	const struct value *metadata = value_get(o, "metadata");
	int64_t generation = value_get_int(metadata, "generation", -1);
	int64_t observed = health_int(o, "status", "observedGeneration", -1);

	if (value_get_str(metadata, "deletionTimestamp"))
		*out = health_because(why, HEALTH_PROGRESSING, "is being deleted");
	else if (observed >= 0 && generation >= 0 && observed < generation)
		*out = health_because(why, HEALTH_PROGRESSING,
				      "its controller has not seen the last change yet");
	else if (health_condition_is(o, "Reconciling", "True"))
		*out = health_by_condition(why, HEALTH_PROGRESSING,
					   health_condition(o, "Reconciling"));
	else if (health_condition_is(o, "Stalled", "True"))
		*out = health_by_condition(why, HEALTH_DEGRADED,
					   health_condition(o, "Stalled"));
	else
		return false;
	return true;
}

/* Custom resources: the Ready condition, where there is one. */
static enum health custom(const struct value *o, struct buf *why)
{
	const struct value *ready = health_condition(o, "Ready");

	if (!ready || text_eq(value_get_str(ready, "status"), "True"))
		return HEALTH_HEALTHY;
	return health_by_condition(why, HEALTH_PROGRESSING, ready);
}

enum health health_of(const struct value *object, int64_t now_ms, struct buf *why)
{
	const char *api = value_get_str(object, "apiVersion"),
		   *kind = value_get_str(object, "kind");
	const char *slash = api ? strchr(api, '/') : NULL;
	char group[256] = "";
	health_rule *rule;
	enum health h;

	buf_reset(why);
	if (!api || !kind)
		return health_because(why, HEALTH_UNKNOWN, "has no apiVersion or kind");
	if (slash)
		snprintf(group, sizeof group, "%.*s", (int)(slash - api), api);
	if (common(object, why, &h))
		return h;
	rule = rule_of(group, kind);
	if (rule)
		return rule(object, now_ms, why);
	return is_builtin(group) ? HEALTH_HEALTHY : custom(object, why);
}
