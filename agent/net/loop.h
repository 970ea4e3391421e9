/*
 * net/loop.h - the one event loop of the process (libevent), its timers and signals.
 *
 * One thread. Callbacks run from loop_run() only; they record facts and poke a machine, they
 * don't drive one.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct loop;

int loop_new(struct loop **out, struct error *err); /* also ignores SIGPIPE, starts libcurl */
void loop_free(struct loop *loop); /* everything that uses it must be freed before */
void loop_run(struct loop *loop);  /* until loop_stop() */
void loop_stop(struct loop *loop);
struct event_base *loop_base(struct loop *loop);

/* Embedded in its owner. The callback may free the owner. */
struct timer {
	struct event *event;
	void (*fn)(void *arg);
	void *arg;
};
void timer_init(struct timer *t, struct loop *loop, void (*fn)(void *arg), void *arg);
void timer_set(struct timer *t,
	       int64_t ms); /* replaces what was set; 0: next turn of the loop */
void timer_cancel(struct timer *t);
bool timer_pending(const struct timer *t);
void timer_clear(struct timer *t); /* frees; zeroed or cleared ones are fine */

/* Calls fn in the loop when the signal arrives; one handler a signal, for the loop's life. */
int loop_on_signal(struct loop *loop, int signal, void (*fn)(void *arg, int signal), void *arg);

#endif
