/* apply/: plans brought about on the fault server: preflight, ownership, tiers, prune. */
#include "apply_story.h"

#include "base/text.h"

static const struct apply_options repair = {.deadline_ms = SLOW - 500};

/* A ConfigMap as somebody else wrote it. */
static void put_foreign(struct story *s, const char *name, const char *text)
{
	char json[400];

	snprintf(json, sizeof json,
		 "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%s\","
		 "\"namespace\":\"default\"},\"data\":{\"text\":\"%s\"}}",
		 name, text);
	assert_non_null(apiserver_put(s->server, "kubectl-edit", json));
	story_settle(s);
}

static const char *text_of(struct story *s, const char *name)
{
	return value_get_str(value_get(story_config_get(s, name), "data"), "text");
}

static const char *label_of(struct story *s, const char *name)
{
	return value_str(
		value_at(story_config_get(s, name), "metadata", "labels", LABEL_PART_OF, NULL));
}

/* ---- Create, update, nothing, prune ---- */

static void test_apply__creates_each_with_one_dry_run_and_one_patch(void **state)
{
	struct story *s = *state;

	story_config(s, "a", "1");
	story_config(s, "b", "2");
	story_config(s, "c", "3");
	apiserver_forget(s->server);
	story_run(s);
	assert_int_equal(s->outcome.err.kind, ERROR_NONE);
	assert_int_equal(s->outcome.created, 3);
	assert_int_equal(s->applied, 3);
	assert_true(s->outcome.wrote);
	assert_int_equal(s->outcome.health, HEALTH_HEALTHY);
	assert_string_equal(text_of(s, "b"), "2");
	assert_int_equal(apiserver_seen_count(s->server, NULL, NULL), 6);
	assert_int_equal(apiserver_seen_count(s->server, "PATCH", "dryRun=All"), 3);
}

static void test_apply__same_again_sends_nothing(void **state)
{
	struct story *s = *state;

	story_config(s, "a", "1");
	story_run(s);
	story_settle(s);
	apiserver_forget(s->server);
	story_run(s);
	assert_int_equal(s->outcome.unchanged, 1);
	assert_false(s->outcome.wrote);
	assert_int_equal(apiserver_seen_count(s->server, NULL, NULL), 0);
}

static void test_apply__sends_only_what_changed(void **state)
{
	struct story *s = *state;

	story_config(s, "a", "1");
	story_config(s, "b", "1");
	story_run(s);
	story_config(s, "b", "2");
	apiserver_forget(s->server);
	story_run(s);
	assert_int_equal(s->outcome.updated, 1);
	assert_int_equal(s->outcome.unchanged, 1);
	assert_string_equal(text_of(s, "b"), "2");
	assert_int_equal(apiserver_seen_count(s->server, "PATCH", NULL), 2);
}

static void test_apply__prunes_what_git_removed(void **state)
{
	struct story *s = *state;

	story_config(s, "a", "1");
	story_config(s, "b", "1");
	story_run(s);
	story_unwant(s, "ConfigMap|default|a");
	apiserver_forget(s->server);
	story_run(s);
	assert_int_equal(s->outcome.err.kind, ERROR_NONE);
	assert_int_equal(s->outcome.pruned, 1);
	assert_null(story_config_get(s, "a"));
	assert_non_null(strstr(apiserver_seen(s->server, "DELETE", NULL)->body, "\"uid\""));
	assert_int_equal(inventory_count(&s->inventory), 1);
}

static void test_apply__prune_of_what_is_gone_already_is_done(void **state)
{
	struct story *s = *state;
	struct fault gone = {
		.kind = FAULT_STATUS_DONE, .method = "DELETE", .times = 1, .status = 404};

	story_config(s, "a", "1");
	story_run(s);
	story_unwant(s, "ConfigMap|default|a");
	apiserver_fault(s->server, &gone);
	story_run(s);
	assert_int_equal(s->outcome.err.kind, ERROR_NONE);
	assert_int_equal(s->outcome.pruned, 1);
}

static void test_apply__prune_keeps_an_object_of_another_uid(void **state)
{
	struct story *s = *state;

	story_config(s, "a", "1");
	story_run(s);
	story_unwant(s, "ConfigMap|default|a");
	story_start(s, NULL); /* the plan is made; then somebody makes it anew */
	assert_true(apiserver_delete(s->server, "v1", "ConfigMap", "default", "a"));
	assert_non_null(
		apiserver_put(s->server, "kubectl",
			      "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":"
			      "{\"name\":\"a\",\"namespace\":\"default\"}}"));
	story_finish(s);
	assert_int_equal(s->outcome.err.kind, ERROR_NONE);
	assert_int_equal(s->outcome.kept, 1);
	assert_int_equal(s->outcome.pruned, 0);
	assert_non_null(story_config_get(s, "a"));
}

