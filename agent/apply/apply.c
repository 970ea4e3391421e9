/*
 * apply/apply.c - the machine that brings a plan about.
 *
 * Answers record what they say on their item and wake the machine; step() alone moves it. Every
 * state is a pass over a range of items, or a wait. A pass ends when nothing of it is in
 * flight.
 */
#include "apply/apply.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "apply/apply_int.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#define LOOK_MS	  50 /* at most so often is a long list of unhealthy objects looked through */
#define LONG_LIST 64

static const char *const state_names[] = {
	[APPLY_PREFLIGHT] = "preflight", [APPLY_READY] = "ready",
	[APPLY_CHECKING] = "checking",	 [APPLY_WRITING] = "writing",
	[APPLY_AWAITING] = "awaiting",	 [APPLY_PRUNING] = "pruning",
	[APPLY_DONE] = "done",
};

#define TO(state) (1u << (state))
#define ANY_WORK  (TO(APPLY_CHECKING) | TO(APPLY_AWAITING) | TO(APPLY_PRUNING) | TO(APPLY_DONE))
static const unsigned legal[] = {
	[APPLY_PREFLIGHT] = TO(APPLY_READY) | TO(APPLY_DONE),
	[APPLY_READY] = ANY_WORK,
	[APPLY_CHECKING] = TO(APPLY_WRITING) | TO(APPLY_DONE),
	[APPLY_WRITING] = ANY_WORK,
	[APPLY_AWAITING] = ANY_WORK & ~TO(APPLY_AWAITING),
	[APPLY_PRUNING] = TO(APPLY_PRUNING) | TO(APPLY_DONE),
	[APPLY_DONE] = 0,
};

static void enter(struct apply *a, enum apply_state next)
{
	if (!(legal[a->state] & TO(next))) {
		log_error("apply", "illegal move", "from", state_names[a->state], "to",
			  state_names[next], LOG_END);
		abort();
	}
	log_debug("apply", "state", "from", state_names[a->state], "to", state_names[next],
		  LOG_END);
	a->state = next;
}

/* ---- Passes ---- */

static void pass_begin(struct apply *a, size_t first, size_t end)
{
	a->first = a->next = first;
	a->end = end;
}

static bool failed(const struct apply *a)
{
	return a->failures || a->end_err.kind != ERROR_NONE;
}

/* Absence that preflight saw is old news once a wave was written or waited for. */
static bool must_look_again(const struct apply *a, const struct item *it)
{
	bool later = it->change->want->wave != a->items[0].change->want->wave;

	return item_may_be_foreign(it) && (later || a->waited);
}

/* Has this item a request in the pass that runs? */
static bool in_pass(const struct apply *a, const struct item *it)
{
	switch (a->state) {
	case APPLY_PREFLIGHT:
		return item_needs_check(it) && !it->deferred;
	case APPLY_CHECKING:
		return item_needs_check(it) && (it->deferred || must_look_again(a, it));
	case APPLY_WRITING:
		return item_is_write(it);
	case APPLY_PRUNING:
		return it->change->kind == CHANGE_PRUNE;
	case APPLY_READY:
	case APPLY_AWAITING:
	case APPLY_DONE:
		return false;
	}
	return false;
}

/* Send what may be sent. True when the pass is over. */
static bool pass_run(struct apply *a)
{
	while (!a->stop && pace_free(&a->pace)) {
		if (a->again.len) {
			item_send(a->again.items[--a->again.len]);
			continue;
		}
		while (a->next < a->end && !in_pass(a, &a->items[a->next]))
			a->next++;
		if (a->next == a->end)
			break;
		item_send(&a->items[a->next++]);
	}
	if (a->stop) {
		a->next = a->end;
		a->again.len = 0;
	}
	return a->next == a->end && !a->again.len && !a->pace.in_flight;
}

/* ---- Tiers ---- */

static int prune_tier(const struct item *it)
{
	const struct kube_kind *kind = it->change->resource;

	return kind ? kind_tier(kind->group, kind->kind) : 0;
}

static bool same_tier(const struct item *x, const struct item *y)
{
	const struct desired_object *v = x->change->want, *w = y->change->want;

	if (!v || !w)
		return prune_tier(x) == prune_tier(y);
	return v->wave == w->wave && v->tier == w->tier;
}

