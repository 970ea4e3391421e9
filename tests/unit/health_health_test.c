/* health_health_test.c - objects as their controllers leave them -> health and the reason. */
#include "test.h"

#include "base/clock.h"
#include "health/health.h"
#include "value/yaml.h"

#define NOW "2026-01-31T12:00:00Z"

struct row {
	const char *name, *object, *wanted; /* "Health: why" */
};

/* Metadata of generation 2 and a status that has seen it. */
#define SEEN	 "metadata: {name: a, generation: 2}\n"
#define DEPLOY	 "apiVersion: apps/v1\nkind: Deployment\n" SEEN
#define STATEFUL "apiVersion: apps/v1\nkind: StatefulSet\n" SEEN
#define DAEMON	 "apiVersion: apps/v1\nkind: DaemonSet\n" SEEN
#define REPLICA	 "apiVersion: apps/v1\nkind: ReplicaSet\n" SEEN
#define JOB	 "apiVersion: batch/v1\nkind: Job\n" SEEN
#define POD                                                                  \
	"apiVersion: v1\nkind: Pod\nmetadata: {name: a, creationTimestamp: " \
	"\"2026-01-31T11:59:50Z\"}\n"
#define HPA "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\n" SEEN
#define CRD "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n" SEEN
#define CR  "apiVersion: serving.example.com/v1\nkind: Thing\n" SEEN
#define ALL                                                                          \
	"observedGeneration: 2, replicas: 3, updatedReplicas: 3, readyReplicas: 3, " \
	"availableReplicas: 3"

