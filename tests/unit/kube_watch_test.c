/* kube/watch.c and stream.c: what a watch tells its owner, whatever happens to its connection.
 */
#include "kube_story.h"

#include "base/clock.h"

struct eye { /* what the owner of a watch sees, as one line of text */
	struct story *s;
	struct kube_watch *watch;
	struct buf log;
	bool synced, broken;
	int syncs, begins, breaks, events;
	struct error err;
	const char *stop_at; /* stop the watch when this object comes */
};

static void on_begin(void *arg)
{
	struct eye *e = arg;

	e->begins++;
	buf_puts(&e->log, "begin ");
}

static void on_event(void *arg, enum kube_event event, const struct value *object)
{
	struct eye *e = arg;
	const char *name = value_get_str(value_get(object, "metadata"), "name");

	e->events++;
	buf_printf(&e->log, "%c%s ", "+*-"[event], name);
	if (e->stop_at && !strcmp(name, e->stop_at)) {
		kube_watch_stop(e->watch);
		e->watch = NULL;
	}
}

static void on_synced(void *arg)
{
	struct eye *e = arg;

	e->syncs++;
	e->synced = true;
	buf_puts(&e->log, "synced ");
}

static void on_broken(void *arg, const struct error *err)
{
	struct eye *e = arg;

	e->breaks++;
	e->broken = true;
	e->err = *err;
	buf_puts(&e->log, "broken ");
}

static const struct kube_watch_ops ops = {on_begin, on_event, on_synced, on_broken};

static void look(struct eye *e, struct story *s, struct kube_watch_options o)
{
	memset(e, 0, sizeof *e);
	e->s = s;
	buf_init(&e->log);
	if (!o.kind)
		o.kind = s->configs;
	e->watch = kube_watch_start(s->kube, &o, &ops, e);
	assert_string_equal(e->log.ptr, ""); /* nothing from inside */
}

static void look_away(struct eye *e)
{
	if (e->watch)
		kube_watch_stop(e->watch);
	buf_clear(&e->log);
}

static void wait_synced(struct eye *e)
{
	e->synced = false;
	assert_true(apiserver_run_until(e->s->server, &e->synced, SLOW));
}

/* Run until the log ends so. */
static void wait_log(struct eye *e, const char *end)
{
	int64_t give_up = clock_mono_ms() + SLOW;

	while (!text_ends(e->log.ptr, end) && clock_mono_ms() < give_up)
		loop_run_for(e->s->loop, 5);
	assert_row(text_ends(e->log.ptr, end), e->log.ptr);
}

static void put(struct story *s, const char *name, const char *data)
{
	AUTO_FREE char *json =
		mem_printf("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{"
			   "\"name\":\"%s\",\"labels\":{\"team\":\"a\"}},\"data\":{"
			   "\"k\":\"%s\"}}",
			   name, data);
	assert_non_null(apiserver_put(s->server, "kubectl", json));
}

static void del(struct story *s, const char *name)
{
	assert_true(apiserver_delete(s->server, "v1", "ConfigMap", "default", name));
}

static void test_watch__list_then_changes(void **state)
{
	struct story *s = *state;
	struct eye e;

	put(s, "a", "1");
	put(s, "b", "1");
	look(&e, s, (struct kube_watch_options){.ns = "default", .selector = "team=a"});
	wait_synced(&e);
	assert_string_equal(e.log.ptr, "begin +a +b synced ");
	put(s, "a", "2");
	put(s, "c", "1");
	del(s, "b");
	wait_log(&e, "synced *a +c -b ");
	const struct apiserver_seen *seen = apiserver_seen(s->server, "GET", "watch=1");
	assert_true(text_starts(seen->uri,
				"/api/v1/namespaces/default/configmaps?labelSelector="
				"team%3Da&watch=1&allowWatchBookmarks=true&"
				"timeoutSeconds="));
	assert_non_null(strstr(seen->uri, "sendInitialEvents=true&resourceVersionMatch="
					  "NotOlderThan"));
	assert_int_equal(apiserver_seen_count(s->server, NULL, NULL), 1);
	look_away(&e);
}