/* ---- Refusals ---- */

static void test_apply__one_refused_object_among_good_ones_writes_nothing(void **state)
{
	struct story *s = *state;
	struct fault bad = {.kind = FAULT_STATUS,
			    .match = "configmaps/b?",
			    .status = 422,
			    .body = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":"
				    "\"Failure\",\"reason\":"
				    "\"Invalid\",\"message\":\"ConfigMap \\\"b\\\" is invalid: "
				    "data: too strange\","
				    "\"code\":422}"};

	story_config(s, "a", "1");
	story_config(s, "b", "1");
	story_config(s, "c", "1");
	apiserver_fault(s->server, &bad);
	story_run(s);
	assert_int_equal(s->outcome.err.kind, ERROR_INVALID);
	assert_int_equal(s->outcome.failed, 1);
	assert_false(s->outcome.wrote);
	assert_false(s->ready);
	assert_int_equal(story_writes(s), 0);
	assert_non_null(
		strstr(s->problems, "b.yaml:1 Rejected ConfigMap b in namespace default: "));
	assert_non_null(strstr(s->problems, "too strange"));
}

static void test_apply__problems_come_in_the_order_of_files(void **state)
{
	struct story *s = *state;
	struct fault bad = {.kind = FAULT_STATUS, .match = "dryRun", .status = 422};
	struct fault slow = {.kind = FAULT_DELAY, .match = "configmaps/a?", .delay_ms = 50};
	char first[sizeof s->problems];

	for (int i = 0; i < 5; i++)
		story_config(s, (const char *[]){"e", "a", "d", "b", "c"}[i], "1");
	story_config(s, "0", "1")->file = "z.yaml"; /* first in the plan, last in Git */
	apiserver_fault(s->server, &bad);
	story_run(s);
	strcpy(first, s->problems);
	assert_int_equal(s->outcome.failed, 6);
	assert_true(text_starts(first, "a.yaml"));
	assert_non_null(
		strstr(first, "\nz.yaml:1 Rejected ConfigMap 0 in namespace default: "));
	assert_true(strstr(first, "\nz.yaml") > strstr(first, "\ne.yaml"));
	apiserver_clear_faults(s->server);
	apiserver_fault(s->server, &slow);
	apiserver_fault(s->server, &bad);
	story_run(s);
	assert_true(text_starts(s->problems, "b.yaml")); /* a only came late, and was good */
	assert_non_null(strstr(first, s->problems));
}

static void test_apply__server_away_in_preflight_is_no_problem_of_the_commit(void **state)
{
	struct story *s = *state;
	struct fault away = {.kind = FAULT_STATUS, .match = "dryRun", .status = 500};

	story_config(s, "a", "1");
	apiserver_fault(s->server, &away);
	story_run(s);
	assert_int_equal(s->outcome.err.kind, ERROR_TRANSIENT);
	assert_string_equal(s->problems, "");
	assert_int_equal(story_writes(s), 0);
}

static void test_apply__dry_run_stops_after_preflight(void **state)
{
	struct story *s = *state;
	const struct apply_options look = {.preflight = true, .dry_run = true};

	story_config(s, "a", "1");
	story_start(s, &look);
	story_finish(s);
	assert_int_equal(s->outcome.err.kind, ERROR_NONE);
	assert_false(s->ready);
	assert_int_equal(story_writes(s), 0);
	assert_null(story_config_get(s, "a"));
}

/* ---- Ownership ---- */

static void test_apply__foreign_object_is_refused(void **state)
{
	struct story *s = *state;

	put_foreign(s, "a", "1"); /* the same value: no field conflicts */
	story_config(s, "a", "1");
	story_run(s);
	assert_int_equal(s->outcome.err.kind, ERROR_REFUSED);
	assert_string_equal(s->outcome.err.reason, "ForeignOwner");
	assert_int_equal(story_writes(s), 0);
	assert_null(label_of(s, "a"));
}

static void test_apply__foreign_field_is_refused_with_its_manager(void **state)
{
	struct story *s = *state;

	put_foreign(s, "a", "theirs");
	story_config(s, "a", "ours");
	story_run(s);
	assert_string_equal(s->outcome.err.reason, "ForeignOwner");
	assert_non_null(strstr(s->problems, "kubectl-edit"));
	assert_non_null(strstr(s->problems, "modelsync.dev/adopt"));
	assert_string_equal(text_of(s, "a"), "theirs");
}

static void test_apply__adopt_takes_a_foreign_object(void **state)
{
	struct story *s = *state;

	put_foreign(s, "a", "theirs");
	story_config(s, "a", "ours")->adopt = true;
	story_run(s);
	assert_int_equal(s->outcome.err.kind, ERROR_NONE);
	assert_int_equal(s->outcome.updated, 1);
	assert_string_equal(text_of(s, "a"), "ours");
	assert_string_equal(label_of(s, "a"), PART_OF);
}

