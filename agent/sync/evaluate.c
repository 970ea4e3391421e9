/*
 * sync/evaluate.c - from what is known to what is wanted: head -> refusal or trust -> desired.
 * No requests are made here. A refused head leaves the last trusted commit as the target; a
 * commit that can't be read leaves what was applied in place, to be healed.
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

/* Where the source points now. -1: nothing is known; *err says why. */
static int find_head(struct app *app, struct revision **rev, struct error *err)
{
	struct source *s = app->source;

	if (!s->repo) {
		*err = s->err;
		return -1;
	}
	if (s->err.kind != ERROR_NONE) {
		*err = s->err;
		return -1;
	}
	return repo_revision(s->repo, app->spec.target, rev, err);
}

static void first_seen(struct app *app, const char *hex, int64_t now)
{
	if (!strcmp(app->state.first_seen_commit, hex))
		return;
	state_id(app->state.first_seen_commit, hex, &app->state.dirty);
	app->state.first_seen_ms = now;
	app->state.dirty = true;
}

static bool last_trusted(const struct app *app, struct object_id *out)
{
	return text_eq(app->state.source, app->spec.repo_url) &&
	       !object_id_parse(app->state.last_trusted, out);
}

/* The trusted commit to bring about, or NULL with app->refusal or *err telling why not. */
static struct verified *find_target(struct app *app, struct error *err)
{
	const char *name = app->spec.policy ? app->spec.policy : app->agent->o.default_policy;
	struct refusal before = app->refusal;
	const struct policy *policy = agent_policy(app->agent, name, &app->refusal);
	int64_t now = clock_now_ms(), start = clock_mono_us();
	struct revision *rev = NULL, *back = NULL;
	struct verified *v = NULL;
	struct object_id trusted;
	struct refusal again;
	bool has_trusted = last_trusted(app, &trusted);
	char hex[OBJECT_ID_HEX];

	if (!find_head(app, &rev, err)) {
		app->head = *revision_commit(rev);
		app->has_head = true;
		first_seen(app, object_id_hex(&app->head, hex), now);
	} else if (policy && before.has_commit && app->has_head) {
		app->refusal = before; /* out of reach: the head's refusal stands */
	}
	if (!policy) {
		revision_free(rev);
		return NULL;
	}
	if (rev && has_trusted && object_id_eq(&app->head, &trusted)) {
		trust_again(rev, &trusted, policy, &v, &app->refusal);
	} else if (rev) {
		if (!trust_check(rev, has_trusted ? &trusted : NULL, policy, now,
				 app->state.first_seen_ms, &v, &app->refusal)) {
			state_text(&app->state.source, app->spec.repo_url, &app->state.dirty);
			state_id(app->state.last_trusted, hex, &app->state.dirty);
			histogram_add(&app->agent->stats.verify_seconds,
				      clock_mono_us() - start);
			log_info("trust", "commit verified", "app", app->key, "commit", hex,
				 "signer", verified_signer(v), LOG_END);
		}
	}
	revision_free(rev);
	if (v || !has_trusted || !app->source->repo)
		return v;
	/* Refused, or the repository is out of reach: go on with what was trusted last. */
	if (!repo_revision_at(app->source->repo, &trusted, &back, err) &&
	    trust_again(back, &trusted, policy, &v, &again) &&
	    app->refusal.code == REFUSAL_NONE)
		app->refusal = again; /* revoked since: says so, and is not healed */
	revision_free(back);
	return v;
}

static uint64_t inputs_digest(const struct app *app)
{
	AUTO(buf) all = BUF_INIT;

	buf_printf(&all, "%s\n%d\n%s\n%llu", app->spec.path, app->spec.recurse,
		   app->spec.dest_ns ? app->spec.dest_ns : "",
		   (unsigned long long)app->agent->kinds_generation);
	return digest_u64(all.ptr, all.len);
}

static struct desired_spec desired_spec(const struct app *app)
{
	return (struct desired_spec){.app = app->key,
				     .part_of = app->part_of,
				     .path = app->spec.path,
				     .recurse = app->spec.recurse,
				     .ns = app->spec.dest_ns};
}

/* All problems in one error: the first in full, and how many more. */
static void problems_error(const struct problems *p, struct error *err)
{
	const struct problem *first = &p->list.items[0];
	char where[320] = "", more[48] = "";

	if (first->file && *first->file && first->line)
		snprintf(where, sizeof where, "%.256s:%u: ", first->file, first->line);
	else if (first->file && *first->file)
		snprintf(where, sizeof where, "%.256s: ", first->file);
	if (p->list.len > 1)
		snprintf(more, sizeof more, " (and %zu more)", p->list.len - 1);
	/* What can't be read from the cache comes with the next fetch; it is not the commit's
	 * fault. */
	bool lost = text_eq(first->reason, "ObjectMissing") ||
		    text_eq(first->reason, "ObjectCorrupt");
	error_reason(err, lost ? ERROR_TRANSIENT : ERROR_INVALID, first->reason, "%s%s%s",
		     where, first->text, more);
}

