/* net/server.c: what the handler sees, caps, deadlines. Clients are raw sockets. */
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../faults/apiserver.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/server_int.h"

struct fixture {
	struct loop *loop;
	struct server *server;
	struct buf seen; /* what the handler was called with */
	int calls;
};

static void on_request(void *arg, const struct server_request *r, struct server_reply *reply)
{
	struct fixture *f = arg;
	const char *name = r->header(r, "x-name");

	f->calls++;
	buf_printf(&f->seen, "%s %s ?%s [%.*s] %s\n", r->method, r->path, r->query,
		   (int)(r->body_len < 20 ? r->body_len : 20), r->body, name ? name : "-");
	if (!strcmp(r->path, "/teapot"))
		reply->status = 418;
	buf_puts(&reply->body, "hello");
}

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof *f);
	struct error err = ERROR_INIT;

	buf_init(&f->seen);
	assert_int_equal(loop_new(&f->loop, NULL), 0);
	if (server_new(f->loop, "127.0.0.1:0", on_request, f, &f->server, &err))
		fail_msg("%s", err.text);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	server_free(f->server);
	loop_free(f->loop);
	buf_clear(&f->seen);
	free(f);
	return 0;
}

static int dial(struct fixture *f)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)server_port(f->server)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* Write all, running the loop; the rest is lost when the server hangs up. */
static void say(struct fixture *f, int fd, const char *text)
{
	for (size_t at = 0, len = strlen(text); at < len;) {
		ssize_t n = write(fd, text + at, len - at);
		if (n < 0 && errno != EAGAIN)
			return;
		if (n > 0)
			at += (size_t)n;
		event_base_loop(loop_base(f->loop), EVLOOP_NONBLOCK);
	}
}

/* What comes back until the server closes, `until` has come, or two seconds are over. */
static char *hear(struct fixture *f, int fd, const char *until, bool *closed)
{
	AUTO(buf) b = BUF_INIT;
	char chunk[4096];
	int64_t end = clock_mono_ms() + 2000;

	*closed = false;
	while (clock_mono_ms() < end && !*closed && !(until && strstr(b.ptr, until))) {
		loop_run_for(f->loop, 5);
		ssize_t n = read(fd, chunk, sizeof chunk);
		if (n > 0)
			buf_add(&b, chunk, (size_t)n);
		*closed = n == 0 || (n < 0 && errno != EAGAIN);
	}
	return buf_detach(&b);
}

static void ask(struct fixture *f, const char *request, const char *status)
{
	int fd = dial(f);
	bool closed;

	say(f, fd, request);
	AUTO_FREE char *answer = hear(f, fd, "\r\n\r\n", &closed);
	assert_row(strstr(answer, status), answer);
	close(fd);
}

static void test_server__hands_over_decoded_requests(void **state)
{
	struct fixture *f = *state;

	ask(f, "GET /a%20b?q=1%202 HTTP/1.1\r\nHost: x\r\nX-Name: me\r\n\r\n", " 200 ");
	ask(f, "POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", " 200 ");
	ask(f, "GET /teapot HTTP/1.1\r\nHost: x\r\n\r\n", " 418 ");
	ask(f, "GET /a..b/c HTTP/1.1\r\nHost: x\r\n\r\n", " 200 ");
	assert_string_equal(f->seen.ptr, "GET /a b ?q=1%202 [] me\nPOST /hook ? [body] -\n"
					 "GET /teapot ? [] -\nGET /a..b/c ? [] -\n");
}

static void test_server__refuses_paths_that_climb(void **state)
{
	struct fixture *f = *state;

	ask(f, "GET /../etc HTTP/1.1\r\nHost: x\r\n\r\n", " 400 ");
	ask(f, "GET /a/%2e%2e/b HTTP/1.1\r\nHost: x\r\n\r\n", " 400 ");
	ask(f, "GET /a/.%2e HTTP/1.1\r\nHost: x\r\n\r\n", " 400 ");
	ask(f, "GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n", " 400 ");
	assert_int_equal(f->calls, 0);
}

static void test_server__body_up_to_the_cap_and_beyond(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *most = test_repeat("x", 1 << 20);
	AUTO_FREE char *fits =
		mem_printf("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"
			   "\r\n%s",
			   1 << 20, most);
	AUTO_FREE char *chunked =
		mem_printf("POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
			   "chunked\r\n\r\n%x\r\n%sx\r\n0\r\n\r\n",
			   (1 << 20) + 1, most);
	bool closed;

	ask(f, fits, " 200 ");
	assert_int_equal(f->calls, 1);
	ask(f, "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n", " 413 ");
	int fd = dial(f);
	say(f, fd, chunked);
	free(hear(f, fd, NULL, &closed));
	assert_true(closed);
	close(fd);
	assert_int_equal(f->calls, 1);
}

