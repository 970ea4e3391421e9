/*
 * sync/agent.c - start-up, and the watches on Applications, TrustPolicies and repository
 * Secrets. Discovery, then the list of SyncStates, then the watches; Applications move only
 * when all of them have been seen once, so that nothing is decided from half a picture.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "sync/app_int.h"

#define GROUP		"modelsync.dev"
#define START_FIRST_MS	1000
#define START_MOST_MS	30000
#define SECRET_SELECTOR "modelsync.dev/secret-type=repository"

enum { WATCH_APPS, WATCH_POLICIES, WATCH_SECRETS };

static void start(struct agent *a);

bool agent_knows_secrets(const struct agent *a)
{
	return a->seen[WATCH_SECRETS];
}

bool agent_started(const struct agent *a)
{
	return a->states_loaded && a->seen[WATCH_APPS] && a->seen[WATCH_POLICIES] &&
	       a->seen[WATCH_SECRETS];
}

static void step_all(struct agent *a)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&a->apps, &i));)
		app_poked(e->value);
}

static void again_all(struct agent *a)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&a->apps, &i));)
		app_again(e->value);
}

/* ---- Applications ---- */

static bool wanted(const struct agent *a, const char *key)
{
	return !a->o.only_app || !strcmp(a->o.only_app, key);
}

static void remove_app(struct agent *a, const char *key)
{
	struct app *app = map_remove(&a->apps, key);

	if (!app)
		return;
	log_info("sync", "application removed; its objects stay", "app", key, LOG_END);
	map_remove(&a->by_part, app->part_of);
	/* What is remembered of it stays too: one of the same name goes on from there. */
	map_put(&a->states, key, app_free_keeping_state(app));
}

static void on_app(void *arg, enum kube_event event, const struct value *object)
{
	struct agent *a = arg;
	const char *ns = value_str(value_at(object, "metadata", "namespace", NULL));
	const char *name = value_str(value_at(object, "metadata", "name", NULL));
	AUTO(buf) key = BUF_INIT;

	if (!ns || !name)
		return;
	buf_printf(&key, "%s/%s", ns, name);
	if (!wanted(a, key.ptr))
		return;
	if (event == KUBE_DELETED) {
		remove_app(a, key.ptr);
		return;
	}
	struct app *app = map_get(&a->apps, key.ptr);
	if (!app) {
		app = app_new(a, key.ptr);
		map_put(&a->apps, key.ptr, app);
		map_put(&a->by_part, app->part_of, app);
	}
	app_object(app, object);
}

/* A full list starts: what it does not name is gone. Marked by generation -1 until seen. */
static void on_apps_begin(void *arg)
{
	struct agent *a = arg;
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&a->apps, &i));)
		((struct app *)e->value)->generation = -1;
}

static void on_apps_synced(void *arg)
{
	struct agent *a = arg;
	VEC(char *) gone = {0};
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&a->apps, &i));)
		if (((struct app *)e->value)->generation < 0)
			*vec_push(&gone) = mem_strdup(e->key);
	for (size_t i = 0; i < gone.len; i++) {
		remove_app(a, gone.items[i]);
		free(gone.items[i]);
	}
	vec_clear(&gone);
	a->seen[WATCH_APPS] = true;
	a->err = (struct error)ERROR_INIT;
	step_all(a);
}

/* ---- TrustPolicies ---- */

static void policy_slot_free(struct policy_slot *s)
{
	if (!s)
		return;
	policy_free(s->policy);
	free(s);
}

static void on_policy(void *arg, enum kube_event event, const struct value *object)
{
	struct agent *a = arg;
	const char *name = value_str(value_at(object, "metadata", "name", NULL));

	if (!name)
		return;
	struct policy_slot *slot = mem_alloc(sizeof *slot), *old = map_get(&a->policies, name);
	if (event == KUBE_DELETED) {
		free(slot);
		map_remove(&a->policies, name);
	} else {
		if (policy_from_object(object, &slot->policy, &slot->err)) {
			slot->policy = NULL;
			log_warn("trust", "policy refused", "policy", name, "error",
				 slot->err.text, LOG_END);
		}
		map_put(&a->policies, name, slot);
	}
	bool same = old && event != KUBE_DELETED && old->policy && slot->policy &&
		    policy_digest(old->policy) == policy_digest(slot->policy);
	policy_slot_free(old);
	if (!same)
		again_all(a);
}

