/*
 * sync/heal.c - self-heal: what drifted is brought back to what was last applied, object by
 * object; many at once go by a plan. An object that somebody else keeps writing is left alone
 * and named.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "sync/app_int.h"

#define REPAIRS_ONE_BY_ONE 8	 /* more drifted objects than this are repaired in one plan */
#define FIGHT_WINDOW_MS	   60000 /* an object repaired FIGHT_MAX times in it is left alone */
#define SAVE_MS		   1000
#define FIGHT_MAX	   5

struct fight {
	int64_t since_ms;
	int times;
	bool told;
};

/* False when this object was repaired too often lately: somebody else writes it too. */
static bool may_repair(struct app *app, const char *key, int64_t now)
{
	struct fight *f = map_get(&app->fights, key);
	char text[320], note[600];

	if (!f) {
		f = mem_alloc(sizeof *f);
		f->since_ms = now;
		map_put(&app->fights, key, f);
	}
	if (now - f->since_ms > FIGHT_WINDOW_MS) {
		f->since_ms = now;
		f->times = 0;
		f->told = false;
	}
	if (f->times < FIGHT_MAX) {
		f->times++;
		return true;
	}
	if (!f->told) {
		f->told = true;
		object_key_text(key, text, sizeof text);
		snprintf(note, sizeof note,
			 "%s was repaired %d times within a minute: somebody else writes it "
			 "too; next "
			 "try in a minute",
			 text, FIGHT_MAX);
		log_warn("sync", "fight", "app", app->key, "object", text, LOG_END);
		app_note(app, true, "FightingController", note);
		app_condition(app, CONDITION_STALLED, 1, "FightingController", note);
		app_report(app);
	}
	if (!timer_pending(&app->fight))
		timer_set(&app->fight, FIGHT_WINDOW_MS);
	return false;
}

void app_fight_over(void *arg)
{
	struct app *app = arg;
	struct map_entry *e;

	/* Look at all that was left alone; forget who has not been repaired for long. */
	for (size_t i = 0; (e = map_next(&app->fights, &i));) {
		map_put(&app->dirty, e->key, app);
		free(e->value);
	}
	map_clear(&app->fights);
	app_poked(app);
}

/* The desired state that an object was last applied from: the one whose hash it has. */
static struct desired *source_of(struct app *app, const char *key)
{
	const struct inventory_entry *e = inventory_get(&app->state.inventory, key);
	const struct desired_object *o =
		app->target && e ? desired_find(app->target, key) : NULL;

	if (!e)
		return NULL;
	if (o && !memcmp(o->hash, e->hash, sizeof e->hash))
		return app->target;
	struct desired *base = app_base(app);
	o = base ? desired_find(base, key) : NULL;
	return o && !memcmp(o->hash, e->hash, sizeof e->hash) ? base : NULL;
}

static bool repair_one(struct app *app, const char *key, int64_t now)
{
	struct plan_options po = app_plan_options(app);
	struct apply_options o = {.concurrency = 1, .deadline_ms = 30000};
	struct desired *d = source_of(app, key);
	struct error err = ERROR_INIT;

	if (!d ||
	    plan_repair(d, app->agent->live, &app->state.inventory, &po, key, &app->plan, &err))
		return false;
	if (!app->plan) {
		if (d == app->target) /* somebody else put it right */
			map_remove(&app->drifted, key);
		return false;
	}
	if (!app->spec.self_heal || !may_repair(app, key, now)) {
		map_put(&app->drifted, key, app);
		app->drift_only = true;
		app_report(app);
		plan_free(app->plan);
		app->plan = NULL;
		return false;
	}
	app->ready = app->done = false;
	app->apply = apply_start(app->agent->kube, app->agent->live, d, app->plan, &o,
				 &app_apply_ops, app);
	app_enter(app, APP_REPAIRING);
	return true;
}

/* Look at what changed in the cluster, one object after the other; many at once go by a plan.
 */
void app_heal(struct app *app)
{
	int64_t now = clock_mono_ms();

	if (app->dirty.len > REPAIRS_ONE_BY_ONE && app->target &&
	    app->failure.kind == ERROR_NONE && app_kinds_ready(app)) {
		bool any = false, fought = false;
		struct map_entry *e;
		for (size_t i = 0; (e = map_next(&app->dirty, &i));) {
			struct plan_options po = app_plan_options(app);
			struct plan *p = NULL;
			if (!plan_repair(app->target, app->agent->live, &app->state.inventory,
					 &po, e->key, &p, NULL) &&
			    p) {
				any = true;
				fought |= app->spec.self_heal && !may_repair(app, e->key, now);
			}
			plan_free(p);
		}
		if (any && app->spec.self_heal && !fought) {
			app_enter(app, APP_LOADING);
			app->started_us = clock_mono_us();
			app_plan(app);
			return;
		}
		if (!any) {
			for (size_t i = 0; (e = map_next(&app->dirty, &i));)
				map_remove(&app->drifted, e->key);
			map_clear(&app->dirty);
			app->drift_seen_us = 0;
			app_report(app);
			return;
		}
	}
	size_t looked = 0;
	while (app->dirty.len && looked++ < 1000) {
		size_t i = 0;
		struct map_entry *e = map_next(&app->dirty, &i);
		AUTO_FREE char *key = mem_strdup(e->key);
		map_remove(&app->dirty, key);
		if (repair_one(app, key, now))
			return;
	}
	if (app->dirty.len)
		app_poked(app);
	else
		app->drift_seen_us = 0;
	app_report(app); /* health may have changed */
}

void app_finish_repair(struct app *app)
{
	struct error err = app->last.err;

	app_enter(app, APP_IDLE);
	app_drop_apply(app);
	if (err.kind == ERROR_NONE) {
		histogram_add(&app->agent->stats.repair_seconds,
			      clock_mono_us() - (app->drift_seen_us ? app->drift_seen_us
								    : clock_mono_us()));
	} else {
		app->agent->stats.repairs_failed++;
		log_warn("sync", "repair failed", "app", app->key, "reason", error_code(&err),
			 "error", err.text, LOG_END);
		app_note(app, true, "RepairFailed", err.text);
		if (text_eq(err.reason, "KindUnknown"))
			agent_rediscover(app->agent);
		/* Look at everything again a little later. */
		timer_set(&app->retry, random_jitter(app->spec.retry_ms));
	}
	app->drift_seen_us = app->dirty.len ? clock_mono_us() : 0;
	/* A burst of repairs is one save; should we die before it, one more repair finds out.
	 */
	if (!timer_pending(&app->save_timer))
		timer_set(&app->save_timer, SAVE_MS);
	app_report(app);
	app_poked(app);
}