/* The end of the tier that begins at items[first]; never beyond `end`. */
static size_t tier_end(const struct apply *a, size_t first, size_t end)
{
	size_t i = first + 1;

	while (i < end && same_tier(&a->items[first], &a->items[i]))
		i++;
	return i;
}

/* ---- The end ---- */

static void cancel_all(struct apply *a)
{
	for (size_t i = 0; i < a->len; i++)
		item_cancel(&a->items[i]);
	a->pace.in_flight = 0;
}

static void finish(struct apply *a, int64_t now)
{
	enter(a, APPLY_DONE);
	timer_cancel(&a->turn);
	timer_cancel(&a->late);
	report_done(a, now);
	a->ops.on_done(a->arg, &a->outcome); /* `a` may be gone */
}

/* What the deadline met: "no answer for ConfigMap shop/a and 3 more". */
static void describe_wait(const struct apply *a, struct buf *out)
{
	char text[256];
	int left = a->pace.in_flight;

	if (a->state == APPLY_AWAITING) {
		gate_describe(&a->gate, a->live, out);
		return;
	}
	for (size_t i = 0; i < a->len && left; i++) {
		if (!a->items[i].call)
			continue;
		buf_printf(out, "no answer for %s",
			   object_key_text(a->items[i].change->key, text, sizeof text));
		if (left > 1)
			buf_printf(out, " and %d more", left - 1);
		return;
	}
	buf_puts(out,
		 a->state == APPLY_READY ? "the inventory was not saved" : "not all was sent");
}

static void time_out(struct apply *a, int64_t now)
{
	AUTO(buf) what = BUF_INIT;
	char took[24];

	describe_wait(a, &what);
	error_reason(&a->end_err, ERROR_TRANSIENT, "Timeout", "after %s: %s",
		     text_duration(now - a->started, took), what.ptr);
	cancel_all(a);
	finish(a, now);
}

/* ---- Moving ---- */

/* Before a tier of a later wave, and before the prune: is there health to wait for? */
static bool must_await(struct apply *a, const struct item *next)
{
	const struct desired_object *want = next ? next->change->want : NULL;

	if (!a->o.await_health || a->released || a->state == APPLY_AWAITING)
		return false;
	gate_open(&a->gate, a->desired, want ? want->wave : 0, !want);
	return a->gate.pending.len > 0;
}

/* The next tier, or the wait before it, or the prune, or the end. False: nothing more now. */
static bool go_on(struct apply *a, int64_t now)
{
	bool writes = a->tier < a->writes;

	if (failed(a)) {
		finish(a, now);
		return false;
	}
	if (must_await(a, writes ? &a->items[a->tier] : NULL)) {
		enter(a, APPLY_AWAITING);
		a->waited = true;
		return true;
	}
	a->released |= !writes;
	if (a->tier == a->len) {
		finish(a, now);
		return false;
	}
	enter(a, writes ? APPLY_CHECKING : APPLY_PRUNING);
	pass_begin(a, a->tier, tier_end(a, a->tier, writes ? a->writes : a->len));
	a->tier = a->end;
	return true;
}

/* Preflight is over: the owner's turn, or the end. */
static void pass_preflight(struct apply *a, int64_t now)
{
	if (failed(a) || a->o.dry_run) {
		finish(a, now);
		return;
	}
	enter(a, APPLY_READY);
	a->ops.on_ready(a->arg);
}

static bool look_at_health(struct apply *a, int64_t now)
{
	int healthy = gate_check(&a->gate, a->live, &a->end_err);

	return healthy && go_on(a, now);
}

/* One move. True: look again. False: wait, or `a` may be gone. */
static bool move(struct apply *a, int64_t now)
{
	switch (a->state) {
	case APPLY_PREFLIGHT:
		if (pass_run(a))
			pass_preflight(a, now);
		return false;
	case APPLY_READY:
		return a->go && go_on(a, now);
	case APPLY_CHECKING:
		if (!pass_run(a))
			return false;
		if (failed(a)) {
			finish(a, now);
			return false;
		}
		enter(a, APPLY_WRITING);
		pass_begin(a, a->first, a->end);
		return true;
	case APPLY_WRITING:
	case APPLY_PRUNING:
		return pass_run(a) && go_on(a, now);
	case APPLY_AWAITING:
		return look_at_health(a, now);
	case APPLY_DONE:
		return false;
	}
	return false;
}