static void test_apply__label_taken_off_is_put_back(void **state)
{
	struct story *s = *state;

	story_config(s, "a", "1");
	story_run(s);
	put_foreign(s, "a", "changed too");
	assert_null(live_get(s->live, "ConfigMap|default|a"));
	story_run(s);
	assert_int_equal(s->outcome.err.kind, ERROR_NONE);
	assert_int_equal(s->outcome.repaired, 1);
	assert_string_equal(text_of(s, "a"), "1");
	assert_string_equal(label_of(s, "a"), PART_OF);
}

static void test_apply__recreated_without_label_is_foreign(void **state)
{
	struct story *s = *state;

	story_config(s, "a", "1");
	story_run(s);
	assert_true(apiserver_delete(s->server, "v1", "ConfigMap", "default", "a"));
	put_foreign(s, "a", "1");
	story_run(s);
	assert_string_equal(s->outcome.err.reason, "ForeignOwner");
	assert_null(label_of(s, "a"));
}

/* Somebody changes our object, and leaves its label. */
static void edit_text(struct story *s, const char *name, const char *text)
{
	struct value *v = value_copy(s->arena, story_config_get(s, name));
	AUTO(buf) json = BUF_INIT;

	value_set_string(s->arena, value_object_at(s->arena, v, "data"), "text", text);
	value_json_write(v, &json);
	assert_non_null(apiserver_put(s->server, "kubectl-edit", json.ptr));
	story_settle(s);
}

static void test_apply__repair_of_a_live_object_is_one_request(void **state)
{
	struct story *s = *state;

	story_config(s, "a", "1");
	story_run(s);
	story_settle(s);
	edit_text(s, "a", "edited");
	apiserver_forget(s->server);
	story_start(s, &repair);
	story_finish(s);
	assert_int_equal(s->outcome.repaired, 1);
	assert_string_equal(text_of(s, "a"), "1");
	assert_int_equal(apiserver_seen_count(s->server, NULL, NULL), 1);
	story_settle(s);
	story_run(s); /* its own echo is no drift */
	assert_int_equal(s->outcome.unchanged, 1);
	assert_int_equal(apiserver_seen_count(s->server, NULL, NULL), 1);
}

static void test_apply__change_seen_before_the_answer_is_drift(void **state)
{
	struct story *s = *state;
	AUTO(buf) answer = BUF_INIT;

	story_config(s, "a", "1");
	story_run(s);
	story_settle(s);
	uint64_t own = live_get(s->live, "ConfigMap|default|a")->own;
	assert_int_equal(s->newer, 0);
	value_json_write(story_config_get(s, "a"), &answer);
	edit_text(s, "a", "edited");
	/* the write was answered before that edit, and the answer came after the watch's news
	 */
	struct fault late = {.kind = FAULT_STATUS, .status = 200, .body = answer.ptr};
	late.method = "PATCH";
	late.times = 1;
	apiserver_fault(s->server, &late);
	story_start(s, &repair);
	story_finish(s);
	assert_int_equal(s->outcome.repaired, 1);
	assert_int_equal(s->newer, 1);
	assert_true(live_get(s->live, "ConfigMap|default|a")->own != own);
	assert_true(inventory_get(&s->inventory, "ConfigMap|default|a")->own == own);
	story_run(s); /* still to be seen, and mended */
	assert_int_equal(s->outcome.repaired, 1);
	assert_string_equal(text_of(s, "a"), "1");
	assert_int_equal(s->newer, 1);
}

static void test_apply__repair_of_a_deleted_object_looks_first(void **state)
{
	struct story *s = *state;

	story_config(s, "a", "1");
	story_run(s);
	assert_true(apiserver_delete(s->server, "v1", "ConfigMap", "default", "a"));
	story_settle(s);
	apiserver_forget(s->server);
	story_start(s, &repair);
	story_finish(s);
	assert_int_equal(s->outcome.repaired, 1);
	assert_string_equal(text_of(s, "a"), "1");
	assert_int_equal(apiserver_seen_count(s->server, NULL, NULL), 2);
}

static void test_apply__webhook_that_can_not_dry_run_is_read_instead(void **state)
{
	struct story *s = *state;
	struct fault hook = {
		.kind = FAULT_STATUS,
		.match = "dryRun",
		.status = 400,
		.body = "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":"
			"\"BadRequest\",\"message\":\"admission webhook \\\"w\\\" does "
			"not support dry run\",\"code\":400}"};

	apiserver_fault(s->server, &hook);
	story_config(s, "a", "1");
	story_run(s);
	assert_int_equal(s->outcome.created, 1);
	put_foreign(s, "b", "1");
	story_config(s, "b", "1");
	story_run(s);
	assert_string_equal(s->outcome.err.reason, "ForeignOwner");
}