static const struct row rows[] = {
	/* ---- Any object ---- */
	{"being deleted",
	 "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, deletionTimestamp: " NOW "}\n",
	 "Progressing: is being deleted"},
	{"no type", "kind: ConfigMap\n", "Unknown: has no apiVersion or kind"},
	{"a kind without health", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
	 "Healthy: "},

	/* ---- Deployment ---- */
	{"deployment complete",
	 DEPLOY "spec: {replicas: 3}\nstatus: {" ALL
		", conditions: [{type: Available, status: \"True\"},"
		" {type: Progressing, status: \"True\", reason: NewReplicaSetAvailable}]}\n",
	 "Healthy: "},
	{"deployment without deadline has no Progressing",
	 DEPLOY "spec: {replicas: 3}\nstatus: {" ALL "}\n", "Healthy: "},
	{"deployment not seen", DEPLOY "spec: {replicas: 3}\n",
	 "Progressing: its controller has not seen it yet"},
	{"deployment seen before the last change",
	 DEPLOY "spec: {replicas: 3}\nstatus: {observedGeneration: 1}\n",
	 "Progressing: its controller has not seen the last change yet"},
	{"deployment updating",
	 DEPLOY "spec: {replicas: 3}\nstatus: {observedGeneration: 2, replicas: 3, "
		"updatedReplicas: 1}\n",
	 "Progressing: 1 of 3 replicas updated"},
	{"deployment with old replicas",
	 DEPLOY "spec: {replicas: 3}\nstatus: {observedGeneration: 2, replicas: 5, "
		"updatedReplicas: 3, availableReplicas: 5}\n",
	 "Progressing: 2 old replicas still run"},
	{"deployment not available",
	 DEPLOY "spec: {replicas: 3}\nstatus: {observedGeneration: 2, replicas: 3, "
		"updatedReplicas: 3, readyReplicas: 2, availableReplicas: 1}\n",
	 "Progressing: 1 of 3 replicas available"},
	{"deployment below its default of one", DEPLOY "status: {observedGeneration: 2}\n",
	 "Progressing: 0 of 1 replicas updated"},
	{"deployment scaled to none",
	 DEPLOY "spec: {replicas: 0}\nstatus: {observedGeneration: 2}\n", "Healthy: "},
	{"deployment past its deadline",
	 DEPLOY
	 "spec: {replicas: 3}\nstatus: {observedGeneration: 2, conditions: [{type: "
	 "Progressing, status: \"False\", reason: ProgressDeadlineExceeded, message: 'too "
	 "slow'}]}\n",
	 "Degraded: ProgressDeadlineExceeded: too slow"},
	{"deployment that may make no pods",
	 DEPLOY "spec: {replicas: 3}\nstatus: {observedGeneration: 2, conditions: [{type: "
		"ReplicaFailure, status: \"True\", reason: FailedCreate, message: 'exceeded "
		"quota'}]}\n",
	 "Degraded: FailedCreate: exceeded quota"},
	{"deployment paused",
	 DEPLOY "spec: {replicas: 3, paused: true}\nstatus: {observedGeneration: 2}\n",
	 "Suspended: paused: spec.paused is true"},
	{"deployment still says it progresses",
	 DEPLOY "spec: {replicas: 3}\nstatus: {" ALL
		", conditions: [{type: Progressing, status: "
		"\"True\", reason: ReplicaSetUpdated}]}\n",
	 "Progressing: ReplicaSetUpdated"},
	{"deployment short of its minimum",
	 DEPLOY "spec: {replicas: 3}\nstatus: {" ALL ", conditions: [{type: Available, status: "
		"\"False\", reason: MinimumReplicasUnavailable}]}\n",
	 "Progressing: MinimumReplicasUnavailable"},

	/* ---- StatefulSet, DaemonSet, ReplicaSet ---- */
	{"stateful set complete",
	 STATEFUL
	 "spec: {replicas: 2}\nstatus: {observedGeneration: 2, replicas: 2, readyReplicas: 2, "
	 "currentReplicas: 2, currentRevision: a-1, updateRevision: a-1}\n",
	 "Healthy: "},
	{"stateful set rolling",
	 STATEFUL
	 "spec: {replicas: 2}\nstatus: {observedGeneration: 2, replicas: 2, readyReplicas: 2, "
	 "currentReplicas: 1, updatedReplicas: 1, currentRevision: a-1, updateRevision: "
	 "a-2}\n",
	 "Progressing: 1 of 2 replicas updated"},
	{"stateful set starting",
	 STATEFUL "spec: {replicas: 2}\nstatus: {observedGeneration: 2, replicas: 2, "
		  "readyReplicas: 1}\n",
	 "Progressing: 1 of 2 replicas ready"},
	{"stateful set shrinking",
	 STATEFUL "spec: {replicas: 2}\nstatus: {observedGeneration: 2, replicas: 3, "
		  "readyReplicas: 3}\n",
	 "Progressing: 1 replicas too many still run"},
	{"stateful set by hand",
	 STATEFUL
	 "spec: {replicas: 2, updateStrategy: {type: OnDelete}}\nstatus: {observedGeneration: "
	 "2}\n",
	 "Healthy: "},
	{"stateful set partitioned",
	 STATEFUL
	 "spec: {replicas: 3, updateStrategy: {rollingUpdate: {partition: 2}}}\nstatus: "
	 "{observedGeneration: 2, replicas: 3, readyReplicas: 3, updatedReplicas: 1, "
	 "currentReplicas: 2}\n",
	 "Healthy: "},
	{"stateful set partitioned, rolling",
	 STATEFUL
	 "spec: {replicas: 3, updateStrategy: {rollingUpdate: {partition: 1}}}\nstatus: "
	 "{observedGeneration: 2, replicas: 3, readyReplicas: 3, updatedReplicas: 1}\n",
	 "Progressing: 1 of 2 replicas updated"},
	{"daemon set complete",
	 DAEMON "status: {observedGeneration: 2, desiredNumberScheduled: 2, "
		"currentNumberScheduled: 2, "
		"updatedNumberScheduled: 2, numberAvailable: 2, numberReady: 2}\n",
	 "Healthy: "},
	{"daemon set on no node",
	 DAEMON "status: {observedGeneration: 2, desiredNumberScheduled: 0}\n", "Healthy: "},
	{"daemon set not seen", DAEMON "status: {desiredNumberScheduled: 0}\n",
	 "Progressing: its controller has not seen it yet"},
	{"daemon set rolling",
	 DAEMON "status: {observedGeneration: 2, desiredNumberScheduled: 2, "
		"currentNumberScheduled: 2, "
		"updatedNumberScheduled: 1, numberAvailable: 2, numberReady: 2}\n",
	 "Progressing: 1 of 2 replicas updated"},
	{"daemon set by hand",
	 DAEMON
	 "spec: {updateStrategy: {type: OnDelete}}\nstatus: {observedGeneration: 2, "
	 "desiredNumberScheduled: 2, currentNumberScheduled: 2, updatedNumberScheduled: 1, "
	 "numberAvailable: 2, numberReady: 2}\n",
	 "Healthy: "},
	{"daemon set not available",
	 DAEMON "status: {observedGeneration: 2, desiredNumberScheduled: 2, "
		"currentNumberScheduled: 2, "
		"updatedNumberScheduled: 2, numberAvailable: 1}\n",
	 "Progressing: 1 of 2 replicas available"},
	{"replica set complete",
	 REPLICA "spec: {replicas: 3}\nstatus: {" ALL ", fullyLabeledReplicas: 3}\n",
	 "Healthy: "},
	{"replica set starting",
	 REPLICA "spec: {replicas: 3}\nstatus: {observedGeneration: 2, replicas: 3, "
		 "fullyLabeledReplicas: 3, readyReplicas: 1, availableReplicas: 1}\n",
	 "Progressing: 1 of 3 replicas available"},
	{"replica set refused",
	 REPLICA "spec: {replicas: 3}\nstatus: {observedGeneration: 2, conditions: [{type: "
		 "ReplicaFailure, status: \"True\", reason: FailedCreate}]}\n",
	 "Degraded: FailedCreate"},

	/* ---- Job, CronJob ---- */
	{"job not started", JOB "spec: {}\n", "Progressing: not started yet"},
	{"job running",
	 JOB
	 "spec: {completions: 4}\nstatus: {startTime: x, active: 2, succeeded: 1, failed: 1}\n",
	 "Progressing: running: 1 of 4 succeeded, 1 failed"},
	{"job complete",
	 JOB "status: {startTime: x, conditions: [{type: SuccessCriteriaMet, status: "
	     "\"True\"}, {type: "
	     "Complete, status: \"True\"}]}\n",
	 "Healthy: "},
	{"job failed",
	 JOB "status: {startTime: x, conditions: [{type: Failed, status: \"True\", reason: "
	     "BackoffLimitExceeded, message: 'has reached the limit'}]}\n",
	 "Degraded: BackoffLimitExceeded: has reached the limit"},
	{"job with a condition Failed that is False",
	 JOB "status: {startTime: x, conditions: [{type: Failed, status: \"False\"}]}\n",
	 "Progressing: running: 0 of 1 succeeded, 0 failed"},
	{"job suspended (queued by Kueue)",
	 JOB
	 "spec: {suspend: true}\nstatus: {conditions: [{type: Suspended, status: \"True\"}]}\n",
	 "Suspended: suspended: spec.suspend is true"},
	{"job resumed: it runs, it is not healthy",
	 JOB "spec: {suspend: false}\nstatus: {startTime: x, conditions: [{type: Suspended, "
	     "status: "
	     "\"False\", reason: JobResumed}]}\n",
	 "Progressing: running: 0 of 1 succeeded, 0 failed"},
	{"cron job", "apiVersion: batch/v1\nkind: CronJob\n" SEEN, "Healthy: "},
	{"cron job suspended",
	 "apiVersion: batch/v1\nkind: CronJob\n" SEEN "spec: {suspend: true}\n",
	 "Suspended: suspended: spec.suspend is true"},

	/* ---- Pod ---- */
	{"pod ready",
	 POD "status: {phase: Running, conditions: [{type: Ready, status: \"True\"}]}\n",
	 "Healthy: "},
	{"pod not ready",
	 POD "status: {phase: Running, conditions: [{type: Ready, status: \"False\", reason: "
	     "ContainersNotReady, message: 'containers with unready status: [web]'}]}\n",
	 "Progressing: ContainersNotReady: containers with unready status: [web]"},
	{"pod done", POD "status: {phase: Succeeded}\n", "Healthy: "},
	{"pod failed: not healthy",
	 POD "status: {phase: Failed, containerStatuses: [{name: web, state: {terminated: "
	     "{exitCode: 3, "
	     "reason: Error}}}]}\n",
	 "Degraded: container web: Error, exit code 3"},
	{"pod evicted",
	 POD "status: {phase: Failed, reason: Evicted, message: 'low on memory'}\n",
	 "Degraded: Evicted: low on memory"},
	{"pod in a crash loop",
	 POD
	 "status: {phase: Running, containerStatuses: [{name: web, state: {waiting: {reason: "
	 "CrashLoopBackOff, message: back-off}}, lastState: {terminated: {exitCode: 137}}}]}\n",
	 "Degraded: container web: CrashLoopBackOff: back-off (last exit code 137)"},
	{"pod whose image can't be pulled",
	 POD "status: {phase: Pending, containerStatuses: [{name: ok, state: {running: {}}}, "
	     "{name: web, "
	     "state: {waiting: {reason: ImagePullBackOff, message: 'no such tag'}}}]}\n",
	 "Degraded: container web: ImagePullBackOff: no such tag"},
	{"pod whose init container is stuck",
	 POD "status: {phase: Pending, initContainerStatuses: [{name: fetch, state: {waiting: "
	     "{reason: "
	     "ErrImagePull}}}]}\n",
	 "Degraded: container fetch: ErrImagePull"},
	{"pod being made",
	 POD
	 "status: {phase: Pending, containerStatuses: [{name: web, state: {waiting: {reason: "
	 "ContainerCreating}}}]}\n",
	 "Progressing: is being started"},
	{"pod without a place for ten seconds",
	 POD "status: {phase: Pending, conditions: [{type: PodScheduled, status: \"False\", "
	     "reason: "
	     "Unschedulable, message: '0/3 nodes'}]}\n",
	 "Progressing: Unschedulable: 0/3 nodes"},
	{"pod without a place for a minute",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: a, creationTimestamp: "
	 "\"2026-01-31T11:59:00Z\"}\nstatus: {phase: Pending, conditions: [{type: "
	 "PodScheduled, status: "
	 "\"False\", reason: Unschedulable, message: '0/3 nodes'}]}\n",
	 "Degraded: Unschedulable: 0/3 nodes"},
	{"pod held by a scheduling gate",
	 "apiVersion: v1\nkind: Pod\nmetadata: {name: a, creationTimestamp: "
	 "\"2026-01-31T11:59:00Z\"}\nstatus: {phase: Pending, conditions: [{type: "
	 "PodScheduled, status: "
	 "\"False\", reason: SchedulingGated}]}\n",
	 "Progressing: SchedulingGated"},
	{"pod on a lost node", POD "status: {phase: Unknown}\n",
	 "Unknown: its node can't be reached"},
	{"pod without status", POD, "Progressing: is being started"},

	/* ---- Others ---- */
	{"claim bound",
	 "apiVersion: v1\nkind: PersistentVolumeClaim\n" SEEN "status: {phase: Bound}\n",
	 "Healthy: "},
	{"claim pending",
	 "apiVersion: v1\nkind: PersistentVolumeClaim\n" SEEN "status: {phase: Pending}\n",
	 "Progressing: waits for a volume"},
	{"claim lost",
	 "apiVersion: v1\nkind: PersistentVolumeClaim\n" SEEN "status: {phase: Lost}\n",
	 "Degraded: its volume is lost"},
	{"budget",
	 "apiVersion: policy/v1\nkind: PodDisruptionBudget\n" SEEN
	 "status: {observedGeneration: 2, conditions: [{type: DisruptionAllowed, status: "
	 "\"False\", "
	 "reason: InsufficientPods}]}\n",
	 "Healthy: "},
	{"budget not computed",
	 "apiVersion: policy/v1\nkind: PodDisruptionBudget\n" SEEN
	 "status: {observedGeneration: 2, conditions: [{type: DisruptionAllowed, status: "
	 "\"False\", "
	 "reason: SyncFailed, message: m}]}\n",
	 "Degraded: SyncFailed: m"},
	{"autoscaler",
	 HPA
	 "status: {conditions: [{type: AbleToScale, status: \"True\"}, {type: ScalingActive, "
	 "status: \"True\"}]}\n",
	 "Healthy: "},
	{"autoscaler new", HPA, "Progressing: its controller has not seen it yet"},
	{"autoscaler without metrics",
	 HPA
	 "status: {conditions: [{type: AbleToScale, status: \"True\"}, {type: ScalingActive, "
	 "status: \"False\", reason: FailedGetResourceMetric, message: no metrics}]}\n",
	 "Degraded: FailedGetResourceMetric: no metrics"},
	{"autoscaler of something scaled to none",
	 HPA
	 "status: {conditions: [{type: AbleToScale, status: \"True\"}, {type: ScalingActive, "
	 "status: \"False\", reason: ScalingDisabled}]}\n",
	 "Suspended: ScalingDisabled"},
	{"autoscaler without its target",
	 HPA "status: {conditions: [{type: AbleToScale, status: \"False\", reason: "
	     "FailedGetScale}]}\n",
	 "Degraded: FailedGetScale"},
	{"service", "apiVersion: v1\nkind: Service\n" SEEN "spec: {type: ClusterIP}\n",
	 "Healthy: "},
	{"service waiting for its address",
	 "apiVersion: v1\nkind: Service\n" SEEN "spec: {type: LoadBalancer}\n",
	 "Progressing: waits for the load balancer's address"},
	{"service with its address",
	 "apiVersion: v1\nkind: Service\n" SEEN
	 "spec: {type: LoadBalancer}\nstatus: {loadBalancer: {ingress: [{ip: 10.0.0.1}]}}\n",
	 "Healthy: "},
	{"ingress", "apiVersion: networking.k8s.io/v1\nkind: Ingress\n" SEEN, "Healthy: "},
	{"CRD new", CRD, "Progressing: not established yet"},
	{"CRD installing",
	 CRD
	 "status: {conditions: [{type: Established, status: \"False\", reason: Installing}]}\n",
	 "Progressing: not established yet"},
	{"CRD established",
	 CRD "status: {conditions: [{type: NamesAccepted, status: \"True\"}, {type: "
	     "Established, status: "
	     "\"True\"}]}\n",
	 "Healthy: "},
	{"CRD whose names are taken",
	 CRD "status: {conditions: [{type: NamesAccepted, status: \"False\", reason: "
	     "PluralConflict, "
	     "message: m}]}\n",
	 "Degraded: PluralConflict: m"},
	{"CRD refused",
	 CRD "status: {conditions: [{type: Established, status: \"False\", reason: "
	     "NotAccepted}]}\n",
	 "Degraded: NotAccepted"},
	{"API service",
	 "apiVersion: apiregistration.k8s.io/v1\nkind: APIService\n" SEEN
	 "status: {conditions: [{type: Available, status: \"False\", reason: "
	 "MissingEndpoints}]}\n",
	 "Progressing: MissingEndpoints"},
	{"namespace", "apiVersion: v1\nkind: Namespace\n" SEEN "status: {phase: Active}\n",
	 "Healthy: "},
	{"namespace going",
	 "apiVersion: v1\nkind: Namespace\n" SEEN "status: {phase: Terminating}\n",
	 "Progressing: is being deleted"},

	/* ---- Custom resources ---- */
	{"custom resource that says nothing", CR, "Healthy: "},
	{"custom resource ready",
	 CR "status: {observedGeneration: 2, conditions: [{type: Ready, status: \"True\"}]}\n",
	 "Healthy: "},
	{"custom resource not ready",
	 CR "status: {conditions: [{type: Ready, status: \"False\", reason: Waiting, message: "
	    "m}]}\n",
	 "Progressing: Waiting: m"},
	{"custom resource, readiness unknown, no reason",
	 CR "status: {conditions: [{type: Ready, status: Unknown}]}\n", "Progressing: Ready"},
	{"custom resource not seen",
	 CR "status: {observedGeneration: 1, conditions: [{type: Ready, status: \"True\"}]}\n",
	 "Progressing: its controller has not seen the last change yet"},
	{"custom resource reconciling",
	 CR
	 "status: {conditions: [{type: Ready, status: \"True\"}, {type: Reconciling, status: "
	 "\"True\", reason: Busy}]}\n",
	 "Progressing: Busy"},
	{"custom resource stalled",
	 CR "status: {conditions: [{type: Ready, status: \"False\"}, {type: Stalled, status: "
	    "\"True\", "
	    "reason: Rejected, message: 'accuracy 0.1'}]}\n",
	 "Degraded: Rejected: accuracy 0.1"},

	/* ---- Hostile trees ---- */
	{"types of no sense",
	 "apiVersion: apps/v1\nkind: Deployment\nmetadata: []\nspec: 3\nstatus: "
	 "{observedGeneration: x, "
	 "conditions: {a: 1}}\n",
	 "Progressing: its controller has not seen it yet"},
	{"conditions of no sense",
	 CR "status: {conditions: [1, [], {type: 3}, {type: Ready}]}\n", "Progressing: Ready"},
	{"a pod of no sense",
	 POD "status: {phase: Running, containerStatuses: [1, {state: {waiting: {reason: "
	     "CrashLoopBackOff}}}]}\n",
	 "Degraded: container ?: CrashLoopBackOff"},
};

