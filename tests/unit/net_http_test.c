/* net/http.c: calls against a server in the same loop that is told how to misbehave. */
#include "test.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../faults/apiserver.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/http.h"

#define SLOW 10000

struct fixture {
	struct loop *loop;
	struct evhttp *web;
	struct http *http;
	char url[64];
	struct evhttp_request *held[8]; /* /hold and /half: no answer yet */
	size_t holding;
	int connections;
	char seen[512];			   /* of the last request */
	uint16_t last_connection, all[64]; /* by the client's port */
	size_t distinct;
};

struct result {
	bool done;
	int times, chunks, status_in_data;
	struct http_reply reply; /* body stolen */
	struct buf data;
	struct fixture *f;
	struct http_call *call;
	enum { DATA_TAKE, DATA_ABORT, DATA_CANCEL, DATA_START, DATA_FREE } in_data;
};

static void reply_text(struct evhttp_request *req, int status, const char *text, size_t len)
{
	struct evbuffer *out = evbuffer_new();

	evbuffer_add(out, text, len);
	evhttp_send_reply(req, status, "X", out);
	evbuffer_free(out);
}

static void on_request(struct evhttp_request *req, void *arg)
{
	struct fixture *f = arg;
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(req));
	struct evkeyvalq *in = evhttp_request_get_input_headers(req);
	struct evkeyvalq *out = evhttp_request_get_output_headers(req);
	struct evbuffer *body = evhttp_request_get_input_buffer(req);
	const char *type = evhttp_find_header(in, "Content-Type");
	const char *auth = evhttp_find_header(in, "Authorization");
	const char *own = evhttp_find_header(in, "X-Own");

	char *peer;
	uint16_t port;
	evhttp_connection_get_peer(evhttp_request_get_connection(req), &peer, &port);
	f->connections += f->last_connection != port;
	f->last_connection = port;
	size_t i = 0;
	while (i < f->distinct && f->all[i] != f->last_connection)
		i++;
	if (i == f->distinct && i < ARRAY_LEN(f->all))
		f->all[f->distinct++] = f->last_connection;
	snprintf(f->seen, sizeof f->seen, "%d %s [%.*s] %s %s %s",
		 (int)evhttp_request_get_command(req), evhttp_request_get_uri(req),
		 (int)evbuffer_get_length(body), (const char *)evbuffer_pullup(body, -1),
		 type ? type : "-", auth ? auth : "-", own ? own : "-");
	if (!strcmp(path, "/hold")) {
		f->held[f->holding++] = req;
		return;
	}
	if (!strcmp(path, "/half")) {
		struct evbuffer *part = evbuffer_new();
		evbuffer_add(part, "half", 4);
		evhttp_send_reply_start(req, 200, "OK");
		evhttp_send_reply_chunk(req, part);
		evbuffer_free(part);
		f->held[f->holding++] = req;
		return;
	}
	if (!strcmp(path, "/away"))
		evhttp_add_header(out, "Location", "/text");
	evhttp_add_header(out, "Content-Type", "text/plain; x=y");
	evhttp_add_header(out, "ETag", "\"e1\"");
	evhttp_add_header(out, "Retry-After",
			  !strcmp(path, "/date") ? "Fri, 31 Dec 1999 23:59:59 GMT" : "7");
	reply_text(req, !strcmp(path, "/away") ? 302 : 200, "0123456789", 10);
}

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof *f);
	struct sockaddr_in at = {0};
	socklen_t len = sizeof at;
	struct error err = ERROR_INIT;

	assert_int_equal(loop_new(&f->loop, NULL), 0);
	f->web = evhttp_new(loop_base(f->loop));
	evhttp_set_allowed_methods(f->web, 0xffff);
	evhttp_set_gencb(f->web, on_request, f);
	struct evhttp_bound_socket *b = evhttp_bind_socket_with_handle(f->web, "127.0.0.1", 0);
	getsockname(evhttp_bound_socket_get_fd(b), (struct sockaddr *)&at, &len);
	snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d", ntohs(at.sin_port));
	struct http_options o = {.base_url = f->url, .allow_plain = true, .max_connections = 4};
	if (http_new(f->loop, &o, &f->http, &err))
		fail_msg("%s", err.text);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	http_free(f->http);
	for (size_t i = 0; i < f->holding; i++)
		if (!evhttp_request_get_connection(f->held[i]))
			evhttp_request_free(f->held[i]); /* libevent has let go of it */
	evhttp_free(f->web);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void on_done(void *arg, struct http_reply *reply)
{
	struct result *r = arg;

	r->times++;
	r->done = true;
	r->reply = *reply;
	buf_init(&reply->body);
	r->call = NULL;
}

