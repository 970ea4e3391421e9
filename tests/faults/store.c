/* faults/store.c - the objects, their versions, and the events of their changes. */
#include "faults_int.h"

#include "base/clock.h"
#include "base/text.h"

#define EVENTS_MAX 20000

static char *key_of(const struct fs_kind *k, const char *ns, const char *name)
{
	return mem_printf("%s/%s/%s/%s", k->group, k->plural, k->namespaced && ns ? ns : "",
			  name);
}

struct fs_object *fs_find(struct apiserver *s, const struct fs_kind *k, const char *ns,
			  const char *name)
{
	AUTO_FREE char *key = key_of(k, ns, name);

	return map_get(&s->objects, key);
}

static void object_free(struct fs_object *o)
{
	arena_free(o->arena);
	free(o->key);
	free(o->ns);
	free(o->name);
	free(o);
}

static void record(struct apiserver *s, enum kube_event type, struct fs_object *o,
		   const struct value *old_labels)
{
	if (s->events.len == EVENTS_MAX) {
		size_t half = EVENTS_MAX / 2;
		for (size_t i = 0; i < half; i++)
			arena_free(s->events.items[i].arena);
		s->oldest = s->events.items[half - 1].revision;
		memmove(s->events.items, s->events.items + half,
			half * sizeof *s->events.items);
		s->events.len = half;
	}
	struct fs_event *e = vec_push(&s->events);
	e->arena = arena_new();
	e->type = type;
	e->revision = s->revision;
	e->kind = o->kind;
	e->ns = arena_strdup(e->arena, o->ns);
	e->name = arena_strdup(e->arena, o->name);
	e->object = value_copy(e->arena, o->v);
	e->old_labels = old_labels ? value_copy(e->arena, old_labels) : NULL;
	fs_watchers_tell(s, e);
}

static void set_version(struct apiserver *s, struct arena *a, struct value *v)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)++s->revision);
	value_set_string(a, value_object_at(a, v, "metadata"), "resourceVersion", text);
}

/* The same but for what the server itself writes: then a write is none. */
static bool same_but_time(struct value *before, struct value *after)
{
	AUTO_ARENA a = arena_new();
	struct value *pair[2] = {value_copy(a, before), value_copy(a, after)}, *e;

	for (int i = 0; i < 2; i++) {
		struct value *meta = value_get(pair[i], "metadata");
		value_remove(meta, "resourceVersion");
		value_remove(meta, "generation");
		array_each (value_get(meta, "managedFields"), j, e) {
			value_remove(e, "time");
		}
	}
	return value_equal(pair[0], pair[1]);
}

static bool spec_differs(struct value *before, struct value *after)
{
	AUTO_ARENA a = arena_new();
	struct value *pair[2] = {value_copy(a, before), value_copy(a, after)};

	for (int i = 0; i < 2; i++) {
		value_remove(pair[i], "metadata");
		value_remove(pair[i], "status");
	}
	return !value_equal(pair[0], pair[1]);
}

static void identify(struct apiserver *s, struct fs_object *o, struct fs_object *old)
{
	struct arena *a = o->arena;
	struct value *meta = value_object_at(a, o->v, "metadata");
	struct value *was = old ? value_get(old->v, "metadata") : NULL;
	char now[CLOCK_TEXT_MAX];

	value_set_string(a, meta, "name", o->name);
	if (o->kind->namespaced)
		value_set_string(a, meta, "namespace", o->ns);
	if (was) {
		value_set_string(a, meta, "uid", value_get_str(was, "uid"));
		value_set_string(a, meta, "creationTimestamp",
				 value_get_str(was, "creationTimestamp"));
	} else {
		value_set_string(a, meta, "uid",
				 arena_printf(a, "00000000-0000-4000-8000-%012llx",
					      (unsigned long long)s->revision + 1));
		value_set_string(a, meta, "creationTimestamp",
				 clock_rfc3339(clock_now_ms(), now));
	}
	if (o->kind->has_status) {
		int64_t g = value_get_int(was, "generation", 0);
		value_set_int(a, meta, "generation",
			      !old || spec_differs(old->v, o->v) ? g + 1 : g);
	}
}

