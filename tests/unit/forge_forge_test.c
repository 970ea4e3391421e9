/*
 * The queue against a small forge in the same loop: it keeps what was posted, answers a list of
 * it, and can be told to fail.
 */
#include "test.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "forge/forge_int.h"

#define COMMIT_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define COMMIT_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct fixture {
	struct loop *loop;
	struct evhttp *http;
	struct forge *forge;
	struct timer deadline, look;
	int port;
	int posts, gets;       /* requests that arrived */
	int status_of_next[8]; /* answers to the next requests; 0: work normally */
	int next;
	const char *retry_after; /* header of failures */
	const char *list;	 /* body of a GET */
	bool cut;		 /* take a POST, then close without an answer */
	char body[4096], path[512], auth[64];
	int told_ok, told_failed;
	struct error last;
	char told_text[512];
	bool (*until)(struct fixture *fx);
	bool late;
};

static void remember_request(struct fixture *fx, struct evhttp_request *req, bool post)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	size_t len = evbuffer_get_length(in);
	const char *auth =
		evhttp_find_header(evhttp_request_get_input_headers(req), "Authorization");

	assert_true(len < sizeof fx->body);
	snprintf(fx->auth, sizeof fx->auth, "%s", auth ? auth : "");
	snprintf(fx->path, sizeof fx->path, "%s", evhttp_request_get_uri(req));
	if (post) {
		evbuffer_remove(in, fx->body, len);
		fx->body[len] = 0;
	}
	*(post ? &fx->posts : &fx->gets) += 1;
}

static void serve(struct evhttp_request *req, void *arg)
{
	struct fixture *fx = arg;
	bool post = evhttp_request_get_command(req) == EVHTTP_REQ_POST;
	struct evbuffer *out = evbuffer_new();
	int status = fx->next < 8 ? fx->status_of_next[fx->next] : 0;

	fx->next++;
	remember_request(fx, req, post);
	if (post && fx->cut) {
		fx->cut = false;
		evhttp_connection_free(evhttp_request_get_connection(req));
		evbuffer_free(out);
		return;
	}
	if (status) {
		evbuffer_add_printf(out, "{\"message\":\"told to answer %d\"}", status);
		if (fx->retry_after)
			evhttp_add_header(evhttp_request_get_output_headers(req), "Retry-After",
					  fx->retry_after);
	} else {
		status = post ? 201 : 200;
		if (fx->cut) /* curl itself sends again what a reused connection lost */
			evhttp_add_header(evhttp_request_get_output_headers(req), "Connection",
					  "close");
		evbuffer_add_printf(out, "%s", post ? "{}" : fx->list ? fx->list : "[]");
	}
	evhttp_send_reply(req, status, "x", out);
	evbuffer_free(out);
}

static void on_sent(void *arg, const struct commit_status *s, const struct error *err)
{
	struct fixture *fx = arg;

	snprintf(fx->told_text, sizeof fx->told_text, "%s %s", commit_state_name(s->state),
		 s->description);
	if (err) {
		fx->told_failed++;
		fx->last = *err;
	} else {
		fx->told_ok++;
	}
}

static void on_deadline(void *arg)
{
	struct fixture *fx = arg;

	fx->late = true;
	loop_stop(fx->loop);
}

static void on_look(void *arg)
{
	struct fixture *fx = arg;

	if (fx->until(fx))
		loop_stop(fx->loop);
	else
		timer_set(&fx->look, 5);
}

static bool is_idle(struct fixture *fx)
{
	return forge_idle(fx->forge);
}

static bool has_failed(struct fixture *fx)
{
	return fx->told_failed > 0;
}

static bool never(struct fixture *fx)
{
	return false;
}

/* Run until the condition holds; false when it did not within `ms`. */
static bool run(struct fixture *fx, bool (*until)(struct fixture *), int ms)
{
	fx->until = until;
	fx->late = false;
	timer_set(&fx->deadline, ms);
	timer_set(&fx->look, 0);
	loop_run(fx->loop);
	timer_cancel(&fx->deadline);
	timer_cancel(&fx->look);
	return !fx->late;
}