static void test_watch__empty_collection_and_a_single_object(void **state)
{
	struct story *s = *state;
	struct eye e;

	look(&e, s, (struct kube_watch_options){.ns = "default", .name = "one"});
	wait_synced(&e);
	assert_string_equal(e.log.ptr, "begin synced ");
	put(s, "other", "1");
	put(s, "one", "1");
	wait_log(&e, "begin synced +one ");
	assert_non_null(apiserver_seen(s->server, "GET", "fieldSelector=metadata.name%3Done"));
	look_away(&e);
}

static void test_watch__resumes_without_a_new_list(void **state)
{
	struct story *s = *state;
	struct eye e;

	put(s, "a", "1");
	look(&e, s, (struct kube_watch_options){0});
	wait_synced(&e);
	put(s, "b", "1");
	wait_log(&e, "+b ");
	apiserver_cut_watches(s->server); /* in the middle of a line */
	for (int i = 0; apiserver_watches(s->server) && i < 1000; i++)
		loop_run_for(s->loop, 5);
	put(s, "c", "1");
	del(s, "a");
	wait_log(&e, "begin +a synced +b +c -a ");
	assert_int_equal(apiserver_seen_count(s->server, NULL, "sendInitialEvents"), 1);
	assert_int_equal(apiserver_seen_count(s->server, NULL, "&resourceVersion="), 1);
	assert_int_equal(e.breaks, 0); /* it was back at once: no outage */
	look_away(&e);
}

static void test_watch__usual_end_is_followed_at_once(void **state)
{
	struct story *s = *state;
	struct eye e;

	look(&e, s, (struct kube_watch_options){0});
	wait_synced(&e);
	put(s, "a", "1");
	wait_log(&e, "+a ");
	int64_t start = clock_mono_ms();
	apiserver_end_watches(s->server);
	put(s, "b", "1");
	wait_log(&e, "+a +b ");
	assert_in_range(clock_mono_ms() - start, 0, 350);
	assert_int_equal(e.begins, 1);
	look_away(&e);
}

static void test_watch__bookmarks_move_the_version_on(void **state)
{
	struct story *s = *state;
	struct eye e;
	char want[64];

	look(&e, s, (struct kube_watch_options){0});
	wait_synced(&e);
	apiserver_put(s->server, "x",
		      "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{"
		      "\"name\":\"s\"}}"); /* another kind's change */
	apiserver_bookmark(s->server);
	loop_run_for(s->loop, 30);
	snprintf(want, sizeof want, "&resourceVersion=%lld",
		 (long long)apiserver_revision(s->server));
	apiserver_end_watches(s->server);
	put(s, "b", "1");
	wait_log(&e, "begin synced +b ");
	assert_non_null(apiserver_seen(s->server, NULL, want));
	look_away(&e);
}

static void test_watch__expired_version_means_a_new_list(void **state)
{
	struct story *s = *state;
	struct eye e;

	put(s, "a", "1");
	look(&e, s, (struct kube_watch_options){0});
	wait_synced(&e);
	apiserver_expire(s->server); /* 410 for the version we have */
	apiserver_end_watches(s->server);
	wait_log(&e, "begin +a synced begin +a synced ");
	put(s, "b", "1");
	wait_log(&e, "synced +b ");
	apiserver_watch_error(s->server, 410, "Expired"); /* the same as an event */
	wait_log(&e, "+b begin +a +b synced ");
	assert_int_equal(e.breaks, 0);
	look_away(&e);
}

