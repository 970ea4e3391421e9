/*
 * apply_story.h - what the tests of apply/ share: a fault server, live watches, an inventory,
 * and a stand-in for desired/ (a list of manifests), so that no signed commit is needed here.
 */
#ifndef TESTS_UNIT_APPLY_STORY_H
#define TESTS_UNIT_APPLY_STORY_H

#include "test.h"

#include "../faults/apiserver.h"
#include "apply/apply.h"
#include "base/digest.h"
#include "value/json.h"

#define PART_OF "applyset-test-v1"
#define SLOW	5000 /* ms until a test gives up */

/* ---- The stand-in for desired/ ---- */

struct desired {
	struct arena *arena;
	VEC(struct desired_object) objects;
	VEC(const char *) bodies; /* of the same index */
};

size_t desired_count(const struct desired *d)
{
	return d->objects.len;
}

const struct desired_object *desired_at(const struct desired *d, size_t i)
{
	return &d->objects.items[i];
}

const struct desired_object *desired_find(const struct desired *d, const char *key)
{
	for (size_t i = 0; i < d->objects.len; i++)
		if (!strcmp(d->objects.items[i].key, key))
			return &d->objects.items[i];
	return NULL;
}

size_t desired_unknown(const struct desired *d)
{
	return 0;
}

void desired_rest(const struct desired *d)
{
}

int desired_body(const struct desired *d, const struct desired_object *o, struct buf *out,
		 struct error *err)
{
	buf_puts(out, d->bodies.items[o->document]);
	return 0;
}

static inline int story_by_key(const void *a, const void *b)
{
	return strcmp(((const struct desired_object *)a)->key,
		      ((const struct desired_object *)b)->key);
}

/* ---- The story ---- */

struct story {
	struct loop *loop;
	struct apiserver *server;
	struct kube *kube;
	struct live *live;
	struct desired desired;
	struct inventory inventory;
	struct plan *plan;
	struct apply *apply;
	bool synced, ready, done, hold; /* hold: don't go on after on_ready */
	size_t applied, gone, newer;
	struct outcome outcome; /* of the last run; its problems only as text: */
	char problems[2000];	/* "file:line reason text\n"... */
	struct arena *arena;
};

static inline void story_changed(void *arg, const char *key, const char *part_of,
				 const struct live_object *o)
{
	struct story *s = arg;

	s->gone += o == NULL;
	if (s->apply)
		apply_poke(s->apply);
}

static const char *const story_kinds[][3] = {{"", "v1", "Namespace"},
					     {"", "v1", "ConfigMap"},
					     {"apps", "v1", "Deployment"},
					     {"batch", "v1", "Job"}};

static inline void story_synced(void *arg)
{
	struct story *s = arg;

	s->synced = true;
	for (size_t i = 0; i < ARRAY_LEN(story_kinds); i++) {
		const char *const *k = story_kinds[i];
		s->synced &= live_ready(s->live, kube_kind(s->kube, k[0], k[1], k[2]));
	}
}

static inline void story_broken(void *arg, const struct kube_kind *kind,
				const struct error *err)
{
}

static inline int story_setup(void **state)
{
	static const struct live_ops ops = {story_changed, story_synced, story_broken};
	struct story *s = mem_alloc(sizeof *s);
	struct error err;

	assert_int_equal(loop_new(&s->loop, &err), 0);
	s->server = apiserver_new(s->loop);
	s->kube = apiserver_client(s->server);
	s->live = live_new(s->kube, &ops, s);
	for (size_t i = 0; i < ARRAY_LEN(story_kinds); i++) {
		const char *const *k = story_kinds[i];
		live_want(s->live, kube_kind(s->kube, k[0], k[1], k[2]));
	}
	assert_true(apiserver_run_until(s->server, &s->synced, SLOW));
	s->arena = arena_new();
	s->desired.arena = s->arena;
	*state = s;
	return 0;
}

static inline void story_end(struct story *s)
{
	apply_free(s->apply);
	plan_free(s->plan);
	s->apply = NULL;
	s->plan = NULL;
}

static inline int story_teardown(void **state)
{
	struct story *s = *state;

	story_end(s);
	live_free(s->live);
	kube_free(s->kube);
	apiserver_free(s->server);
	inventory_clear(&s->inventory);
	vec_clear(&s->desired.objects);
	vec_clear(&s->desired.bodies);
	arena_free(s->arena);
	loop_free(s->loop);
	free(s);
	return 0;
}

static inline void story_unwant(struct story *s, const char *key)
{
	struct desired *d = &s->desired;

	for (size_t i = 0; i < d->objects.len; i++)
		if (!strcmp(d->objects.items[i].key, key))
			d->objects.items[i--] = d->objects.items[--d->objects.len];
	if (d->objects.len)
		qsort(d->objects.items, d->objects.len, sizeof *d->objects.items, story_by_key);
}

