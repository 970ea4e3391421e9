/*
 * sync/spec.c - reads an Application. One table a level says which fields are honoured;
 * whatever else stands there is refused by name, so that nobody relies on something that does
 * nothing.
 */
#include "sync/spec.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define FIELD_MAX 1024

/* Space-separated names of the fields that a level honours. */
static const struct {
	const char *at, *fields;
} honoured[] = {
	{"spec", "project source destination syncPolicy interval trustPolicyRef commitStatus "
		 "pruneLimit suspend revisionHistoryLimit"},
	{"spec.source", "repoURL targetRevision path directory"},
	{"spec.source.directory", "recurse"},
	{"spec.destination", "server name namespace"},
	{"spec.syncPolicy", "automated syncOptions retry"},
	{"spec.syncPolicy.automated", "enabled prune selfHeal allowEmpty"},
	{"spec.syncPolicy.retry", "limit backoff"},
	{"spec.syncPolicy.retry.backoff", "duration factor maxDuration"},
	{"spec.trustPolicyRef", "name"},
	{"spec.commitStatus", "provider url secretRef context"},
	{"spec.commitStatus.secretRef", "name key"},
};

/* syncOptions that say what we do anyway; every other one is refused. */
static const char *const always_on[] = {
	"ServerSideApply=true", "ApplyOutOfSyncOnly=true",   "PruneLast=true",
	"Validate=true",	"FailOnSharedResource=true", "CreateNamespace=false"};

static bool is_listed(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += n)
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
			return true;
	return false;
}

static int check_fields(const struct value *object, const char *at, struct error *err)
{
	struct member *m;

	if (!object)
		return 0;
	if (object->type != VALUE_OBJECT)
		return error_reason(err, ERROR_INVALID, "SpecInvalid",
				    "%s: a map is wanted, seen %s", at,
				    value_type_name(object->type));
	for (size_t t = 0; t < ARRAY_LEN(honoured); t++) {
		if (strcmp(honoured[t].at, at))
			continue;
		object_each (object, i, m)
			if (!is_listed(honoured[t].fields, m->key))
				return error_reason(err, ERROR_INVALID, "NotSupported",
						    "%s.%.64s is not honoured by this version; "
						    "honoured here: %s",
						    at, m->key, honoured[t].fields);
	}
	return 0;
}

/* The nested map `key` of `object`, checked; NULL when absent. */
static int section(const struct value *object, const char *key, const char *at,
		   const struct value **out, struct error *err)
{
	*out = value_get(object, key);
	if (*out && (*out)->type == VALUE_NULL)
		*out = NULL;
	return check_fields(*out, at, err);
}

struct reader {
	struct arena *arena;
	struct error *err;
	int failed;
};

static const struct value *typed(struct reader *r, const struct value *object, const char *at,
				 const char *key, enum value_type type)
{
	const struct value *v = value_get(object, key);

	if (!v || v->type == VALUE_NULL || r->failed)
		return NULL;
	if (v->type != type) {
		r->failed = error_reason(r->err, ERROR_INVALID, "SpecInvalid",
					 "%s.%s: a %s is wanted, seen a %s", at, key,
					 value_type_name(type), value_type_name(v->type));
		return NULL;
	}
	return v;
}

static const char *text(struct reader *r, const struct value *object, const char *at,
			const char *key, const char *fallback)
{
	const struct value *v = typed(r, object, at, key, VALUE_STRING);

	if (!v || !v->text.len)
		return fallback;
	if (v->text.len > FIELD_MAX) {
		r->failed = error_reason(r->err, ERROR_INVALID, "SpecInvalid",
					 "%s.%s: %zu bytes, at most %d", at, key, v->text.len,
					 FIELD_MAX);
		return fallback;
	}
	return arena_strndup(r->arena, v->text.ptr, v->text.len);
}

static bool flag(struct reader *r, const struct value *object, const char *at, const char *key,
		 bool fallback)
{
	const struct value *v = typed(r, object, at, key, VALUE_BOOL);

	return v ? v->boolean : fallback;
}

