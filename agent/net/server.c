/*
 * net/server.c - libevent's HTTP server, with what it lacks: a deadline for a whole request
 * (its own timeout starts again with every byte) and a cap on connections.
 *
 * libevent doesn't tell when a connection has closed, so a guard remembers the socket by the
 * kernel's cookie and never touches a descriptor whose cookie is another one. Guards are looked
 * at once a second, and only while there are any.
 */
#include "net/server_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define MAX_HEADERS	16384
#define MAX_BODY	(1 << 20)
#define MAX_CONNECTIONS 256

enum phase { PHASE_NEW, PHASE_IDLE, PHASE_HEADERS, PHASE_BODY };

struct guard {
	struct server *server;
	struct bufferevent *bev; /* only compared, and used where libevent has just called */
	evutil_socket_t fd;
	uint64_t cookie; /* 0: not known yet */
	enum phase phase;
	int matched; /* of the empty line that ends the headers */
	int64_t deadline;
	struct event *adopt;
};

static const struct server_limits usual = {
	.headers_ms = 5000, .body_ms = 10000, .reply_ms = 30000, .sweep_ms = 1000};

struct server {
	struct server_limits limits;
	struct evhttp *http;
	struct evconnlistener *listener;
	struct event_base *base;
	server_handler *handler;
	void *arg;
	int port;
	struct guard *guards[MAX_CONNECTIONS];
	size_t count;
	bool paused;
	struct timer sweep;
};

static uint64_t cookie_of(evutil_socket_t fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof cookie;

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len))
		return 0;
	return cookie;
}

static void guard_drop(struct server *s, size_t i)
{
	event_free(s->guards[i]->adopt);
	free(s->guards[i]);
	s->guards[i] = s->guards[--s->count];
}

static void on_sweep(void *arg)
{
	struct server *s = arg;
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < s->count;) {
		struct guard *g = s->guards[i];

		if (cookie_of(g->fd) != g->cookie) {
			guard_drop(s, i); /* closed */
			continue;
		}
		if (now >= g->deadline)
			shutdown(g->fd, SHUT_RDWR); /* libevent sees the end and cleans up */
		i++;
	}
	if (s->paused && s->count < MAX_CONNECTIONS) {
		s->paused = false;
		evconnlistener_enable(s->listener);
	}
	if (s->count)
		timer_set(&s->sweep, s->limits.sweep_ms);
}

/* Follow the raw bytes: a first byte starts the header deadline, an empty line the body's. */
static void on_bytes(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
	struct guard *g = arg;
	struct evbuffer_iovec part[8];
	struct evbuffer_ptr at;
	int64_t now = clock_mono_ms();

	if (!info->n_added)
		return;
	if (g->phase == PHASE_NEW || g->phase == PHASE_IDLE) {
		g->phase = PHASE_HEADERS;
		g->matched = 0;
		g->deadline = now + g->server->limits.headers_ms;
	}
	if (g->phase != PHASE_HEADERS)
		return;
	evbuffer_ptr_set(input, &at, info->orig_size, EVBUFFER_PTR_SET);
	int n = evbuffer_peek(input, -1, &at, part, 8);
	for (int p = 0; p < n && p < 8; p++)
		for (size_t i = 0; i < part[p].iov_len; i++) {
			char c = ((char *)part[p].iov_base)[i];
			g->matched = c == '\n' ? g->matched + 1 : c == '\r' ? g->matched : 0;
			if (g->matched == 2) {
				g->phase = PHASE_BODY;
				g->deadline = now + g->server->limits.body_ms;
				return;
			}
		}
}

/* Runs in the same turn of the loop that made the connection, before any of its bytes. */
static void on_adopt(evutil_socket_t unused, short what, void *arg)
{
	struct guard *g = arg;

	g->fd = bufferevent_getfd(g->bev);
	g->cookie = cookie_of(g->fd);
}

static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
	struct server *s = arg;
	struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	struct guard *g;

	if (!bev || s->count == MAX_CONNECTIONS)
		return bev;
	g = mem_alloc(sizeof *g);
	g->server = s;
	g->bev = bev;
	g->fd = -1;
	g->deadline = clock_mono_ms() + s->limits.headers_ms;
	g->adopt = event_new(base, -1, 0, on_adopt, g);
	if (!g->adopt || !evbuffer_add_cb(bufferevent_get_input(bev), on_bytes, g))
		abort(); /* out of memory */
	event_active(g->adopt, EV_TIMEOUT, 0);
	s->guards[s->count++] = g;
	if (s->count == MAX_CONNECTIONS) {
		s->paused = true;
		evconnlistener_disable(s->listener);
	}
	if (!timer_pending(&s->sweep))
		timer_set(&s->sweep, s->limits.sweep_ms);
	return bev;
}

/* ---- requests ---- */

static const char *get_header(const struct server_request *r, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(r->impl), name);
}

static const char *method_name(enum evhttp_cmd_type type)
{
	switch ((int)type) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_HEAD:
		return "HEAD";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_PUT:
		return "PUT";
	case EVHTTP_REQ_PATCH:
		return "PATCH";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	default:
		return "?";
	}
}

/* Decoded, absolute, no NUL, no ".." segment; or NULL. */
static char *clean_path(const char *raw)
{
	size_t len = 0;
	char *path = raw ? evhttp_uridecode(raw, 0, &len) : NULL;
	bool good = path && path[0] == '/' && strlen(path) == len;

	for (const char *p = path; good && (p = strstr(p, "/.."));) {
		p += 3;
		good = *p != '\0' && *p != '/';
	}
	if (good)
		return path;
	free(path);
	return NULL;
}

