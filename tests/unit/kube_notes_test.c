/* kube/notes.c: Kubernetes events, and how repeats become a series. */
#include "kube_story.h"

static const struct kube_event_note hello = {.api_version = "apps/v1",
					     .kind = "Deployment",
					     .ns = "default",
					     .name = "web",
					     .uid = "u1",
					     .reason = "Synced",
					     .action = "Sync",
					     .note = "all \"good\""};

static void settle(struct story *s)
{
	loop_run_for(s->loop, 60);
}

static void test_notes__first_is_created_with_every_field(void **state)
{
	struct story *s = *state;

	kube_note(s->kube, &hello);
	settle(s);
	const struct apiserver_seen *seen = apiserver_seen(s->server, "POST", NULL);
	assert_string_equal(seen->uri, "/apis/events.k8s.io/v1/namespaces/default/events");
	assert_int_equal(seen->status, 201);
	AUTO_ARENA a = arena_new();
	struct value *e;
	assert_int_equal(value_json_parse(a, seen->body, strlen(seen->body), &value_limits_api,
					  &e, NULL),
			 0);
	static const char *const wanted[][2] = {{"note", "all \"good\""},
						{"type", "Normal"},
						{"reason", "Synced"},
						{"action", "Sync"},
						{"reportingController", "modelsync.dev/agent"}};
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		assert_row_text(value_get_str(e, wanted[i][0]), wanted[i][1], wanted[i][0]);
	assert_non_null(value_get_str(e, "eventTime"));
	assert_non_null(value_get_str(e, "reportingInstance"));
	assert_string_equal(value_get_str(value_get(e, "regarding"), "uid"), "u1");
	assert_true(text_starts(value_get_str(value_get(e, "metadata"), "name"), "web."));
}

static void test_notes__repeats_become_one_series(void **state)
{
	struct story *s = *state;

	for (int i = 0; i < 50; i++)
		kube_note(s->kube, &hello);
	settle(s);
	assert_int_equal(apiserver_seen_count(s->server, "POST", NULL), 1);
	assert_int_equal(apiserver_seen_count(s->server, "PATCH", NULL), 1);
	assert_true(text_starts(apiserver_seen(s->server, "PATCH", NULL)->body,
				"{\"series\":{\"count\":2,\"lastObservedTime\":\""));
	struct kube_event_note other = hello;
	other.warning = true;
	kube_note(s->kube, &other);
	settle(s);
	assert_int_equal(apiserver_seen_count(s->server, "POST", NULL), 2);
}

static void test_notes__are_bounded_in_number_and_size(void **state)
{
	struct story *s = *state;
	AUTO_FREE char *text = test_repeat("\xc3\xa4", 900); /* 1,800 bytes */
	struct kube_event_note e = hello;
	char name[16];

	e.note = text;
	e.ns = NULL; /* cluster-scoped: events stand in default */
	kube_note(s->kube, &e);
	settle(s);
	const char *body = apiserver_seen(s->server, "POST", "namespaces/default/events")->body;
	const char *note = strstr(body, "\"note\":\"");
	assert_int_equal(strcspn(note + 8, "\""), 1000);
	e.note = "x";
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof name, "n%d", i);
		e.name = name;
		kube_note(s->kube, &e);
	}
	settle(s);
	assert_in_range(apiserver_seen_count(s->server, "POST", NULL), 2, 100);
}

static void test_notes__refusals_hurt_nobody(void **state)
{
	struct story *s = *state;
	struct fault no = {.kind = FAULT_STATUS, .status = 403};

	apiserver_fault(s->server, &no);
	kube_note(s->kube, &hello);
	kube_note(s->kube, &hello);
	settle(s);
	assert_int_equal(apiserver_seen_count(s->server, NULL, NULL), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_notes__first_is_created_with_every_field),
		T(test_notes__repeats_become_one_series),
		T(test_notes__are_bounded_in_number_and_size),
		T(test_notes__refusals_hurt_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