static void on_policies_begin(void *arg)
{
	struct agent *a = arg;
	struct map_entry *e;

	/* Fail closed: until the list is complete, a policy that may be gone is gone. */
	a->seen[WATCH_POLICIES] = false;
	for (size_t i = 0; (e = map_next(&a->policies, &i));)
		policy_slot_free(e->value);
	map_clear(&a->policies);
}

static void on_policies_synced(void *arg)
{
	struct agent *a = arg;

	a->seen[WATCH_POLICIES] = true;
	again_all(a);
}

const struct policy *agent_policy(const struct agent *a, const char *name, struct refusal *why)
{
	const struct policy_slot *slot = map_get(&a->policies, name);

	memset(why, 0, sizeof *why);
	if (slot && slot->policy)
		return slot->policy;
	why->code = slot ? REFUSAL_POLICY_INVALID : REFUSAL_NO_POLICY;
	if (slot)
		snprintf(why->text, sizeof why->text, "TrustPolicy %.64s: %.400s", name,
			 slot->err.text);
	else
		snprintf(why->text, sizeof why->text,
			 "no TrustPolicy \"%.64s\" in namespace %.64s: nothing is trusted "
			 "until there is "
			 "one",
			 name, a->o.ns);
	return NULL;
}

/* ---- Secrets with repository credentials ---- */

static void on_secret(void *arg, enum kube_event event, const struct value *object)
{
	struct agent *a = arg;
	const char *name = value_str(value_at(object, "metadata", "name", NULL));
	struct credential *c = event == KUBE_DELETED ? NULL : credential_read(object);
	struct map_entry *e;

	if (!name)
		return;
	credential_free(c ? map_put(&a->secrets, name, c) : map_remove(&a->secrets, name));
	if (!a->seen[WATCH_SECRETS])
		return;
	for (size_t i = 0; (e = map_next(&a->sources, &i));)
		source_credentials(e->value);
}

static void on_secrets_begin(void *arg)
{
	(void)arg; /* a Secret that vanished while we could not see keeps working until replaced
		    */
}

static void on_secrets_synced(void *arg)
{
	struct agent *a = arg;

	struct map_entry *e;

	a->seen[WATCH_SECRETS] = true;
	for (size_t i = 0; (e = map_next(&a->sources, &i));)
		source_credentials(e->value);
	step_all(a);
}

static void on_broken(void *arg, const struct error *err)
{
	struct agent *a = arg;

	log_warn("kube", "watch broken", "reason", error_code(err), "error", err->text,
		 LOG_END);
	if (!agent_started(a))
		a->err = *err;
}

/* ---- Live objects ---- */

static void on_live_change(void *arg, const char *key, const char *part_of,
			   const struct live_object *o)
{
	struct agent *a = arg;
	struct app *app = part_of ? map_get(&a->by_part, part_of) : NULL;

	(void)o;
	if (app)
		app_changed(app, key);
}

static void on_live_synced(void *arg)
{
	step_all(arg);
}

static void on_live_broken(void *arg, const struct kube_kind *kind, const struct error *err)
{
	struct agent *a = arg;
	struct error *why = mem_alloc(sizeof *why);
	char text[256];

	*why = *err;
	free(map_put(&a->broken, kube_kind_text(kind, text, sizeof text), why));
	log_warn("live", "watch broken", "kind", text, "reason", error_code(err), "error",
		 err->text, LOG_END);
	if (err->kind == ERROR_GONE)
		agent_rediscover(a);
	step_all(a);
}

/* ---- Start ---- */

