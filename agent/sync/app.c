/*
 * sync/app.c - the machine of one Application. Callbacks record facts and poke; app_step()
 * alone moves it, enter() alone writes the phase.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "sync/app_int.h"

#define REPAIRS_ONE_BY_ONE 8	 /* more drifted objects than this are repaired in one plan */
#define FIGHT_WINDOW_MS	   60000 /* an object repaired FIGHT_MAX times in it is left alone */
#define FIGHT_MAX	   5

static const char *const phase_names[APP_STATES] = {
	[APP_IDLE] = "idle",	 [APP_LOADING] = "loading", [APP_PREFLIGHT] = "preflight",
	[APP_SAVING] = "saving", [APP_WRITING] = "writing", [APP_REPAIRING] = "repairing",
};

static const bool legal[APP_STATES][APP_STATES] = {
	[APP_IDLE] = {[APP_LOADING] = true, [APP_REPAIRING] = true},
	[APP_LOADING] = {[APP_IDLE] = true, [APP_PREFLIGHT] = true, [APP_LOADING] = true},
	[APP_PREFLIGHT] = {[APP_SAVING] = true, [APP_IDLE] = true},
	[APP_SAVING] = {[APP_WRITING] = true, [APP_IDLE] = true},
	[APP_WRITING] = {[APP_IDLE] = true},
	[APP_REPAIRING] = {[APP_IDLE] = true},
};

static void enter(struct app *app, enum app_state next)
{
	if (!legal[app->phase][next]) {
		log_error("sync", "illegal move", "app", app->key, "from",
			  phase_names[app->phase], "to", phase_names[next], LOG_END);
		abort();
	}
	log_debug("sync", "phase", "app", app->key, "from", phase_names[app->phase], "to",
		  phase_names[next], LOG_END);
	app->phase = next;
	app->phase_since_ms = clock_mono_ms();
}

void app_poked(struct app *app)
{
	timer_set(&app->poke, 0);
}

void app_again(struct app *app)
{
	app->evaluate = true;
	app_poked(app);
}

void app_polled(struct app *app)
{
	struct revision *rev = NULL;

	/* The same head again is no news, unless a sync was asked for or nothing could be
	 * decided. */
	if (!app->manual && app->source && app->source->repo && app->looked && app->has_head &&
	    app->source->err.kind == ERROR_NONE &&
	    !repo_revision(app->source->repo, app->spec.target, &rev, NULL)) {
		bool same = object_id_eq(revision_commit(rev), &app->head);
		revision_free(rev);
		if (same && app->conditions[CONDITION_SOURCE].status == 1) {
			app_poked(app);
			return;
		}
	}
	app_again(app);
}

void app_changed(struct app *app, const char *key)
{
	if (!app->drift_seen_us)
		app->drift_seen_us = clock_mono_us();
	map_put(&app->dirty, key, app);
	if (app->apply)
		apply_poke(app->apply);
	app_poked(app);
}

/* ---- A sync ---- */

static void drop_apply(struct app *app)
{
	apply_free(app->apply);
	plan_free(app->plan);
	app->apply = NULL;
	app->plan = NULL;
	app->ready = app->done = false;
}

static void on_ready(void *arg)
{
	struct app *app = arg;

	app->ready = true;
	app_poked(app);
}

static void on_applied(void *arg, const struct applied *done)
{
	struct app *app = arg;
	const struct change *c = done->change;

	if (done->err.kind != ERROR_NONE)
		return;
	if (c->kind == CHANGE_PRUNE) {
		state_forget(&app->state, c->key);
		app->agent->stats.prunes++;
		return;
	}
	if (!done->now || !c->want)
		return;
	struct inventory_entry *e = state_entry(&app->state, c->key);
	snprintf(e->uid, sizeof e->uid, "%s", done->now->uid);
	memcpy(e->hash, c->want->hash, sizeof e->hash);
	e->own = done->now->own;
	e->dirty = true;
	if (c->kind == CHANGE_REPAIR) {
		char text[320], note[1000];
		app->agent->stats.repairs++;
		object_key_text(c->key, text, sizeof text);
		snprintf(note, sizeof note, "%s repaired: %s", text, c->why);
		log_info("sync", "drift repaired", "app", app->key, "object", text, "why",
			 c->why, LOG_END);
		app_note(app, false, "DriftRepaired", note);
	}
}

