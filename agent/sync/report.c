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
#define ATTENTION_MAX  100
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

struct summary {
	bool synced;
	const char *reason; /* "" when all is well */
	const char *text;
	enum health health;
	char why[256];
	bool running;
};

static void summarize(const struct app *app, struct summary *s)
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
	}
	if (app->spec_err.kind != ERROR_NONE) {
		s->reason = error_code(&app->spec_err);
		s->text = app->spec_err.text;
	} else if (app->spec.suspend) {
		s->reason = "Suspended";
		s->text = "spec.suspend is true: nothing is polled, applied or repaired";
	} else if (app->refusal.code != REFUSAL_NONE) {
		s->reason = refusal_table[app->refusal.code].code;
		s->text = app->refusal.text;
	} else if (app->failure.kind != ERROR_NONE) {
		s->reason = error_code(&app->failure);
		s->text = app->failure.text;
	} else if (app->source && app->source->err.kind != ERROR_NONE) {
		s->reason = error_code(&app->source->err);
		s->text = app->source->err.text;
	} else if (s->running) {
		s->reason = "Progressing";
		s->text = app->operation.message ? app->operation.message : "";
	} else if (app->drift_only && app->out_of_sync) {
		s->reason = "OutOfSync";
		s->text = app->spec.automated ? "objects differ from Git and selfHeal is off"
					      : "the commit waits: automated sync is off";
	}
	s->synced = app->target && !app->out_of_sync && !app->waiting &&
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
	else if (s->health == HEALTH_HEALTHY || s->health == HEALTH_SUSPENDED)
		app_condition(app, CONDITION_READY, 1, "Synced", "synced and healthy");
	else
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

	bool stuck = app->spec_err.kind != ERROR_NONE || app->refusal.code != REFUSAL_NONE ||
		     (app->failure.kind != ERROR_NONE && app->failure.kind != ERROR_TRANSIENT);
	bool fighting =
		app->conditions[CONDITION_STALLED].status == 1 &&
		!strcmp(app->conditions[CONDITION_STALLED].reason, "FightingController") &&
		app->drift_only && app->out_of_sync;
	if (stuck)
		app_condition(app, CONDITION_STALLED, 1, s->reason,
			      "trying again is pointless until something changes");
	else if (!fighting)
		app->conditions[CONDITION_STALLED].status = -1;
}

/* ---- The status document ---- */

static void put_time(struct arena *a, struct value *o, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT_MAX];

	value_set(a, o, key, ms ? value_string(a, clock_rfc3339(ms, text)) : value_null(a));
}

static struct value *conditions_value(struct arena *a, const struct app *app)
{
	struct value *list = value_array(a);

	for (int i = 0; i < CONDITIONS; i++) {
		const struct condition *c = &app->conditions[i];
		if (c->status < 0 || !c->type)
			continue;
		struct value *o = value_object(a);
		value_set_string(a, o, "type", c->type);
		value_set_string(a, o, "status", c->status ? "True" : "False");
		value_set_int(a, o, "observedGeneration", app->generation);
		put_time(a, o, "lastTransitionTime", c->since_ms);
		value_set_string(a, o, "reason", c->reason);
		value_set_string(a, o, "message", c->message ? c->message : "");
		value_push(a, list, o);
	}
	return list;
}

static struct value *history_value(struct arena *a, const struct state *s, int limit)
{
	struct value *list = value_array(a);

	for (size_t i = 0; i < s->history.len && i < (size_t)limit; i++) {
		const struct history_entry *e = &s->history.items[i];
		struct value *o = value_object(a);
		char took[24];

		value_set_string(a, o, "revision", e->commit);
		value_set_string(a, o, "signer", e->signer ? e->signer : "");
		value_set_string(a, o, "subject", e->subject ? e->subject : "");
		put_time(a, o, "deployedAt", e->at_ms);
		value_set_string(a, o, "took", text_duration(e->took_ms, took));
		value_set_int(a, o, "created", (int64_t)e->created);
		value_set_int(a, o, "updated", (int64_t)e->updated);
		value_set_int(a, o, "repaired", (int64_t)e->repaired);
		value_set_int(a, o, "pruned", (int64_t)e->pruned);
		value_push(a, list, o);
	}
	return list;
}