/* Git has this object now, in `file`; "adopt" and the wave as given. JSON without our marks. */
static inline struct desired_object *story_want(struct story *s, const char *file, int wave,
						const char *json)
{
	struct desired *d = &s->desired;
	struct desired_object o = {.file = file, .line = 1, .wave = wave};
	struct value *v, *meta;
	struct error err;
	struct buf key = BUF_INIT, text = BUF_INIT;
	unsigned char sum[DIGEST_LEN];

	if (value_json_parse(s->arena, json, strlen(json), &value_limits_manifest, &v, &err))
		fail_msg("%s: %s", json, err.text);
	meta = value_object_at(s->arena, v, "metadata");
	o.api_version = value_get_str(v, "apiVersion");
	o.kind = value_get_str(v, "kind");
	o.name = value_get_str(meta, "name");
	o.ns = value_get_str(meta, "namespace") ?: "";
	const char *slash = strchr(o.api_version, '/');
	const char *group =
		slash ? arena_strndup(s->arena, o.api_version, (size_t)(slash - o.api_version))
		      : "";
	o.resource = kube_kind(s->kube, group, slash ? slash + 1 : o.api_version, o.kind);
	o.tier = (uint8_t)kind_tier(group, o.kind);
	object_key_put(&key, group, o.kind, o.ns, o.name);
	o.key = arena_strdup(s->arena, key.ptr);
	digest_sha256(json, strlen(json), sum);
	memcpy(o.hash, sum, sizeof o.hash);
	applied_format(o.hash, o.key, &text);
	value_set_string(s->arena, value_object_at(s->arena, meta, "annotations"),
			 ANNOTATION_APPLIED, text.ptr);
	value_set_string(s->arena, value_object_at(s->arena, meta, "labels"), LABEL_PART_OF,
			 PART_OF);
	buf_reset(&text);
	value_json_write(v, &text);
	o.document = (uint32_t)d->bodies.len;
	*vec_push(&d->bodies) = arena_strdup(s->arena, text.ptr);
	buf_clear(&key);
	buf_clear(&text);
	story_unwant(s, o.key);
	*vec_push(&d->objects) = o;
	qsort(d->objects.items, d->objects.len, sizeof *d->objects.items, story_by_key);
	return (struct desired_object *)desired_find(d, o.key);
}

static inline struct desired_object *story_config(struct story *s, const char *name,
						  const char *text)
{
	char json[512], file[64];

	snprintf(json, sizeof json,
		 "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%s\","
		 "\"namespace\":\"default\"},\"data\":{\"text\":\"%s\"}}",
		 name, text);
	snprintf(file, sizeof file, "%s.yaml", name);
	return story_want(s, arena_strdup(s->arena, file), 0, json);
}

/* ---- Running ---- */

static inline void story_ready(void *arg)
{
	struct story *s = arg;

	s->ready = true;
	if (!s->hold)
		apply_write(s->apply);
}

static inline void story_applied(void *arg, const struct applied *a)
{
	struct story *s = arg;
	struct inventory_entry *e;

	s->applied++;
	if (a->err.kind != ERROR_NONE)
		return;
	if (a->change->kind == CHANGE_PRUNE) {
		inventory_remove(&s->inventory, a->change->key);
		return;
	}
	e = inventory_add(&s->inventory, a->change->key);
	snprintf(e->uid, sizeof e->uid, "%s", a->uid);
	memcpy(e->hash, a->change->want->hash, sizeof e->hash);
	e->own = a->own;
	s->newer += a->newer;
}

static inline void story_done(void *arg, const struct outcome *o)
{
	struct story *s = arg;
	size_t at = 0;

	s->outcome = *o;
	s->problems[0] = '\0';
	for (size_t i = 0; i < o->problems.list.len && at < sizeof s->problems; i++) {
		const struct problem *p = &o->problems.list.items[i];
		at += (size_t)snprintf(s->problems + at, sizeof s->problems - at,
				       "%s:%u %s %s\n", p->file, p->line, p->reason, p->text);
	}
	s->done = true;
}

/* A plan for what Git has now, and an apply that runs it; `o` NULL: as a sync does it. */
static inline void story_start(struct story *s, const struct apply_options *o)
{
	static const struct apply_ops ops = {story_ready, story_applied, story_done};
	struct apply_options usual = {
		.preflight = true, .await_health = true, .deadline_ms = SLOW - 500};
	struct plan_options po = {
		.part_of = PART_OF, .prune = true, .allow_empty = true, .prune_limit = 1000};
	struct error err;

	story_end(s);
	s->ready = s->done = false;
	s->applied = 0;
	if (plan_make(&s->desired, s->live, &s->inventory, &po, &s->plan, &err))
		fail_msg("%s", err.text);
	s->apply = apply_start(s->kube, s->live, &s->desired, s->plan, o ? o : &usual, &ops, s);
}

static inline void story_finish(struct story *s)
{
	if (!apiserver_run_until(s->server, &s->done, SLOW))
		fail_msg("not done after %d ms", SLOW);
}

static inline void story_run(struct story *s)
{
	story_start(s, NULL);
	story_finish(s);
}

/* Another look at the world: watches have told what happened so far. */
static inline void story_settle(struct story *s)
{
	loop_run_for(s->loop, 100);
}

static inline const struct value *story_config_get(struct story *s, const char *name)
{
	return apiserver_get(s->server, "v1", "ConfigMap", "default", name);
}

static inline size_t story_writes(const struct story *s)
{
	return apiserver_seen_count(s->server, "PATCH", NULL) -
	       apiserver_seen_count(s->server, "PATCH", "dryRun") +
	       apiserver_seen_count(s->server, "DELETE", NULL);
}

/* Run until so many writes were sent, and what they set off has come back. */
static inline void story_until_written(struct story *s, size_t writes)
{
	for (int i = 0; i < SLOW / 20 && story_writes(s) < writes; i++)
		loop_run_for(s->loop, 20);
	story_settle(s);
}

#endif