static int64_t number(struct reader *r, const struct value *object, const char *at,
		      const char *key, int64_t least, int64_t most, int64_t fallback)
{
	if (!typed(r, object, at, key, VALUE_NUMBER))
		return fallback;
	int64_t n = value_get_int(object, key, INT64_MIN);
	if (n < least || n > most) {
		r->failed = error_reason(
			r->err, ERROR_INVALID, "SpecInvalid",
			"%s.%s: seen %.32s, wanted a whole number from %lld to %lld", at, key,
			value_get(object, key)->text.ptr, (long long)least, (long long)most);
		return fallback;
	}
	return n;
}

static int64_t duration(struct reader *r, const struct value *object, const char *at,
			const char *key, int64_t least, int64_t fallback)
{
	const char *s = text(r, object, at, key, NULL);
	int64_t ms;

	if (!s)
		return fallback;
	if (text_duration_ms(s, &ms) || ms < least) {
		r->failed = error_reason(
			r->err, ERROR_INVALID, "SpecInvalid",
			"%s.%s: seen \"%.32s\", wanted a duration such as \"30s\" or "
			"\"5m\", at least %llds",
			at, key, s, (long long)(least / 1000));
		return fallback;
	}
	return ms;
}

/* "https://user:secret@host/": never shown, never used. ssh:// names its user. */
static bool has_login(const char *url)
{
	const char *host = strstr(url, "://");

	return text_starts(url, "http") && host &&
	       memchr(host + 3, '@', strcspn(host + 3, "/"));
}

static int read_source(struct reader *r, const struct value *spec, struct app_spec *out)
{
	static const char at[] = "spec.source";
	const struct value *source, *directory;

	if (section(spec, "source", at, &source, r->err) ||
	    section(source, "directory", "spec.source.directory", &directory, r->err))
		return -1;
	out->repo_url = text(r, source, at, "repoURL", NULL);
	out->target = text(r, source, at, "targetRevision", "HEAD");
	out->path = text(r, source, at, "path", "");
	out->recurse = flag(r, directory, "spec.source.directory", "recurse", false);
	if (r->failed)
		return -1;
	if (!out->repo_url)
		return error_reason(r->err, ERROR_INVALID, "SpecInvalid",
				    "spec.source.repoURL is missing: the URL of a Git "
				    "repository is wanted");
	if (has_login(out->repo_url))
		return error_reason(
			r->err, ERROR_INVALID, "SpecInvalid",
			"spec.source.repoURL holds a user name or password: put them into a "
			"Secret labelled modelsync.dev/secret-type: repository");
	if (out->path[0] == '/' || strstr(out->path, ".."))
		return error_reason(
			r->err, ERROR_INVALID, "SpecInvalid",
			"spec.source.path: seen \"%.128s\", wanted a folder inside the "
			"repository, relative and without \"..\"",
			out->path);
	return 0;
}

static int read_destination(struct reader *r, const struct value *spec, struct app_spec *out)
{
	static const char at[] = "spec.destination";
	const struct value *destination;

	if (section(spec, "destination", at, &destination, r->err))
		return -1;
	const char *server = text(r, destination, at, "server", "");
	const char *name = text(r, destination, at, "name", "");
	out->dest_ns = text(r, destination, at, "namespace", NULL);
	if (r->failed)
		return -1;
	if (*server && strcmp(server, "https://kubernetes.default.svc"))
		return error_reason(
			r->err, ERROR_INVALID, "NotSupported",
			"spec.destination.server: seen \"%.128s\"; this version deploys to the "
			"agent's own cluster only: https://kubernetes.default.svc, or leave it "
			"out",
			server);
	if (*name && strcmp(name, "in-cluster"))
		return error_reason(
			r->err, ERROR_INVALID, "NotSupported",
			"spec.destination.name: seen \"%.128s\"; this version deploys to the "
			"agent's own cluster only: in-cluster, or leave it out",
			name);
	return 0;
}

static int read_sync_options(const struct value *policy, struct error *err)
{
	const struct value *options = value_get(policy, "syncOptions");
	struct value *item;

	array_each (options, i, item) {
		const char *s = value_str(item);
		bool known = false;

		for (size_t k = 0; s && k < ARRAY_LEN(always_on); k++)
			known |= !strcmp(s, always_on[k]);
		if (!known)
			return error_reason(err, ERROR_INVALID, "NotSupported",
					    "spec.syncPolicy.syncOptions[%zu]: \"%.64s\" is "
					    "not honoured by "
					    "this version",
					    i, s ? s : value_type_name(item->type));
	}
	return 0;
}

