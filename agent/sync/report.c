/*
 * sync/report.c - says what happened: Application status, events, commit status. Everything is
 * written only when it differs from what was written last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "sync/app_int.h"
#include "value/json.h"

#define FOLD_MS	       150 /* reports within this time become one */
#define LOADING_MS     2000
#define STATUS_MANAGER "modelsync-status"

static const char *const condition_types[CONDITIONS] = {
	[CONDITION_READY] = "Ready",
	[CONDITION_TRUSTED] = "Trusted",
	[CONDITION_SOURCE] = "SourceReachable",
	[CONDITION_STALLED] = "Stalled",
};

void app_report(struct app *app)
{
	if (!app->agent->o.observe && !timer_pending(&app->report_timer))
		timer_set(&app->report_timer, FOLD_MS);
}

void app_condition(struct app *app, int which, int status, const char *reason,
		   const char *message)
{
	struct condition *c = &app->conditions[which];
	bool ignored = false;

	if (c->status != status || !c->since_ms)
		c->since_ms = clock_now_ms();
	c->type = condition_types[which];
	c->status = status;
	snprintf(c->reason, sizeof c->reason, "%s", reason);
	state_text(&c->message, message, &ignored);
}

void app_status_seen(struct app *app, const struct value *status)
{
	const struct value *conditions = value_get(status, "conditions");
	const char *answered = value_str(value_at(status, "operation", "requested", NULL));
	struct value *item;
	bool ignored = false;

	array_each (conditions, i, item) {
		const char *type = value_get_str(item, "type");
		const char *s = value_get_str(item, "status");
		const char *since = value_get_str(item, "lastTransitionTime");
		for (int k = 0; type && s && since && k < CONDITIONS; k++) {
			if (strcmp(type, condition_types[k]))
				continue;
			app->conditions[k].status = !strcmp(s, "True");
			clock_parse(since, &app->conditions[k].since_ms);
		}
	}
	state_text(&app->answered, answered, &ignored);
	/* What stands there counts as written, so that a restart writes nothing new. */
	struct arena *a = arena_new();
	AUTO(buf) json = BUF_INIT;
	if (status) {
		struct value *copy = value_copy(a, status);
		value_remove(copy, "lastContact");
		value_json_write(copy, &json);
		app->status_sent = buf_detach(&json);
	}
	const struct value *op = value_get(status, "operation");
	const char *phase = value_get_str(op, "phase"),
		   *revision = value_get_str(op, "revision");
	snprintf(app->operation.phase, sizeof app->operation.phase, "%s", phase ? phase : "");
	snprintf(app->operation.revision, sizeof app->operation.revision, "%s",
		 revision ? revision : "");
	state_text(&app->operation.message, value_get_str(op, "message"), &ignored);
	if (value_get_str(op, "startedAt"))
		clock_parse(value_get_str(op, "startedAt"), &app->operation.started_ms);
	if (value_get_str(op, "finishedAt"))
		clock_parse(value_get_str(op, "finishedAt"), &app->operation.finished_ms);
	arena_free(a);
}

void app_note(struct app *app, bool warning, const char *reason, const char *note)
{
	struct kube_event_note e = {.api_version = "modelsync.dev/v1alpha1",
				    .kind = "Application",
				    .ns = app->ns,
				    .name = app->name,
				    .uid = app->uid,
				    .warning = warning,
				    .reason = reason,
				    .action = "Sync",
				    .note = note};

	if (!app->agent->o.observe)
		kube_note(app->agent->kube, &e);
}

/* ---- Summary: the one truth that status, commit status and conditions are made from ---- */

/* A refusal's sentence begins with its code, which stands beside it here. */
static const char *without_code(const char *text, const char *code)
{
	size_t n = strlen(code);

	return text_starts(text, code) && text_starts(text + n, ": ") ? text + n + 2 : text;
}

