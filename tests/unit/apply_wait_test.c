/* apply/: what it waits for - health before later waves and the prune, deadlines - and how it
 * is let go at any point. */
#include "apply_story.h"

#include "base/text.h"

#define DEPLOYMENT                                                                            \
	"{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\"," \
	"\"namespace\":\"default\"},\"spec\":{\"replicas\":1}}"
#define JOB                                                                              \
	"{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"load\"," \
	"\"namespace\":\"default\"},\"spec\":{\"backoffLimit\":0}}"

static const struct value *deployment(struct story *s)
{
	return apiserver_get(s->server, "apps/v1", "Deployment", "default", "web");
}

static const struct value *job(struct story *s)
{
	return apiserver_get(s->server, "batch/v1", "Job", "default", "load");
}

/* As its controller does it. `status` is JSON with one %d for the generation. */
static void set_status(struct story *s, const struct value *object, const char *status)
{
	struct value *v = value_copy(s->arena, object), *parsed;
	int64_t generation = value_get_int(value_get(v, "metadata"), "generation", 1);
	char text[600];
	struct error err;
	AUTO(buf) json = BUF_INIT;

	snprintf(text, sizeof text, status, (int)generation);
	assert_int_equal(value_json_parse(s->arena, text, strlen(text), &value_limits_api,
					  &parsed, &err),
			 0);
	value_set(s->arena, v, "status", parsed);
	value_json_write(v, &json);
	assert_non_null(apiserver_put(s->server, "controller", json.ptr));
}

#define AVAILABLE                                                                              \
	"{\"observedGeneration\":%d,\"replicas\":1,\"updatedReplicas\":1,\"readyReplicas\":1," \
	"\"availableReplicas\":1,\"conditions\":[{\"type\":\"Available\",\"status\":\"True\"}" \
	","                                                                                    \
	"{\"type\":\"Progressing\",\"status\":\"True\",\"reason\":\"NewReplicaSetAvailable\"}" \
	"]}"
#define PAST_DEADLINE                                                                          \
	"{\"observedGeneration\":%d,\"replicas\":1,\"conditions\":[{\"type\":\"Progressing\"," \
	"\"status\":\"False\",\"reason\":\"ProgressDeadlineExceeded\",\"message\":\"too "      \
	"slow\"}]}"
#define FAILED                                                                             \
	"{\"failed\":%d,\"startTime\":\"2026-01-01T00:00:00Z\",\"conditions\":[{\"type\":" \
	"\"Failed\",\"status\":\"True\",\"reason\":\"BackoffLimitExceeded\",\"message\":"  \
	"\"x\"}]}"

static void test_wait__prune_waits_for_health(void **state)
{
	struct story *s = *state;

	story_config(s, "old", "1");
	story_run(s);
	story_unwant(s, "ConfigMap|default|old");
	story_want(s, "web.yaml", 0, DEPLOYMENT);
	apiserver_forget(s->server);
	story_start(s, NULL);
	story_until_written(s, 1);
	assert_false(s->done);
	assert_non_null(deployment(s));
	assert_non_null(story_config_get(s, "old"));
	set_status(s, deployment(s), AVAILABLE);
	story_finish(s);
	assert_int_equal(s->outcome.err.kind, ERROR_NONE);
	assert_int_equal(s->outcome.pruned, 1);
	assert_int_equal(s->outcome.health, HEALTH_HEALTHY);
	assert_string_equal(s->outcome.why, "");
}

static void test_wait__later_wave_waits_for_health(void **state)
{
	struct story *s = *state;

	story_want(s, "web.yaml", -1, DEPLOYMENT);
	story_config(s, "after", "1");
	story_start(s, NULL);
	story_until_written(s, 1);
	assert_non_null(deployment(s));
	assert_null(story_config_get(s, "after"));
	set_status(s, deployment(s), AVAILABLE);
	story_finish(s);
	assert_int_equal(s->outcome.created, 2);
	assert_non_null(story_config_get(s, "after"));
}

#define THEIRS                                                                            \
	"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"after\"," \
	"\"namespace\":\"default\"},\"data\":{\"text\":\"1\"}}"

static const char *label_of(struct story *s, const char *name)
{
	return value_str(
		value_at(story_config_get(s, name), "metadata", "labels", LABEL_PART_OF, NULL));
}

/* Started, and waiting for wave `wave` to become healthy before "after" is written. */
static void start_waiting(struct story *s, int wave)
{
	story_want(s, "web.yaml", wave, DEPLOYMENT);
	story_config(s, "after", "1");
	story_start(s, NULL);
	story_until_written(s, 1);
	assert_non_null(deployment(s));
}