static void test_health__table(void **state)
{
	struct error err = ERROR_INIT;
	int64_t now;
	size_t bad = 0;

	assert_int_equal(clock_parse(NOW, &now), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_ARENA a = arena_new();
		AUTO(value_docs) docs = {0};
		AUTO(buf) why = BUF_INIT, seen = BUF_INIT;
		enum health h;

		buf_puts(&why, "from before");
		if (value_yaml_parse(a, rows[i].object, strlen(rows[i].object),
				     &value_limits_api, &docs, &err) < 0)
			fail_msg("%s: %s", rows[i].name, err.text);
		h = health_of(docs.list.items[0], now, &why);
		buf_printf(&seen, "%s: %s", health_name(h), why.ptr);
		if (strcmp(seen.ptr, rows[i].wanted)) {
			print_error("%s: seen \"%s\", wanted \"%s\"\n", rows[i].name, seen.ptr,
				    rows[i].wanted);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
}

static void test_health__nothing_is_unknown(void **state)
{
	AUTO(buf) why = BUF_INIT;

	assert_int_equal(health_of(NULL, 0, &why), HEALTH_UNKNOWN);
}

static void test_needs_body__table(void **state)
{
	static const struct {
		const char *group, *kind;
		bool wanted;
	} table[] = {
		{"apps", "Deployment", true},
		{"batch", "Job", true},
		{"", "Pod", true},
		{"", "ConfigMap", false},
		{"", "Secret", false},
		{"", "ServiceAccount", false},
		{"rbac.authorization.k8s.io", "Role", false},
		{"networking.k8s.io", "NetworkPolicy", false},
		{"networking.k8s.io", "Ingress", false},
		{"gateway.networking.k8s.io", "Gateway", true},
		{"kueue.x-k8s.io", "Workload", true},
		{"modelsync.dev", "ModelDeployment", true},
		{"example.com", "ConfigMap", true},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		assert_row(health_needs_body(table[i].group, table[i].kind) == table[i].wanted,
			   table[i].kind);
}

static void test_names__worst_is_largest(void **state)
{
	static const char *const order[] = {"Healthy", "Suspended", "Progressing",
					    "Missing", "Degraded",  "Unknown"};

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		assert_string_equal(health_name((enum health)i), order[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_health__table),
		cmocka_unit_test(test_health__nothing_is_unknown),
		cmocka_unit_test(test_needs_body__table),
		cmocka_unit_test(test_names__worst_is_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
