/*
 * apply/await.c - health: which objects a wave still waits for, and the worst of all.
 */
#include <stdio.h>
#include <stdlib.h>

#include "apply/apply_int.h"
#include "base/text.h"

#define NAMED 3 /* objects a timeout names; the rest is a number */

/* Not known to the server, or not to be seen by watching: nothing to wait for. */
static bool watched(const struct desired_object *o)
{
	return o->resource && o->resource->can_list_watch;
}

/* Jobs are removed after they ran, by their own ttl or by hand: one that is gone is done. */
static bool is_job(const struct desired_object *o)
{
	return !strcmp(o->kind, "Job") && text_starts(o->api_version, "batch/");
}

static int by_wave(const void *a, const void *b)
{
	const struct desired_object *const *x = a, *const *y = b;

	if ((*x)->wave != (*y)->wave)
		return (*x)->wave < (*y)->wave ? -1 : 1;
	return strcmp((*x)->key, (*y)->key);
}

static void sort_once(struct gate *g, const struct desired *d)
{
	size_t n = desired_count(d);
	bool mixed = false;

	if (g->order)
		return;
	g->order = mem_array(n + 1, sizeof(const struct desired_object *));
	for (size_t i = 0; i < n; i++) {
		const struct desired_object *o = desired_at(d, i);

		if (!watched(o))
			continue;
		mixed |= g->len && g->order[0]->wave != o->wave;
		g->order[g->len++] = o;
	}
	if (mixed)
		qsort(g->order, g->len, sizeof(const struct desired_object *), by_wave);
}

/* Wait for the objects of the waves before `wave` that were not awaited yet; or for all. */
void gate_open(struct gate *g, const struct desired *d, int wave, bool all)
{
	sort_once(g, d);
	if (all)
		g->at = 0;
	for (; g->at < g->len && (all || g->order[g->at]->wave < wave); g->at++)
		*vec_push(&g->pending) = g->order[g->at];
}

/* A Job that failed, or a rollout past its own deadline, will not recover by itself. */
static bool final(const struct live_object *o)
{
	if (o->health != HEALTH_DEGRADED)
		return false;
	return (text_eq(o->kind->group, "batch") && text_eq(o->kind->kind, "Job")) ||
	       strstr(o->why, "ProgressDeadlineExceeded");
}

static void describe(const struct desired_object *want, const struct live_object *o,
		     struct buf *out)
{
	char text[256];

	buf_printf(out, "%s is %s", object_key_text(want->key, text, sizeof text),
		   health_name(o ? o->health : HEALTH_MISSING));
	if (o && *o->why)
		buf_printf(out, ": %s", o->why);
}

/* 1: wait no longer, 0: not yet, -1: in vain. */
static int judge(const struct desired_object *want, const struct live_object *o,
		 struct error *err)
{
	AUTO(buf) text = BUF_INIT;

	if (!o && is_job(want))
		return 1;
	if (o && (o->health == HEALTH_HEALTHY || o->health == HEALTH_SUSPENDED))
		return 1;
	if (o && !final(o))
		return 0;
	describe(want, o, &text);
	if (o)
		return error_reason(err, ERROR_INVALID, "Degraded", "%s", text.ptr);
	return error_reason(err, ERROR_CONFLICT, "Changed",
			    "%s: deleted while its health was awaited", text.ptr);
}

int gate_check(struct gate *g, const struct live *l, struct error *err)
{
	size_t left = 0;

	for (size_t i = 0; i < g->pending.len; i++) {
		const struct desired_object *want = g->pending.items[i];
		int verdict = judge(want, live_get(l, want->key), err);

		if (verdict < 0)
			return -1;
		if (!verdict)
			g->pending.items[left++] = want;
	}
	g->pending.len = left;
	return left == 0;
}

void gate_describe(const struct gate *g, const struct live *l, struct buf *out)
{
	for (size_t i = 0; i < g->pending.len && i < NAMED; i++) {
		buf_puts(out, i ? "; " : "");
		describe(g->pending.items[i], live_get(l, g->pending.items[i]->key), out);
	}
	if (g->pending.len > NAMED)
		buf_printf(out, "; and %zu more", g->pending.len - NAMED);
}

void gate_clear(struct gate *g)
{
	free(g->order);
	vec_clear(&g->pending);
	*g = (struct gate){0};
}

enum health desired_health(const struct desired *d, const struct live *l, char why[256])
{
	enum health worst = HEALTH_HEALTHY;
	const struct desired_object *at = NULL;

	for (size_t i = 0, n = desired_count(d); i < n; i++) {
		const struct desired_object *want = desired_at(d, i);
		const struct live_object *o = watched(want) ? live_get(l, want->key) : NULL;
		enum health health = o ? o->health : HEALTH_MISSING;

		if (!watched(want) || (!o && is_job(want)) || health <= worst)
			continue;
		worst = health;
		at = want;
	}
	why[0] = '\0';
	if (at) {
		AUTO(buf) text = BUF_INIT;

		describe(at, live_get(l, at->key), &text);
		snprintf(why, 256, "%s", text.ptr);
	}
	return worst;
}