static int read_sync_policy(struct reader *r, const struct value *spec, struct app_spec *out)
{
	static const char auto_at[] = "spec.syncPolicy.automated";
	static const char retry_at[] = "spec.syncPolicy.retry";
	static const char backoff_at[] = "spec.syncPolicy.retry.backoff";
	const struct value *policy, *automated, *retry, *backoff;

	if (section(spec, "syncPolicy", "spec.syncPolicy", &policy, r->err) ||
	    section(policy, "automated", auto_at, &automated, r->err) ||
	    section(policy, "retry", retry_at, &retry, r->err) ||
	    section(retry, "backoff", backoff_at, &backoff, r->err) ||
	    read_sync_options(policy, r->err))
		return -1;
	out->automated = automated && flag(r, automated, auto_at, "enabled", true);
	out->prune = flag(r, automated, auto_at, "prune", false);
	out->self_heal = out->automated && flag(r, automated, auto_at, "selfHeal", false);
	out->allow_empty = flag(r, automated, auto_at, "allowEmpty", false);
	out->retry_limit = number(r, retry, retry_at, "limit", -1, 1000, 5);
	out->retry_ms = duration(r, backoff, backoff_at, "duration", 1000, 5000);
	out->retry_factor = number(r, backoff, backoff_at, "factor", 1, 10, 2);
	out->retry_max_ms = duration(r, backoff, backoff_at, "maxDuration", 1000, 180000);
	return r->failed;
}

static int read_commit_status(struct reader *r, const struct value *spec, struct app_spec *out)
{
	static const char at[] = "spec.commitStatus";
	const struct value *status, *secret;

	if (section(spec, "commitStatus", at, &status, r->err) ||
	    section(status, "secretRef", "spec.commitStatus.secretRef", &secret, r->err))
		return -1;
	if (!status)
		return 0;
	out->status_provider = text(r, status, at, "provider", NULL);
	out->status_url = text(r, status, at, "url", NULL);
	out->status_context = text(r, status, at, "context", NULL);
	out->status_secret = text(r, secret, "spec.commitStatus.secretRef", "name", NULL);
	out->status_key = text(r, secret, "spec.commitStatus.secretRef", "key", "token");
	if (r->failed)
		return -1;
	if (!out->status_provider || !out->status_secret)
		return error_reason(
			r->err, ERROR_INVALID, "SpecInvalid",
			"spec.commitStatus needs provider and secretRef.name (a Secret in the "
			"agent's namespace with the forge's token)");
	return 0;
}

int app_spec_read(struct arena *a, const struct value *application, struct app_spec *out,
		  struct error *err)
{
	const struct value *spec = value_get(application, "spec"), *ref;
	struct reader r = {a, err, 0};
	struct app_spec read = {0};

	if (!spec)
		return error_reason(err, ERROR_INVALID, "SpecInvalid", "spec is missing");
	if (check_fields(spec, "spec", err) || read_source(&r, spec, &read) ||
	    read_destination(&r, spec, &read) || read_sync_policy(&r, spec, &read) ||
	    read_commit_status(&r, spec, &read) ||
	    section(spec, "trustPolicyRef", "spec.trustPolicyRef", &ref, err))
		return -1;
	const char *project = text(&r, spec, "spec", "project", "default");
	read.policy = text(&r, ref, "spec.trustPolicyRef", "name", NULL);
	read.interval_ms = duration(&r, spec, "spec", "interval", 1000, 0);
	read.prune_limit = (int)number(&r, spec, "spec", "pruneLimit", 0, 1000000, -1);
	read.suspend = flag(&r, spec, "spec", "suspend", false);
	read.history_limit = (int)number(&r, spec, "spec", "revisionHistoryLimit", 0, 100, 10);
	if (r.failed)
		return -1;
	if (strcmp(project, "default"))
		return error_reason(
			err, ERROR_INVALID, "NotSupported",
			"spec.project: seen \"%.64s\"; this version knows \"default\" only",
			project);
	*out = read;
	return 0;
}