static int on_data(void *arg, int status, const char *data, size_t len)
{
	struct result *r = arg;
	struct http_request again = {.method = "GET", .path = "/again", .deadline_ms = SLOW};

	r->chunks++;
	r->status_in_data = status;
	buf_add(&r->data, data, len);
	if (!len)
		return 0;
	switch (r->in_data) {
	case DATA_TAKE:
		return 0;
	case DATA_ABORT:
		return -1;
	case DATA_CANCEL:
		http_cancel(r->call);
		return 0;
	case DATA_START:
		r->in_data = DATA_TAKE;
		http_start(r->f->http, &again, NULL, on_done, r);
		return 0;
	case DATA_FREE:
		http_free(r->f->http);
		r->f->http = NULL;
		return 0;
	}
	return 0;
}

static struct result *result_new(struct fixture *f)
{
	struct result *r = mem_alloc(sizeof *r);

	r->f = f;
	buf_init(&r->data);
	buf_init(&r->reply.body);
	return r;
}

static void result_free(struct result *r)
{
	buf_clear(&r->reply.body);
	buf_clear(&r->data);
	free(r);
}

static struct result *get(struct fixture *f, struct http_request q)
{
	struct result *r = result_new(f);

	q.method = q.method ? q.method : "GET";
	q.deadline_ms = q.deadline_ms ? q.deadline_ms : SLOW;
	r->call = http_start(f->http, &q, NULL, on_done, r);
	assert_false(r->done); /* never from inside */
	assert_true(loop_run_until(f->loop, &r->done, SLOW));
	return r;
}

static void test_http__answer_comes_with_its_headers(void **state)
{
	struct fixture *f = *state;
	struct result *r = get(f, (struct http_request){.path = "/text?a=b"});

	assert_int_equal(r->reply.status, 200);
	assert_int_equal(r->reply.err.kind, ERROR_NONE);
	assert_string_equal(r->reply.body.ptr, "0123456789");
	assert_string_equal(r->reply.content_type, "text/plain; x=y");
	assert_string_equal(r->reply.etag, "\"e1\"");
	assert_int_equal(r->reply.retry_after_ms, 7000);
	assert_string_equal(f->seen, "1 /text?a=b [] - - -");
	result_free(r);
	r = get(f, (struct http_request){.path = "/date"});
	assert_int_equal(r->reply.retry_after_ms, 0); /* long past */
	result_free(r);
}

static void test_http__request_goes_out_with_its_body_and_headers(void **state)
{
	struct fixture *f = *state;
	const char *headers[] = {"X-Own: mine", "Content-Type: application/json", NULL};
	struct http_request q = {.method = "PATCH",
				 .path = "/x",
				 .headers = headers,
				 .bearer = "tok",
				 .body = "{}",
				 .body_len = 2};

	result_free(get(f, q));
	assert_string_equal(f->seen, "256 /x [{}] application/json Bearer tok mine");
	q = (struct http_request){.method = "POST", .path = "/x", .body = "", .body_len = 0};
	result_free(get(f, q));
	assert_string_equal(f->seen, "2 /x [] - - -"); /* and no type that we did not ask for */
	q = (struct http_request){.method = "DELETE", .path = "/x"};
	result_free(get(f, q));
	assert_string_equal(f->seen, "16 /x [] - - -");
}

static void test_http__body_up_to_the_cap_and_beyond(void **state)
{
	struct fixture *f = *state;
	struct result *r = get(f, (struct http_request){.path = "/t", .max_body = 10});

	assert_int_equal(r->reply.status, 200);
	result_free(r);
	r = get(f, (struct http_request){.path = "/t", .max_body = 9});
	assert_int_equal(r->reply.status, 0);
	assert_int_equal(r->reply.err.kind, ERROR_INVALID);
	assert_string_equal(r->reply.err.reason, "TooLarge");
	assert_non_null(strstr(r->reply.err.text, "more than 9 bytes"));
	result_free(r);
}

static void test_http__redirects_are_not_followed(void **state)
{
	struct result *r = get(*state, (struct http_request){.path = "/away"});

	assert_int_equal(r->reply.status, 302);
	result_free(r);
}

