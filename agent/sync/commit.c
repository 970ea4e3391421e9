/*
 * sync/commit.c - the word on the commit: what its status in the forge says, and when.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "sync/app_int.h"

#define TOKEN_RETRY_MS 10000

static void on_sent(void *arg, const struct commit_status *s, const struct error *err)
{
	struct app *app = arg;
	struct state *st = &app->state;

	if (err) {
		log_warn("forge", "commit status not written", "app", app->key, "commit",
			 s->commit, "reason", error_code(err), "error", err->text, LOG_END);
		/* Perhaps the token was replaced, or the forge's CA. */
		timer_set(&app->forge_timer, random_jitter(TOKEN_RETRY_MS));
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

/* data.KEY of a Secret, decoded; -1: absent or no base64. */
static int secret_text(const struct value *secret, const char *key, struct buf *out)
{
	const struct value *v = value_at(secret, "data", key, NULL);

	return !v || v->type != VALUE_STRING ||
			       buf_put_base64_decoded(out, v->text.ptr, v->text.len)
		       ? -1
		       : 0;
}

static int forge_from_secret(struct app *app, const struct value *secret, struct error *err)
{
	AUTO(buf) token = BUF_INIT;
	AUTO(buf) ca = BUF_INIT;

	if (secret_text(secret, app->spec.status_key, &token) || !token.len)
		return error_reason(err, ERROR_INVALID, "SecretInvalid",
				    "Secret %s in namespace %s has no data.%s with the "
				    "forge's token",
				    app->spec.status_secret, app->agent->o.ns,
				    app->spec.status_key);
	while (token.len &&
	       (token.ptr[token.len - 1] == '\n' || token.ptr[token.len - 1] == ' '))
		buf_truncate(&token, token.len - 1);
	struct forge_options o = {.provider = app->spec.status_provider,
				  .repo_url = app->spec.repo_url,
				  .api_url = app->spec.status_url,
				  .token = token.ptr,
				  .allow_http = app->agent->o.allow_http_urls};
	if (!secret_text(secret, "caCert", &ca) && ca.len)
		o.ca_data = ca.ptr;
	return forge_new(app->agent->loop, &o, on_sent, app, &app->forge, err);
}

static void on_token(void *arg, struct kube_reply *r)
{
	struct app *app = arg;
	struct error err = r->err, before = app->forge_err;

	app->secret_call = NULL;
	if (err.kind != ERROR_NONE)
		error_wrap(&err, "Secret %s with the forge's token", app->spec.status_secret);
	else if (forge_from_secret(app, r->object, &err))
		app->forge = NULL;
	app->forge_err = err;
	if (err.kind != ERROR_NONE) {
		/* It may be created, or mended, after the Application. */
		timer_set(&app->forge_timer, random_jitter(TOKEN_RETRY_MS));
		if (text_eq(before.text, err.text))
			return;
		log_warn("forge", "commit statuses are off", "app", app->key, "reason",
			 error_code(&err), "error", err.text, LOG_END);
		app_note(app, true, "CommitStatusOff", err.text);
	}
	app_report(app);
}

void app_forge_again(void *arg)
{
	app_forge_setup(arg);
}

void app_forge_setup(struct app *app)
{
	const struct kube_kind *secret = kube_kind(app->agent->kube, "", "v1", "Secret");

	forge_free(app->forge);
	app->forge = NULL;
	timer_cancel(&app->forge_timer);
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
	if (!s->current)
		return false; /* what stands applied is another commit: this one is not judged
				 yet */
	if (s->running) {
		*state = COMMIT_PENDING;
		buf_puts(text, app->operation.message ? app->operation.message : "verified");
		return app->phase != APP_LOADING;
	}
	if (app->drift_only && app->drifted.len) {
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

void app_post_commit_status(struct app *app, const struct summary *s)
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
