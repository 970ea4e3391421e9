/* faults/kinds.c - what the server serves, and how it says so. */
#include "faults_int.h"

#include "base/digest.h"
#include "base/text.h"

static const struct {
	const char *group, *version, *kind, *plural;
	bool namespaced, has_status;
} builtin[] = {
	{"", "v1", "Namespace", "namespaces", false, true},
	{"", "v1", "ConfigMap", "configmaps", true, false},
	{"", "v1", "Secret", "secrets", true, false},
	{"", "v1", "Service", "services", true, true},
	{"", "v1", "ServiceAccount", "serviceaccounts", true, false},
	{"", "v1", "Pod", "pods", true, true},
	{"apps", "v1", "Deployment", "deployments", true, true},
	{"apps", "v1", "StatefulSet", "statefulsets", true, true},
	{"apps", "v1", "DaemonSet", "daemonsets", true, true},
	{"batch", "v1", "Job", "jobs", true, true},
	{"events.k8s.io", "v1", "Event", "events", true, false},
	{"coordination.k8s.io", "v1", "Lease", "leases", true, false},
	{"apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions",
	 false, true},
};

void apiserver_add_kind(struct apiserver *s, const char *group, const char *version,
			const char *kind, const char *plural, bool namespaced, bool has_status)
{
	struct fs_kind *k = mem_alloc(sizeof *k);

	k->group = mem_strdup(group);
	k->version = mem_strdup(version);
	k->kind = mem_strdup(kind);
	k->plural = mem_strdup(plural);
	k->namespaced = namespaced;
	k->has_status = has_status;
	*vec_push(&s->kinds) = k;
}

void apiserver_remove_kind(struct apiserver *s, const char *group, const char *kind)
{
	for (size_t i = 0; i < s->kinds.len; i++)
		if (!strcmp(s->kinds.items[i]->group, group) &&
		    !strcmp(s->kinds.items[i]->kind, kind))
			s->kinds.items[i]->removed = true;
}

void apiserver_set_stale(struct apiserver *s, const char *group, bool stale)
{
	for (size_t i = 0; i < s->kinds.len; i++)
		if (!strcmp(s->kinds.items[i]->group, group))
			s->kinds.items[i]->stale = stale;
}

void fs_kinds_init(struct apiserver *s)
{
	for (size_t i = 0; i < ARRAY_LEN(builtin); i++)
		apiserver_add_kind(s, builtin[i].group, builtin[i].version, builtin[i].kind,
				   builtin[i].plural, builtin[i].namespaced,
				   builtin[i].has_status);
}

void fs_kinds_clear(struct apiserver *s)
{
	for (size_t i = 0; i < s->kinds.len; i++) {
		struct fs_kind *k = s->kinds.items[i];
		free(k->group);
		free(k->version);
		free(k->kind);
		free(k->plural);
		free(k);
	}
	vec_clear(&s->kinds);
}

struct fs_kind *fs_kind_of(struct apiserver *s, const char *group, const char *version,
			   const char *plural, const char *kind)
{
	for (size_t i = 0; i < s->kinds.len; i++) {
		struct fs_kind *k = s->kinds.items[i];
		if (!k->removed && !strcmp(k->group, group) && !strcmp(k->version, version) &&
		    (plural ? !strcmp(k->plural, plural) : !strcmp(k->kind, kind)))
			return k;
	}
	return NULL;
}

struct fs_kind *fs_kind_of_object(struct apiserver *s, const struct value *v)
{
	const char *api = value_get_str(v, "apiVersion"), *kind = value_get_str(v, "kind");
	const char *slash = api ? strchr(api, '/') : NULL;

	if (!api || !kind)
		return NULL;
	AUTO_FREE char *group = mem_strndup(api, slash ? (size_t)(slash - api) : 0);
	return fs_kind_of(s, group, slash ? slash + 1 : api, NULL, kind);
}

/* ---- discovery ---- */

static struct value *verbs(struct arena *a)
{
	static const char *const all[] = {"create", "delete", "get",   "list",
					  "patch",  "update", "watch", "deletecollection"};
	struct value *list = value_array(a);

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		value_push(a, list, value_string(a, all[i]));
	return list;
}

static struct value *aggregated_resource(struct arena *a, const struct fs_kind *k)
{
	struct value *r = value_object(a), *sub = value_array(a);

	value_set_string(a, r, "resource", k->plural);
	value_set_string(a, r, "scope", k->namespaced ? "Namespaced" : "Cluster");
	value_set_string(a, value_object_at(a, r, "responseKind"), "kind", k->kind);
	value_set(a, r, "verbs", verbs(a));
	value_set_string(a, r, "singularResource", "");
	if (k->has_status) {
		struct value *status = value_object(a);
		value_set_string(a, status, "subresource", "status");
		value_set(a, status, "verbs", verbs(a));
		value_push(a, sub, status);
		value_set(a, r, "subresources", sub);
	}
	return r;
}