static void start_watches(struct agent *a)
{
	static const struct kube_watch_ops ops[] = {
		{on_apps_begin, on_app, on_apps_synced, on_broken},
		{on_policies_begin, on_policy, on_policies_synced, on_broken},
		{on_secrets_begin, on_secret, on_secrets_synced, on_broken},
	};
	const struct kube_watch_options o[] = {
		{.kind = kube_kind(a->kube, GROUP, NULL, "Application"), .ns = a->o.ns},
		{.kind = kube_kind(a->kube, GROUP, NULL, "TrustPolicy"), .ns = a->o.ns},
		{.kind = kube_kind(a->kube, "", "v1", "Secret"),
		 .ns = a->o.ns,
		 .selector = SECRET_SELECTOR},
	};

	for (size_t i = 0; i < ARRAY_LEN(a->watches); i++)
		a->watches[i] = kube_watch_start(a->kube, &o[i], &ops[i], a);
}

static void start_failed(struct agent *a, const struct error *err)
{
	if (a->err.kind == ERROR_NONE || strcmp(a->err.text, err->text))
		log_warn("sync", "can't start yet", "reason", error_code(err), "error",
			 err->text, LOG_END);
	a->err = *err;
	a->delay_ms = a->delay_ms ? a->delay_ms * 2 : START_FIRST_MS;
	if (a->delay_ms > START_MOST_MS)
		a->delay_ms = START_MOST_MS;
	timer_set(&a->timer, random_jitter(a->delay_ms));
}

static void load_state(struct agent *a, const struct value *object)
{
	const char *app = value_get_str(object, "application");
	struct error err = ERROR_INIT;

	if (!app || !wanted(a, app))
		return;
	struct state *s = map_get(&a->states, app);
	if (!s) {
		s = mem_alloc(sizeof *s);
		state_init(s, app);
		map_put(&a->states, app, s);
	}
	if (state_read(s, object, &err)) {
		s->broken = err;
		log_error("sync", "state can't be read", "app", app, "error", err.text,
			  LOG_END);
	}
}

static void on_states(void *arg, struct kube_reply *r)
{
	struct agent *a = arg;
	struct value *item;

	a->list = NULL;
	if (r->err.kind != ERROR_NONE) {
		error_wrap(&r->err, "listing SyncStates in namespace %s", a->o.ns);
		start_failed(a, &r->err);
		return;
	}
	array_each (value_get(r->object, "items"), i, item)
		load_state(a, item);
	a->states_loaded = true;
	a->delay_ms = 0;
	start_watches(a);
}