static void test_wait__object_made_during_the_wait_is_foreign(void **state)
{
	struct story *s = *state;

	start_waiting(s, -1);
	assert_non_null(apiserver_put(s->server, "kubectl", THEIRS));
	set_status(s, deployment(s), AVAILABLE);
	story_finish(s);
	assert_string_equal(s->outcome.err.reason, "ForeignOwner");
	assert_int_equal(story_writes(s), 1);
	assert_null(label_of(s, "after"));
}

static void test_wait__later_wave_is_looked_at_again_only_where_absent(void **state)
{
	struct story *s = *state;

	start_waiting(s, -1);
	set_status(s, deployment(s), AVAILABLE);
	story_finish(s);
	assert_int_equal(apiserver_seen_count(s->server, "PATCH", "configmaps/after?"), 3);
	assert_int_equal(apiserver_seen_count(s->server, "PATCH", "deployments/web?"), 2);
	story_config(s, "after", "2");
	apiserver_forget(s->server);
	story_run(s);
	assert_int_equal(s->outcome.updated, 1);
	assert_int_equal(apiserver_seen_count(s->server, NULL, NULL), 2);
}

static void test_wait__first_write_after_a_wait_looks_again(void **state)
{
	struct story *s = *state;

	story_want(s, "web.yaml", -1, DEPLOYMENT);
	story_start(s, NULL);
	story_until_written(s, 1);
	story_config(s, "after", "1"); /* the next sync begins with the wait */
	story_start(s, NULL);
	story_settle(s);
	assert_int_equal(apiserver_seen_count(s->server, "PATCH", "configmaps/after?"), 1);
	assert_non_null(apiserver_put(s->server, "kubectl", THEIRS));
	set_status(s, deployment(s), AVAILABLE);
	story_finish(s);
	assert_string_equal(s->outcome.err.reason, "ForeignOwner");
	assert_null(label_of(s, "after"));
}

static void test_wait__write_that_joins_a_foreign_object_fails(void **state)
{
	struct story *s = *state;

	s->hold = true;
	story_config(s, "after", "1");
	story_start(s, NULL);
	assert_true(apiserver_run_until(s->server, &s->ready, SLOW));
	assert_non_null(apiserver_put(s->server, "kubectl", THEIRS));
	apply_write(s->apply);
	story_finish(s);
	assert_int_equal(s->outcome.err.kind, ERROR_REFUSED);
	assert_string_equal(s->outcome.err.reason, "ForeignOwner");
	assert_int_equal(s->outcome.failed, 1);
	assert_int_equal(s->applied, 1);
	assert_non_null(strstr(s->problems, "appeared while the sync ran"));
	assert_int_equal(inventory_count(&s->inventory), 0);
}

static void test_wait__write_that_joins_another_application_fails(void **state)
{
	struct story *s = *state;
	/* the manager is the same, so nothing conflicts, and it stands alone */
	static const struct fault joined = {
		.kind = FAULT_STATUS,
		.method = "PATCH",
		.status = 200,
		.body = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":"
			"\"after\",\"namespace\":\"default\",\"uid\":\"u\",\"resourceVersion\":"
			"\"9999\",\"labels\":{\"" LABEL_PART_OF "\":\"" PART_OF "\"}}}"};

	s->hold = true;
	story_config(s, "after", "1");
	story_start(s, NULL);
	assert_true(apiserver_run_until(s->server, &s->ready, SLOW));
	assert_non_null(apiserver_put(s->server, MANAGER,
				      "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","
				      "\"metadata\":{\"name\":\"after\","
				      "\"namespace\":\"default\",\"labels\":{\"" LABEL_PART_OF
				      "\":\"other\"}}}"));
	story_settle(s);
	apiserver_fault(s->server, &joined);
	apply_write(s->apply);
	story_finish(s);
	assert_string_equal(s->outcome.err.reason, "ForeignOwner");
	assert_int_equal(inventory_count(&s->inventory), 0);
}

static void test_wait__create_whose_answer_was_lost_is_ours(void **state)
{
	struct story *s = *state;
	struct fault lost = {
		.kind = FAULT_CLOSE_DONE, .method = "PATCH", .skip = 1, .times = 1};

	apiserver_fault(s->server, &lost);
	story_config(s, "after", "1");
	story_run(s);
	assert_int_equal(apiserver_seen_count(s->server, "PATCH", NULL), 3);
	assert_int_equal(s->outcome.err.kind, ERROR_NONE);
	assert_int_equal(inventory_count(&s->inventory), 1);
}

