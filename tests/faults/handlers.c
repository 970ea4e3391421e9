/* faults/handlers.c - what each verb does to the store. */
#include "faults_int.h"

#include "base/text.h"

static const char *param(const struct fs_request *r, const char *name)
{
	return evhttp_find_header(r->query, name);
}

void fs_status(struct fs_answer *a, int code, const char *reason, const char *message,
	       const char *kind, const char *name)
{
	struct arena *m = a->arena;
	struct value *doc = value_object(m), *details = value_object_at(m, doc, "details");

	value_set_string(m, doc, "kind", "Status");
	value_set_string(m, doc, "apiVersion", "v1");
	value_set_string(m, doc, "status", code < 300 ? "Success" : "Failure");
	value_set_string(m, doc, "message", message);
	value_set_string(m, doc, "reason", reason);
	value_set_int(m, doc, "code", code);
	if (kind)
		value_set_string(m, details, "kind", kind);
	if (name)
		value_set_string(m, details, "name", name);
	a->status = code;
	a->doc = doc;
}

void fs_cause(struct fs_answer *a, const char *reason, const char *message, const char *field)
{
	struct arena *m = a->arena;

	if (!a->doc)
		fs_status(a, 409, "Conflict", "Apply failed with conflicts", NULL, NULL);
	struct value *details = value_object_at(m, a->doc, "details");
	struct value *list = value_get(details, "causes"), *cause = value_object(m);
	if (!list) {
		list = value_array(m);
		value_set(m, details, "causes", list);
	}
	value_set_string(m, cause, "reason", reason);
	value_set_string(m, cause, "message", message);
	value_set_string(m, cause, "field", field);
	value_push(m, list, cause);
}

static void not_found(const struct fs_request *r, struct fs_answer *a)
{
	fs_status(a, 404, "NotFound",
		  arena_printf(a->arena, "%s \"%s\" not found", r->kind->plural, r->name),
		  r->kind->plural, r->name);
}

bool fs_matches(const char *selector, const struct value *labels)
{
	AUTO_FREE char *copy = mem_strdup(selector ? selector : "");
	char *rest = copy, *part;

	while ((part = strsep(&rest, ","))) {
		char *equals = strchr(part, '=');
		if (!*part)
			continue;
		if (equals)
			*equals = '\0';
		const char *value = value_get_str(labels, part);
		if (!value || (equals && strcmp(value, equals + 1 + (equals[1] == '='))))
			return false;
	}
	return true;
}

struct value *fs_meta_only(struct arena *a, const struct value *v)
{
	struct value *out = value_object(a);

	value_set_string(a, out, "kind", "PartialObjectMetadata");
	value_set_string(a, out, "apiVersion", "meta.k8s.io/v1");
	value_set(a, out, "metadata", value_copy(a, value_get(v, "metadata")));
	return out;
}

static void answer_object(const struct fs_request *r, struct fs_answer *a, int status,
			  const struct value *v)
{
	a->status = status;
	a->doc = r->meta_only ? fs_meta_only(a->arena, v) : value_copy(a->arena, v);
}

/* ---- reading ---- */

static bool wanted(const struct fs_request *r, const struct fs_object *o)
{
	const char *field = param(r, "fieldSelector");

	if (o->kind != r->kind || (r->ns && strcmp(o->ns, r->ns)))
		return false;
	if (field && text_starts(field, "metadata.name=") && strcmp(field + 14, o->name))
		return false;
	return fs_matches(param(r, "labelSelector"),
			  value_at(o->v, "metadata", "labels", NULL));
}

/* The token of a page is "revision:objects to skip". */
static void list(struct apiserver *s, const struct fs_request *r, struct fs_answer *a)
{
	struct value *doc = value_object(a->arena), *items = value_array(a->arena);
	struct value *meta = value_object_at(a->arena, doc, "metadata");
	const char *limit = param(r, "limit"), *token = param(r, "continue");
	size_t most = limit ? strtoul(limit, NULL, 10) : 0, skip = 0, n = 0, left = 0;
	long long revision = s->revision;
	struct fs_object *o;

	if (token && sscanf(token, "%lld:%zu", &revision, &skip) == 2 && revision < s->oldest) {
		fs_status(a, 410, "Expired", "The provided continue parameter is too old", NULL,
			  NULL);
		return;
	}
	TAILQ_FOREACH(o, &s->list, link)
	{
		if (!wanted(r, o) || n++ < skip)
			continue;
		if (most && value_len(items) == most) {
			left++;
			continue;
		}
		struct value *v = r->meta_only ? fs_meta_only(a->arena, o->v)
					       : value_copy(a->arena, o->v);
		value_remove(v, "kind");
		value_remove(v, "apiVersion");
		value_push(a->arena, items, v);
	}
	const char *kind = r->meta_only ? "PartialObjectMetadata" : r->kind->kind;
	const char *group = r->meta_only ? "meta.k8s.io" : r->kind->group;
	value_set_string(a->arena, doc, "kind", arena_printf(a->arena, "%sList", kind));
	value_set_string(a->arena, doc, "apiVersion",
			 arena_printf(a->arena, "%s%s%s", group, *group ? "/" : "",
				      r->meta_only ? "v1" : r->kind->version));
	value_set_string(a->arena, meta, "resourceVersion",
			 arena_printf(a->arena, "%lld", revision));
	if (left)
		value_set_string(a->arena, meta, "continue",
				 arena_printf(a->arena, "%lld:%zu", revision, skip + most));
	value_set(a->arena, doc, "items", items);
	a->status = 200;
	a->doc = doc;
}

