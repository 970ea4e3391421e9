/* kube/send.c and call.c: what goes out for each verb, and what is tried again. */
#include "kube_story.h"

#include "base/clock.h"

static struct kube_request apply_of(struct story *s, const char *name, const char *body)
{
	return (struct kube_request){.verb = KUBE_APPLY,
				     .kind = s->configs,
				     .ns = "default",
				     .name = name,
				     .body = body,
				     .field_manager = "modelsync",
				     .deadline_ms = SLOW};
}

static void test_send__apply_creates_leaves_and_changes(void **state)
{
	struct story *s = *state;
	struct answer a = {0};
	struct kube_request r = apply_of(s, "a", CONFIG("a", "\"k\":\"1\""));
	char version[32];

	r.dry_run = true;
	story_send(s, r, &a);
	assert_int_equal(a.status, 201);
	assert_null(apiserver_get(s->server, "v1", "ConfigMap", "default", "a"));
	r.dry_run = false;
	r.force = true;
	story_send(s, r, &a);
	assert_int_equal(a.status, 201);
	strcpy(version, a.version);
	const struct apiserver_seen *seen = apiserver_seen(s->server, "PATCH", NULL);
	assert_string_equal(seen->uri, "/api/v1/namespaces/default/configmaps/a?fieldManager="
				       "modelsync&force=true&fieldValidation=Strict");
	assert_string_equal(seen->content_type, "application/apply-patch+yaml");
	assert_string_equal(seen->accept, "application/json");
	assert_string_equal(seen->authorization, "Bearer test-token");
	assert_string_equal(seen->body, r.body);
	r.metadata_only = true;
	story_send(s, r, &a);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.version, version); /* nothing changed */
	assert_non_null(strstr(a.json, "PartialObjectMetadata"));
	assert_null(strstr(a.json, "\"data\""));
	r.body = CONFIG("a", "\"k\":\"2\"");
	story_send(s, r, &a);
	assert_string_not_equal(a.version, version);
	assert_int_equal(kube_stats(s->kube)->requests[KUBE_APPLY], 4);
	answer_clear(&a);
}

static void test_send__each_verb_goes_where_it_should(void **state)
{
	struct story *s = *state;
	struct answer a = {0};
	struct kube_request r = {.kind = s->configs, .ns = "default", .deadline_ms = SLOW};

	r.verb = KUBE_CREATE;
	r.body = CONFIG("b", "\"k\":\"1\"");
	r.field_manager = "m";
	story_send(s, r, &a);
	assert_int_equal(a.status, 201);
	AUTO_FREE char *uid = mem_strdup(a.uid);
	r.verb = KUBE_MERGE_PATCH;
	r.name = "b";
	r.body = "{\"data\":{\"k\":null,\"z\":\"3\"}}";
	story_send(s, r, &a);
	assert_non_null(strstr(a.json, "\"data\":{\"z\":\"3\"}"));
	r.verb = KUBE_REPLACE;
	r.body = CONFIG("b", "\"k\":\"9\"");
	story_send(s, r, &a);
	assert_int_equal(a.status, 200);
	r.verb = KUBE_GET;
	r.body = NULL;
	story_send(s, r, &a);
	assert_non_null(strstr(a.json, "\"data\":{\"k\":\"9\"}"));
	r.verb = KUBE_LIST;
	r.selector = "team=a,x in (y)";
	story_send(s, r, &a);
	assert_int_equal(a.status, 200);
	assert_string_equal(
		apiserver_seen(s->server, NULL, "labelSelector")->uri,
		"/api/v1/namespaces/default/configmaps?labelSelector=team%3Da%2Cx%20in%"
		"20%28y%29");
	r.verb = KUBE_DELETE;
	r.uid = "other";
	story_send(s, r, &a);
	assert_int_equal(a.err.kind, ERROR_CONFLICT);
	assert_string_equal(a.err.reason, "Conflict");
	r.uid = uid;
	story_send(s, r, &a);
	assert_int_equal(a.status, 200);
	AUTO_FREE char *options =
		mem_printf("{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
			   "\"preconditions\":{\"uid\":\"%s\"},"
			   "\"propagationPolicy\":\"Background\"}",
			   uid);
	assert_string_equal(apiserver_seen(s->server, "DELETE", NULL)->body, options);
	answer_clear(&a);
}

static void test_send__status_goes_to_its_own_path(void **state)
{
	struct story *s = *state;
	struct answer a = {0};
	struct kube_request r = {
		.verb = KUBE_APPLY,
		.kind = s->deployments,
		.ns = "default",
		.name = "web",
		.field_manager = "modelsync",
		.body = "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\","
			"\"metadata\":{\"name\":\"web\"},\"spec\":{\"replicas\":1}}"};

	story_send(s, r, &a);
	assert_int_equal(a.status, 201);
	r.subresource = "status";
	r.field_manager = "modelsync-status";
	r.body = "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":"
		 "\"web\"},\"status\":{\"replicas\":1}}";
	story_send(s, r, &a);
	assert_int_equal(a.status, 200);
	assert_non_null(apiserver_seen(s->server, "PATCH", "/deployments/web/status?"));
	assert_non_null(strstr(a.json, "\"subresource\":\"status\""));
	answer_clear(&a);
}