/* Watch the kinds of what is wanted and of what was applied; let go of the others. */
static void want_kinds(struct app *app)
{
	VEC(const struct kube_kind *) next = {0};
	struct map seen = MAP_INIT;
	struct map_entry *e;

	for (size_t i = 0; i < desired_count(app->target); i++) {
		const struct kube_kind *k = desired_at(app->target, i)->resource;
		char text[256];
		if (!k || map_get(&seen, kube_kind_text(k, text, sizeof text)))
			continue;
		map_put(&seen, text, app);
		*vec_push(&next) = k;
	}
	for (size_t i = 0; (e = map_next(&app->state.inventory.entries, &i));) {
		char text[256], *dot;
		size_t n = strcspn(e->key, "|");
		if (n >= sizeof text)
			continue;
		memcpy(text, e->key, n);
		text[n] = '\0';
		if (map_get(&seen, text))
			continue;
		map_put(&seen, text, app);
		if ((dot = strchr(text, '.')))
			*dot = '\0';
		const struct kube_kind *k =
			kube_kind(app->agent->kube, dot ? dot + 1 : "", NULL, text);
		if (k && k->served)
			*vec_push(&next) = k;
	}
	map_clear(&seen);
	for (size_t i = 0; i < next.len; i++)
		live_want(app->agent->live, next.items[i]);
	for (size_t i = 0; i < app->kinds.len; i++)
		live_unwant(app->agent->live, app->kinds.items[i]);
	vec_clear(&app->kinds);
	app->kinds.items = next.items;
	app->kinds.len = next.len;
	app->kinds.cap = next.cap;
}

bool app_kinds_ready(const struct app *app)
{
	for (size_t i = 0; i < app->kinds.len; i++)
		if (!live_ready(app->agent->live, app->kinds.items[i]))
			return false;
	return true;
}

struct desired *app_base(struct app *app)
{
	struct revision *rev = NULL;
	struct verified *v = NULL;
	struct object_id applied, trusted;
	struct refusal refusal;
	struct problems problems = {0};
	const char *name = app->spec.policy ? app->spec.policy : app->agent->o.default_policy;
	const struct policy *policy = agent_policy(app->agent, name, &refusal);
	struct desired_spec spec = desired_spec(app);
	struct kind_source kinds = agent_kinds(app->agent);

	if (app->base || app->base_failed || !policy || !app->source || !app->source->repo ||
	    !last_trusted(app, &trusted) || object_id_parse(app->state.applied, &applied))
		return app->base;
	if (app->target &&
	    object_id_eq(&applied, verified_commit(desired_verified(app->target))))
		return NULL; /* the target is what was applied */
	app->base_failed = true;
	if (repo_revision_at(app->source->repo, &applied, &rev, NULL))
		return NULL;
	if (!trust_again(rev, &trusted, policy, &v, &refusal) &&
	    desired_make(v, &spec, &kinds, app->target, &app->base, &problems))
		app->base = NULL;
	app->base_failed = !app->base;
	problems_clear(&problems);
	verified_free(v);
	revision_free(rev);
	return app->base;
}

bool app_judge_again(const struct app *app)
{
	static const char *const by_fetch[] = {"ObjectMissing", "ObjectCorrupt", "RefMissing",
					       "NotPolled"};

	static const enum refusal_code by_time[] = {
		REFUSAL_COMMIT_IN_FUTURE, REFUSAL_KEY_NOT_YET_VALID, REFUSAL_HISTORY_GAP,
		REFUSAL_OBJECT_UNREADABLE};

	for (size_t i = 0; i < ARRAY_LEN(by_time); i++)
		if (app->refusal.code == by_time[i])
			return app->source->err.kind == ERROR_NONE;
	for (size_t i = 0; i < ARRAY_LEN(by_fetch); i++)
		if (text_eq(app->failure.reason, by_fetch[i]))
			return app->source->err.kind == ERROR_NONE;
	/* Nothing is known of the repository but an earlier failure to reach it. */
	return !app->target && !app->has_head;
}

bool app_kinds_broken(const struct app *app, bool late, struct error *err)
{
	for (size_t i = 0; i < app->kinds.len; i++) {
		const struct kube_kind *k = app->kinds.items[i];
		const struct error *why;
		char text[256];

		if (live_ready(app->agent->live, k))
			continue;
		why = map_get(&app->agent->broken, kube_kind_text(k, text, sizeof text));
		if (why && (late || why->kind != ERROR_TRANSIENT)) {
			*err = *why;
			error_wrap(err, "watching %s", text);
			return true;
		}
		if (late) {
			error_reason(
				err, ERROR_TRANSIENT, "Timeout",
				"%s: its objects could not be listed within the sync timeout",
				text);
			return true;
		}
	}
	return false;
}