void app_summarize(const struct app *app, struct summary *s)
{
	char hex[OBJECT_ID_HEX] = "";

	memset(s, 0, sizeof *s);
	s->reason = s->text = "";
	s->health = HEALTH_UNKNOWN;
	s->running = app->phase == APP_PREFLIGHT || app->phase == APP_SAVING ||
		     app->phase == APP_WRITING || app->phase == APP_LOADING;
	if (app->target) {
		s->health = desired_health(app->target, app->agent->live, s->why);
		object_id_hex(verified_commit(desired_verified(app->target)), hex);
		s->current = app->has_head &&
			     object_id_eq(&app->head,
					  verified_commit(desired_verified(app->target)));
	}
	if (app->spec_err.kind != ERROR_NONE) {
		s->reason = error_code(&app->spec_err);
		s->text = app->spec_err.text;
	} else if (app->state.broken.kind != ERROR_NONE) {
		s->reason = error_code(&app->state.broken);
		s->text = app->state.broken.text;
	} else if (app->spec.suspend) {
		s->reason = "Suspended";
		s->text = "spec.suspend is true: nothing is polled, applied or repaired";
	} else if (app->refusal.code != REFUSAL_NONE) {
		s->reason = refusal_table[app->refusal.code].code;
		s->text = without_code(app->refusal.text, s->reason);
	} else if (app->failure.kind != ERROR_NONE) {
		s->reason = error_code(&app->failure);
		s->text = app->failure.text;
	} else if (app->source && app->source->err.kind != ERROR_NONE) {
		s->reason = error_code(&app->source->err);
		s->text = app->source->err.text;
	} else if (s->running) {
		s->reason = "Progressing";
		s->text = app->operation.message ? app->operation.message : "";
	} else if (app->drift_only && app->drifted.len && app->spec.self_heal) {
		s->reason = "FightingController";
		s->text = "somebody else keeps writing some objects; they are left alone for a "
			  "while";
	} else if (app->drift_only && app->drifted.len) {
		s->reason = "OutOfSync";
		s->text = app->spec.automated ? "objects differ from Git and selfHeal is off"
					      : "the commit waits: automated sync is off";
	}
	s->synced = s->current && !app->drifted.len && !app->waiting &&
		    app->refusal.code == REFUSAL_NONE && app->failure.kind == ERROR_NONE &&
		    !s->running && !strcmp(hex, app->state.applied);
}

static void set_conditions(struct app *app, const struct summary *s)
{
	const struct error *source = app->source ? &app->source->err : NULL;
	char text[ERROR_TEXT_MAX + 64], since[CLOCK_TEXT_MAX];

	if (*s->reason)
		app_condition(app, CONDITION_READY, 0, s->reason, s->text);
	else if (app->waiting)
		app_condition(app, CONDITION_READY, 0, "KindUnknown",
			      "the API server doesn't know the kind of some objects yet");
	else if (s->health == HEALTH_HEALTHY || s->health == HEALTH_SUSPENDED) {
		snprintf(text, sizeof text,
			 app->kept ? "synced and healthy; %zu objects that Git no longer has "
				     "are kept"
				   : "synced and healthy",
			 app->kept);
		app_condition(app, CONDITION_READY, 1, "Synced", text);
	} else
		app_condition(app, CONDITION_READY, 0, health_name(s->health), s->why);

	if (app->refusal.code != REFUSAL_NONE)
		app_condition(app, CONDITION_TRUSTED, 0, refusal_table[app->refusal.code].code,
			      app->refusal.text);
	else if (app->target)
		app_condition(app, CONDITION_TRUSTED, 1, "Verified",
			      "every commit is signed by an allowed signer");

	if (source && source->kind != ERROR_NONE) {
		snprintf(text, sizeof text, "stale since %s: %s",
			 clock_rfc3339(app->source->broken_since_ms
					       ? app->source->broken_since_ms
					       : clock_now_ms(),
				       since),
			 source->text);
		app_condition(app, CONDITION_SOURCE, 0, error_code(source), text);
	} else if (source && app->source->polled) {
		app_condition(app, CONDITION_SOURCE, 1, "Polled", "the repository answers");
	}

	bool stuck = app->state.broken.kind != ERROR_NONE || app->spec_err.kind != ERROR_NONE ||
		     app->refusal.code != REFUSAL_NONE ||
		     (app->failure.kind != ERROR_NONE && app->failure.kind != ERROR_TRANSIENT);
	bool fighting =
		app->conditions[CONDITION_STALLED].status == 1 &&
		!strcmp(app->conditions[CONDITION_STALLED].reason, "FightingController") &&
		app->drift_only && app->drifted.len;
	if (stuck)
		app_condition(app, CONDITION_STALLED, 1, s->reason,
			      "trying again is pointless until something changes");
	else if (!fighting)
		app->conditions[CONDITION_STALLED].status = -1;
}