static void test_watch__error_events(void **state)
{
	struct story *s = *state;
	struct eye e;

	look(&e, s, (struct kube_watch_options){0});
	wait_synced(&e);
	apiserver_watch_error(s->server, 429, "TooManyRequests"); /* later, same version */
	put(s, "a", "1");
	wait_log(&e, "begin synced +a ");
	apiserver_watch_error(s->server, 500, "InternalError"); /* don't trust it: list again */
	wait_log(&e, "broken begin +a synced ");
	assert_non_null(strstr(e.err.text, "watch of ConfigMap: error by the test"));
	look_away(&e);
}

static void test_watch__without_watch_list_pages_are_read(void **state)
{
	struct story *s = *state;
	struct eye e, f;
	char name[16];

	apiserver_set_lacks(s->server, (struct apiserver_lacks){.watch_list = true});
	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof name, "c%d", i);
		put(s, name, "1");
	}
	look(&e, s, (struct kube_watch_options){0});
	wait_synced(&e);
	assert_int_equal(e.events, 600);
	assert_int_equal(e.begins, 1);
	assert_int_equal(apiserver_seen_count(s->server, NULL, "limit=250"), 3);
	put(s, "c0", "2");
	wait_log(&e, "synced *c0 ");
	look(&f, s, (struct kube_watch_options){.ns = "default", .name = "c1"});
	wait_synced(&f);
	assert_string_equal(f.log.ptr, "begin +c1 synced ");
	assert_int_equal(apiserver_seen_count(s->server, NULL, "sendInitialEvents"), 1);
	look_away(&e);
	look_away(&f);
}

static void test_watch__expired_page_starts_the_list_over(void **state)
{
	struct story *s = *state;
	struct eye e;
	char name[16];
	struct fault gone = {
		.kind = FAULT_STATUS, .match = "continue=", .status = 410, .times = 1};

	apiserver_set_lacks(s->server, (struct apiserver_lacks){.watch_list = true});
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "c%d", i);
		put(s, name, "1");
	}
	apiserver_fault(s->server, &gone);
	look(&e, s, (struct kube_watch_options){.metadata_only = true});
	wait_synced(&e);
	assert_int_equal(e.begins, 2);
	assert_int_equal(e.events, 250 + 300);
	look_away(&e);
}

static void test_watch__lines_in_pieces_are_put_together(void **state)
{
	struct story *s = *state;
	struct eye e;
	struct fault half = {.kind = FAULT_HALF_LINES, .match = "watch=1"};

	put(s, "a", "1");
	apiserver_fault(s->server, &half);
	look(&e, s, (struct kube_watch_options){0});
	wait_synced(&e);
	put(s, "b", "1");
	wait_log(&e, "begin +a synced +b ");
	put(s, "c", "1");
	wait_log(&e, "+b +c ");
	look_away(&e);
}

static void test_watch__outage_is_told_once_and_ends(void **state)
{
	struct story *s = *state;
	struct eye e;
	struct fault down = {
		.kind = FAULT_STATUS, .match = "watch=1", .status = 500, .times = 2};

	apiserver_fault(s->server, &down);
	look(&e, s, (struct kube_watch_options){0});
	wait_synced(&e); /* after about 0.8 s and 1.6 s */
	assert_string_equal(e.log.ptr, "broken begin synced ");
	assert_int_equal(e.err.kind, ERROR_TRANSIENT);
	assert_string_equal(e.err.text,
			    "ConfigMap list: the API server has a problem (HTTP 500): "
			    "fault by the test");
	look_away(&e);
}

static void test_watch__refusals_say_why(void **state)
{
	struct story *s = *state;
	struct eye e;
	struct fault no = {.kind = FAULT_STATUS, .match = "watch=1", .status = 403};
	struct kube_kind other = *s->configs;

	apiserver_fault(s->server, &no);
	look(&e, s, (struct kube_watch_options){0});
	assert_true(apiserver_run_until(s->server, &e.broken, SLOW));
	assert_error(&e.err, ERROR_DENIED, "Forbidden",
		     "ConfigMap list: the API server forbids it: fault by the test");
	look_away(&e);
	apiserver_clear_faults(s->server);
	other.plural = "nothings";
	look(&e, s, (struct kube_watch_options){.kind = &other});
	assert_true(apiserver_run_until(s->server, &e.broken, SLOW));
	assert_string_equal(e.err.reason, "KindUnknown");
	look_away(&e);
}