static void test_send__callers_mistakes_are_told_without_a_request(void **state)
{
	struct story *s = *state;
	struct answer a = {0};
	struct kube_request rows[] = {
		{.verb = KUBE_GET, .kind = s->configs, .ns = "default", .name = ".."},
		{.verb = KUBE_GET, .kind = s->configs, .name = "a"},
		{.verb = KUBE_GET, .kind = s->configs, .ns = "..", .name = "a"},
		{.verb = KUBE_DELETE, .kind = s->configs, .ns = "default", .name = "a"},
		{.verb = KUBE_APPLY, .kind = s->configs, .ns = "default", .name = "a"},
		{.verb = KUBE_GET, .kind = s->configs, .ns = "default"},
	};
	static const enum error_kind kinds[] = {ERROR_INVALID, ERROR_INVALID, ERROR_INVALID,
						ERROR_BUG,     ERROR_BUG,     ERROR_INVALID};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		story_send(s, rows[i], &a);
		assert_int_equal(a.err.kind, kinds[i]);
		assert_int_equal(a.status, 0);
	}
	assert_int_equal(apiserver_seen_count(s->server, NULL, NULL), 0);
	answer_clear(&a);
}

static void test_send__names_are_encoded(void **state)
{
	struct story *s = *state;
	struct answer a = {0};
	struct kube_request r = {
		.verb = KUBE_GET, .kind = s->configs, .ns = "default", .name = "a/../b?c"};

	story_send(s, r, &a);
	assert_int_equal(a.err.kind, ERROR_GONE);
	assert_string_equal(apiserver_seen(s->server, "GET", NULL)->uri,
			    "/api/v1/namespaces/default/configmaps/a%2F..%2Fb%3Fc");
	answer_clear(&a);
}

static void test_send__what_may_pass_is_tried_again(void **state)
{
	struct story *s = *state;
	static const struct {
		struct fault f;
		int tries; /* curl itself repeats what a kept connection swallowed: 1 then */
	} rows[] = {
		{{.kind = FAULT_CLOSE, .times = 1}, 1},
		{{.kind = FAULT_CLOSE, .times = 3}, 2},
		{{.kind = FAULT_CLOSE_DONE, .times = 3}, 2},
		{{.kind = FAULT_CUT, .times = 2, .cut = 10}, 3},
		{{.kind = FAULT_STATUS, .times = 1, .status = 429, .retry_after = -1}, 2},
		{{.kind = FAULT_STATUS, .times = 1, .status = 503, .retry_after = -1}, 2},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct answer a = {0};
		char name[16];
		snprintf(name, sizeof name, "r%zu", i);
		AUTO_FREE char *body =
			mem_printf("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","
				   "\"metadata\":{\"name\":\"%s\"}}",
				   name);
		apiserver_clear_faults(s->server);
		apiserver_fault(s->server, &rows[i].f);
		story_send(s, apply_of(s, name, body), &a);
		assert_true(a.tries >= rows[i].tries);
		assert_int_equal(a.err.kind, ERROR_NONE);
		assert_true(apiserver_seen_count(s->server, NULL, name) >= 2);
		answer_clear(&a);
	}
	assert_true(kube_stats(s->kube)->retries >= 4);
}

static void test_send__retry_after_is_honoured_and_so_is_the_deadline(void **state)
{
	struct story *s = *state;
	struct answer a = {0};
	struct fault busy = {.kind = FAULT_STATUS, .times = 1, .status = 429, .retry_after = 1};
	struct kube_request r = apply_of(s, "a", CONFIG("a", "\"k\":\"1\""));
	int64_t start = clock_mono_ms();

	apiserver_fault(s->server, &busy);
	story_send(s, r, &a);
	assert_in_range(clock_mono_ms() - start, 1000, 4000);
	assert_int_equal(a.tries, 2);
	apiserver_fault(s->server, &busy);
	r.deadline_ms = 500; /* too short for another try */
	start = clock_mono_ms();
	story_send(s, r, &a);
	assert_in_range(clock_mono_ms() - start, 0, 450);
	assert_error(
		&a.err, ERROR_TRANSIENT, "ServerBusy",
		"ConfigMap a in namespace default: the API server is busy: fault by the test");
	answer_clear(&a);
}

static void test_send__a_500_is_not_tried_again(void **state)
{
	struct story *s = *state;
	struct answer a = {0};
	struct fault bad = {.kind = FAULT_STATUS, .status = 500};

	apiserver_fault(s->server, &bad);
	story_send(s, apply_of(s, "a", CONFIG("a", "")), &a);
	assert_int_equal(a.tries, 1);
	assert_error(
		&a.err, ERROR_TRANSIENT, "ServerError",
		"ConfigMap a in namespace default: the API server has a problem (HTTP 500): "
		"fault by the test");
	answer_clear(&a);
}