struct fs_object *fs_store(struct apiserver *s, struct fs_kind *k, const char *ns,
			   const char *name, struct fs_object *old, struct value *v)
{
	struct fs_object *o = mem_alloc(sizeof *o);

	o->arena = arena_new();
	o->v = value_copy(o->arena, v);
	o->kind = k;
	o->ns = mem_strdup(k->namespaced && ns ? ns : "");
	o->name = mem_strdup(name);
	o->key = key_of(k, ns, name);
	identify(s, o, old);
	if (old && same_but_time(old->v, o->v)) {
		object_free(o);
		return old;
	}
	set_version(s, o->arena, o->v);
	map_put(&s->objects, o->key, o);
	if (old)
		TAILQ_INSERT_BEFORE(old, o, link);
	else
		TAILQ_INSERT_TAIL(&s->list, o, link);
	static struct value none = {.type = VALUE_OBJECT};
	struct value *labels = old ? value_at(old->v, "metadata", "labels", NULL) : NULL;
	record(s, old ? KUBE_MODIFIED : KUBE_ADDED, o, !old ? NULL : labels ? labels : &none);
	if (old) {
		TAILQ_REMOVE(&s->list, old, link);
		object_free(old);
	}
	return o;
}

void fs_remove(struct apiserver *s, struct fs_object *o)
{
	struct value *labels = value_at(o->v, "metadata", "labels", NULL);

	set_version(s, o->arena, o->v);
	map_remove(&s->objects, o->key);
	TAILQ_REMOVE(&s->list, o, link);
	record(s, KUBE_DELETED, o, labels);
	object_free(o);
}

void fs_store_init(struct apiserver *s)
{
	TAILQ_INIT(&s->list);
	s->revision = 1000;
	s->oldest = 0;
	apiserver_put(s, "kube",
		      "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{"
		      "\"name\":\"default\"}}");
	apiserver_put(s, "kube",
		      "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{"
		      "\"name\":\"kube-system\"}}");
}

void fs_store_clear(struct apiserver *s)
{
	struct fs_object *o;

	while ((o = TAILQ_FIRST(&s->list))) {
		TAILQ_REMOVE(&s->list, o, link);
		object_free(o);
	}
	map_clear(&s->objects);
	for (size_t i = 0; i < s->events.len; i++)
		arena_free(s->events.items[i].arena);
	vec_clear(&s->events);
}

/* ---- for tests ---- */

const struct value *apiserver_put(struct apiserver *s, const char *manager, const char *json)
{
	AUTO_ARENA a = arena_new();
	struct value *v;
	struct error err = ERROR_INIT;

	if (value_json_parse(a, json, strlen(json), &value_limits_api, &v, &err)) {
		fprintf(stderr, "apiserver_put: %s\n", err.text);
		abort();
	}
	struct fs_kind *k = fs_kind_of_object(s, v);
	const struct value *meta = value_get(v, "metadata");
	const char *ns = value_get_str(meta, "namespace"), *name = value_get_str(meta, "name");
	if (!k || !name)
		return NULL;
	if (k->namespaced && !ns)
		ns = "default";
	struct fs_object *old = fs_find(s, k, ns, name);
	if (old && !value_get(meta, "managedFields")) {
		struct value *was = value_at(old->v, "metadata", "managedFields", NULL);
		if (was)
			value_set(a, value_get(v, "metadata"), "managedFields",
				  value_copy(a, was));
	}
	fs_own_changes(a, old ? old->v : NULL, v, manager, NULL);
	return fs_store(s, k, ns, name, old, v)->v;
}

static struct fs_object *look_up(struct apiserver *s, const char *api_version, const char *kind,
				 const char *ns, const char *name)
{
	const char *slash = strchr(api_version, '/');
	AUTO_FREE char *group =
		mem_strndup(api_version, slash ? (size_t)(slash - api_version) : 0);
	struct fs_kind *k = fs_kind_of(s, group, slash ? slash + 1 : api_version, NULL, kind);

	return k ? fs_find(s, k, ns, name) : NULL;
}

const struct value *apiserver_get(struct apiserver *s, const char *api_version,
				  const char *kind, const char *ns, const char *name)
{
	struct fs_object *o = look_up(s, api_version, kind, ns, name);

	return o ? o->v : NULL;
}

bool apiserver_delete(struct apiserver *s, const char *api_version, const char *kind,
		      const char *ns, const char *name)
{
	struct fs_object *o = look_up(s, api_version, kind, ns, name);

	if (o)
		fs_remove(s, o);
	return o != NULL;
}

size_t apiserver_count(const struct apiserver *s)
{
	return s->objects.len;
}

int64_t apiserver_revision(const struct apiserver *s)
{
	return s->revision;
}

void apiserver_expire(struct apiserver *s)
{
	s->oldest = ++s->revision;
}