static void serve_on(struct fixture *fx, int port)
{
	struct evhttp_bound_socket *bound;
	struct sockaddr_in a;
	socklen_t len = sizeof a;

	fx->http = evhttp_new(loop_base(fx->loop));
	evhttp_set_gencb(fx->http, serve, fx);
	bound = evhttp_bind_socket_with_handle(fx->http, "127.0.0.1", (uint16_t)port);
	assert_non_null(bound);
	assert_int_equal(
		getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&a, &len), 0);
	fx->port = ntohs(a.sin_port);
}

static void new_forge(struct fixture *fx)
{
	AUTO_FREE char *url = mem_printf("http://127.0.0.1:%d/git/team/web.git", fx->port);
	struct forge_options o = {
		.provider = "gitea", .repo_url = url, .token = "secret\n", .allow_http = true};
	struct error err = ERROR_INIT;

	if (forge_new(fx->loop, &o, on_sent, fx, &fx->forge, &err) < 0)
		fail_msg("%s", err.text);
	forge_set_pauses(fx->forge,
			 &(struct forge_pauses){.first = 10, .most = 40, .slow = 60000});
}

static int setup(void **state)
{
	struct fixture *fx = mem_alloc(sizeof *fx);

	assert_int_equal(loop_new(&fx->loop, NULL), 0);
	timer_init(&fx->deadline, fx->loop, on_deadline, fx);
	timer_init(&fx->look, fx->loop, on_look, fx);
	serve_on(fx, 0);
	new_forge(fx);
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fx = *state;

	forge_free(fx->forge);
	if (fx->http)
		evhttp_free(fx->http);
	timer_clear(&fx->deadline);
	timer_clear(&fx->look);
	loop_free(fx->loop);
	free(fx);
	return 0;
}

static void post(struct fixture *fx, const char *commit, enum commit_state s, const char *text)
{
	forge_post(fx->forge, &(struct commit_status){.commit = commit,
						      .context = "modelsync/team/web",
						      .state = s,
						      .description = text,
						      .target_url = "https://x/y"});
}

static void test_forge__asks_then_writes(void **state)
{
	struct fixture *fx = *state;

	post(fx, COMMIT_A, COMMIT_SUCCESS, "3 applied");
	assert_false(forge_idle(fx->forge));
	assert_true(run(fx, is_idle, 3000));
	assert_int_equal(fx->gets, 1);
	assert_int_equal(fx->posts, 1);
	assert_string_equal(fx->path, "/git/api/v1/repos/team/web/statuses/" COMMIT_A);
	assert_string_equal(fx->auth, "token secret");
	assert_string_equal(fx->body,
			    "{\"state\":\"success\",\"context\":\"modelsync/team/web\","
			    "\"description\":\"3 applied\",\"target_url\":\"https://x/y\"}");
	assert_int_equal(fx->told_ok, 1);
	assert_string_equal(fx->told_text, "success 3 applied");
}

static void test_forge__same_status_is_not_sent_twice(void **state)
{
	struct fixture *fx = *state;

	post(fx, COMMIT_A, COMMIT_SUCCESS, "3 applied");
	assert_true(run(fx, is_idle, 3000));
	post(fx, COMMIT_A, COMMIT_SUCCESS, " 3 applied ");
	assert_true(forge_idle(fx->forge));
	run(fx, never, 50);
	assert_int_equal(fx->posts, 1);
	/* another text is, and needs no second look */
	post(fx, COMMIT_A, COMMIT_SUCCESS, "4 applied");
	assert_true(run(fx, is_idle, 3000));
	assert_int_equal(fx->posts, 2);
	assert_int_equal(fx->gets, 1);
}

static void test_forge__newest_wins(void **state)
{
	struct fixture *fx = *state;

	for (int i = 0; i < 20; i++)
		post(fx, COMMIT_A, COMMIT_PENDING, i % 2 ? "odd" : "even");
	post(fx, COMMIT_A, COMMIT_FAILURE, "last");
	post(fx, COMMIT_B, COMMIT_SUCCESS, "another commit");
	assert_true(run(fx, is_idle, 3000));
	assert_int_equal(fx->posts, 2);
	assert_int_equal(fx->told_ok, 2);
}