static void test_http__deadline_and_silence_end_a_call(void **state)
{
	struct fixture *f = *state;
	int64_t start = clock_mono_ms();
	struct result *r = get(f, (struct http_request){.path = "/hold", .deadline_ms = 100});

	assert_in_range(clock_mono_ms() - start, 95, 2000);
	assert_int_equal(r->reply.status, 0);
	assert_int_equal(r->reply.err.kind, ERROR_TRANSIENT);
	assert_non_null(strstr(r->reply.err.text, "no answer within 100ms"));
	assert_false(r->reply.connection_failed); /* it may have got there */
	result_free(r);
	r = get(f, (struct http_request){.path = "/half", .idle_ms = 150});
	assert_int_equal(r->reply.err.kind, ERROR_TRANSIENT);
	assert_non_null(strstr(r->reply.err.text, "no byte came for 150ms"));
	result_free(r);
}

static void test_http__nobody_there_is_told_as_safe_to_repeat(void **state)
{
	struct fixture *f = *state;
	struct http_options o = {.base_url = "http://127.0.0.1:1", .allow_plain = true};
	struct http *http;
	struct result *r = result_new(f);
	struct http_request q = {.method = "GET", .path = "/", .deadline_ms = SLOW};

	assert_int_equal(http_new(f->loop, &o, &http, NULL), 0);
	http_start(http, &q, NULL, on_done, r);
	assert_true(loop_run_until(f->loop, &r->done, SLOW));
	assert_int_equal(r->reply.status, 0);
	assert_int_equal(r->reply.err.kind, ERROR_TRANSIENT);
	assert_true(r->reply.connection_failed);
	assert_non_null(strstr(r->reply.err.text, "http://127.0.0.1:1: "));
	assert_non_null(strstr(r->reply.err.text, "refused"));
	http_free(http);
	result_free(r);
}

static void test_http__data_is_handed_over_and_begins_with_the_status(void **state)
{
	struct fixture *f = *state;
	struct result *r = result_new(f);
	struct http_request q = {.method = "GET", .path = "/half"};

	r->call = http_start(f->http, &q, on_data, on_done, r);
	while (r->chunks < 2)
		event_base_loop(loop_base(f->loop), EVLOOP_ONCE);
	assert_int_equal(r->status_in_data, 200);
	assert_string_equal(r->data.ptr, "half");
	evhttp_send_reply_end(f->held[--f->holding]);
	assert_true(loop_run_until(f->loop, &r->done, SLOW));
	assert_int_equal(r->reply.status, 200);
	assert_int_equal(r->reply.body.len, 0);
	result_free(r);
}

static struct result *half_call(struct fixture *f, int in_data)
{
	struct result *r = result_new(f);
	struct http_request q = {.method = "GET", .path = "/half"};

	r->in_data = in_data;
	r->call = http_start(f->http, &q, on_data, on_done, r);
	return r;
}

static void test_http__on_data_may_abort(void **state)
{
	struct fixture *f = *state;
	struct result *r = half_call(f, DATA_ABORT);

	assert_true(loop_run_until(f->loop, &r->done, SLOW));
	assert_int_equal(r->reply.err.kind, ERROR_INVALID);
	assert_int_equal(r->times, 1);
	result_free(r);
}

static void test_http__on_data_may_cancel_start_and_free(void **state)
{
	struct fixture *f = *state;
	struct result *r = half_call(f, DATA_CANCEL), *s;

	loop_run_for(f->loop, 50);
	assert_int_equal(r->chunks, 2);
	assert_int_equal(r->times, 0);
	s = half_call(f, DATA_START);
	assert_true(loop_run_until(f->loop, &s->done, SLOW)); /* by the call started inside */
	assert_int_equal(s->reply.status, 200);
	result_free(s);
	s = half_call(f, DATA_FREE);
	loop_run_for(f->loop, 50);
	assert_null(f->http);
	assert_int_equal(s->times, 0);
	result_free(s);
	result_free(r);
}

static void test_http__cancelled_before_it_began_says_nothing(void **state)
{
	struct fixture *f = *state;
	struct result *r = result_new(f);
	struct http_request q = {.method = "GET", .path = "/t"};

	http_cancel(http_start(f->http, &q, NULL, on_done, r));
	loop_run_for(f->loop, 20);
	assert_int_equal(r->times, 0);
	result_free(r);
}

struct chain {
	struct fixture *f;
	int left, done;
	bool over, free_it;
	struct http_call *own;
};

static void on_link(void *arg, struct http_reply *reply)
{
	struct chain *c = arg;
	struct http_request q = {.method = "GET", .path = "/t", .deadline_ms = SLOW};

	assert_int_equal(reply->status, 200);
	if (c->own)
		http_cancel(c->own); /* its own call, in its own on_done: nothing happens */
	c->own = NULL;
	c->done++;
	if (c->left-- > 0)
		http_start(c->f->http, &q, NULL, on_link, c);
	else if (c->free_it) {
		http_free(c->f->http);
		c->f->http = NULL;
		c->over = true;
	} else if (c->done >= 500)
		c->over = true;
}