static void on_discovered(void *arg, const struct error *err, bool changed)
{
	struct agent *a = arg;
	struct error missing = ERROR_INIT;
	static const char *const ours[] = {"Application", "TrustPolicy", "SyncState"};

	if (a->stopping)
		return;
	if (err) {
		if (!a->states_loaded)
			start_failed(a, err);
		else
			agent_rediscover(a);
		return;
	}
	a->discovered = true;
	if (changed) {
		a->kinds_generation++;
		again_all(a);
	}
	if (a->states_loaded) {
		struct map_entry *e;
		bool unknown = false;
		for (size_t i = 0; (e = map_next(&a->apps, &i));)
			unknown |= ((struct app *)e->value)->waiting > 0;
		if ((unknown && !changed) || kube_discovery_stale(a->kube))
			agent_rediscover(a);
		else if (!unknown)
			a->delay_ms = 0;
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (!kube_kind(a->kube, GROUP, NULL, ours[i])) {
			error_reason(
				&missing, ERROR_TRANSIENT, "CrdMissing",
				"the API server doesn't know %s (modelsync.dev/v1alpha1): run "
				"`modelsync install`",
				ours[i]);
			start_failed(a, &missing);
			return;
		}
	struct kube_request r = {
		.verb = KUBE_LIST,
		.kind = kube_kind(a->kube, GROUP, NULL, "SyncState"),
		.ns = a->o.ns,
	};
	a->list = kube_send(a->kube, &r, on_states, a);
}

static void start(struct agent *a)
{
	kube_discover(a->kube, on_discovered, a);
}

static void on_timer(void *arg)
{
	start(arg);
}

void agent_rediscover(struct agent *a)
{
	if (timer_pending(&a->timer))
		return;
	a->delay_ms = a->delay_ms ? a->delay_ms * 2 : START_FIRST_MS;
	if (a->delay_ms > START_MOST_MS)
		a->delay_ms = START_MOST_MS;
	timer_set(&a->timer, random_jitter(a->delay_ms));
}

static const struct kube_kind *find_kind(void *arg, const char *group, const char *version,
					 const char *kind)
{
	struct agent *a = arg;
	const struct kube_kind *k = kube_kind(a->kube, group, version, kind);

	return k && k->served ? k : NULL;
}

struct kind_source agent_kinds(struct agent *a)
{
	return (struct kind_source){find_kind, a, a->kinds_generation};
}

int agent_new(struct kube *k, const struct agent_options *o, struct agent **out,
	      struct error *err)
{
	static const struct live_ops live_ops = {on_live_change, on_live_synced,
						 on_live_broken};
	struct agent *a = mem_alloc(sizeof *a);

	(void)err;
	a->kube = k;
	a->loop = kube_loop(k);
	a->o = *o;
	a->o.ns = mem_strdup(o->ns);
	a->o.cache_dir = mem_strdup(o->cache_dir);
	a->o.default_policy = mem_strdup(o->default_policy);
	a->o.only_app = mem_strdup(o->only_app);
	a->live = live_new(k, &live_ops, a);
	timer_init(&a->timer, a->loop, on_timer, a);
	*out = a;
	start(a);
	return 0;
}

bool agent_flush(struct agent *a)
{
	struct map_entry *e;
	bool busy = false;

	for (size_t i = 0; (e = map_next(&a->apps, &i));) {
		struct app *app = e->value;
		if (state_unsaved(&app->state) && !state_saving(app->saver))
			state_save(app->saver);
		busy |= state_saving(app->saver);
	}
	return busy;
}

void agent_free(struct agent *a)
{
	struct map_entry *e;

	if (!a)
		return;
	a->stopping = true;
	for (size_t i = 0; i < ARRAY_LEN(a->watches); i++)
		if (a->watches[i])
			kube_watch_stop(a->watches[i]);
	if (a->list)
		kube_cancel(a->list);
	for (size_t i = 0; (e = map_next(&a->apps, &i));)
		app_free(e->value);
	for (size_t i = 0; (e = map_next(&a->policies, &i));)
		policy_slot_free(e->value);
	for (size_t i = 0; (e = map_next(&a->secrets, &i));)
		credential_free(e->value);
	for (size_t i = 0; (e = map_next(&a->states, &i));) {
		state_clear(e->value);
		free(e->value);
	}
	map_clear(&a->apps);
	map_clear(&a->by_part);
	map_clear(&a->sources);
	map_clear(&a->policies);
	map_clear(&a->secrets);
	map_clear(&a->states);
	for (size_t i = 0; (e = map_next(&a->broken, &i));)
		free(e->value);
	map_clear(&a->broken);
	live_free(a->live);
	timer_clear(&a->timer);
	free((char *)a->o.ns);
	free((char *)a->o.cache_dir);
	free((char *)a->o.default_policy);
	free((char *)a->o.only_app);
	free(a);
}

bool agent_ready(const struct agent *a, struct buf *why)
{
	struct map_entry *e;

	if (!agent_started(a)) {
		buf_puts(why, a->err.kind != ERROR_NONE
				      ? a->err.text
				      : "the API server's lists have not come yet");
		return false;
	}
	for (size_t i = 0; (e = map_next(&a->apps, &i));) {
		const struct app *app = e->value;
		if (!app->looked && app->spec_err.kind == ERROR_NONE && !app->spec.suspend &&
		    app->state.broken.kind == ERROR_NONE) {
			buf_printf(why, "application %s has not been looked at yet", app->key);
			return false;
		}
	}
	return true;
}
