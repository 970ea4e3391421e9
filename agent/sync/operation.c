/*
 * sync/operation.c - one sync of one Application: plan, apply, what became of it. Called by the
 * machine in app.c; callbacks of apply/ only record facts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "sync/app_int.h"

void app_drop_apply(struct app *app)
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

	if (app->phase == APP_REPAIRING) {
		apply_write(app->apply); /* what is repaired stands in the inventory already */
		return;
	}
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
	/* What our own write left, not what somebody may have made of it since. */
	if (strcmp(e->uid, done->uid) || e->own != done->own ||
	    memcmp(e->hash, c->want->hash, sizeof e->hash)) {
		snprintf(e->uid, sizeof e->uid, "%s", done->uid);
		memcpy(e->hash, c->want->hash, sizeof e->hash);
		e->own = done->own;
		e->dirty = true;
	}
	if (done->newer)
		app_changed(app, c->key);
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

	problems_clear(&app->problems);
	for (size_t i = 0; i < outcome->problems.list.len; i++) {
		const struct problem *p = &outcome->problems.list.items[i];
		problems_add(&app->problems, p->file, p->line, p->column, p->reason, "%s",
			     p->text);
	}
	app->last = *outcome;
	app->last.problems = (struct problems){0};
	app->done = true;
	app_poked(app);
}

const struct apply_ops app_apply_ops = {on_ready, on_applied, on_done};

struct plan_options app_plan_options(const struct app *app)
{
	return (struct plan_options){
		.part_of = app->part_of,
		.prune = app->spec.prune || app->manual_prune,
		.allow_empty = app->spec.allow_empty,
		.prune_limit = app->spec.prune_limit,
		.discovery_stale = kube_discovery_stale(app->agent->kube),
	};
}

/* What time, or a person at work in the cluster, can mend. The rest waits for a new input. */
static bool is_retried(const struct error *err)
{
	static const char *const in_cluster[] = {"NamespaceMissing", "ForeignOwner",
						 "SharedObject", "KindUnknown", "Degraded"};

	for (size_t i = 0; i < ARRAY_LEN(in_cluster); i++)
		if (text_eq(err->reason, in_cluster[i]))
			return true;
	return err->kind == ERROR_TRANSIENT || err->kind == ERROR_CONFLICT ||
	       err->kind == ERROR_DENIED || err->kind == ERROR_GONE;
}

/* spec.syncPolicy.retry; after `limit` tries at its slowest pace. */
static int64_t backoff(const struct app *app)
{
	int64_t wait = app->spec.retry_ms;

	if (app->spec.retry_limit >= 0 && app->attempts > app->spec.retry_limit)
		return app->spec.retry_max_ms;
	for (int i = 1; i < app->attempts && wait < app->spec.retry_max_ms; i++)
		wait *= app->spec.retry_factor;
	return wait < app->spec.retry_max_ms ? wait : app->spec.retry_max_ms;
}

void app_fail(struct app *app, const struct error *err)
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
	if (is_retried(err))
		timer_set(&app->retry, random_jitter(backoff(app)));
	if (text_eq(err->reason, "KindUnknown") || kube_discovery_stale(app->agent->kube))
		agent_rediscover(app->agent);
	app_poked(app); /* drift that was seen meanwhile */
	app_report(app);
}

void app_operation(struct app *app, const char *phase, const char *message)
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
	app_poked(app); /* drift that was seen meanwhile */
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
	map_clear(&app->drifted);
	for (size_t i = 0; i < plan_count(app->plan); i++) {
		const struct change *c = plan_at(app->plan, i);
		if (c->kind != CHANGE_WAIT && c->kind != CHANGE_KEEP)
			map_put(&app->drifted, c->key, app);
	}
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

void app_tell_observer(struct app *app, const struct error *err)
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
	app->ready = app->done = app->save_failed = false;
	timer_cancel(&app->retry); /* a retry is not to cut short what it asked for */
	app->apply = apply_start(app->agent->kube, app->agent->live, app->target, app->plan, &o,
				 &app_apply_ops, app);
	app_enter(app, APP_PREFLIGHT);
	if (app->agent->o.observe)
		return;
	size_t changes = plan_count(app->plan) - app->waiting - app->kept;
	if (changes)
		snprintf(text, sizeof text, "applying %zu changes", changes);
	else
		snprintf(text, sizeof text, "nothing to change; looking at health");
	app_operation(app, "Running", text);
	state_id(app->state.attempted, hex, &app->state.dirty);
	app->saved = false;
	state_save(app->saver); /* beside the dry runs: costs no time */
	app_report(app);
}

/* A commit counts as applied only once its health was awaited, also when it changes nothing or
 * an earlier try has written everything already. */
static bool is_new(const struct app *app)
{
	char hex[OBJECT_ID_HEX];

	object_id_hex(verified_commit(desired_verified(app->target)), hex);
	return strcmp(hex, app->state.applied) != 0;
}

void app_plan(struct app *app)
{
	struct plan_options po = app_plan_options(app);
	struct error err = ERROR_INIT;

	plan_free(app->plan);
	app->plan = NULL;
	timer_cancel(&app->loading);
	map_clear(&app->dirty);
	app->drift_seen_us = 0;
	memset(&app->last, 0, sizeof app->last);
	if (plan_make(app->target, app->agent->live, &app->state.inventory, &po, &app->plan,
		      &err)) {
		app_enter(app, APP_IDLE);
		if (app->agent->o.observe)
			app_tell_observer(app, &err);
		else
			app_fail(app, &err);
		return;
	}
	count_plan(app);
	if (!app->agent->o.observe)
		forget_gone(app);
	app->drift_only = false;
	bool nothing = plan_empty(app->plan);
	if (nothing && !is_new(app) && !app->agent->o.observe) {
		app_enter(app, APP_IDLE);
		if (app->manual || strcmp(app->operation.phase, "Succeeded"))
			app_operation(app, "Succeeded", "nothing to do");
		succeed(app);
	} else if (!nothing && held_back(app) && !app->agent->o.observe) {
		app_enter(app, APP_IDLE);
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
bool app_add_union(struct app *app)
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

/* The sentence begins with the place in Git that it is about, and ends with how many more. */
static void name_place(const struct app *app, struct error *err)
{
	const struct problems *all = &app->problems;

	for (size_t i = 0; i < all->list.len; i++) {
		const struct problem *p = &all->list.items[i];
		if (!*p->file || !text_eq(p->text, err->text))
			continue;
		error_wrap(err, "%s:%u", p->file, p->line);
		if (all->list.len > 1) {
			size_t n = strlen(err->text);
			snprintf(err->text + n, sizeof err->text - n, " (and %zu more)",
				 all->list.len - 1);
		}
		return;
	}
}

void app_finish_sync(struct app *app)
{
	struct error err = app->last.err;
	AUTO(buf) text = BUF_INIT;

	app_enter(app, APP_IDLE);
	if (app->agent->o.observe) {
		app_tell_observer(app, &err);
		app_drop_apply(app);
		return;
	}
	app_drop_apply(app);
	if (err.kind != ERROR_NONE) {
		name_place(app, &err);
		app_operation(app, "Failed", err.text);
		app_fail(app, &err);
		return;
	}
	map_clear(&app->drifted);
	if (app->last.wrote)
		buf_printf(&text, "%zu created, %zu updated, %zu repaired, %zu pruned",
			   app->last.created, app->last.updated, app->last.repaired,
			   app->last.pruned);
	else
		buf_puts(&text, "nothing to do");
	app_operation(app, "Succeeded", text.ptr);
	succeed(app);
}