static void on_done(void *arg, const struct outcome *outcome)
{
	struct app *app = arg;

	app->last = *outcome;
	app->last.problems = (struct problems){0};
	problems_clear(&app->problems);
	/* The list is taken over: the apply dies before it is read. */
	app->problems = outcome->problems;
	((struct outcome *)outcome)->problems = (struct problems){0};
	app->done = true;
	app_poked(app);
}

static const struct apply_ops apply_ops = {on_ready, on_applied, on_done};

static struct plan_options plan_options(const struct app *app)
{
	return (struct plan_options){
		.part_of = app->part_of,
		.prune = app->spec.prune || app->manual_prune,
		.allow_empty = app->spec.allow_empty,
		.prune_limit = app->spec.prune_limit,
		.discovery_stale = kube_discovery_stale(app->agent->kube),
	};
}

static void fail(struct app *app, const struct error *err)
{
	char hex[OBJECT_ID_HEX] = "";

	app->failure = *err;
	app->manual = app->manual_prune = false;
	app->sweep = true;
	if (app->target)
		object_id_hex(verified_commit(desired_verified(app->target)), hex);
	state_text(&app->state.failed_commit, hex, &app->state.dirty);
	state_text(&app->state.failed_reason, error_code(err), &app->state.dirty);
	state_text(&app->state.failed_text, err->text, &app->state.dirty);
	state_save(app->saver);
	app->attempts++;
	app->agent->stats.syncs_failed++;
	log_warn("sync", "failed", "app", app->key, "commit", hex, "reason", error_code(err),
		 "error", err->text, LOG_END);
	if (err->kind == ERROR_TRANSIENT ||
	    (err->kind == ERROR_CONFLICT &&
	     (app->spec.retry_limit < 0 || app->attempts <= app->spec.retry_limit))) {
		int64_t wait = app->spec.retry_ms;
		for (int i = 1; i < app->attempts && wait < app->spec.retry_max_ms; i++)
			wait *= app->spec.retry_factor;
		if (wait > app->spec.retry_max_ms)
			wait = app->spec.retry_max_ms;
		timer_set(&app->retry, random_jitter(wait));
	}
	app_report(app);
}

static void operation_set(struct app *app, const char *phase, const char *message)
{
	struct operation *op = &app->operation;
	bool dirty = false;

	if (!strcmp(phase, "Running")) {
		op->started_ms = clock_now_ms();
		op->finished_ms = 0;
	} else {
		op->finished_ms = clock_now_ms();
	}
	snprintf(op->phase, sizeof op->phase, "%s", phase);
	if (app->target)
		object_id_hex(verified_commit(desired_verified(app->target)), op->revision);
	state_text(&op->message, message, &dirty);
}

/* The target stands in the cluster as far as it can: remember and report it. */
static void succeed(struct app *app)
{
	const struct verified *v = desired_verified(app->target);
	char hex[OBJECT_ID_HEX];

	object_id_hex(verified_commit(v), hex);
	bool fresh = strcmp(hex, app->state.applied) != 0;
	if (fresh || app->last.wrote) {
		struct history_entry e = {.signer = (char *)verified_signer(v),
					  .subject = (char *)verified_subject(v),
					  .at_ms = clock_now_ms(),
					  .took_ms = (clock_mono_us() - app->started_us) / 1000,
					  .created = app->last.created,
					  .updated = app->last.updated,
					  .repaired = app->last.repaired,
					  .pruned = app->last.pruned};
		snprintf(e.commit, sizeof e.commit, "%s", hex);
		state_history_add(&app->state, &e, app->spec.history_limit);
		app->agent->stats.syncs_ok++;
		histogram_add(&app->agent->stats.sync_seconds,
			      clock_mono_us() - app->started_us);
		log_info("sync", "synced", "app", app->key, "commit", hex, "signer",
			 verified_signer(v), LOG_END);
	}
	state_id(app->state.applied, hex, &app->state.dirty);
	state_text(&app->state.failed_commit, NULL, &app->state.dirty);
	state_text(&app->state.failed_reason, NULL, &app->state.dirty);
	state_text(&app->state.failed_text, NULL, &app->state.dirty);
	desired_free(app->base);
	app->base = NULL;
	app->failure = (struct error)ERROR_INIT;
	problems_clear(&app->problems);
	app->attempts = 0;
	app->manual = app->manual_prune = false;
	timer_cancel(&app->retry);
	if (state_unsaved(&app->state))
		state_save(app->saver);
	app_report(app);
}