static void test_send__create_is_only_repeated_when_nothing_was_sent(void **state)
{
	struct story *s = *state;
	struct answer a = {0};
	struct fault lost = {.kind = FAULT_CLOSE_DONE, .method = "POST"};
	struct kube_request r = {.verb = KUBE_CREATE,
				 .kind = s->configs,
				 .ns = "default",
				 .body = CONFIG("c", ""),
				 .deadline_ms = 2000};

	apiserver_fault(s->server, &lost);
	story_send(s, r, &a);
	assert_int_equal(a.err.kind, ERROR_TRANSIENT);
	assert_string_equal(a.err.reason, "Unreachable");
	assert_int_equal(a.tries, 1);
	answer_clear(&a);
}

static void test_send__silence_ends_at_the_deadline(void **state)
{
	struct story *s = *state;
	struct answer a = {0};
	struct fault stall = {.kind = FAULT_STALL};
	struct kube_request r = apply_of(s, "a", CONFIG("a", ""));
	int64_t start = clock_mono_ms();

	apiserver_fault(s->server, &stall);
	r.deadline_ms = 200;
	story_send(s, r, &a);
	assert_in_range(clock_mono_ms() - start, 195, 3000);
	assert_int_equal(a.err.kind, ERROR_TRANSIENT);
	assert_string_equal(a.err.reason, "Unreachable");
	assert_non_null(
		strstr(a.err.text, "ConfigMap a in namespace default: http://127.0.0.1:"));
	assert_non_null(strstr(a.err.text, "no answer within"));
	answer_clear(&a);
}

static void test_send__junk_is_the_servers_fault(void **state)
{
	struct story *s = *state;
	struct answer a = {0};
	struct fault junk = {.kind = FAULT_JUNK, .times = 1};
	struct fault huge = {.kind = FAULT_HUGE, .times = 1, .cut = (64 << 20) + 1};

	apiserver_fault(s->server, &junk);
	story_send(s, apply_of(s, "a", CONFIG("a", "")), &a);
	assert_int_equal(a.err.kind, ERROR_TRANSIENT);
	assert_string_equal(a.err.reason, "ServerError");
	assert_non_null(strstr(a.err.text, "is no JSON object"));
	apiserver_clear_faults(s->server);
	apiserver_fault(s->server, &huge);
	story_send(s, apply_of(s, "a", CONFIG("a", "")), &a);
	assert_int_equal(a.err.kind, ERROR_INVALID);
	assert_string_equal(a.err.reason, "TooLarge");
	answer_clear(&a);
}

static void count_reply(void *arg, struct kube_reply *r)
{
	int *left = arg;

	assert_int_equal(r->err.kind, ERROR_NONE);
	--*left;
}

static void never(void *arg, struct kube_reply *r)
{
	fail();
}

static void test_send__many_at_once_and_some_cancelled(void **state)
{
	struct story *s = *state;
	int left = 0;

	for (int i = 0; i < 200; i++) {
		char name[16];
		snprintf(name, sizeof name, "m%d", i);
		AUTO_FREE char *body =
			mem_printf("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","
				   "\"metadata\":{\"name\":\"%s\"}}",
				   name);
		struct kube_request r = apply_of(s, name, body);
		r.body_len = strlen(body);
		struct kube_call *c =
			kube_send(s->kube, &r, i % 10 ? count_reply : never, &left);
		if (i % 10)
			left++;
		else
			kube_cancel(c);
	}
	for (int i = 0; left && i < 1000; i++)
		loop_run_for(s->loop, 10);
	assert_int_equal(left, 0);
	assert_int_equal(apiserver_count(s->server), 2 + 180);
}

static void test_send__freeing_the_client_silences_its_calls(void **state)
{
	struct story *s = *state;
	struct kube_request r = apply_of(s, "a", CONFIG("a", ""));

	r.body_len = strlen(r.body);
	kube_send(s->kube, &r, never, NULL);
	kube_free(s->kube);
	s->kube = NULL;
	loop_run_for(s->loop, 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_send__apply_creates_leaves_and_changes),
		T(test_send__each_verb_goes_where_it_should),
		T(test_send__status_goes_to_its_own_path),
		T(test_send__callers_mistakes_are_told_without_a_request),
		T(test_send__names_are_encoded),
		T(test_send__what_may_pass_is_tried_again),
		T(test_send__retry_after_is_honoured_and_so_is_the_deadline),
		T(test_send__a_500_is_not_tried_again),
		T(test_send__create_is_only_repeated_when_nothing_was_sent),
		T(test_send__silence_ends_at_the_deadline),
		T(test_send__junk_is_the_servers_fault),
		T(test_send__many_at_once_and_some_cancelled),
		T(test_send__freeing_the_client_silences_its_calls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