/* ---- Order ---- */

#define DEPLOYMENT                                                                            \
	"{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\"," \
	"\"namespace\":\"default\"},\"spec\":{\"replicas\":1}}"

static void test_apply__failed_write_lets_its_tier_finish_and_stops_the_next(void **state)
{
	struct story *s = *state;
	struct fault bad = {
		.kind = FAULT_STATUS, .match = "configmaps/a?", .skip = 1, .status = 403};

	story_config(s, "old", "1");
	story_run(s);
	story_unwant(s, "ConfigMap|default|old");
	story_config(s, "a", "1");
	story_config(s, "b", "1");
	story_want(s, "web.yaml", 0, DEPLOYMENT);
	apiserver_fault(s->server, &bad);
	story_run(s);
	assert_int_equal(s->outcome.err.kind, ERROR_DENIED);
	assert_int_equal(s->outcome.failed, 1);
	assert_int_equal(s->outcome.created, 1);
	assert_non_null(story_config_get(s, "b"));
	assert_null(apiserver_get(s->server, "apps/v1", "Deployment", "default", "web"));
	assert_non_null(story_config_get(s, "old"));
	assert_true(text_starts(s->problems, "a.yaml:1 "));
}

#define NAMESPACE \
	"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"shop\"}}"
#define IN_SHOP                                                                        \
	"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"in\"," \
	"\"namespace\":"                                                               \
	"\"shop\"}}"

static void test_apply__object_in_a_new_namespace_is_checked_before_its_tier(void **state)
{
	struct story *s = *state;

	story_want(s, "ns.yaml", 0, NAMESPACE);
	story_want(s, "in.yaml", 0, IN_SHOP);
	apiserver_forget(s->server);
	story_run(s);
	assert_int_equal(s->outcome.err.kind, ERROR_NONE);
	assert_int_equal(s->outcome.created, 2);
	assert_int_equal(apiserver_seen_count(s->server, "PATCH", "dryRun"), 2);
}

static void test_apply__object_in_a_missing_namespace_is_refused(void **state)
{
	struct story *s = *state;

	story_want(s, "in.yaml", 0, IN_SHOP);
	story_run(s);
	assert_string_equal(s->outcome.err.reason, "NamespaceMissing");
	assert_int_equal(story_writes(s), 0);
}

static void test_apply__refusal_before_a_later_tier_stops_there(void **state)
{
	struct story *s = *state;
	struct fault bad = {.kind = FAULT_STATUS, .match = "shop/configmaps/in", .status = 422};

	story_want(s, "ns.yaml", 0, NAMESPACE);
	story_want(s, "in.yaml", 0, IN_SHOP);
	apiserver_fault(s->server, &bad);
	story_run(s);
	assert_string_equal(s->outcome.err.reason, "Rejected");
	assert_int_equal(s->outcome.created, 1);
	assert_int_equal(s->outcome.failed, 1);
	assert_int_equal(story_writes(s), 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, story_setup, story_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_apply__creates_each_with_one_dry_run_and_one_patch),
		TEST(test_apply__same_again_sends_nothing),
		TEST(test_apply__sends_only_what_changed),
		TEST(test_apply__prunes_what_git_removed),
		TEST(test_apply__prune_of_what_is_gone_already_is_done),
		TEST(test_apply__prune_keeps_an_object_of_another_uid),
		TEST(test_apply__one_refused_object_among_good_ones_writes_nothing),
		TEST(test_apply__problems_come_in_the_order_of_files),
		TEST(test_apply__server_away_in_preflight_is_no_problem_of_the_commit),
		TEST(test_apply__dry_run_stops_after_preflight),
		TEST(test_apply__foreign_object_is_refused),
		TEST(test_apply__foreign_field_is_refused_with_its_manager),
		TEST(test_apply__adopt_takes_a_foreign_object),
		TEST(test_apply__label_taken_off_is_put_back),
		TEST(test_apply__recreated_without_label_is_foreign),
		TEST(test_apply__repair_of_a_live_object_is_one_request),
		TEST(test_apply__change_seen_before_the_answer_is_drift),
		TEST(test_apply__repair_of_a_deleted_object_looks_first),
		TEST(test_apply__webhook_that_can_not_dry_run_is_read_instead),
		TEST(test_apply__failed_write_lets_its_tier_finish_and_stops_the_next),
		TEST(test_apply__object_in_a_new_namespace_is_checked_before_its_tier),
		TEST(test_apply__object_in_a_missing_namespace_is_refused),
		TEST(test_apply__refusal_before_a_later_tier_stops_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
