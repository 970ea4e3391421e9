/* Probes and metrics over real HTTP; the agent behind them is played by two functions here. */
#include "test.h"

#include "net/http.h"
#include "web/web.h"

static bool ready;

void agent_metrics(const struct agent *a, struct buf *out)
{
	(void)a;
	buf_puts(out, "modelsync_build_info 1\n");
}

bool agent_ready(const struct agent *a, struct buf *why)
{
	(void)a;
	if (!ready)
		buf_puts(why, "application team/web has not been looked at yet");
	return ready;
}

struct answer {
	struct loop *loop;
	int status;
	char body[256], type[128];
};

static void on_done(void *arg, struct http_reply *r)
{
	struct answer *a = arg;

	a->status = r->status;
	snprintf(a->body, sizeof a->body, "%s", r->body.ptr);
	snprintf(a->type, sizeof a->type, "%s", r->content_type);
	loop_stop(a->loop);
}

static struct answer get(const char *method, const char *path)
{
	struct answer a = {0};
	struct web *w;
	struct http *h;
	struct error err = ERROR_INIT;
	char url[64];

	assert_int_equal(loop_new(&a.loop, &err), 0);
	assert_int_equal(web_new(a.loop, "127.0.0.1:0", NULL, &w, &err), 0);
	snprintf(url, sizeof url, "http://127.0.0.1:%d", web_port(w));
	struct http_options o = {.base_url = url, .allow_plain = true};
	assert_int_equal(http_new(a.loop, &o, &h, &err), 0);
	struct http_request r = {.method = method, .path = path, .deadline_ms = 5000};
	http_start(h, &r, NULL, on_done, &a);
	loop_run(a.loop);
	http_free(h);
	web_free(w);
	loop_free(a.loop);
	return a;
}

static void test_web__metrics_are_prometheus_text(void **state)
{
	struct answer a = get("GET", "/metrics");

	(void)state;
	assert_int_equal(a.status, 200);
	assert_string_equal(a.type, "text/plain; version=0.0.4; charset=utf-8");
	assert_string_equal(a.body, "modelsync_build_info 1\n");
}

static void test_web__healthz_answers_while_not_ready(void **state)
{
	(void)state;
	ready = false;
	assert_int_equal(get("GET", "/healthz").status, 200);
}

static void test_web__readyz_says_what_is_awaited(void **state)
{
	struct answer a;

	(void)state;
	ready = false;
	a = get("GET", "/readyz");
	assert_int_equal(a.status, 503);
	assert_string_equal(a.body, "application team/web has not been looked at yet\n");
	ready = true;
	a = get("GET", "/readyz");
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "ok\n");
}

static void test_web__other_paths_and_methods_are_refused(void **state)
{
	(void)state;
	assert_int_equal(get("GET", "/").status, 404);
	assert_int_equal(get("GET", "/metrics/x").status, 404);
	assert_int_equal(get("POST", "/metrics").status, 405);
}

static void test_web__an_address_in_use_is_named(void **state)
{
	struct loop *loop;
	struct web *first, *second = NULL;
	struct error err = ERROR_INIT;
	char address[32];

	(void)state;
	assert_int_equal(loop_new(&loop, &err), 0);
	assert_int_equal(web_new(loop, "127.0.0.1:0", NULL, &first, &err), 0);
	snprintf(address, sizeof address, "127.0.0.1:%d", web_port(first));
	assert_int_equal(web_new(loop, address, NULL, &second, &err), -1);
	assert_non_null(strstr(err.text, address));
	assert_null(second);
	web_free(first);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_web__metrics_are_prometheus_text),
		cmocka_unit_test(test_web__healthz_answers_while_not_ready),
		cmocka_unit_test(test_web__readyz_says_what_is_awaited),
		cmocka_unit_test(test_web__other_paths_and_methods_are_refused),
		cmocka_unit_test(test_web__an_address_in_use_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