static void test_forge__newer_while_sending_comes_after(void **state)
{
	struct fixture *fx = *state;

	post(fx, COMMIT_A, COMMIT_PENDING, "first");
	fx->status_of_next[0] = 0;
	run(fx, never, 1);
	post(fx, COMMIT_A, COMMIT_SUCCESS, "second");
	assert_true(run(fx, is_idle, 3000));
	assert_non_null(strstr(fx->body, "second"));
	assert_string_equal(fx->told_text, "success second");
}

static void test_forge__restart_is_silent(void **state)
{
	struct fixture *fx = *state;

	fx->list =
		"[{\"id\":7,\"status\":\"pending\",\"context\":\"modelsync/team/web\","
		"\"description\":\"old\"},"
		"{\"id\":9,\"status\":\"success\",\"context\":\"modelsync/team/web\","
		"\"description\":\"3 applied\"},"
		"{\"id\":11,\"status\":\"failure\",\"context\":\"ci\",\"description\":\"\"}]";
	post(fx, COMMIT_A, COMMIT_SUCCESS, "3 applied");
	assert_true(run(fx, is_idle, 3000));
	assert_int_equal(fx->gets, 1);
	assert_int_equal(fx->posts, 0);
	assert_int_equal(fx->told_ok, 1);
}

static void test_forge__retries_after_500(void **state)
{
	struct fixture *fx = *state;

	fx->status_of_next[0] = fx->status_of_next[1] = fx->status_of_next[3] = 500;
	post(fx, COMMIT_A, COMMIT_SUCCESS, "ok");
	assert_true(run(fx, is_idle, 3000));
	/* get 500, get 500, get, post 500 (did it arrive?), get, post */
	assert_int_equal(fx->gets, 4);
	assert_int_equal(fx->posts, 2);
	assert_int_equal(fx->told_failed, 2);
	assert_int_equal(fx->told_ok, 1);
	assert_int_equal(fx->last.kind, ERROR_TRANSIENT);
	assert_string_equal(fx->last.reason, "ForgeFailed");
	assert_string_equal(fx->last.text, "gitea answered 500: told to answer 500");
}

static void test_forge__lost_answer_asks_before_sending_again(void **state)
{
	struct fixture *fx = *state;

	fx->cut = true;
	post(fx, COMMIT_A, COMMIT_SUCCESS, "ok");
	assert_true(run(fx, has_failed, 3000));
	fx->list = "[{\"id\":1,\"status\":\"success\",\"context\":\"modelsync/team/web\","
		   "\"description\":\"ok\"}]";
	assert_true(run(fx, is_idle, 3000));
	assert_int_equal(fx->posts, 1);
	assert_int_equal(fx->gets, 2);
	assert_int_equal(fx->told_ok, 1);
}

static void test_forge__refused_connection_is_retried_and_told_once(void **state)
{
	struct fixture *fx = *state;
	int port = fx->port;

	evhttp_free(fx->http);
	fx->http = NULL;
	post(fx, COMMIT_A, COMMIT_SUCCESS, "ok");
	run(fx, never, 300);
	assert_int_equal(fx->told_failed, 1);
	assert_int_equal(fx->last.kind, ERROR_TRANSIENT);
	assert_int_equal(fx->posts + fx->gets, 0);
	serve_on(fx, port);
	assert_true(run(fx, is_idle, 3000));
	assert_int_equal(fx->posts, 1);
	assert_int_equal(fx->told_ok, 1);
	assert_int_equal(fx->told_failed, 1);
}

static void test_forge__denied_is_tried_slowly(void **state)
{
	struct fixture *fx = *state;

	fx->status_of_next[0] = 401;
	post(fx, COMMIT_A, COMMIT_SUCCESS, "ok");
	assert_true(run(fx, has_failed, 3000));
	run(fx, never, 200);
	assert_int_equal(fx->gets, 1);
	assert_int_equal(fx->posts, 0);
	assert_int_equal(fx->last.kind, ERROR_DENIED);
	/* a newer text does not help a token */
	post(fx, COMMIT_A, COMMIT_SUCCESS, "other");
	run(fx, never, 100);
	assert_int_equal(fx->gets, 1);
	assert_null(strstr(fx->last.text, "secret"));
}

