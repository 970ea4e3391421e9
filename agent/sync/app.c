/*
 * sync/app.c - the machine of one Application. Callbacks record facts and poke; app_step()
 * alone moves it, app_enter() alone writes the phase.
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

#define EARLY_MS 5 /* a timer may fire so much before the clock says so */

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

void app_enter(struct app *app, enum app_state next)
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
	bool same = false;

	if (app->skip_polls > 0) {
		app->skip_polls--; /* it listed refs before the sync was asked for */
		return;
	}
	/* An unreachable repository, or the same head again, is no news: what runs goes on,
	 * what was decided stays. Unless a sync was asked for, or nothing could be decided. */
	if (app->looked && !app->manual && !app_judge_again(app)) {
		if (app->source->err.kind != ERROR_NONE) {
			same = true;
		} else if (app->has_head && app->source->repo &&
			   !repo_revision(app->source->repo, app->spec.target, &rev, NULL)) {
			same = object_id_eq(revision_commit(rev), &app->head);
			revision_free(rev);
		}
	}
	if (!same)
		app_again(app);
	else if (app->conditions[CONDITION_SOURCE].status !=
		 (app->source->err.kind == ERROR_NONE))
		app_report(app);
	app_poked(app);
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

/* ---- The machine ---- */

static bool can_run(const struct app *app)
{
	return agent_started(app->agent) && app->spec_err.kind == ERROR_NONE &&
	       app->state.broken.kind == ERROR_NONE &&
	       (!app->spec.suspend || app->agent->o.observe) && app->source &&
	       app->source->polled;
}

static void step_idle(struct app *app)
{
	if (app->evaluate) {
		app->evaluate = false;
		app->started_us = clock_mono_us();
		app_evaluate(app);
		app->looked = true;
		if (app->target && app->failure.kind == ERROR_NONE) {
			app_enter(app, APP_LOADING);
			app_poked(app);
		} else {
			app->manual = app->manual_prune = false;
			if (app->agent->o.observe)
				app_tell_observer(app, &app->failure);
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
		app_heal(app);
}

static void step_loading(struct app *app)
{
	struct error err = ERROR_INIT;
	bool late = clock_mono_ms() - app->phase_since_ms + EARLY_MS >=
		    app->agent->o.sync_timeout_ms;

	if (app->evaluate) {
		app_enter(app, APP_IDLE);
		step_idle(app);
	} else if (app_kinds_ready(app)) {
		app_plan(app);
	} else if (app_kinds_broken(app, late, &err)) {
		app_enter(app, APP_IDLE);
		if (app->agent->o.observe)
			app_tell_observer(app, &err);
		else
			app_fail(app, &err);
	} else if (!timer_pending(&app->loading)) {
		timer_set(&app->loading, app->agent->o.sync_timeout_ms);
	}
}

/* A new input supersedes what runs; what was written stays known, the next plan goes on. */
static bool superseded(struct app *app)
{
	if (!app->evaluate || app->agent->o.observe)
		return false;
	log_info("sync", "superseded by a newer input", "app", app->key, LOG_END);
	app_drop_apply(app);
	app_enter(app, APP_IDLE);
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
			app_finish_sync(app);
		} else if (app->ready) {
			app_enter(app, APP_SAVING);
			app->save_failed = false;
			if (app_add_union(app) || state_unsaved(&app->state) || !app->saved) {
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
		if (app->done) { /* its deadline passed while the state could not be saved */
			app_finish_sync(app);
		} else if (app->save_failed) {
			struct error err = app->save_err;
			app->save_failed = false;
			app_drop_apply(app);
			app_enter(app, APP_IDLE);
			app_operation(app, "Failed", err.text);
			app_fail(app, &err);
		} else if (app->saved) {
			app_enter(app, APP_WRITING);
			apply_write(app->apply);
		}
		return;
	case APP_WRITING:
		if (superseded(app))
			return;
		if (app->done)
			app_finish_sync(app);
		return;
	case APP_REPAIRING:
		if (app->done)
			app_finish_repair(app);
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

static void on_save_due(void *arg)
{
	struct app *app = arg;

	if (state_unsaved(&app->state))
		state_save(app->saver);
}

static void on_saved(void *arg, const struct error *err)
{
	struct app *app = arg;

	app->saved = !err;
	app->save_failed = err != NULL;
	if (err) {
		app->save_err = *err;
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
	timer_init(&app->loading, a->loop, on_poke, app);
	timer_init(&app->fight, a->loop, app_fight_over, app);
	timer_init(&app->report_timer, a->loop, app_report_now, app);
	timer_init(&app->forge_timer, a->loop, app_forge_again, app);
	timer_init(&app->save_timer, a->loop, on_save_due, app);
	for (int i = 0; i < CONDITIONS; i++)
		app->conditions[i].status = -1;
	return app;
}

void app_free(struct app *app)
{
	struct map_entry *e;

	if (!app)
		return;
	app_drop_apply(app);
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
	timer_clear(&app->loading);
	timer_clear(&app->fight);
	timer_clear(&app->report_timer);
	timer_clear(&app->forge_timer);
	timer_clear(&app->save_timer);
	map_clear(&app->dirty);
	map_clear(&app->drifted);
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

struct state *app_free_keeping_state(struct app *app)
{
	struct state *kept = mem_alloc(sizeof *kept);

	state_saver_free(app->saver); /* marks what was on its way as unsaved */
	app->saver = NULL;
	*kept = app->state;
	memset(&app->state, 0, sizeof app->state);
	app_free(app);
	return kept;
}

/* The spec forbids what runs, or it is about something else now: no write more. */
static void stop_running(struct app *app)
{
	app_drop_apply(app);
	app_enter(app, APP_IDLE);
	if (state_unsaved(&app->state))
		state_save(app->saver);
	if (!strcmp(app->operation.phase, "Running"))
		app_operation(app, "Failed", "stopped: the Application's spec changed");
}

static void take_spec(struct app *app, const struct value *object)
{
	struct arena *arena = arena_new();
	struct app_spec spec = {0};
	struct error err = ERROR_INIT;
	bool ok = !app_spec_read(arena, object, &spec, &err);
	struct source *old = app->source;

	bool suspended = spec.suspend && !app->agent->o.observe;
	bool moved = old && (!ok || suspended || strcmp(old->url, spec.repo_url) ||
			     !text_eq(app->spec.target, spec.target));

	if ((!ok || suspended || moved) && app->phase != APP_IDLE)
		stop_running(app);
	if (moved) {
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
	if (ok && !app->source && !suspended)
		app->source = source_join(app->agent, app);
	else if (app->source)
		source_soon(app->source); /* perhaps with another interval */
	arena_free(before);
	app_forge_setup(app);
	app_again(app);
	app_report(app);
	if (!ok && app->agent->o.observe)
		app_tell_observer(app, &app->spec_err);
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
			if (!app->source)
				return;
			app->skip_polls = app->source->repo && repo_polling(app->source->repo);
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