/* Objects that need attention, and the counts over all. */
static void put_resources(struct arena *a, const struct app *app, struct value *status)
{
	static const char *const names[] = {"healthy", "suspended", "progressing",
					    "missing", "degraded",  "unknown"};
	struct value *list = value_array(a), *summary = value_object(a);
	size_t counts[HEALTH_UNKNOWN + 1] = {0};
	size_t total = app->target ? desired_count(app->target) : 0;

	for (size_t i = 0; i < total; i++) {
		const struct desired_object *d = desired_at(app->target, i);
		const struct live_object *o = live_get(app->agent->live, d->key);
		enum health h = o ? o->health : d->resource ? HEALTH_MISSING : HEALTH_UNKNOWN;

		counts[h]++;
		if (h == HEALTH_HEALTHY || h == HEALTH_SUSPENDED ||
		    list->array.len >= ATTENTION_MAX)
			continue;
		struct value *r = value_object(a), *health = value_object(a);
		const char *slash = strchr(d->api_version, '/');
		value_set(a, r, "group",
			  slash ? value_stringn(a, d->api_version,
						(size_t)(slash - d->api_version))
				: value_string(a, ""));
		value_set_string(a, r, "kind", d->kind);
		value_set_string(a, r, "namespace", d->ns ? d->ns : "");
		value_set_string(a, r, "name", d->name);
		value_set_string(a, health, "status", health_name(h));
		value_set_string(a, health, "message",
				 o	       ? o->why
				 : d->resource ? "it does not exist"
					       : "the API server doesn't know its kind");
		value_set(a, r, "health", health);
		value_push(a, list, r);
	}
	value_set_int(a, summary, "objects", (int64_t)total);
	for (size_t h = 0; h < ARRAY_LEN(names); h++)
		value_set_int(a, summary, names[h], (int64_t)counts[h]);
	value_set_int(a, summary, "waiting", (int64_t)app->waiting);
	value_set_int(a, summary, "kept", (int64_t)app->kept);
	value_set_int(a, summary, "outOfSync", (int64_t)app->out_of_sync);
	value_set(a, status, "resources", list);
	value_set(a, status, "summary", summary);
}

static struct value *operation_value(struct arena *a, const struct app *app)
{
	const struct operation *op = &app->operation;
	struct value *o = value_object(a);

	value_set(a, o, "phase", *op->phase ? value_string(a, op->phase) : value_null(a));
	value_set(a, o, "revision",
		  *op->revision ? value_string(a, op->revision) : value_null(a));
	value_set(a, o, "requested",
		  app->answered ? value_string(a, app->answered) : value_null(a));
	put_time(a, o, "startedAt", op->started_ms);
	put_time(a, o, "finishedAt", op->finished_ms);
	value_set(a, o, "message", op->message ? value_string(a, op->message) : value_null(a));
	return o;
}

static struct value *quarantine_value(struct arena *a, const struct app *app)
{
	const struct state *s = &app->state;
	struct value *list = value_array(a);

	if (s->failed_commit && app->failure.kind != ERROR_TRANSIENT && s->failed_reason) {
		struct value *o = value_object(a);
		value_set_string(a, o, "revision", s->failed_commit);
		value_set_string(a, o, "reason", s->failed_reason);
		value_set_string(a, o, "message", s->failed_text ? s->failed_text : "");
		value_push(a, list, o);
	}
	return list;
}