static void test_forge__rejected_text_may_be_replaced_at_once(void **state)
{
	struct fixture *fx = *state;

	fx->status_of_next[1] = 422;
	post(fx, COMMIT_A, COMMIT_SUCCESS, "bad");
	assert_true(run(fx, has_failed, 3000));
	run(fx, never, 100);
	assert_int_equal(fx->posts, 1);
	assert_int_equal(fx->last.kind, ERROR_INVALID);
	post(fx, COMMIT_A, COMMIT_SUCCESS, "good");
	assert_true(run(fx, is_idle, 3000));
	assert_int_equal(fx->posts, 2);
}

static void test_forge__retry_after_holds_all_back(void **state)
{
	struct fixture *fx = *state;

	fx->status_of_next[0] = 429;
	fx->retry_after = "1";
	post(fx, COMMIT_A, COMMIT_SUCCESS, "ok");
	post(fx, COMMIT_B, COMMIT_SUCCESS, "ok");
	assert_true(run(fx, has_failed, 3000));
	run(fx, never, 500);
	assert_int_equal(fx->gets, 1);
	assert_true(run(fx, is_idle, 5000));
	assert_int_equal(fx->posts, 2);
	assert_string_equal(fx->last.reason, "ForgeBusy");
}

static void test_forge__hostile_description_is_made_safe(void **state)
{
	struct fixture *fx = *state;

	post(fx, COMMIT_A, COMMIT_FAILURE, "\x1b[31m\"red\"\n\xe2\x80\xae<script>\xff\\u0000");
	assert_true(run(fx, is_idle, 3000));
	assert_non_null(strstr(fx->body, "\"description\":\"?[31m\\\"red\\\"?"
					 "?<script>?\\\\u0000\""));
}

static void test_forge__only_so_many_are_remembered(void **state)
{
	struct fixture *fx = *state;
	char commit[41];

	evhttp_free(fx->http);
	fx->http = NULL;
	for (int i = 0; i < 1100; i++) {
		snprintf(commit, sizeof commit, "%040x", i);
		post(fx, commit, COMMIT_SUCCESS, "ok");
	}
	assert_false(forge_idle(fx->forge));
}

static void test_forge__free_cancels(void **state)
{
	struct fixture *fx = *state;

	post(fx, COMMIT_A, COMMIT_SUCCESS, "ok");
	forge_free(fx->forge);
	fx->forge = NULL;
	run(fx, never, 50);
	assert_int_equal(fx->told_ok + fx->told_failed, 0);
	new_forge(fx);
}

static void expect_refused(struct fixture *fx, struct forge_options o, const char *reason)
{
	struct error err = ERROR_INIT;
	struct forge *f = NULL;

	if (!o.provider)
		o.provider = "gitea";
	assert_int_equal(forge_new(fx->loop, &o, NULL, NULL, &f, &err), -1);
	assert_null(f);
	assert_string_equal(err.reason, reason);
	assert_null(strstr(err.text, "secret"));
}

static void test_forge__bad_options_are_refused(void **state)
{
	struct fixture *fx = *state;
	const char *good = "https://forge.example/team/web";

	expect_refused(fx, (struct forge_options){.provider = "gogs"}, "ForgeProvider");
	expect_refused(fx, (struct forge_options){.repo_url = good, .token = " \n"},
		       "ForgeToken");
	expect_refused(fx, (struct forge_options){.repo_url = good, .token = "secret\r\nX: y"},
		       "ForgeToken");
	expect_refused(fx, (struct forge_options){.repo_url = "/srv/git/web", .token = "t"},
		       "ForgeUrl");
	expect_refused(fx,
		       (struct forge_options){.repo_url = "http://forge.example/team/web",
					      .token = "t"},
		       "HttpRefused");
	expect_refused(fx,
		       (struct forge_options){.repo_url = good,
					      .api_url = "ftp://forge.example",
					      .token = "t"},
		       "ForgeUrl");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_forge__##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(asks_then_writes),
		T(same_status_is_not_sent_twice),
		T(newest_wins),
		T(newer_while_sending_comes_after),
		T(restart_is_silent),
		T(retries_after_500),
		T(lost_answer_asks_before_sending_again),
		T(refused_connection_is_retried_and_told_once),
		T(denied_is_tried_slowly),
		T(rejected_text_may_be_replaced_at_once),
		T(retry_after_holds_all_back),
		T(hostile_description_is_made_safe),
		T(only_so_many_are_remembered),
		T(free_cancels),
		T(bad_options_are_refused),
	};

	log_configure("error", "text");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