static void test_http__five_hundred_calls_over_four_connections(void **state)
{
	struct chain c = {.f = *state, .left = 499 - 16 + 1};
	struct http_request q = {.method = "GET", .path = "/t", .deadline_ms = SLOW};

	for (int i = 0; i < 16; i++)
		http_start(c.f->http, &q, NULL, on_link, &c);
	assert_true(loop_run_until(c.f->loop, &c.over, 30000));
	loop_run_for(c.f->loop, 20);
	assert_int_equal(c.done, 500);
	assert_in_range(c.f->distinct, 1, 4);
}

static void test_http__may_be_freed_in_on_done(void **state)
{
	struct chain c = {.f = *state, .free_it = true};
	struct http_request q = {.method = "GET", .path = "/t", .deadline_ms = SLOW};
	struct result *other = result_new(c.f);

	c.own = http_start(c.f->http, &q, NULL, on_link, &c);
	q.path = "/hold";
	http_start(c.f->http, &q, NULL, on_done, other);
	assert_true(loop_run_until(c.f->loop, &c.over, SLOW));
	loop_run_for(c.f->loop, 20);
	assert_int_equal(other->times, 0);
	result_free(other);
}

static void test_http__new_settings_mean_new_connections(void **state)
{
	struct fixture *f = *state;
	struct http_options o = {.base_url = f->url, .allow_plain = true, .max_connections = 4};

	result_free(get(f, (struct http_request){.path = "/t"}));
	result_free(get(f, (struct http_request){.path = "/t"}));
	assert_int_equal(f->connections, 1);
	assert_int_equal(http_reconfigure(f->http, &o, NULL), 0);
	result_free(get(f, (struct http_request){.path = "/t"}));
	assert_int_equal(f->connections, 1); /* nothing has changed */
	o.user_agent = "other";
	assert_int_equal(http_reconfigure(f->http, &o, NULL), 0);
	result_free(get(f, (struct http_request){.path = "/t"}));
	assert_int_equal(f->connections, 2);
}

static void test_http__refuses_bad_options(void **state)
{
	struct fixture *f = *state;
	static const struct {
		struct http_options o;
		const char *text;
	} rows[] = {
		{{.base_url = "http://x:1"}, "the scheme http is not accepted"},
		{{.base_url = "ftp://x", .allow_plain = true},
		 "the scheme ftp is not accepted"},
		{{.base_url = "https://u:p@x"}, "a URL with a user name or password"},
		{{.base_url = "https://x?q=1"}, "a base URL has no query"},
		{{.base_url = "https://"}, "is no URL"},
		{{.base_url = "https://x", .server_name = "a b"}, "is no host name"},
		{{.base_url = "https://x", .ca_file = "/no/such"}, "No such file"},
		{{.base_url = "https://x", .cert_data = "c"}, "only the certificate was given"},
	};
	struct http *http;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct error err = ERROR_INIT;
		assert_row(http_new(f->loop, &rows[i].o, &http, &err) == -1, rows[i].text);
		assert_row(strstr(err.text, rows[i].text), err.text);
		assert_row(!strstr(err.text, "u:p"), err.text);
	}
}

static void test_http__encodes_all_but_unreserved(void **state)
{
	AUTO(buf) b = BUF_INIT;

	http_put_encoded(&b, "aZ09-._~/ %?&=\xc3\xa4:");
	assert_string_equal(b.ptr, "aZ09-._~%2F%20%25%3F%26%3D%C3%A4%3A");
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_http__answer_comes_with_its_headers),
		T(test_http__request_goes_out_with_its_body_and_headers),
		T(test_http__body_up_to_the_cap_and_beyond),
		T(test_http__redirects_are_not_followed),
		T(test_http__deadline_and_silence_end_a_call),
		T(test_http__nobody_there_is_told_as_safe_to_repeat),
		T(test_http__data_is_handed_over_and_begins_with_the_status),
		T(test_http__on_data_may_abort),
		T(test_http__on_data_may_cancel_start_and_free),
		T(test_http__cancelled_before_it_began_says_nothing),
		T(test_http__five_hundred_calls_over_four_connections),
		T(test_http__may_be_freed_in_on_done),
		T(test_http__new_settings_mean_new_connections),
		T(test_http__refuses_bad_options),
		T(test_http__encodes_all_but_unreserved),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
