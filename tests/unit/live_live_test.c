/* live/live.c on the fault server: what is told, what is not news, what a list makes vanish. */
#include "test.h"

#include "../faults/apiserver.h"
#include "base/mem.h"
#include "base/text.h"
#include "live/live.h"
#include "value/json.h"

#define SLOW 5000
#define KEY  "ConfigMap|default|a"

struct watching {
	struct loop *loop;
	struct apiserver *server;
	struct kube *kube;
	struct live *live;
	struct arena *arena;
	const struct kube_kind *configs, *deployments;
	bool synced;
	size_t syncs, breaks, changed, gone;
	char last_key[200], last_part_of[64];
};

static void on_change(void *arg, const char *key, const char *part_of,
		      const struct live_object *o)
{
	struct watching *w = arg;

	w->changed += o != NULL;
	w->gone += o == NULL;
	snprintf(w->last_key, sizeof w->last_key, "%s", key);
	snprintf(w->last_part_of, sizeof w->last_part_of, "%s", part_of);
	if (o)
		assert_ptr_equal(o, live_get(w->live, key));
}

static void on_synced(void *arg)
{
	struct watching *w = arg;

	w->syncs++;
	w->synced = true;
}

static void on_broken(void *arg, const struct kube_kind *kind, const struct error *err)
{
	struct watching *w = arg;

	w->breaks++;
}