static struct value *status_value(struct arena *a, const struct app *app,
				  const struct summary *s)
{
	struct value *status = value_object(a), *sync = value_object(a),
		     *health = value_object(a);
	char hex[OBJECT_ID_HEX];
	bool known = app->target || app->has_head;

	value_set_int(a, status, "observedGeneration", app->generation);
	value_set_string(a, sync, "status",
			 !known	     ? "Unknown"
			 : s->synced ? "Synced"
				     : "OutOfSync");
	value_set(a, sync, "revision",
		  app->has_head ? value_string(a, object_id_hex(&app->head, hex))
				: value_null(a));
	value_set(a, status, "sync", sync);
	value_set_string(a, health, "status", health_name(s->health));
	value_set_string(a, health, "message", s->why);
	value_set(a, status, "health", health);
	value_set(a, status, "lastTrusted",
		  *app->state.last_trusted ? value_string(a, app->state.last_trusted)
					   : value_null(a));
	value_set(a, status, "operation", operation_value(a, app));
	value_set(a, status, "history", history_value(a, &app->state, app->spec.history_limit));
	value_set(a, status, "quarantined", quarantine_value(a, app));
	put_resources(a, app, status);
	value_set(a, status, "conditions", conditions_value(a, app));
	return status;
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
	struct value *status = status_value(a, app, s);
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
	put_time(a, status, "lastContact",
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

/* ---- Commit status ---- */

static void on_sent(void *arg, const struct commit_status *s, const struct error *err)
{
	struct app *app = arg;
	struct state *st = &app->state;

	if (err) {
		log_warn("forge", "commit status not written", "app", app->key, "commit",
			 s->commit, "reason", error_code(err), "error", err->text, LOG_END);
		return;
	}
	log_info("forge", "commit status", "app", app->key, "commit", s->commit, "state",
		 commit_state_name(s->state), "description", s->description, LOG_END);
	state_text(&st->report_commit, s->commit, &st->dirty);
	state_text(&st->report_state, commit_state_name(s->state), &st->dirty);
	state_text(&st->report_text, s->description, &st->dirty);
	/* A final word is remembered, so that a restart does not repeat it. */
	if (st->dirty && s->state != COMMIT_PENDING)
		state_save(app->saver);
}

static void on_token(void *arg, struct kube_reply *r)
{
	struct app *app = arg;
	const struct value *v = value_at(r->object, "data", app->spec.status_key, NULL);
	AUTO(buf) token = BUF_INIT;

	app->secret_call = NULL;
	if (r->err.kind != ERROR_NONE) {
		app->forge_err = r->err;
		error_wrap(&app->forge_err, "Secret %s with the forge's token",
			   app->spec.status_secret);
	} else if (!v || v->type != VALUE_STRING ||
		   buf_put_base64_decoded(&token, v->text.ptr, v->text.len) || !token.len) {
		error_reason(&app->forge_err, ERROR_INVALID, "SecretInvalid",
			     "Secret %s in namespace %s has no data.%s with the forge's token",
			     app->spec.status_secret, app->agent->o.ns, app->spec.status_key);
	} else {
		while (token.len &&
		       (token.ptr[token.len - 1] == '\n' || token.ptr[token.len - 1] == ' '))
			buf_truncate(&token, token.len - 1);
		struct forge_options o = {.provider = app->spec.status_provider,
					  .repo_url = app->spec.repo_url,
					  .api_url = app->spec.status_url,
					  .token = token.ptr,
					  .allow_http = app->agent->o.allow_http_urls};
		app->forge_err = (struct error)ERROR_INIT;
		if (forge_new(app->agent->loop, &o, on_sent, app, &app->forge, &app->forge_err))
			app->forge = NULL;
	}
	if (app->forge_err.kind != ERROR_NONE) {
		log_warn("forge", "commit statuses are off", "app", app->key, "reason",
			 error_code(&app->forge_err), "error", app->forge_err.text, LOG_END);
		app_note(app, true, "CommitStatusOff", app->forge_err.text);
	}
	app_report(app);
}

void app_forge_setup(struct app *app)
{
	const struct kube_kind *secret = kube_kind(app->agent->kube, "", "v1", "Secret");

	forge_free(app->forge);
	app->forge = NULL;
	if (app->secret_call)
		kube_cancel(app->secret_call);
	app->secret_call = NULL;
	if (app->agent->o.observe || app->spec_err.kind != ERROR_NONE ||
	    !app->spec.status_provider || !secret)
		return;
	struct kube_request r = {.verb = KUBE_GET,
				 .kind = secret,
				 .ns = app->agent->o.ns,
				 .name = app->spec.status_secret};
	app->secret_call = kube_send(app->agent->kube, &r, on_token, app);
}

static size_t objects(const struct app *app)
{
	return app->target ? desired_count(app->target) : 0;
}

/* What the commit's status should say now. False: nothing (yet). */
static bool commit_words(const struct app *app, const struct summary *s,
			 enum commit_state *state, struct buf *text)
{
	const struct outcome *o = &app->last;
	char took[24];

	if (app->spec.suspend || app->spec_err.kind != ERROR_NONE)
		return false;
	if (app->refusal.code != REFUSAL_NONE ||
	    (app->failure.kind != ERROR_NONE && app->failure.kind != ERROR_TRANSIENT)) {
		*state = COMMIT_FAILURE;
		buf_printf(text, "%s: %s", s->reason, s->text);
		return true;
	}
	if (app->failure.kind == ERROR_TRANSIENT) {
		*state = COMMIT_PENDING;
		buf_printf(text, "waiting: %s", app->failure.text);
		return app->has_head;
	}
	if (s->running || !app->target) {
		*state = COMMIT_PENDING;
		buf_puts(text, app->operation.message ? app->operation.message : "verified");
		return app->phase != APP_LOADING;
	}
	if (app->drift_only && app->out_of_sync) {
		*state = COMMIT_PENDING;
		buf_puts(text, s->text);
		return !app->spec.automated;
	}
	if (app->waiting) {
		*state = COMMIT_PENDING;
		buf_printf(text, "%zu objects wait: the cluster doesn't know their kind",
			   app->waiting);
		return true;
	}
	if (!s->synced)
		return false;
	if (s->health != HEALTH_HEALTHY && s->health != HEALTH_SUSPENDED) {
		*state = s->health == HEALTH_DEGRADED ? COMMIT_FAILURE : COMMIT_PENDING;
		buf_printf(text, "applied, %s: %s", health_name(s->health), s->why);
		return true;
	}
	*state = COMMIT_SUCCESS;
	if (o->wrote)
		buf_printf(text,
			   "synced %zu objects, healthy: %zu created, %zu updated, %zu pruned "
			   "in %s",
			   objects(app), o->created, o->updated + o->repaired, o->pruned,
			   text_duration(o->took_ms, took));
	else
		buf_printf(text, "synced %zu objects, healthy: nothing to change",
			   objects(app));
	return true;
}

static void post_commit_status(struct app *app, const struct summary *s)
{
	const struct state *st = &app->state;
	enum commit_state state;
	AUTO(buf) text = BUF_INIT;
	AUTO(buf) context = BUF_INIT;
	char hex[OBJECT_ID_HEX];

	if (!app->forge || !app->has_head || !commit_words(app, s, &state, &text))
		return;
	object_id_hex(&app->head, hex);
	bool same_commit = text_eq(st->report_commit, hex);
	const char *before = same_commit ? st->report_state : "";
	/* Success is the last word on a commit: repairs and restarts later don't take it back.
	 */
	if (before && !strcmp(before, "success") && state != COMMIT_FAILURE)
		return;
	if (before && !strcmp(before, commit_state_name(state)) &&
	    text_eq(st->report_text, text.ptr))
		return;
	if (app->spec.status_context)
		buf_puts(&context, app->spec.status_context);
	else
		buf_printf(&context, "modelsync/%s", app->key);
	struct commit_status c = {
		.commit = hex, .context = context.ptr, .state = state, .description = text.ptr};
	forge_post(app->forge, &c);
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
	    (!app->looked && app->spec_err.kind == ERROR_NONE && !app->spec.suspend))
		return;
	summarize(app, &s);
	set_conditions(app, &s);
	if (app->asked && !s.running && app->looked && !app->evaluate && !app->manual) {
		bool ignored = false;
		state_text(&app->answered, app->asked, &ignored);
	}
	note_changes(app, ready_before);
	write_status(app, &s);
	post_commit_status(app, &s);
}
