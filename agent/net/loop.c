/* net/loop.c - libevent's base, plus what must be set up once a process before any network. */
#include "net/loop.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdlib.h>

#include "base/mem.h"

struct handler {
	struct handler *next;
	struct event *event;
	void (*fn)(void *arg, int signal);
	void *arg;
};

struct loop {
	struct event_base *base;
	struct handler *handlers;
};

int loop_new(struct loop **out, struct error *err)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	/* Timers are set after callbacks that may have run long: no cached time. */
	if (config && !event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME))
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	if (!base)
		return error_set(err, ERROR_BUG, "event loop: libevent can't make one");
	if (curl_global_init(CURL_GLOBAL_DEFAULT)) {
		event_base_free(base);
		return error_set(err, ERROR_BUG, "event loop: libcurl can't start");
	}
	signal(SIGPIPE, SIG_IGN);
	struct loop *loop = mem_alloc(sizeof *loop);
	loop->base = base;
	*out = loop;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	while (loop->handlers) {
		struct handler *h = loop->handlers;
		loop->handlers = h->next;
		event_free(h->event);
		free(h);
	}
	event_base_free(loop->base);
	curl_global_cleanup();
	free(loop);
}

void loop_run(struct loop *loop)
{
	event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void loop_stop(struct loop *loop)
{
	event_base_loopbreak(loop->base);
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct timer *t = arg;

	t->fn(t->arg);
}

void timer_init(struct timer *t, struct loop *loop, void (*fn)(void *arg), void *arg)
{
	t->event = evtimer_new(loop->base, on_timer, t);
	if (!t->event)
		abort(); /* out of memory */
	t->fn = fn;
	t->arg = arg;
}

void timer_set(struct timer *t, int64_t ms)
{
	struct timeval tv;

	if (ms < 0)
		ms = 0;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	if (evtimer_add(t->event, &tv))
		abort(); /* out of memory */
}

void timer_cancel(struct timer *t)
{
	if (t->event)
		evtimer_del(t->event);
}

bool timer_pending(const struct timer *t)
{
	return t->event && evtimer_pending(t->event, NULL);
}

void timer_clear(struct timer *t)
{
	if (t->event)
		event_free(t->event);
	t->event = NULL;
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct handler *h = arg;

	h->fn(h->arg, (int)number);
}

int loop_on_signal(struct loop *loop, int signal, void (*fn)(void *arg, int signal), void *arg)
{
	struct handler *h = mem_alloc(sizeof *h);

	h->fn = fn;
	h->arg = arg;
	h->event = evsignal_new(loop->base, signal, on_signal, h);
	if (!h->event || evsignal_add(h->event, NULL)) {
		if (h->event)
			event_free(h->event);
		free(h);
		return -1;
	}
	h->next = loop->handlers;
	loop->handlers = h;
	return 0;
}