/* ---- writing ---- */

static struct value *read_body(const struct fs_request *r, struct fs_answer *a)
{
	struct value *v;
	struct error err = ERROR_INIT;

	if (!value_json_parse(a->arena, r->body, r->body_len, &value_limits_api, &v, &err) &&
	    v->type == VALUE_OBJECT)
		return v;
	fs_status(a, 400, "BadRequest", arena_strdup(a->arena, err.text), NULL, NULL);
	return NULL;
}

static bool namespace_is_there(struct apiserver *s, const struct fs_request *r,
			       struct fs_answer *a)
{
	struct fs_kind *namespaces = fs_kind_of(s, "", "v1", "namespaces", NULL);

	if (!r->kind->namespaced || (namespaces && fs_find(s, namespaces, "", r->ns)))
		return true;
	fs_status(a, 404, "NotFound",
		  arena_printf(a->arena, "namespaces \"%s\" not found", r->ns), "namespaces",
		  r->ns);
	return false;
}

/* The body's own uid and resourceVersion must be those of the object. */
static bool preconditions(const struct fs_request *r, const struct fs_object *old,
			  const struct value *body, struct fs_answer *a)
{
	static const char *const keys[] = {"uid", "resourceVersion"};
	const struct value *was = old ? value_get(old->v, "metadata") : NULL;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const char *asked = value_get_str(value_get(body, "metadata"), keys[i]);
		if (!asked || !*asked || text_eq(asked, value_get_str(was, keys[i])))
			continue;
		bool invalid = old && i == 0;
		fs_status(
			a, invalid ? 422 : 409, invalid ? "Invalid" : "Conflict",
			"the object has been modified; please apply your changes to the latest",
			r->kind->plural, r->name);
		return false;
	}
	return true;
}

static void finish(struct apiserver *s, const struct fs_request *r, struct fs_answer *a,
		   struct fs_object *old, struct value *v)
{
	if (r->dry_run)
		answer_object(r, a, old ? 200 : 201, v);
	else
		answer_object(r, a, old ? 200 : 201,
			      fs_store(s, r->kind, r->ns, r->name, old, v)->v);
}

static void apply(struct apiserver *s, const struct fs_request *r, struct fs_answer *a)
{
	struct value *config = read_body(r, a), *live;
	struct fs_object *old = fs_find(s, r->kind, r->ns, r->name);
	const char *manager = param(r, "fieldManager");

	if (!config || !preconditions(r, old, config, a))
		return;
	if (!manager) {
		fs_status(a, 422, "Invalid",
			  "PatchOptions.meta.k8s.io is invalid: fieldManager: "
			  "Required value",
			  NULL, NULL);
		return;
	}
	if (r->subresource && !old) {
		not_found(r, a);
		return;
	}
	if (r->kind->has_status && !r->subresource)
		value_remove(config, "status");
	if (old) {
		live = value_copy(a->arena, old->v);
	} else {
		live = value_object(a->arena);
		value_set(a->arena, live, "apiVersion", value_get(config, "apiVersion"));
		value_set(a->arena, live, "kind", value_get(config, "kind"));
	}
	if (!fs_apply(a->arena, live, config, manager, r->subresource,
		      text_eq(param(r, "force"), "true"), a))
		return; /* conflicts: the answer is made */
	finish(s, r, a, old, live);
}

static void merge_patch(struct arena *a, struct value *into, const struct value *patch)
{
	struct member *m;

	object_each (patch, i, m) {
		if (m->value->type == VALUE_NULL)
			value_remove(into, m->key);
		else if (m->value->type == VALUE_OBJECT)
			merge_patch(a, value_object_at(a, into, m->key), m->value);
		else
			value_set(a, into, m->key, value_copy(a, m->value));
	}
}