static void test_wait__repair_does_not_wait(void **state)
{
	struct story *s = *state;
	const struct apply_options o = {.deadline_ms = SLOW - 500};

	story_want(s, "web.yaml", 0, DEPLOYMENT);
	story_start(s, &o);
	story_finish(s);
	assert_int_equal(s->outcome.err.kind, ERROR_NONE);
	assert_int_equal(s->outcome.created, 1);
}

static void test_wait__deadline_names_what_was_awaited(void **state)
{
	struct story *s = *state;
	const struct apply_options o = {
		.preflight = true, .await_health = true, .deadline_ms = 1000};

	story_want(s, "web.yaml", 0, DEPLOYMENT);
	story_start(s, &o);
	story_finish(s);
	assert_int_equal(s->outcome.err.kind, ERROR_TRANSIENT);
	assert_string_equal(s->outcome.err.reason, "Timeout");
	assert_non_null(strstr(s->outcome.err.text, "Deployment default/web is Progressing"));
	assert_int_equal(s->outcome.health, HEALTH_PROGRESSING);
	assert_true(text_starts(s->outcome.why, "Deployment default/web"));
}

static void test_wait__stalled_server_ends_with_the_deadline(void **state)
{
	struct story *s = *state;
	struct fault stall = {.kind = FAULT_STALL, .match = "dryRun"};
	const struct apply_options o = {.preflight = true, .deadline_ms = 200};

	story_config(s, "a", "1");
	story_config(s, "b", "1");
	apiserver_fault(s->server, &stall);
	story_start(s, &o);
	story_finish(s);
	assert_string_equal(s->outcome.err.reason, "Timeout");
	assert_non_null(
		strstr(s->outcome.err.text, "no answer for ConfigMap default/a and 1 more"));
	assert_int_equal(story_writes(s), 0);
}

static void test_wait__rollout_past_its_deadline_fails_at_once(void **state)
{
	struct story *s = *state;

	story_want(s, "web.yaml", 0, DEPLOYMENT);
	story_start(s, NULL);
	story_until_written(s, 1);
	set_status(s, deployment(s), PAST_DEADLINE);
	story_finish(s);
	assert_int_equal(s->outcome.err.kind, ERROR_INVALID);
	assert_string_equal(s->outcome.err.reason, "Degraded");
	assert_true(s->outcome.took_ms < SLOW - 1000);
}

static void test_wait__failed_job_fails_at_once(void **state)
{
	struct story *s = *state;

	story_want(s, "load.yaml", -1, JOB);
	story_config(s, "after", "1");
	story_start(s, NULL);
	story_until_written(s, 1);
	set_status(s, job(s), FAILED);
	story_finish(s);
	assert_string_equal(s->outcome.err.reason, "Degraded");
	assert_non_null(strstr(s->outcome.err.text, "Job default/load is Degraded"));
	assert_null(story_config_get(s, "after"));
}

static void test_wait__job_that_ran_and_is_gone_holds_nothing_up(void **state)
{
	struct story *s = *state;

	story_want(s, "load.yaml", 0, JOB);
	story_start(s, NULL);
	story_until_written(s, 1);
	assert_false(s->done);
	assert_true(apiserver_delete(s->server, "batch/v1", "Job", "default", "load"));
	story_finish(s);
	assert_int_equal(s->outcome.err.kind, ERROR_NONE);
	assert_int_equal(s->outcome.health, HEALTH_HEALTHY);
	story_config(s, "after", "1");
	story_run(s);
	assert_int_equal(s->outcome.err.kind, ERROR_NONE);
	assert_null(job(s));
}

static void test_wait__object_deleted_meanwhile_needs_another_plan(void **state)
{
	struct story *s = *state;

	story_want(s, "web.yaml", 0, DEPLOYMENT);
	story_start(s, NULL);
	story_until_written(s, 1);
	assert_true(apiserver_delete(s->server, "apps/v1", "Deployment", "default", "web"));
	story_finish(s);
	assert_int_equal(s->outcome.err.kind, ERROR_CONFLICT);
	assert_string_equal(s->outcome.err.reason, "Changed");
	assert_int_equal(s->outcome.health, HEALTH_MISSING);
}

/* ---- Busy servers, conflicts ---- */

static void test_wait__busy_server_is_survived(void **state)
{
	struct story *s = *state;
	struct fault busy = {.kind = FAULT_STATUS,
			     .method = "PATCH",
			     .times = 20,
			     .status = 429,
			     .retry_after = -1};
	char name[16];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "c%02d", i);
		story_config(s, name, "1");
	}
	apiserver_fault(s->server, &busy);
	story_run(s);
	assert_int_equal(s->outcome.err.kind, ERROR_NONE);
	assert_int_equal(s->outcome.created, 40);
}