/* The answer has time until reply_ms from now; so has the next request on this connection. */
static void reply_phase(struct server *s, struct evhttp_request *req)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(req);
	struct bufferevent *bev = conn ? evhttp_connection_get_bufferevent(conn) : NULL;

	for (size_t i = 0; bev && i < s->count; i++)
		if (s->guards[i]->bev == bev && s->guards[i]->fd == bufferevent_getfd(bev)) {
			s->guards[i]->phase = PHASE_IDLE;
			s->guards[i]->deadline = clock_mono_ms() + s->limits.reply_ms;
		}
}

static void on_request(struct evhttp_request *req, void *arg)
{
	struct server *s = arg;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	struct server_reply reply = {.status = 200,
				     .content_type = "text/plain; charset=utf-8"};
	AUTO_FREE char *path = clean_path(evhttp_uri_get_path(uri));
	const char *query = evhttp_uri_get_query(uri);

	buf_init(&reply.body);
	reply_phase(s, req);
	if (!path) {
		evhttp_send_error(req, HTTP_BADREQUEST, NULL);
		return;
	}
	size_t len = evbuffer_get_length(in);
	evbuffer_add(in, "", 1);
	struct server_request r = {
		.method = method_name(evhttp_request_get_command(req)),
		.path = path,
		.query = query ? query : "",
		.body = (const char *)evbuffer_pullup(in, -1),
		.body_len = len,
		.header = get_header,
		.impl = req,
	};
	s->handler(s->arg, &r, &reply);
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	evhttp_add_header(headers, "Content-Type", reply.content_type);
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	struct evbuffer *out = evbuffer_new();
	if (!out || evbuffer_add(out, reply.body.ptr, reply.body.len))
		abort(); /* out of memory */
	buf_clear(&reply.body);
	evhttp_send_reply(req, reply.status, NULL, out);
	evbuffer_free(out);
}

/* ---- listening ---- */

struct address {
	struct sockaddr_storage at;
	socklen_t len;
};

static int parse_address(const char *text, struct address *a, struct error *err)
{
	const char *colon = strrchr(text, ':');
	struct sockaddr_in *v4 = (struct sockaddr_in *)&a->at;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a->at;
	char host[64];
	uint64_t port;

	memset(a, 0, sizeof *a);
	if (!colon || text_u64(colon + 1, strlen(colon + 1), 65535, &port) ||
	    (size_t)(colon - text) >= sizeof host)
		goto bad;
	snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
	size_t n = strlen(host);
	if (n && host[0] != '[') {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		a->len = sizeof *v4;
		if (inet_pton(AF_INET, host, &v4->sin_addr) == 1)
			return 0;
		goto bad;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	a->len = sizeof *v6;
	if (!n)
		return 0; /* in6addr_any: both families */
	if (host[n - 1] == ']') {
		host[n - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1)
			return 0;
	}
bad:
	return error_set(err, ERROR_INVALID,
			 "listen address \"%s\": wanted 127.0.0.1:8080, [::1]:8080 or :8080",
			 text);
}

static int start_listening(struct server *s, const char *text, struct error *err)
{
	struct address a;
	const unsigned flags =
		LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC;

	if (parse_address(text, &a, err))
		return -1;
	s->listener = evconnlistener_new_bind(s->base, NULL, NULL, flags, -1,
					      (struct sockaddr *)&a.at, (int)a.len);
	if (!s->listener && text[0] == ':') { /* a machine without IPv6 */
		AUTO_FREE char *v4 = mem_printf("0.0.0.0%s", text);
		if (parse_address(v4, &a, err))
			return -1;
		s->listener = evconnlistener_new_bind(s->base, NULL, NULL, flags, -1,
						      (struct sockaddr *)&a.at, (int)a.len);
	}
	if (!s->listener)
		return error_set(err, ERROR_INVALID, "listen on %s: %s", text, strerror(errno));
	a.len = sizeof a.at;
	getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&a.at, &a.len);
	s->port = ntohs(a.at.ss_family == AF_INET ? ((struct sockaddr_in *)&a.at)->sin_port
						  : ((struct sockaddr_in6 *)&a.at)->sin6_port);
	return 0;
}

int server_new(struct loop *loop, const char *address, server_handler *handler, void *arg,
	       struct server **out, struct error *err)
{
	struct server *s = mem_alloc(sizeof *s);

	s->base = loop_base(loop);
	s->limits = usual;
	s->handler = handler;
	s->arg = arg;
	if (start_listening(s, address, err)) {
		free(s);
		return -1;
	}
	timer_init(&s->sweep, loop, on_sweep, s);
	s->http = evhttp_new(s->base);
	if (!s->http)
		abort(); /* out of memory */
	evhttp_set_max_headers_size(s->http, MAX_HEADERS);
	evhttp_set_max_body_size(s->http, MAX_BODY);
	evhttp_set_timeout(s->http, (int)(usual.body_ms / 1000));
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
						    EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH |
						    EVHTTP_REQ_DELETE);
	evhttp_set_bevcb(s->http, on_connection, s);
	evhttp_set_gencb(s->http, on_request, s);
	evhttp_bind_listener(s->http, s->listener);
	*out = s;
	return 0;
}

void server_set_limits(struct server *s, const struct server_limits *limits)
{
	s->limits = *limits;
}

int server_port(const struct server *s)
{
	return s->port;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	evhttp_free(s->http); /* connections and listener with it */
	while (s->count)
		guard_drop(s, s->count - 1);
	timer_clear(&s->sweep);
	free(s);
}
