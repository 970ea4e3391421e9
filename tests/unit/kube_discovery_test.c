/* kube/discovery.c: kinds, changes, staleness, both forms of the document. */
#include "test.h"

#include "../faults/apiserver.h"
#include "base/mem.h"
#include "kube/discovery_int.h"
#include "value/json.h"

#define SLOW 5000

struct fixture {
	struct loop *loop;
	struct apiserver *server;
	struct kube *kube;
};

struct outcome {
	bool done, changed;
	struct error err;
	int calls;
};

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof *f);

	assert_int_equal(loop_new(&f->loop, NULL), 0);
	f->server = apiserver_new(f->loop);
	f->kube = apiserver_connect(f->server);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	kube_free(f->kube);
	apiserver_free(f->server);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void on_discovered(void *arg, const struct error *err, bool changed)
{
	struct outcome *o = arg;

	o->done = true;
	o->calls++;
	o->changed = changed;
	o->err = err ? *err : (struct error)ERROR_INIT;
}

static struct outcome discover(struct fixture *f)
{
	struct outcome o = {0};

	kube_discover(f->kube, on_discovered, &o);
	assert_false(o.done);
	assert_true(apiserver_run_until(f->server, &o.done, SLOW));
	return o;
}

static void check_kinds(struct fixture *f)
{
	const struct kube_kind *k = kube_kind(f->kube, "apps", NULL, "Deployment");
	char text[64];

	assert_non_null(k);
	assert_string_equal(k->plural, "deployments");
	assert_string_equal(k->version, "v1");
	assert_true(k->namespaced && k->served && k->has_status && k->preferred && !k->stale);
	assert_true(k->can_list_watch && k->can_patch);
	assert_string_equal(kube_kind_text(k, text, sizeof text), "Deployment.apps");
	k = kube_kind(f->kube, "", "v1", "Namespace");
	assert_false(k->namespaced);
	assert_string_equal(kube_kind_text(k, text, sizeof text), "Namespace");
	assert_false(kube_kind(f->kube, "", "v1", "ConfigMap")->has_status);
	assert_null(kube_kind(f->kube, "apps", "v2", "Deployment"));
	assert_null(kube_kind(f->kube, "nope", NULL, "Deployment"));
}

static void test_discovery__knows_kinds_and_is_cheap_when_unchanged(void **state)
{
	struct fixture *f = *state;
	struct outcome o = discover(f);

	assert_int_equal(o.err.kind, ERROR_NONE);
	assert_true(o.changed);
	check_kinds(f);
	apiserver_forget(f->server);
	o = discover(f);
	assert_int_equal(o.err.kind, ERROR_NONE);
	assert_false(o.changed);
	assert_int_equal(apiserver_seen_count(f->server, NULL, NULL), 2);
	assert_int_equal(apiserver_seen(f->server, "GET", "/apis")->status, 304);
	check_kinds(f);
}

static void test_discovery__a_kind_comes_goes_and_keeps_its_pointer(void **state)
{
	struct fixture *f = *state;

	discover(f);
	apiserver_add_kind(f->server, "x.io", "v1", "Thing", "things", true, false);
	apiserver_add_kind(f->server, "x.io", "v1beta1", "Thing", "things", true, false);
	assert_true(discover(f).changed);
	const struct kube_kind *k = kube_kind(f->kube, "x.io", NULL, "Thing");
	assert_string_equal(k->version, "v1"); /* the one named first */
	assert_false(kube_kind(f->kube, "x.io", "v1beta1", "Thing")->preferred);
	apiserver_remove_kind(f->server, "x.io", "Thing");
	assert_true(discover(f).changed);
	assert_null(kube_kind(f->kube, "x.io", NULL, "Thing"));
	assert_false(k->served);
	assert_string_equal(k->plural, "things");
	apiserver_add_kind(f->server, "x.io", "v1", "Thing", "thingies", false, true);
	assert_true(discover(f).changed);
	assert_ptr_equal(kube_kind(f->kube, "x.io", NULL, "Thing"), k);
	assert_string_equal(k->plural, "thingies");
	assert_true(!k->namespaced && k->has_status);
}

static void test_discovery__stale_is_unknown_and_never_gone(void **state)
{
	struct fixture *f = *state;

	discover(f);
	apiserver_set_stale(f->server, "apps", true);
	assert_true(discover(f).changed);
	assert_true(kube_discovery_stale(f->kube));
	assert_true(kube_kind(f->kube, "apps", NULL, "Deployment")->stale);
	assert_false(kube_kind(f->kube, "batch", NULL, "Job")->stale);
	apiserver_set_stale(f->server, "apps", false);
	discover(f);
	assert_false(kube_discovery_stale(f->kube));
	assert_false(kube_kind(f->kube, "apps", NULL, "Deployment")->stale);
}