/* Entries whose object is gone and not wanted any more. */
static void forget_gone(struct app *app)
{
	for (size_t i = 0; i < plan_forget_count(app->plan); i++)
		state_forget(&app->state, plan_forget_at(app->plan, i));
}

/* All facts about a plan that is not carried out now: what the status shows. */
static void count_plan(struct app *app)
{
	app->waiting = plan_count_of(app->plan, CHANGE_WAIT);
	app->kept = plan_count_of(app->plan, CHANGE_KEEP);
	app->out_of_sync = plan_count(app->plan) - app->waiting;
	if (app->waiting)
		agent_rediscover(app->agent);
}

/* Automated syncs leave mere drift alone when selfHeal is off. */
static bool held_back(const struct app *app)
{
	char hex[OBJECT_ID_HEX];

	if (app->manual)
		return false;
	if (!app->spec.automated)
		return true;
	object_id_hex(verified_commit(desired_verified(app->target)), hex);
	return !app->spec.self_heal && !strcmp(hex, app->state.applied) &&
	       !plan_count_of(app->plan, CHANGE_CREATE) &&
	       !plan_count_of(app->plan, CHANGE_UPDATE) &&
	       !plan_count_of(app->plan, CHANGE_PRUNE);
}

static void tell_observer(struct app *app, const struct error *err)
{
	const struct agent_options *o = &app->agent->o;
	char hex[OBJECT_ID_HEX] = "";
	struct observed seen = {.app = app->key,
				.commit = hex,
				.signer = "",
				.refusal = &app->refusal,
				.problems = &app->problems,
				.plan = app->plan,
				.desired = app->plan ? app->target : NULL,
				.err = *err};

	if (app->has_head)
		object_id_hex(&app->head, hex);
	if (app->target)
		seen.signer = verified_signer(desired_verified(app->target));
	if (o->observed)
		o->observed(o->arg, &seen);
}

static void start_apply(struct app *app)
{
	struct apply_options o = {.concurrency = app->agent->o.concurrency,
				  .preflight = true,
				  .dry_run = app->agent->o.observe,
				  .await_health = true,
				  .deadline_ms = app->agent->o.sync_timeout_ms};
	char hex[OBJECT_ID_HEX], text[80];

	object_id_hex(verified_commit(desired_verified(app->target)), hex);
	app->ready = app->done = false;
	app->apply = apply_start(app->agent->kube, app->agent->live, app->target, app->plan, &o,
				 &apply_ops, app);
	enter(app, APP_PREFLIGHT);
	if (app->agent->o.observe)
		return;
	snprintf(text, sizeof text, "applying %zu changes",
		 plan_count(app->plan) - app->waiting - app->kept);
	operation_set(app, "Running", text);
	state_id(app->state.attempted, hex, &app->state.dirty);
	app->saved = false;
	state_save(app->saver); /* beside the dry runs: costs no time */
	app_report(app);
}

static void plan_target(struct app *app)
{
	struct plan_options po = plan_options(app);
	struct error err = ERROR_INIT;

	plan_free(app->plan);
	app->plan = NULL;
	map_clear(&app->dirty);
	app->drift_seen_us = 0;
	memset(&app->last, 0, sizeof app->last);
	if (plan_make(app->target, app->agent->live, &app->state.inventory, &po, &app->plan,
		      &err)) {
		enter(app, APP_IDLE);
		if (app->agent->o.observe)
			tell_observer(app, &err);
		else
			fail(app, &err);
		return;
	}
	count_plan(app);
	if (!app->agent->o.observe)
		forget_gone(app);
	app->drift_only = false;
	if (plan_empty(app->plan) && !app->agent->o.observe) {
		enter(app, APP_IDLE);
		operation_set(app, "Succeeded", "nothing to do");
		succeed(app);
	} else if (held_back(app) && !app->agent->o.observe) {
		enter(app, APP_IDLE);
		app->drift_only = true;
		app_report(app);
	} else {
		start_apply(app);
		return;
	}
	plan_free(app->plan);
	app->plan = NULL;
}