static void test_wait__conflict_is_looked_at_once_more(void **state)
{
	struct story *s = *state;
	struct fault conflict = {
		.kind = FAULT_STATUS, .method = "PATCH", .skip = 1, .times = 1, .status = 409};

	story_config(s, "a", "1");
	apiserver_forget(s->server);
	apiserver_fault(s->server, &conflict);
	story_run(s);
	assert_int_equal(s->outcome.err.kind, ERROR_NONE);
	assert_int_equal(s->outcome.created, 1);
	assert_int_equal(apiserver_seen_count(s->server, "PATCH", NULL), 4);
	apiserver_clear_faults(s->server);
	conflict.times = 0;
	story_config(s, "a", "2");
	apiserver_fault(s->server, &conflict);
	story_run(s);
	assert_int_equal(s->outcome.err.kind, ERROR_CONFLICT);
	assert_int_equal(s->outcome.failed, 1);
}

static void test_wait__server_that_goes_away_gets_no_more_writes(void **state)
{
	struct story *s = *state;
	struct fault away = {
		.kind = FAULT_STATUS, .method = "PATCH", .skip = 100, .status = 500};
	char name[16];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "c%02d", i);
		story_config(s, name, "1");
	}
	apiserver_fault(s->server, &away);
	story_run(s);
	assert_int_equal(s->outcome.err.kind, ERROR_TRANSIENT);
	assert_true(story_writes(s) <= 32);
	assert_int_equal(s->outcome.failed, story_writes(s));
}

/* ---- Let go ---- */

static void test_wait__owner_decides_when_to_write(void **state)
{
	struct story *s = *state;

	s->hold = true;
	story_config(s, "a", "1");
	story_start(s, NULL);
	assert_true(apiserver_run_until(s->server, &s->ready, SLOW));
	loop_run_for(s->loop, 50);
	assert_int_equal(story_writes(s), 0);
	apply_write(s->apply);
	story_finish(s);
	assert_int_equal(s->outcome.created, 1);
}

/* Answers to what matches come late, so that the apply stands at that point, and is freed
 * there; then they come. */
static void free_while(struct story *s, const char *method, const char *match, int skip)
{
	struct fault late = {.kind = FAULT_DELAY,
			     .method = method,
			     .match = match,
			     .skip = skip,
			     .delay_ms = 300};

	apiserver_fault(s->server, &late);
	story_start(s, NULL);
	loop_run_for(s->loop, 100);
	assert_false(s->done);
	story_end(s);
	loop_run_for(s->loop, 300);
	assert_false(s->done);
	apiserver_clear_faults(s->server);
}

static void test_wait__free_at_any_point_leaks_and_calls_nothing(void **state)
{
	struct story *s = *state;

	story_config(s, "a", "1");
	story_start(s, NULL);
	story_end(s); /* before its first turn */
	free_while(s, "PATCH", "dryRun", 0);
	s->hold = true;
	free_while(s, "GET", "nothing", 0); /* ready */
	s->hold = false;
	free_while(s, "PATCH", "configmaps/a?", 1); /* writing */
	story_run(s);
	story_want(s, "web.yaml", 0, DEPLOYMENT);
	free_while(s, "GET", "nothing", 0); /* awaiting */
	story_unwant(s, "Deployment.apps|default|web");
	story_unwant(s, "ConfigMap|default|a");
	free_while(s, "DELETE", NULL, 0);
	story_run(s);
	story_end(s); /* done */
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, story_setup, story_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wait__prune_waits_for_health),
		TEST(test_wait__later_wave_waits_for_health),
		TEST(test_wait__object_made_during_the_wait_is_foreign),
		TEST(test_wait__later_wave_is_looked_at_again_only_where_absent),
		TEST(test_wait__first_write_after_a_wait_looks_again),
		TEST(test_wait__write_that_joins_a_foreign_object_fails),
		TEST(test_wait__write_that_joins_another_application_fails),
		TEST(test_wait__create_whose_answer_was_lost_is_ours),
		TEST(test_wait__repair_does_not_wait),
		TEST(test_wait__deadline_names_what_was_awaited),
		TEST(test_wait__stalled_server_ends_with_the_deadline),
		TEST(test_wait__rollout_past_its_deadline_fails_at_once),
		TEST(test_wait__failed_job_fails_at_once),
		TEST(test_wait__job_that_ran_and_is_gone_holds_nothing_up),
		TEST(test_wait__object_deleted_meanwhile_needs_another_plan),
		TEST(test_wait__busy_server_is_survived),
		TEST(test_wait__conflict_is_looked_at_once_more),
		TEST(test_wait__server_that_goes_away_gets_no_more_writes),
		TEST(test_wait__owner_decides_when_to_write),
		TEST(test_wait__free_at_any_point_leaks_and_calls_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