static void test_server__headers_beyond_the_cap_are_not_read(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *value = test_repeat("h", 17000);
	AUTO_FREE char *text = mem_printf("GET / HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", value);
	AUTO_FREE char *less =
		mem_printf("GET / HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", value + 17000 - 15000);
	int fd = dial(f);
	bool closed;

	say(f, fd, text);
	free(hear(f, fd, NULL, &closed));
	assert_true(closed);
	close(fd);
	assert_int_equal(f->calls, 0);
	ask(f, less, " 200 ");
}

static const struct server_limits fast = {
	.headers_ms = 300, .body_ms = 600, .reply_ms = 900, .sweep_ms = 50};

/* One byte now and then keeps libevent's own timeout away, but not ours. */
static int64_t drip(struct fixture *f, int fd, const char *text)
{
	int64_t start = clock_mono_ms();
	char chunk[512];

	for (; *text && clock_mono_ms() - start < 5000; text++) {
		if (write(fd, text, 1) < 0)
			break;
		loop_run_for(f->loop, 30);
		ssize_t n = read(fd, chunk, sizeof chunk);
		if (n >= 0 || errno != EAGAIN)
			break;
	}
	return clock_mono_ms() - start;
}

static void test_server__slow_headers_end_at_their_deadline(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *slow = mem_printf("GET / HTTP/1.1\r\nX: %080d\r\n\r\n", 1);

	server_set_limits(f->server, &fast);
	int fd = dial(f);
	assert_in_range(drip(f, fd, slow), 250, 1500);
	close(fd);
	assert_int_equal(f->calls, 0);
}

static void test_server__slow_body_ends_at_its_deadline(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *body = test_repeat("b", 200);

	server_set_limits(f->server, &fast);
	int fd = dial(f);
	say(f, fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n");
	assert_in_range(drip(f, fd, body), 500, 2500);
	close(fd);
	assert_int_equal(f->calls, 0);
}

static void test_server__silent_connection_is_closed(void **state)
{
	struct fixture *f = *state;
	bool closed;

	server_set_limits(f->server, &fast);
	int fd = dial(f);
	free(hear(f, fd, NULL, &closed));
	assert_true(closed);
	close(fd);
}

static void test_server__kept_connection_serves_twice_and_is_closed_when_idle(void **state)
{
	struct fixture *f = *state;
	const char *get = "GET /k HTTP/1.1\r\nHost: x\r\n\r\n";
	bool closed;

	server_set_limits(f->server, &fast);
	int fd = dial(f);
	for (int i = 0; i < 2; i++) {
		say(f, fd, get);
		free(hear(f, fd, "hello", &closed));
		assert_false(closed);
		loop_run_for(f->loop, 400); /* longer than the header deadline */
	}
	assert_int_equal(f->calls, 2);
	free(hear(f, fd, NULL, &closed));
	assert_true(closed);
	close(fd);
}

static void test_server__with_all_places_taken_others_wait_their_turn(void **state)
{
	struct fixture *f = *state;
	int fd[256];
	bool closed;

	server_set_limits(f->server, &fast);
	for (int i = 0; i < 256; i++) {
		fd[i] = dial(f);
		say(f, fd[i], "GET / HT");
	}
	loop_run_for(f->loop, 20);
	int late = dial(f);
	say(f, late, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
	loop_run_for(f->loop, 100);
	assert_int_equal(f->calls, 0);
	AUTO_FREE char *answer =
		hear(f, late, "hello", &closed); /* once the slow ones are gone */
	assert_non_null(strstr(answer, "hello"));
	assert_int_equal(f->calls, 1);
	close(late);
	for (int i = 0; i < 256; i++)
		close(fd[i]);
}

static void test_server__says_what_is_wrong_with_an_address(void **state)
{
	struct fixture *f = *state;
	struct server *s;
	struct error err = ERROR_INIT;
	char busy[32];
	static const char *const bad[] = {"127.0.0.1", "127.0.0.1:70000", "[::1:80", "host:80",
					  ""};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_row(server_new(f->loop, bad[i], on_request, f, &s, &err) == -1, bad[i]);
		assert_row(strstr(err.text, "wanted 127.0.0.1:8080"), bad[i]);
	}
	snprintf(busy, sizeof busy, "127.0.0.1:%d", server_port(f->server));
	assert_int_equal(server_new(f->loop, busy, on_request, f, &s, &err), -1);
	assert_non_null(strstr(err.text, "Address already in use"));
	assert_int_equal(server_new(f->loop, ":0", on_request, f, &s, &err), 0);
	assert_true(server_port(s) > 0);
	server_free(s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_server__hands_over_decoded_requests),
		T(test_server__refuses_paths_that_climb),
		T(test_server__body_up_to_the_cap_and_beyond),
		T(test_server__headers_beyond_the_cap_are_not_read),
		T(test_server__slow_headers_end_at_their_deadline),
		T(test_server__slow_body_ends_at_its_deadline),
		T(test_server__silent_connection_is_closed),
		T(test_server__kept_connection_serves_twice_and_is_closed_when_idle),
		T(test_server__with_all_places_taken_others_wait_their_turn),
		T(test_server__says_what_is_wrong_with_an_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