/* Everything that is to be created stands in the stored inventory before it is created. */
static bool add_union(struct app *app)
{
	bool added = false;

	for (size_t i = 0; i < plan_count(app->plan); i++) {
		const struct change *c = plan_at(app->plan, i);
		if (!c->want || c->kind == CHANGE_WAIT || c->kind == CHANGE_REFUSE ||
		    inventory_get(&app->state.inventory, c->key))
			continue;
		state_entry(&app->state, c->key);
		added = true;
	}
	return added;
}

static void finish_sync(struct app *app)
{
	struct error err = app->last.err;
	AUTO(buf) text = BUF_INIT;

	enter(app, APP_IDLE);
	if (app->agent->o.observe) {
		tell_observer(app, &err);
		drop_apply(app);
		return;
	}
	drop_apply(app);
	if (err.kind != ERROR_NONE) {
		operation_set(app, "Failed", err.text);
		fail(app, &err);
		return;
	}
	app->out_of_sync = app->kept;
	buf_printf(&text, "%zu created, %zu updated, %zu repaired, %zu pruned",
		   app->last.created, app->last.updated, app->last.repaired, app->last.pruned);
	operation_set(app, "Succeeded", text.ptr);
	succeed(app);
}

/* ---- Self-heal ---- */

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
	timer_set(&app->retry, FIGHT_WINDOW_MS);
	return false;
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
	struct plan_options po = plan_options(app);
	struct apply_options o = {.concurrency = 1, .deadline_ms = 30000};
	struct desired *d = source_of(app, key);
	struct error err = ERROR_INIT;

	if (!d ||
	    plan_repair(d, app->agent->live, &app->state.inventory, &po, key, &app->plan,
			&err) ||
	    !app->plan)
		return false;
	if (!app->spec.self_heal || !may_repair(app, key, now)) {
		app->out_of_sync++;
		app->drift_only = true;
		app_report(app);
		plan_free(app->plan);
		app->plan = NULL;
		return false;
	}
	app->ready = app->done = false;
	app->apply = apply_start(app->agent->kube, app->agent->live, d, app->plan, &o,
				 &apply_ops, app);
	enter(app, APP_REPAIRING);
	return true;
}

/* Look at what changed in the cluster, one object after the other; many at once go by a plan.
 */
