/*
 * net/http_pool.c - curl's multi handle on the loop: sockets, timer, results.
 *
 * Flow: loop event -> pool_drive() -> curl_multi_socket_action() -> callbacks of http.c (copy
 * only) -> here again: results collected, deferred work done -> on_done of the callers.
 */
#include "net/http_int.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

struct sock {
	struct sock *next, **link;
	struct pool *pool;
	struct event *event;
	curl_socket_t fd;
};

static void pool_drive(struct pool *p, curl_socket_t fd, int what);

static void on_socket_event(evutil_socket_t fd, short what, void *arg)
{
	struct sock *s = arg;

	pool_drive(s->pool, s->fd,
		   (what & EV_READ ? CURL_CSELECT_IN : 0) |
			   (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void sock_free(struct sock *s)
{
	event_free(s->event);
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	free(s);
}

/* curl's wish to watch a socket. Called from inside curl. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *sock)
{
	struct pool *p = arg;
	struct sock *s = sock;
	short events = EV_PERSIST;

	if (what == CURL_POLL_REMOVE) {
		if (s)
			sock_free(s);
		curl_multi_assign(p->multi, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EV_READ;
	if (what & CURL_POLL_OUT)
		events |= EV_WRITE;
	if (!s) {
		s = mem_alloc(sizeof *s);
		s->pool = p;
		s->fd = fd;
		s->next = p->socks;
		s->link = &p->socks;
		if (s->next)
			s->next->link = &s->next;
		p->socks = s;
		s->event = event_new(loop_base(p->http->loop), fd, events, on_socket_event, s);
		curl_multi_assign(p->multi, fd, s);
	} else {
		event_del(s->event);
		event_assign(s->event, loop_base(p->http->loop), fd, events, on_socket_event,
			     s);
	}
	if (!s->event || event_add(s->event, NULL))
		return -1;
	return 0;
}

/* curl's wish to be called later. It comes from inside add_handle too: never recurse. */
static int on_multi_timer(CURLM *multi, long ms, void *arg)
{
	struct pool *p = arg;

	if (ms < 0)
		timer_cancel(&p->timer);
	else
		timer_set(&p->timer, ms);
	return 0;
}

static void on_timer(void *arg)
{
	pool_drive(arg, CURL_SOCKET_TIMEOUT, 0);
}

static struct pool *pool_new(struct http *h)
{
	struct pool *p = mem_alloc(sizeof *p);

	p->http = h;
	p->multi = curl_multi_init();
	if (!p->multi)
		abort(); /* out of memory */
	TAILQ_INIT(&p->calls);
	timer_init(&p->timer, h->loop, on_timer, p);
	p->last_byte = clock_mono_ms();
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, on_multi_timer);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(p->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
			  (long)h->settings->max_connections);
	curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, (long)h->settings->max_connections);
	p->next = h->pools;
	h->pools = p;
	return p;
}

/* Only with no call left and outside of curl. curl may still call on_socket in here. */
static void pool_free(struct pool *p)
{
	for (struct pool **at = &p->http->pools; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	curl_multi_cleanup(p->multi);
	for (struct sock *sock = p->socks, *next; sock; sock = next) {
		next = sock->next;
		event_free(sock->event);
		free(sock);
	}
	timer_clear(&p->timer);
	free(p);
}

void pool_renew(struct http *h)
{
	struct pool *old = h->pool;

	h->pool = pool_new(h);
	if (!old)
		return;
	old->retired = true;
	pool_release(old);
}

void pool_release(struct pool *p)
{
	if (p->retired && TAILQ_EMPTY(&p->calls) && !p->in_curl)
		pool_free(p);
}

void pool_free_all(struct http *h)
{
	while (h->pools) {
		struct pool *p = h->pools;
		struct http_call *c;

		while ((c = TAILQ_FIRST(&p->calls))) {
			pool_remove(c);
			call_free(c);
		}
		pool_free(p);
	}
	h->pool = NULL;
}

/* The multi handle's state is unknown: fail everything, go on with a new one. */
static void pool_break(struct pool *p)
{
	struct http_call *c, *next;

	for (c = TAILQ_FIRST(&p->calls); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->state == CALL_DROPPED)
			continue;
		pool_remove(c);
		call_finish(c, CURLE_FAILED_INIT);
	}
	if (p == p->http->pool) {
		p->http->pool = pool_new(p->http);
		p->retired = true;
	}
}

static void add(struct http_call *c)
{
	struct pool *p = c->pool;

	c->state = CALL_ACTIVE;
	if (curl_multi_add_handle(p->multi, c->easy)) {
		TAILQ_REMOVE(&p->calls, c, link);
		call_finish(c, CURLE_FAILED_INIT);
		timer_set(&p->http->deliver, 0);
	}
}

void pool_start(struct http_call *c)
{
	struct pool *p = c->http->pool;

	c->pool = p;
	TAILQ_INSERT_TAIL(&p->calls, c, link);
	if (p->in_curl) {
		c->state = CALL_QUEUED;
		p->has_deferred = true;
	} else {
		add(c);
	}
}

void pool_remove(struct http_call *c)
{
	struct pool *p = c->pool;

	if (c->state == CALL_ACTIVE)
		curl_multi_remove_handle(p->multi, c->easy);
	TAILQ_REMOVE(&p->calls, c, link);
}

/* Results of finished transfers: read until there is none, copied before the handle goes. */
static void collect(struct pool *p)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(p->multi, &left))) {
		CURLcode result = m->data.result;
		CURL *easy = m->easy_handle;
		struct http_call *c = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &c);
		if (!c || c->state != CALL_ACTIVE)
			continue; /* dropped: swept below */
		pool_remove(c);
		call_finish(c, result);
	}
}

/* What was asked for while curl was running. */
static void do_deferred(struct pool *p)
{
	struct http_call *c, *next;

	p->has_deferred = false;
	for (c = TAILQ_FIRST(&p->calls); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->state == CALL_QUEUED) {
			add(c);
		} else if (c->state == CALL_DROPPED) {
			c->state = CALL_ACTIVE;
			pool_remove(c);
			call_free(c);
		}
	}
}

static void pool_drive(struct pool *p, curl_socket_t fd, int what)
{
	struct http *h = p->http;
	int running;

	http_enter(h);
	p->in_curl = true;
	CURLMcode rc = curl_multi_socket_action(p->multi, fd, what, &running);
	p->in_curl = false;
	if (!h->dead) {
		collect(p);
		if (p->has_deferred)
			do_deferred(p);
		if (rc != CURLM_OK && rc != CURLM_BAD_SOCKET) {
			log_warn("net", "curl failed, starting over", "peer",
				 h->settings->shown, "error", curl_multi_strerror(rc), LOG_END);
			pool_break(p);
		}
		pool_release(p);
		http_deliver(h);
	}
	http_leave(h);
}