static void on_status(void *arg, struct kube_reply *r)
{
	struct app *app = arg;

	app->status_call = NULL;
	if (r->err.kind != ERROR_NONE && r->err.kind != ERROR_GONE) {
		log_warn("sync", "status not written", "app", app->key, "reason",
			 error_code(&r->err), "error", r->err.text, LOG_END);
		free(app->status_sent);
		app->status_sent = NULL;
		timer_set(&app->report_timer, 5000);
	}
	if (app->status_again) {
		app->status_again = false;
		app_report(app);
	}
}

static void write_status(struct app *app, const struct summary *s)
{
	const struct kube_kind *kind =
		kube_kind(app->agent->kube, "modelsync.dev", NULL, "Application");
	struct arena *a = arena_new();
	struct value *status = app_status_value(a, app, s);
	struct value *plain = value_copy(a, status);
	AUTO(buf) json = BUF_INIT;
	AUTO(buf) body = BUF_INIT;

	value_drop_nulls(plain);
	value_json_write(plain, &json);
	if (!kind || text_eq(app->status_sent, json.ptr))
		goto out;
	if (app->status_call) {
		app->status_again = true;
		goto out;
	}
	app_put_time(a, status, "lastContact",
		     app->source && app->source->repo ? repo_last_contact_ms(app->source->repo)
						      : 0);
	struct value *whole = value_object(a);
	value_set(a, whole, "status", status);
	value_json_write(whole, &body);
	struct kube_request r = {.verb = KUBE_MERGE_PATCH,
				 .kind = kind,
				 .ns = app->ns,
				 .name = app->name,
				 .subresource = "status",
				 .body = body.ptr,
				 .body_len = body.len,
				 .field_manager = STATUS_MANAGER,
				 .metadata_only = true};
	free(app->status_sent);
	app->status_sent = buf_detach(&json);
	app->status_call = kube_send(app->agent->kube, &r, on_status, app);
out:
	arena_free(a);
}

static void note_changes(struct app *app, int ready_before)
{
	const struct condition *r = &app->conditions[CONDITION_READY];

	if (r->status == ready_before)
		return;
	if (r->status == 1)
		app_note(app, false, "Synced", r->message);
	else if (strcmp(r->reason, "Progressing") && app->refusal.code == REFUSAL_NONE)
		app_note(app, true, r->reason, r->message);
}

void app_report_now(void *arg)
{
	struct app *app = arg;
	struct summary s;
	int ready_before = app->conditions[CONDITION_READY].status;

	if (!agent_started(app->agent) ||
	    (!app->looked && app->spec_err.kind == ERROR_NONE &&
	     app->state.broken.kind == ERROR_NONE && !app->spec.suspend))
		return;
	/* A first list is on its way, as after every start: wait for what it says. */
	if (app->phase == APP_LOADING && clock_mono_ms() - app->phase_since_ms < LOADING_MS) {
		timer_set(&app->report_timer, FOLD_MS);
		return;
	}
	app_summarize(app, &s);
	set_conditions(app, &s);
	if (app->asked && !s.running && app->looked && !app->evaluate && !app->manual) {
		bool ignored = false;
		state_text(&app->answered, app->asked, &ignored);
	}
	note_changes(app, ready_before);
	write_status(app, &s);
	app_post_commit_status(app, &s);
}