/* The item of `list` whose `key` (or metadata.name) is `name`, made when it is not there. */
static struct value *named_item(struct arena *a, struct value *list, bool in_metadata,
				const char *key, const char *name)
{
	struct value *item;

	array_each (list, i, item) {
		const struct value *at = in_metadata ? value_get(item, "metadata") : item;
		if (text_eq(value_get_str(at, key), name))
			return item;
	}
	item = value_object(a);
	value_set_string(a, in_metadata ? value_object_at(a, item, "metadata") : item, key,
			 name);
	value_push(a, list, item);
	return item;
}

static struct value *list_at(struct arena *a, struct value *v, const char *key)
{
	struct value *list = value_get(v, key);

	if (!list) {
		list = value_array(a);
		value_set(a, v, key, list);
	}
	return list;
}

static struct value *aggregated(struct apiserver *s, struct arena *a, bool core)
{
	struct value *doc = value_object(a);

	value_set_string(a, doc, "kind", "APIGroupDiscoveryList");
	value_set_string(a, doc, "apiVersion", "apidiscovery.k8s.io/v2");
	struct value *items = list_at(a, doc, "items");
	for (size_t i = 0; i < s->kinds.len; i++) {
		const struct fs_kind *k = s->kinds.items[i];
		if (k->removed || !*k->group != core)
			continue;
		struct value *group = named_item(a, items, true, "name", k->group);
		struct value *v = named_item(a, list_at(a, group, "versions"), false, "version",
					     k->version);
		value_set_string(a, v, "freshness", k->stale ? "Stale" : "Current");
		struct value *resources = list_at(a, v, "resources");
		if (!k->stale)
			value_push(a, resources, aggregated_resource(a, k));
	}
	return doc;
}

static struct value *group_list(struct apiserver *s, struct arena *a, bool core)
{
	struct value *doc = value_object(a);

	value_set_string(a, doc, "kind", core ? "APIVersions" : "APIGroupList");
	struct value *list = list_at(a, doc, core ? "versions" : "groups");
	if (core) {
		value_push(a, list, value_string(a, "v1"));
		return doc;
	}
	for (size_t i = 0; i < s->kinds.len; i++) {
		const struct fs_kind *k = s->kinds.items[i];
		if (k->removed || !*k->group)
			continue;
		struct value *group = named_item(a, list, false, "name", k->group);
		struct value *v = named_item(a, list_at(a, group, "versions"), false, "version",
					     k->version);
		value_set_string(a, v, "groupVersion",
				 arena_printf(a, "%s/%s", k->group, k->version));
		if (!value_get(group, "preferredVersion"))
			value_set(a, group, "preferredVersion", value_copy(a, v));
	}
	return doc;
}

/* APIResourceList of "/api/v1" or "/apis/G/V"; NULL: no such group and version. */
static struct value *resource_list(struct apiserver *s, struct arena *a, const char *path,
				   bool *stale)
{
	struct value *doc = value_object(a), *list = list_at(a, doc, "resources");
	bool found = false;

	value_set_string(a, doc, "kind", "APIResourceList");
	for (size_t i = 0; i < s->kinds.len; i++) {
		const struct fs_kind *k = s->kinds.items[i];
		AUTO_FREE char *mine =
			mem_printf("/api%s%s/%s", *k->group ? "s/" : "", k->group, k->version);
		if (k->removed || strcmp(mine, path))
			continue;
		found = true;
		*stale |= k->stale;
		for (int status = 0; status <= k->has_status; status++) {
			struct value *r = value_object(a);
			value_set_string(
				a, r, "name",
				arena_printf(a, "%s%s", k->plural, status ? "/status" : ""));
			value_set_string(a, r, "kind", k->kind);
			value_set(a, r, "namespaced", value_bool(a, k->namespaced));
			value_set(a, r, "verbs", verbs(a));
			value_push(a, list, r);
		}
	}
	return found ? doc : NULL;
}

bool fs_discovery(struct apiserver *s, const char *path, const char *accept, const char *etag,
		  struct fs_answer *a)
{
	bool core = !strcmp(path, "/api"), stale = false;
	bool new_form = accept && strstr(accept, "as=APIGroupDiscoveryList");
	AUTO(buf) text = BUF_INIT;
	char hex[DIGEST_HEX];

	if (!core && strcmp(path, "/apis")) {
		a->doc = resource_list(s, a->arena, path, &stale);
		if (a->doc && stale) {
			a->doc = NULL;
			fs_status(a, 503, "ServiceUnavailable",
				  "the server is currently unable", NULL, NULL);
			return true;
		}
		return a->doc != NULL;
	}
	if (!new_form || s->lacks.aggregated_discovery) {
		a->doc = group_list(s, a->arena, core);
		return true;
	}
	a->doc = aggregated(s, a->arena, core);
	a->type = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
	value_json_write(a->doc, &text);
	a->etag = arena_printf(a->arena, "\"%s\"", digest_sha256_hex(text.ptr, text.len, hex));
	a->not_modified = text_eq(etag, a->etag);
	return true;
}