static void heal(struct app *app)
{
	int64_t now = clock_mono_ms();

	if (app->dirty.len > REPAIRS_ONE_BY_ONE && app->target &&
	    app->failure.kind == ERROR_NONE && app_kinds_ready(app)) {
		bool any = false;
		struct map_entry *e;
		for (size_t i = 0; !any && (e = map_next(&app->dirty, &i));) {
			struct plan_options po = plan_options(app);
			struct plan *p = NULL;
			any = !plan_repair(app->target, app->agent->live, &app->state.inventory,
					   &po, e->key, &p, NULL) &&
			      p;
			plan_free(p);
		}
		if (any && app->spec.self_heal) {
			enter(app, APP_LOADING);
			app->started_us = clock_mono_us();
			plan_target(app);
			return;
		}
		if (!any) {
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

static void finish_repair(struct app *app)
{
	struct error err = app->last.err;

	enter(app, APP_IDLE);
	drop_apply(app);
	if (err.kind == ERROR_NONE) {
		histogram_add(&app->agent->stats.repair_seconds,
			      clock_mono_us() - (app->drift_seen_us ? app->drift_seen_us
								    : clock_mono_us()));
	} else {
		app->agent->stats.repairs_failed++;
		log_warn("sync", "repair failed", "app", app->key, "reason", error_code(&err),
			 "error", err.text, LOG_END);
		app_note(app, true, "RepairFailed", err.text);
		/* Look at everything again a little later. */
		timer_set(&app->retry, random_jitter(app->spec.retry_ms));
	}
	app->drift_seen_us = app->dirty.len ? clock_mono_us() : 0;
	if (state_unsaved(&app->state))
		state_save(app->saver);
	app_report(app);
	app_poked(app);
}

/* ---- The machine ---- */

static bool can_run(const struct app *app)
{
	return agent_started(app->agent) && app->spec_err.kind == ERROR_NONE &&
	       !app->spec.suspend && app->source && app->source->polled;
}

static void step_idle(struct app *app)
{
	if (app->evaluate) {
		app->evaluate = false;
		app->started_us = clock_mono_us();
		app_evaluate(app);
		app->looked = true;
		if (app->target && app->failure.kind == ERROR_NONE) {
			enter(app, APP_LOADING);
			app_poked(app);
		} else {
			app->manual = app->manual_prune = false;
			if (app->agent->o.observe)
				tell_observer(app, &app->failure);
		}
		return;
	}
	if (app->agent->o.observe)
		return;
	if (app->sweep && app_kinds_ready(app)) {
		struct map_entry *e;
		app->sweep = false;
		for (size_t i = 0; (e = map_next(&app->state.inventory.entries, &i));)
			map_put(&app->dirty, e->key, app);
	}
	if (app->dirty.len)
		heal(app);
}

static void step_loading(struct app *app)
{
	struct error err = ERROR_INIT;

	if (app->evaluate) {
		enter(app, APP_IDLE);
		step_idle(app);
	} else if (app_kinds_ready(app)) {
		plan_target(app);
	} else if (clock_mono_ms() - app->phase_since_ms >= app->agent->o.sync_timeout_ms) {
		enter(app, APP_IDLE);
		error_reason(
			&err, ERROR_TRANSIENT, "Timeout",
			"the cluster's objects could not be listed within the sync timeout");
		fail(app, &err);
	} else {
		timer_set(&app->retry, app->agent->o.sync_timeout_ms);
	}
}

/* A new input supersedes what runs; what was written stays known, the next plan goes on. */
static bool superseded(struct app *app)
{
	if (!app->evaluate || app->agent->o.observe)
		return false;
	log_info("sync", "superseded by a newer input", "app", app->key, LOG_END);
	drop_apply(app);
	enter(app, APP_IDLE);
	app_poked(app);
	return true;
}

void app_step(struct app *app)
{
	if (!can_run(app))
		return;
	switch (app->phase) {
	case APP_IDLE:
		step_idle(app);
		return;
	case APP_LOADING:
		step_loading(app);
		return;
	case APP_PREFLIGHT:
		if (superseded(app))
			return;
		if (app->done) {
			finish_sync(app);
		} else if (app->ready) {
			enter(app, APP_SAVING);
			if (add_union(app) || state_unsaved(&app->state) || !app->saved) {
				app->saved = false;
				state_save(app->saver);
			} else {
				app_poked(app);
			}
		}
		return;
	case APP_SAVING:
		if (superseded(app))
			return;
		if (app->save_failed) {
			struct error err = app->last.err;
			app->save_failed = false;
			drop_apply(app);
			enter(app, APP_IDLE);
			operation_set(app, "Failed", err.text);
			fail(app, &err);
		} else if (app->saved) {
			enter(app, APP_WRITING);
			apply_write(app->apply);
		}
		return;
	case APP_WRITING:
		if (superseded(app))
			return;
		if (app->done)
			finish_sync(app);
		return;
	case APP_REPAIRING:
		if (app->done)
			finish_repair(app);
		return;
	case APP_STATES:
		return;
	}
}

static void on_poke(void *arg)
{
	app_step(arg);
}

static void on_retry(void *arg)
{
	app_again(arg);
}

static void on_saved(void *arg, const struct error *err)
{
	struct app *app = arg;

	app->saved = !err;
	app->save_failed = err != NULL;
	if (err) {
		app->last.err = *err;
		log_error("sync", "state not saved", "app", app->key, "error", err->text,
			  LOG_END);
	}
	app_poked(app);
}

/* ---- Life ---- */

struct app *app_new(struct agent *a, const char *key)
{
	struct app *app = mem_alloc(sizeof *app);
	const char *slash = strchr(key, '/');
	AUTO(buf) part = BUF_INIT;

	app->agent = a;
	app->key = mem_strdup(key);
	app->ns = mem_strndup(key, (size_t)(slash - key));
	app->name = mem_strdup(slash + 1);
	application_part_of(app->ns, app->name, &part);
	app->part_of = buf_detach(&part);
	struct state *loaded = map_remove(&a->states, key);
	if (loaded) {
		app->state = *loaded;
		free(loaded);
	} else {
		state_init(&app->state, key);
	}
	app->saver = state_saver_new(a->kube, a->o.ns, &app->state, on_saved, app);
	timer_init(&app->poke, a->loop, on_poke, app);
	timer_init(&app->retry, a->loop, on_retry, app);
	timer_init(&app->report_timer, a->loop, app_report_now, app);
	for (int i = 0; i < CONDITIONS; i++)
		app->conditions[i].status = -1;
	return app;
}

void app_free(struct app *app)
{
	struct map_entry *e;

	if (!app)
		return;
	drop_apply(app);
	if (app->status_call)
		kube_cancel(app->status_call);
	if (app->secret_call)
		kube_cancel(app->secret_call);
	forge_free(app->forge);
	state_saver_free(app->saver);
	if (app->source)
		source_leave(app->source, app);
	for (size_t i = 0; i < app->kinds.len; i++)
		live_unwant(app->agent->live, app->kinds.items[i]);
	vec_clear(&app->kinds);
	desired_free(app->target);
	desired_free(app->base);
	problems_clear(&app->problems);
	timer_clear(&app->poke);
	timer_clear(&app->retry);
	timer_clear(&app->report_timer);
	map_clear(&app->dirty);
	for (size_t i = 0; (e = map_next(&app->fights, &i));)
		free(e->value);
	map_clear(&app->fights);
	state_clear(&app->state);
	arena_free(app->arena);
	for (int i = 0; i < CONDITIONS; i++)
		free(app->conditions[i].message);
	free(app->operation.message);
	free(app->status_sent);
	free(app->forge_token);
	free(app->asked);
	free(app->answered);
	free(app->uid);
	free(app->part_of);
	free(app->name);
	free(app->ns);
	free(app->key);
	free(app);
}

static void take_spec(struct app *app, const struct value *object)
{
	struct arena *arena = arena_new();
	struct app_spec spec = {0};
	struct error err = ERROR_INIT;
	bool ok = !app_spec_read(arena, object, &spec, &err);
	struct source *old = app->source;

	if (old && (!ok || strcmp(old->url, spec.repo_url) ||
		    !text_eq(app->spec.target, spec.target))) {
		source_leave(old, app);
		app->source = NULL;
		app->has_head = false;
	}
	struct arena *before = app->arena;
	app->arena = arena;
	app->spec = spec;
	app->spec_err = err;
	if (!ok)
		log_warn("sync", "spec refused", "app", app->key, "error", err.text, LOG_END);
	if (ok && !app->source && !spec.suspend)
		app->source = source_join(app->agent, app);
	arena_free(before);
	app_forge_setup(app);
	app_again(app);
	app_report(app);
}

void app_object(struct app *app, const struct value *object)
{
	const struct value *meta = value_get(object, "metadata");
	int64_t generation = value_get_int(meta, "generation", 0);
	const char *uid = value_get_str(meta, "uid");
	const char *asked = value_str(value_at(meta, "annotations", ANNOTATION_SYNC, NULL));
	bool first = !app->uid, ignored = false;

	if (uid && !text_eq(app->uid, uid)) {
		free(app->uid);
		app->uid = mem_strdup(uid);
	}
	if (first)
		app_status_seen(app, value_get(object, "status"));
	if (generation != app->generation || first) {
		app->generation = generation;
		take_spec(app, object);
	}
	if (asked && !text_eq(asked, app->asked)) {
		state_text(&app->asked, asked, &ignored);
		if (!text_eq(asked, app->answered)) {
			app->manual = true;
			app->manual_prune = text_ends(asked, SYNC_PRUNE_SUFFIX);
			if (app->source)
				source_poll(app->source); /* its answer makes us evaluate */
		}
	}
}

static void put_base64url(struct buf *out, const unsigned char *data, size_t len)
{
	size_t start = out->len;

	buf_put_base64(out, data, len);
	while (out->len > start && out->ptr[out->len - 1] == '=')
		buf_truncate(out, out->len - 1);
	for (size_t i = start; i < out->len; i++)
		out->ptr[i] = out->ptr[i] == '+' ? '-' : out->ptr[i] == '/' ? '_' : out->ptr[i];
}

void application_part_of(const char *ns, const char *name, struct buf *out)
{
	AUTO(buf) id = BUF_INIT;
	unsigned char raw[32];

	buf_printf(&id, "%s.%s.Application.modelsync.dev", name, ns);
	digest_sha256(id.ptr, id.len, raw);
	buf_puts(out, "applyset-");
	put_base64url(out, raw, sizeof raw);
	buf_puts(out, "-v1");
}