static const char *manager_of(const struct fs_request *r)
{
	const char *manager = param(r, "fieldManager");

	return manager ? manager : "unknown";
}

static void patch(struct apiserver *s, const struct fs_request *r, struct fs_answer *a)
{
	struct value *body = read_body(r, a);
	struct fs_object *old = fs_find(s, r->kind, r->ns, r->name);

	if (!body)
		return;
	if (!old) {
		not_found(r, a);
		return;
	}
	if (!preconditions(r, old, body, a))
		return;
	struct value *v = value_copy(a->arena, old->v);
	bool status = r->subresource && !strcmp(r->subresource, "status");
	struct value *part = value_object(a->arena);
	if (status && value_get(body, "status"))
		value_set(a->arena, part, "status", value_get(body, "status"));
	if (!status && r->kind->has_status)
		value_remove(body, "status");
	merge_patch(a->arena, v, status ? part : body);
	fs_own_changes(a->arena, old->v, v, manager_of(r), r->subresource);
	finish(s, r, a, old, v);
}

static void replace(struct apiserver *s, struct fs_request *r, struct fs_answer *a, bool create)
{
	struct value *v = read_body(r, a);

	if (!v)
		return;
	if (create) {
		const char *name = value_get_str(value_get(v, "metadata"), "name");
		r->name = arena_strdup(a->arena, name ? name : "");
	}
	struct fs_object *old = fs_find(s, r->kind, r->ns, r->name);
	if (create && old) {
		fs_status(a, 409, "AlreadyExists",
			  arena_printf(a->arena, "%s \"%s\" already exists", r->kind->plural,
				       r->name),
			  r->kind->plural, r->name);
		return;
	}
	if (!create && !old) {
		not_found(r, a);
		return;
	}
	if (!preconditions(r, old, v, a))
		return;
	struct value *was = old ? value_at(old->v, "metadata", "managedFields", NULL) : NULL;
	if (was)
		value_set(a->arena, value_get(v, "metadata"), "managedFields",
			  value_copy(a->arena, was));
	fs_own_changes(a->arena, old ? old->v : NULL, v, manager_of(r), r->subresource);
	finish(s, r, a, old, v);
}

static void delete (struct apiserver *s, const struct fs_request *r, struct fs_answer *a)
{
	struct fs_object *old = fs_find(s, r->kind, r->ns, r->name);
	struct value *options = r->body_len ? read_body(r, a) : NULL;
	const char *uid = value_get_str(value_get(options, "preconditions"), "uid");

	if (r->body_len && !options)
		return;
	if (!old) {
		not_found(r, a);
		return;
	}
	const char *is = value_get_str(value_get(old->v, "metadata"), "uid");
	if (uid && strcmp(uid, is)) {
		fs_status(a, 409, "Conflict",
			  arena_printf(a->arena,
				       "Precondition failed: UID in precondition: %s, UID in "
				       "object meta: %s",
				       uid, is),
			  r->kind->plural, r->name);
		return;
	}
	fs_status(a, 200, "", "", r->kind->plural, r->name);
	if (!r->dry_run)
		fs_remove(s, old);
}

void fs_handle(struct apiserver *s, struct fs_request *r, struct fs_answer *a)
{
	bool writes = strcmp(r->method, "GET") != 0;

	if (writes && strcmp(r->method, "DELETE") && !namespace_is_there(s, r, a))
		return;
	if (!strcmp(r->method, "GET") && r->name) {
		struct fs_object *o = fs_find(s, r->kind, r->ns, r->name);
		if (o)
			answer_object(r, a, 200, o->v);
		else
			not_found(r, a);
	} else if (!strcmp(r->method, "GET")) {
		list(s, r, a);
	} else if (!strcmp(r->method, "POST") && !r->name) {
		replace(s, r, a, true);
	} else if (!strcmp(r->method, "PUT") && r->name) {
		replace(s, r, a, false);
	} else if (!strcmp(r->method, "DELETE") && r->name) {
		delete (s, r, a);
	} else if (!strcmp(r->method, "PATCH") && r->name) {
		if (text_starts(r->content_type, "application/apply-patch+yaml"))
			apply(s, r, a);
		else if (text_starts(r->content_type, "application/merge-patch+json"))
			patch(s, r, a);
		else
			fs_status(a, 415, "UnsupportedMediaType", "unknown patch type", NULL,
				  NULL);
	} else {
		fs_status(a, 405, "MethodNotAllowed", "the server does not allow this method",
			  NULL, NULL);
	}
}