static void step(struct apply *a, int64_t now)
{
	if (a->state != APPLY_DONE && a->o.deadline_ms &&
	    now - a->started >= a->o.deadline_ms) {
		time_out(a, now);
		return;
	}
	while (move(a, now))
		;
}

static void on_turn(void *arg)
{
	step(arg, clock_mono_ms());
}

/* A timer may fire a little early (the loop's time is that of its turn): never give up waiting.
 */
static void on_late(void *arg)
{
	struct apply *a = arg;
	int64_t now = clock_mono_ms(), left = a->started + a->o.deadline_ms - now;

	if (left > 0)
		timer_set(&a->late, left);
	else
		step(a, now);
}

void apply_wake(struct apply *a)
{
	if (!timer_pending(&a->turn))
		timer_set(&a->turn, 0);
}

/* ---- The outside ---- */

/* What this plan brings into being: "Namespace shop", "CRD widgets.example.com". */
static void collect_born(const struct plan *p, struct map *born)
{
	for (size_t i = 0; i < plan_count(p); i++) {
		const struct change *c = plan_at(p, i);
		bool ns = c->want && c->resource && text_eq(c->resource->kind, "Namespace") &&
			  text_eq(c->resource->group, "");
		bool crd = c->want && c->resource &&
			   text_eq(c->resource->kind, "CustomResourceDefinition");
		char key[600];

		if (!crd && !(ns && !c->labelled))
			continue;
		snprintf(key, sizeof key, "%s %s", ns ? "Namespace" : "CRD", c->name);
		map_put(born, key, (void *)c);
	}
}

static bool needs_born(const struct map *born, const struct change *c)
{
	char key[600];

	if (!born->len || !c->resource)
		return false;
	snprintf(key, sizeof key, "Namespace %s", c->ns);
	if (c->resource->namespaced && map_get(born, key))
		return true;
	snprintf(key, sizeof key, "CRD %s.%s", c->resource->plural, c->resource->group);
	return map_get(born, key) != NULL;
}

static void make_items(struct apply *a)
{
	struct map born = MAP_INIT;

	collect_born(a->plan, &born);
	a->len = a->writes = plan_count(a->plan);
	a->items = mem_array(a->len + 1, sizeof *a->items);
	for (size_t i = a->len; i-- > 0;) {
		struct item *it = &a->items[i];

		it->apply = a;
		it->change = plan_at(a->plan, i);
		it->deferred = needs_born(&born, it->change);
		if (!it->change->want) /* prunes and keeps stand last */
			a->writes = i;
	}
	map_clear(&born);
	report_refusals(a);
}

struct apply *apply_start(struct kube *k, struct live *l, const struct desired *d,
			  const struct plan *p, const struct apply_options *o,
			  const struct apply_ops *ops, void *arg)
{
	struct apply *a = mem_alloc(sizeof *a);

	a->kube = k;
	a->live = l;
	a->desired = d;
	a->plan = p;
	a->o = *o;
	a->ops = *ops;
	a->arg = arg;
	a->started = clock_mono_ms();
	pace_init(&a->pace, o->concurrency);
	make_items(a);
	pass_begin(a, 0, a->writes);
	timer_init(&a->turn, kube_loop(k), on_turn, a);
	timer_init(&a->late, kube_loop(k), on_late, a);
	if (o->deadline_ms)
		timer_set(&a->late, o->deadline_ms);
	apply_wake(a);
	return a;
}

void apply_write(struct apply *a)
{
	a->go = true;
	apply_wake(a);
}

void apply_poke(struct apply *a)
{
	if (a->state == APPLY_AWAITING && !timer_pending(&a->turn))
		timer_set(&a->turn, a->gate.pending.len > LONG_LIST ? LOOK_MS : 0);
}

void apply_free(struct apply *a)
{
	if (!a)
		return;
	cancel_all(a);
	timer_clear(&a->turn);
	timer_clear(&a->late);
	for (size_t i = 0; i < a->len; i++)
		free(a->items[i].err);
	free(a->items);
	vec_clear(&a->again);
	gate_clear(&a->gate);
	problems_clear(&a->outcome.problems);
	free(a);
}