static int setup(void **state)
{
	static const struct live_ops ops = {on_change, on_synced, on_broken};
	struct watching *w = mem_alloc(sizeof *w);
	struct error err;

	assert_int_equal(loop_new(&w->loop, &err), 0);
	w->server = apiserver_new(w->loop);
	w->kube = apiserver_client(w->server);
	w->live = live_new(w->kube, &ops, w);
	w->arena = arena_new();
	w->configs = kube_kind(w->kube, "", "v1", "ConfigMap");
	w->deployments = kube_kind(w->kube, "apps", "v1", "Deployment");
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct watching *w = *state;

	live_free(w->live);
	kube_free(w->kube);
	apiserver_free(w->server);
	arena_free(w->arena);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void want(struct watching *w, const struct kube_kind *kind)
{
	w->synced = false;
	live_want(w->live, kind);
	assert_true(apiserver_run_until(w->server, &w->synced, SLOW));
	assert_true(live_ready(w->live, kind));
}

static void settle(struct watching *w)
{
	loop_run_for(w->loop, 100);
}

static const struct value *put(struct watching *w, const char *name, const char *part_of)
{
	char json[400], labels[100] = "";

	if (part_of)
		snprintf(labels, sizeof labels, ",\"labels\":{\"%s\":\"%s\"}", LABEL_PART_OF,
			 part_of);
	snprintf(json, sizeof json,
		 "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%s\","
		 "\"namespace\":\"default\"%s}}",
		 name, labels);
	const struct value *v = apiserver_put(w->server, "kubectl", json);
	assert_non_null(v);
	return v;
}

static void put_web(struct watching *w, int replicas, const char *status)
{
	char json[600];

	snprintf(json, sizeof json,
		 "{\"apiVersion\":\"apps/"
		 "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\","
		 "\"namespace\":\"default\",\"labels\":{\"%s\":\"x\"}},\"spec\":{\"replicas\":%"
		 "d},"
		 "\"status\":%s}",
		 LABEL_PART_OF, replicas, status);
	assert_non_null(apiserver_put(w->server, "kubectl", json));
}

/* ---- Events ---- */

static void test_live__sees_only_what_has_the_label(void **state)
{
	struct watching *w = *state;

	put(w, "a", "x");
	put(w, "b", NULL);
	want(w, w->configs);
	assert_int_equal(live_count(w->live), 1);
	const struct live_object *o = live_get(w->live, KEY);
	assert_string_equal(o->part_of, "x");
	assert_string_equal(o->ns, "default");
	assert_string_equal(o->name, "a");
	assert_int_equal(o->health, HEALTH_HEALTHY);
	assert_string_equal(o->why, "");
	assert_true(o->version > 0);
	put(w, "c", "x");
	settle(w);
	assert_int_equal(w->changed, 2);
	assert_string_equal(w->last_key, "ConfigMap|default|c");
}

static void test_live__deleted_and_unlabelled_are_gone(void **state)
{
	struct watching *w = *state;

	put(w, "a", "x");
	put(w, "b", "x");
	want(w, w->configs);
	assert_true(apiserver_delete(w->server, "v1", "ConfigMap", "default", "a"));
	settle(w);
	assert_int_equal(w->gone, 1);
	assert_string_equal(w->last_key, KEY);
	assert_string_equal(w->last_part_of, "x");
	put(w, "b", NULL);
	settle(w);
	assert_int_equal(w->gone, 2);
	assert_int_equal(live_count(w->live), 0);
}

static void test_live__a_label_that_moves_is_told_to_both(void **state)
{
	struct watching *w = *state;

	put(w, "a", "x");
	want(w, w->configs);
	put(w, "a", "y");
	settle(w);
	assert_int_equal(w->gone, 1);
	assert_int_equal(w->changed, 2);
	assert_string_equal(w->last_part_of, "y");
	assert_string_equal(live_get(w->live, KEY)->part_of, "y");
}

static void count_each(void *arg, const struct live_object *o)
{
	++*(size_t *)arg;
}

static void test_live__each_walks_one_application(void **state)
{
	struct watching *w = *state;
	size_t x = 0, none = 0;

	put(w, "a", "x");
	put(w, "b", "y");
	put(w, "c", "x");
	want(w, w->configs);
	live_each(w->live, "x", count_each, &x);
	live_each(w->live, "z", count_each, &none);
	assert_int_equal(x, 2);
	assert_int_equal(none, 0);
}

/* ---- Lists ---- */

static void test_live__a_new_list_makes_the_missing_gone_and_tells_nothing_else(void **state)
{
	struct watching *w = *state;

	put(w, "a", "x");
	put(w, "b", "x");
	want(w, w->configs);
	struct fault away = {.kind = FAULT_CLOSE, .match = "configmaps"};
	apiserver_fault(w->server, &away);
	apiserver_end_watches(w->server);
	settle(w);
	assert_true(apiserver_delete(w->server, "v1", "ConfigMap", "default", "a"));
	apiserver_expire(w->server);
	w->synced = false;
	w->changed = 0;
	apiserver_clear_faults(w->server);
	assert_true(apiserver_run_until(w->server, &w->synced, SLOW));
	assert_int_equal(w->gone, 1);
	assert_string_equal(w->last_key, KEY);
	assert_int_equal(w->changed, 0);
	assert_int_equal(live_count(w->live), 1);
}

static void test_live__a_list_older_than_our_write_does_not_drop_it(void **state)
{
	struct watching *w = *state;
	struct value *v;

	put(w, "a", "x");
	want(w, w->configs);
	v = value_copy(w->arena, put(w, "z", NULL)); /* as if the watch had not shown it yet */
	value_set_string(
		w->arena,
		value_object_at(w->arena, value_object_at(w->arena, v, "metadata"), "labels"),
		LABEL_PART_OF, "x");
	live_take(w->live, w->configs, v);
	for (size_t gone = 0; gone < 2; gone++) {
		apiserver_expire(w->server);
		w->synced = false;
		apiserver_watch_error(w->server, 410, "Expired");
		assert_true(apiserver_run_until(w->server, &w->synced, SLOW));
		assert_int_equal(w->gone, gone); /* spared once */
	}
	assert_int_equal(live_count(w->live), 1);
}

static void test_live__outage_and_its_end_are_told_once(void **state)
{
	struct watching *w = *state;
	struct fault away = {.kind = FAULT_STATUS, .match = "configmaps", .status = 500};

	want(w, w->configs);
	apiserver_fault(w->server, &away);
	apiserver_end_watches(w->server);
	loop_run_for(w->loop, 1500);
	assert_int_equal(w->breaks, 1);
	assert_int_equal(w->syncs, 1);
	assert_true(live_ready(w->live, w->configs));
	apiserver_clear_faults(w->server);
	put(w, "a", "x");
	w->synced = false;
	assert_true(apiserver_run_until(w->server, &w->synced, SLOW));
	assert_int_equal(w->syncs, 2);
	assert_non_null(live_get(w->live, KEY));
}

static void test_live__wants_are_counted(void **state)
{
	struct watching *w = *state;

	put(w, "a", "x");
	want(w, w->configs);
	live_want(w->live, w->configs);
	settle(w);
	assert_int_equal(apiserver_watches(w->server), 1);
	live_unwant(w->live, w->configs);
	assert_true(live_ready(w->live, w->configs));
	live_unwant(w->live, w->configs);
	assert_false(live_ready(w->live, w->configs));
	assert_int_equal(live_count(w->live), 0);
	assert_int_equal(w->gone, 0); /* nothing happened to it */
	settle(w);
	assert_int_equal(apiserver_watches(w->server), 0);
}

/* ---- Our own writes ---- */

static void test_live__echo_of_our_write_is_no_news(void **state)
{
	struct watching *w = *state;

	want(w, w->configs);
	const struct value *v = put(w, "a", "x");
	const struct live_object *o = live_take(w->live, w->configs, v);
	assert_non_null(o);
	assert_string_equal(o->key, KEY);
	settle(w);
	assert_int_equal(w->changed, 0);
	assert_ptr_equal(live_get(w->live, KEY), o);
	put(w, "a", "y"); /* somebody else's is */
	settle(w);
	assert_int_equal(w->changed, 1);
}

static void test_live__late_news_of_a_former_object_are_ignored(void **state)
{
	struct watching *w = *state;

	put(w, "a", "x");
	want(w, w->configs);
	assert_true(apiserver_delete(w->server, "v1", "ConfigMap", "default", "a"));
	const struct value *again = put(w, "a", "x");
	live_take(w->live, w->configs, again); /* our answer came before the watch's DELETED */
	settle(w);
	assert_int_equal(w->gone, 0);
	assert_string_equal(live_get(w->live, KEY)->uid,
			    value_get_str(value_get(again, "metadata"), "uid"));
}

static void test_live__a_version_that_is_no_number_is_always_news(void **state)
{
	struct watching *w = *state;
	struct value *v = value_copy(w->arena, put(w, "z", NULL));

	value_set_string(w->arena, value_object_at(w->arena, v, "metadata"), "resourceVersion",
			 "abc");
	const struct live_object *o = live_take(w->live, w->configs, v);
	assert_true(o->version == 0);
	value_set_string(w->arena, value_object_at(w->arena, v, "metadata"), "uid", "other");
	live_take(w->live, w->configs, v);
	assert_string_equal(o->uid, "other");
}

/* ---- Health ---- */

static void test_live__health_says_why_and_since_when(void **state)
{
	struct watching *w = *state;

	want(w, w->deployments);
	put_web(w, 2,
		"{\"observedGeneration\":1,\"replicas\":2,\"updatedReplicas\":2,"
		"\"readyReplicas\":1,\"availableReplicas\":1}");
	settle(w);
	const struct live_object *o = live_get(w->live, "Deployment.apps|default|web");
	assert_non_null(o);
	assert_int_equal(o->health, HEALTH_PROGRESSING);
	assert_true(*o->why != '\0');
	assert_true(o->health_since_ms > 0);
}

static void test_live__metadata_of_a_write_says_nothing_about_health(void **state)
{
	struct watching *w = *state;
	static const char meta[] =
		"{\"apiVersion\":\"meta.k8s.io/v1\",\"kind\":\"PartialObjectMetadata\","
		"\"metadata\":{\"name\":\"web\",\"namespace\":\"default\",\"resourceVersion\":"
		"\"%lld\",\"labels\":{\"applyset.kubernetes.io/part-of\":\"x\"}}}";
	char text[400];
	struct value *v;
	struct error err;

	want(w, w->deployments);
	put_web(w, 0, "{\"observedGeneration\":1}");
	snprintf(text, sizeof text, meta, (long long)apiserver_revision(w->server));
	assert_int_equal(
		value_json_parse(w->arena, text, strlen(text), &value_limits_api, &v, &err), 0);
	const struct live_object *o = live_take(w->live, w->deployments, v);
	assert_int_equal(o->health, HEALTH_PROGRESSING);
	settle(w); /* the echo brings the whole object */
	assert_int_equal(w->changed, 1);
	assert_false(text_starts(o->why, "waiting for its first status"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_live__sees_only_what_has_the_label),
		TEST(test_live__deleted_and_unlabelled_are_gone),
		TEST(test_live__a_label_that_moves_is_told_to_both),
		TEST(test_live__each_walks_one_application),
		TEST(test_live__a_new_list_makes_the_missing_gone_and_tells_nothing_else),
		TEST(test_live__a_list_older_than_our_write_does_not_drop_it),
		TEST(test_live__outage_and_its_end_are_told_once),
		TEST(test_live__wants_are_counted),
		TEST(test_live__echo_of_our_write_is_no_news),
		TEST(test_live__late_news_of_a_former_object_are_ignored),
		TEST(test_live__a_version_that_is_no_number_is_always_news),
		TEST(test_live__health_says_why_and_since_when),
		TEST(test_live__metadata_of_a_write_says_nothing_about_health),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