static void test_discovery__old_servers_are_asked_group_by_group(void **state)
{
	struct fixture *f = *state;

	apiserver_set_lacks(f->server, (struct apiserver_lacks){.aggregated_discovery = true});
	assert_true(discover(f).changed);
	check_kinds(f);
	assert_false(discover(f).changed);
	apiserver_set_stale(f->server, "apps", true); /* its list answers 503 */
	assert_true(discover(f).changed);
	assert_true(kube_discovery_stale(f->kube));
	assert_true(kube_kind(f->kube, "apps", NULL, "Deployment")->stale);
	assert_false(kube_kind(f->kube, "batch", NULL, "Job")->stale);
}

static void test_discovery__overlapping_calls_share_a_round(void **state)
{
	struct fixture *f = *state;
	struct outcome a = {0}, b = {0};

	kube_discover(f->kube, on_discovered, &a);
	kube_discover(f->kube, on_discovered, &b);
	assert_true(apiserver_run_until(f->server, &b.done, SLOW));
	assert_true(a.done);
	assert_int_equal(apiserver_seen_count(f->server, NULL, NULL), 2);
}

static void test_discovery__failure_changes_nothing_and_is_told(void **state)
{
	struct fixture *f = *state;
	struct fault bad = {.kind = FAULT_STATUS, .match = "/apis", .status = 500, .times = 1};
	struct fault junk = {.kind = FAULT_JUNK, .match = "/apis", .times = 1};
	struct fault denied = {
		.kind = FAULT_STATUS, .match = "/apis", .status = 403, .times = 1};

	discover(f);
	apiserver_add_kind(f->server, "", "v1", "Thing", "things", true, false);
	apiserver_fault(f->server, &bad);
	struct outcome o = discover(f);
	assert_int_equal(o.err.kind, ERROR_TRANSIENT);
	assert_non_null(strstr(o.err.text, "answers /apis with HTTP 500"));
	check_kinds(f);
	assert_null(kube_kind(f->kube, "", "v1", "Thing"));
	apiserver_fault(f->server, &junk);
	o = discover(f);
	assert_int_equal(o.err.kind, ERROR_TRANSIENT);
	apiserver_fault(f->server, &denied);
	assert_int_equal(discover(f).err.kind, ERROR_DENIED);
	check_kinds(f);
	o = discover(f);
	assert_int_equal(o.err.kind, ERROR_NONE);
	assert_true(o.changed); /* what the failed rounds read was not lost */
	assert_non_null(kube_kind(f->kube, "", "v1", "Thing"));
}

static void test_discovery__odd_documents_are_survived(void **state)
{
	static const char *const docs[] = {
		"{}",
		"{\"kind\":\"APIGroupDiscoveryList\"}",
		"{\"kind\":\"APIGroupDiscoveryList\",\"items\":[1,{},{\"metadata\":7},"
		"{\"versions\":[{\"version\":\"\"},{\"version\":\"v1\",\"resources\":[{},7,"
		"{\"resource\":\"a/b\",\"responseKind\":{\"kind\":\"A\"}},"
		"{\"resource\":\"a\",\"responseKind\":null}]}]}]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(docs); i++) {
		AUTO_ARENA a = arena_new();
		struct kube_discovery *d = kube_discovery_new();
		struct value *doc;
		struct error err = ERROR_INIT;

		assert_int_equal(value_json_parse(a, docs[i], strlen(docs[i]),
						  &value_limits_api, &doc, NULL),
				 0);
		discovery_begin(d, HALF_CORE);
		assert_int_equal(discovery_read(d, doc, &err), i ? 0 : -1);
		discovery_commit(d);
		assert_int_equal(d->all.len, 0);
		kube_discovery_free(d);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_discovery__knows_kinds_and_is_cheap_when_unchanged),
		T(test_discovery__a_kind_comes_goes_and_keeps_its_pointer),
		T(test_discovery__stale_is_unknown_and_never_gone),
		T(test_discovery__old_servers_are_asked_group_by_group),
		T(test_discovery__overlapping_calls_share_a_round),
		T(test_discovery__failure_changes_nothing_and_is_told),
		T(test_discovery__odd_documents_are_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
