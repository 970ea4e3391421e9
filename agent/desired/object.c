/* desired/object.c - checks one object of a file and fills its row. All that is wrong with it
 * is reported, so that one push mends it. Values of Secrets are never quoted. */
#include "desired/desired_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

struct subject {
	struct reading *r;
	const char *file;
	struct value *o, *metadata, *annotations;
	const char *kind, *name; /* "" while not known to be sound */
	char group[256];
	const char *version;
	bool bad;
};

static void wrong(struct subject *s, const struct value *at, const char *reason,
		  const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void wrong(struct subject *s, const struct value *at, const char *reason,
		  const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	if (!at || !at->line)
		at = s->o;
	if (*s->kind)
		buf_printf(&text, "%s%s%s: ", s->kind, *s->name ? " " : "", s->name);
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	problems_add(s->r->problems, s->file, at->line, at->column, reason, "%s", text.ptr);
	buf_clear(&text);
	s->bad = true;
}

static const char *type_text(enum value_type type)
{
	return type == VALUE_ARRAY    ? "list"
	       : type == VALUE_OBJECT ? "map"
				      : value_type_name(type);
}

/* A member that must be a string; NULL when absent or wrong (reported). */
static const char *string_at(struct subject *s, const struct value *in, const char *key,
			     const char *path)
{
	const struct value *v = value_get(in, key);

	if (v && v->type != VALUE_STRING)
		wrong(s, v, "FieldInvalid", "%s%s is a %s, wanted a string%s", path, key,
		      type_text(v->type),
		      v->type == VALUE_OBJECT || v->type == VALUE_ARRAY ? ""
									: ": put it in quotes");
	return value_str(v);
}

static void check_string_map(struct subject *s, const struct value *map, const char *path,
			     bool quote)
{
	struct member *m;

	if (map && map->type != VALUE_OBJECT)
		wrong(s, map, "FieldInvalid", "%s is a %s, wanted a map of strings", path,
		      type_text(map->type));
	object_each (map, i, m)
		if (m->value->type != VALUE_STRING)
			wrong(s, m->value, "FieldInvalid",
			      "%s: \"%s\" is a %s, wanted a string%s", path, m->key,
			      type_text(m->value->type), quote ? ": put it in quotes" : "");
}

/* ---- apiVersion and kind ---- */

/* -1: no use in looking further. */
static int check_type(struct subject *s)
{
	const struct value *api = value_get(s->o, "apiVersion"),
			   *kind = value_get(s->o, "kind");
	const char *text;

	if (s->o->type != VALUE_OBJECT) {
		wrong(s, s->o, "NotAnObject",
		      "a %s stands here, wanted a Kubernetes object with apiVersion and kind",
		      type_text(s->o->type));
		return -1;
	}
	if (!api || !kind) {
		const struct value *seen = api ? api : kind;
		if (seen)
			wrong(s, seen, "NotAnObject",
			      "%s \"%.100s\" stands without %s; complete the object, or move "
			      "the file "
			      "out of the path",
			      api ? "apiVersion" : "kind",
			      value_str(seen) ? value_str(seen) : "?",
			      api ? "kind" : "apiVersion");
		else
			wrong(s, s->o, "NotAnObject",
			      "a document without apiVersion and kind among Kubernetes "
			      "objects; remove it "
			      "or move it to a file of its own");
		return -1;
	}
	text = string_at(s, s->o, "kind", "");
	if (text && !name_is_kind(text))
		wrong(s, kind, "FieldInvalid", "kind is \"%s\", wanted letters and digits only",
		      text);
	else if (text)
		s->kind = text;
	text = string_at(s, s->o, "apiVersion", "");
	if (text && api_version_split(text, s->group, &s->version) < 0)
		wrong(s, api, "FieldInvalid",
		      "apiVersion is \"%s\", wanted \"group/version\" or \"v1\"", text);
	return s->bad ? -1 : 0;
}

/* ---- metadata ---- */

/* Groups all of whose kinds have DNS subdomains as names; others may allow more (RBAC does). */
static bool name_must_be_subdomain(const char *group, const char *kind)
{
	static const char *const groups[] = {"",       "apps",	       "batch", "autoscaling",
					     "policy", "modelsync.dev"};

	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (!strcmp(groups[i], group))
			return true;
	return text_eq(kind, "Ingress") || text_eq(kind, "NetworkPolicy");
}

static void check_name(struct subject *s)
{
	const struct value *v = value_get(s->metadata, "name");
	bool label =
		!*s->group && (text_eq(s->kind, "Namespace") || text_eq(s->kind, "Service"));
	const char *name = string_at(s, s->metadata, "name", "metadata.");

	if (value_get(s->metadata, "generateName")) {
		wrong(s, value_get(s->metadata, "generateName"), "GenerateName",
		      "metadata.generateName would make a new object at every sync; write "
		      "metadata.name");
		return;
	}
	if (!v) {
		wrong(s, s->metadata, "FieldMissing", "metadata.name is missing");
		return;
	}
	if (!name)
		return;
	if (label					? !name_is_label(name)
	    : name_must_be_subdomain(s->group, s->kind) ? !name_is_subdomain(name)
							: !name_is_segment(name))
		wrong(s, v, "NameInvalid", "metadata.name is \"%.260s\", wanted at most %d %s",
		      name, label ? 63 : 253,
		      label ? "lower case letters, digits and '-', with a letter or digit at "
			      "both ends"
			    : "lower case letters, digits, '-' and '.', with a letter or digit "
			      "at "
			      "both ends");
	else
		s->name = name;
}

/* What the options ask for is done anyway; any other is refused, so that none is ignored. */
static const char *const fine_options[] = {"ServerSideApply=true",
					   "Validate=true",
					   "PruneLast=true",
					   "ApplyOutOfSyncOnly=true",
					   "SkipDryRunOnMissingResource=true",
					   "FailOnSharedResource=true",
					   "Prune=true",
					   "Delete=true",
					   "Replace=false",
					   "Force=false"};

static void check_options(struct subject *s, const struct value *at)
{
	const char *p = at->text.ptr;

	while (*p) {
		size_t len = strcspn(p, ","), i;
		const char *next = p + len + (p[len] == ',');

		for (; len && *p == ' '; p++)
			len--;
		for (; len && p[len - 1] == ' ';)
			len--;
		for (i = 0; len && i < ARRAY_LEN(fine_options); i++)
			if (strlen(fine_options[i]) == len && !memcmp(fine_options[i], p, len))
				break;
		if (len && i == ARRAY_LEN(fine_options))
			wrong(s, at, "OptionNotSupported",
			      "sync option \"%.*s\" is not supported by this version; remove "
			      "it",
			      (int)(len < 100 ? len : 100), p);
		p = next;
	}
}

static void check_wave(struct subject *s, const struct value *at, struct desired_object *row)
{
	const char *text = at->text.ptr;
	uint64_t n;

	if (text_u64(text + (*text == '-'), strlen(text) - (*text == '-'), 1000000, &n) < 0)
		wrong(s, at, "WaveInvalid",
		      "sync wave is \"%.60s\", wanted a whole number from -1000000 to 1000000",
		      text);
	else
		row->wave = *text == '-' ? -(int)n : (int)n;
}

static const struct {
	const char *key, *what;
} hooks[] = {
	{"argocd.argoproj.io/hook", "an Argo CD hook"},
	{"modelsync.dev/hook", "a hook"},
	{"helm.sh/hook", "a Helm hook"},
};

static void check_annotations(struct subject *s, struct desired_object *row)
{
	const struct value *v, *wave = value_get(s->annotations, ANNOTATION_WAVE);

	for (size_t i = 0; i < ARRAY_LEN(hooks); i++)
		if ((v = value_get(s->annotations, hooks[i].key)))
			wrong(s, v, "HookNotSupported",
			      "annotation %s makes it %s, which this version does not run; "
			      "remove the "
			      "annotation or move the file out of the path",
			      hooks[i].key, hooks[i].what);
	v = value_get(s->annotations, "argocd.argoproj.io/sync-options");
	if (value_str(v))
		check_options(s, v);
	if (!wave)
		wave = value_get(s->annotations, "argocd.argoproj.io/sync-wave");
	if (value_str(wave))
		check_wave(s, wave, row);
	v = value_get(s->annotations, ANNOTATION_ADOPT);
	if (value_str(v) && !text_eq(value_str(v), "true") && !text_eq(value_str(v), "false"))
		wrong(s, v, "FieldInvalid",
		      "annotation " ANNOTATION_ADOPT
		      " is \"%.60s\", wanted \"true\" or \"false\"",
		      value_str(v));
	row->adopt = text_eq(value_str(v), "true");
}

static void check_metadata(struct subject *s, struct desired_object *row)
{
	s->metadata = value_get(s->o, "metadata");
	if (!s->metadata || s->metadata->type != VALUE_OBJECT) {
		wrong(s, s->metadata, "FieldMissing",
		      "metadata is %s, wanted a map with a name",
		      s->metadata ? "no map" : "missing");
		s->metadata = NULL;
		return;
	}
	check_name(s);
	check_string_map(s, value_get(s->metadata, "labels"), "metadata.labels", true);
	s->annotations = value_get(s->metadata, "annotations");
	check_string_map(s, s->annotations, "metadata.annotations", true);
	check_annotations(s, row);
}

/* ---- What may stand in Git ---- */

static const struct {
	const char *group, *kind, *why;
} never[] = {
	{"modelsync.dev", "TrustPolicy",
	 "Git can't decide whom to trust; an administrator applies it in the agent's "
	 "namespace"},
	{"modelsync.dev", "Project",
	 "Git can't widen its own fence; an administrator applies it in the agent's namespace"},
	{"modelsync.dev", "SyncState", "the agent alone writes it"},
	{"modelsync.dev", "ModelVerdict", "the agent alone writes it"},
	{"kustomize.config.k8s.io", "Kustomization",
	 "this version reads plain manifests only; render it with `kustomize build`"},
	{"kustomize.config.k8s.io", "Component",
	 "this version reads plain manifests only; render it with `kustomize build`"},
};

static void check_allowed(struct subject *s, const char *ns)
{
	const char *app = s->r->spec->app, *slash = app ? strchr(app, '/') : NULL;

	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		if (!strcmp(never[i].group, s->group) && !strcmp(never[i].kind, s->kind))
			wrong(s, value_get(s->o, "kind"), "KindNotAllowed",
			      "no Application may manage %s: %s", s->kind, never[i].why);
	bool application =
		!strcmp(s->group, "modelsync.dev") && !strcmp(s->kind, "Application");
	/* There are the keys, the policies and the memory: who runs a pod there has them. */
	const char *space = !strcmp(s->kind, "Namespace") && !*s->group ? s->name : ns;
	if (slash && !application && strlen(space) == (size_t)(slash - app) &&
	    !memcmp(space, app, strlen(space)))
		wrong(s, value_get(s->o, "kind"), "NamespaceNotAllowed",
		      "namespace %s is the agent's own: nothing but Applications is managed "
		      "there",
		      space);
	if (slash && application && !strcmp(s->name, slash + 1) &&
	    strlen(ns) == (size_t)(slash - app) && !memcmp(ns, app, strlen(ns)))
		wrong(s, value_get(s->o, "kind"), "KindNotAllowed",
		      "this is the Application that governs this very path; an administrator "
		      "applies it");
}

/* The namespace of the object: its own, else the destination's; "" for cluster-scoped kinds. */
static const char *check_namespace(struct subject *s, const struct kube_kind *resource)
{
	const struct value *v = value_get(s->metadata, "namespace");
	const char *ns = string_at(s, s->metadata, "namespace", "metadata.");

	if (ns && !*ns)
		ns = NULL;
	if (ns && !name_is_label(ns)) {
		wrong(s, v, "NamespaceInvalid",
		      "metadata.namespace is \"%.80s\", wanted at most 63 lower case letters, "
		      "digits "
		      "and '-'",
		      ns);
		return "";
	}
	if (!resource)
		return ns ? ns : "";
	if (!resource->namespaced) {
		if (ns)
			wrong(s, v, "NamespaceNotAllowed",
			      "%s is cluster-scoped, and metadata.namespace is \"%s\"; remove "
			      "it",
			      s->kind, ns);
		return "";
	}
	if (!ns)
		ns = s->r->spec->ns;
	if (!ns && !s->r->no_cluster)
		wrong(s, s->metadata, "NamespaceMissing",
		      "metadata.namespace is missing; write it, or set destination.namespace "
		      "in "
		      "Application %s",
		      s->r->spec->app ? s->r->spec->app : "");
	return ns ? ns : "";
}

static void check_removed(struct subject *s, const struct kube_kind *resource)
{
	const char *instead = resource ? NULL : kind_replacement(s->group, s->version, s->kind);

	if (instead)
		wrong(s, value_get(s->o, "apiVersion"), "RemovedApi",
		      "the API server has no %s in %s; write %s", s->kind,
		      value_get_str(s->o, "apiVersion"), instead);
}

static void check_secret(struct subject *s)
{
	const struct value *data = value_get(s->o, "data");
	struct buf scratch = BUF_INIT;
	struct member *m;

	if (*s->group || strcmp(s->kind, "Secret"))
		return;
	check_string_map(s, data, "data", false);
	check_string_map(s, value_get(s->o, "stringData"), "stringData", true);
	object_each (data, i, m) {
		buf_reset(&scratch);
		if (m->value->type == VALUE_STRING &&
		    buf_put_base64_decoded(&scratch, m->value->text.ptr, m->value->text.len) <
			    0)
			wrong(s, m->value, "FieldInvalid",
			      "data: \"%s\" is not base64; plain text goes to stringData",
			      m->key);
	}
	buf_clear(&scratch);
}

int object_check(struct reading *r, const char *file, struct value *o,
		 struct desired_object *row)
{
	struct subject s = {.r = r, .file = file, .o = o, .kind = "", .name = ""};
	const char *ns;

	value_drop_nulls(o);
	if (check_type(&s) < 0)
		return -1;
	check_metadata(&s, row);
	row->resource = r->kinds->find(r->kinds->arg, s.group, s.version, s.kind);
	check_removed(&s, row->resource);
	ns = s.metadata ? check_namespace(&s, row->resource) : "";
	check_allowed(&s, ns);
	check_secret(&s);
	if (s.bad)
		return -1;
	row->api_version = reading_intern(r, value_get_str(o, "apiVersion"));
	row->kind = reading_intern(r, s.kind);
	row->ns = reading_intern(r, ns);
	row->tier = (uint8_t)kind_tier(s.group, s.kind);
	row->line = o->line;
	buf_reset(&r->scratch);
	object_key_put(&r->scratch, s.group, s.kind, ns, s.name);
	row->key = arena_strndup(r->arena, r->scratch.ptr, r->scratch.len);
	row->name = row->key + r->scratch.len - strlen(s.name);
	return 0;
}