static void test_watch__junk_means_a_new_list_later(void **state)
{
	struct story *s = *state;
	struct eye e;
	struct fault junk = {
		.kind = FAULT_JUNK, .match = "watch=1", .times = 1, .body = "{\"x\n"};

	apiserver_fault(s->server, &junk);
	look(&e, s, (struct kube_watch_options){0});
	wait_synced(&e);
	assert_string_equal(e.log.ptr, "broken begin synced ");
	assert_non_null(strstr(e.err.text, "watch of ConfigMap: "));
	look_away(&e);
}

static void test_watch__event_up_to_the_cap_and_beyond(void **state)
{
	struct story *s = *state;
	struct eye e;
	struct fault huge = {
		.kind = FAULT_HUGE, .match = "watch=1", .times = 1, .cut = (4 << 20) + 1};
	AUTO_FREE char *big = test_repeat("x", 3 << 20);

	put(s, "big", big);
	apiserver_fault(s->server, &huge);
	look(&e, s, (struct kube_watch_options){0});
	assert_true(apiserver_run_until(s->server, &e.broken, SLOW));
	assert_non_null(strstr(e.err.text, "an event of more than 4 MiB"));
	wait_log(&e, "begin +big synced "); /* and one of 3 MiB is fine */
	look_away(&e);
}

static void test_watch__may_be_stopped_inside_an_event(void **state)
{
	struct story *s = *state;
	struct eye e;

	put(s, "a", "1");
	put(s, "b", "1");
	put(s, "c", "1");
	look(&e, s, (struct kube_watch_options){0});
	e.stop_at = "b";
	wait_log(&e, "begin +a +b ");
	loop_run_for(s->loop, 50);
	assert_string_equal(e.log.ptr, "begin +a +b ");
	look_away(&e);
	look(&e, s, (struct kube_watch_options){0});
	wait_synced(&e);
	e.stop_at = "d";
	put(s, "d", "1");
	wait_log(&e, "synced +d ");
	put(s, "e", "1");
	loop_run_for(s->loop, 50);
	assert_true(text_ends(e.log.ptr, "synced +d "));
	look_away(&e);
}

static void test_watch__several_run_side_by_side(void **state)
{
	struct story *s = *state;
	struct eye e[20];

	put(s, "a", "1");
	for (size_t i = 0; i < ARRAY_LEN(e); i++)
		look(&e[i], s, (struct kube_watch_options){.metadata_only = i % 2});
	for (size_t i = 0; i < ARRAY_LEN(e); i++)
		wait_log(&e[i], "begin +a synced ");
	assert_int_equal(apiserver_watches(s->server), ARRAY_LEN(e));
	put(s, "b", "1");
	for (size_t i = 0; i < ARRAY_LEN(e); i++)
		wait_log(&e[i], "+b ");
	for (size_t i = 0; i < ARRAY_LEN(e); i++)
		look_away(&e[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_watch__list_then_changes),
		T(test_watch__empty_collection_and_a_single_object),
		T(test_watch__resumes_without_a_new_list),
		T(test_watch__usual_end_is_followed_at_once),
		T(test_watch__bookmarks_move_the_version_on),
		T(test_watch__expired_version_means_a_new_list),
		T(test_watch__error_events),
		T(test_watch__without_watch_list_pages_are_read),
		T(test_watch__expired_page_starts_the_list_over),
		T(test_watch__lines_in_pieces_are_put_together),
		T(test_watch__outage_is_told_once_and_ends),
		T(test_watch__refusals_say_why),
		T(test_watch__junk_means_a_new_list_later),
		T(test_watch__event_up_to_the_cap_and_beyond),
		T(test_watch__may_be_stopped_inside_an_event),
		T(test_watch__several_run_side_by_side),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