/* Kinds that can't be watched or applied can't be managed: found before anything is written. */
static int check_verbs(const struct desired *d, struct error *err)
{
	for (size_t i = 0; i < desired_count(d); i++) {
		const struct desired_object *o = desired_at(d, i);
		char text[320];

		if (!o->resource || (o->resource->can_list_watch && o->resource->can_patch))
			continue;
		return error_reason(err, ERROR_INVALID, "KindNotAllowed",
				    "%s:%u: %s: the API server can't %s objects of this kind",
				    o->file, o->line,
				    object_key_text(o->key, text, sizeof text),
				    o->resource->can_patch ? "list and watch" : "patch");
	}
	return 0;
}

/* A commit that can't be read: what was applied is the target's stand-in for healing. */
static void cannot_read(struct app *app, const struct verified *v)
{
	char hex[OBJECT_ID_HEX];

	problems_error(&app->problems, &app->failure);
	if (app->failure.kind == ERROR_TRANSIENT) {
		timer_set(&app->retry, random_jitter(app->spec.retry_ms));
		return;
	}
	object_id_hex(verified_commit(v), hex);
	state_id(app->state.attempted, hex, &app->state.dirty);
	state_text(&app->state.failed_commit, hex, &app->state.dirty);
	state_text(&app->state.failed_reason, error_code(&app->failure), &app->state.dirty);
	state_text(&app->state.failed_text, app->failure.text, &app->state.dirty);
	app->agent->stats.syncs_failed++;
	log_warn("sync", "commit can't be applied", "app", app->key, "commit", hex, "reason",
		 error_code(&app->failure), "error", app->failure.text, LOG_END);
	desired_free(app->target);
	app->target = app->base ? app->base : NULL;
	app->base = NULL;
	if (!app->target)
		app->target = app_base(app);
	if (app->target == app->base)
		app->base = NULL;
	app->target_inputs = inputs_digest(app);
	if (app->target) {
		want_kinds(app);
		app->sweep = true;
		app_poked(app);
	}
}

static void make_target(struct app *app, struct verified *v)
{
	struct desired_spec spec = desired_spec(app);
	struct kind_source kinds = agent_kinds(app->agent);
	uint64_t inputs = inputs_digest(app);
	struct desired *next = NULL;

	if (app->target && app->target_inputs == inputs &&
	    object_id_eq(verified_commit(v), verified_commit(desired_verified(app->target)))) {
		want_kinds(app);
		return;
	}
	problems_clear(&app->problems);
	if (desired_make(v, &spec, &kinds, app->target, &next, &app->problems)) {
		cannot_read(app, v);
		return;
	}
	char hex[OBJECT_ID_HEX] = "";
	if (app->target)
		object_id_hex(verified_commit(desired_verified(app->target)), hex);
	if (app->target && !strcmp(hex, app->state.applied) && app->target_inputs == inputs) {
		desired_free(
			app->base); /* what stands applied: needed while the next one is not */
		app->base = app->target;
	} else {
		desired_free(app->target);
	}
	app->target = next;
	app->target_inputs = inputs;
	check_verbs(app->target, &app->failure);
	want_kinds(app);
}

static void note_refusal(struct app *app)
{
	const struct refusal *r = &app->refusal;
	char hex[OBJECT_ID_HEX] = "";

	app->agent->stats.refusals[r->code]++;
	if (r->has_commit)
		object_id_hex(&r->commit, hex);
	log_warn("trust", "refused", "app", app->key, "code", refusal_table[r->code].code,
		 "commit", hex, "fingerprint", r->fingerprint, "principal", r->principal,
		 "path", r->path, "error", r->text, LOG_END);
	app_note(app, true, refusal_table[r->code].code, r->text);
}

void app_evaluate(struct app *app)
{
	struct error err = ERROR_INIT;
	enum refusal_code before = app->refusal.code;
	struct object_id head_before = app->head;
	struct verified *v;

	app->failure = (struct error)ERROR_INIT;
	desired_free(app->base); /* made anew where it is needed, by the policy in force */
	app->base = NULL;
	app->base_failed = false;
	map_clear(&app->drifted);
	app->waiting = app->kept = 0;
	app->refusal.code = REFUSAL_NONE;
	v = find_target(app, &err);
	if (app->refusal.code != REFUSAL_NONE &&
	    (app->refusal.code != before || !object_id_eq(&head_before, &app->head)))
		note_refusal(app);
	if (v) {
		make_target(app, v);
		verified_free(v);
	} else if (err.kind != ERROR_NONE) {
		app->failure = err;
	} else {
		const struct refusal *r = &app->refusal;
		error_reason(&app->failure, ERROR_REFUSED, refusal_table[r->code].code, "%s",
			     r->text);
	}
	if (!v && app->refusal.code != REFUSAL_NONE) {
		/* What is trusted no more (a revoked key, no policy) is not healed either. */
		desired_free(app->target);
		desired_free(app->base);
		app->target = app->base = NULL;
	}
	if (state_unsaved(&app->state) && !app->agent->o.observe)
		state_save(app->saver);
	app_report(app);
}
