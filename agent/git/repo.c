/*
 * A polled repository, on the agent's side: starts the child, keeps the refs that it saw, and
 * makes revisions from them. What the child says is only where to look: objects are read by id
 * and hashed again.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/map.h"
#include "base/text.h"
#include "git/git_int.h"
#include "net/child.h"

#define POLL_DEADLINE_MS 60000
#define ANSWER_MAX	 (8 * 1024 * 1024)

struct want {
	char *target;
	unsigned count;
};

struct repo {
	struct loop *loop;
	char *url, *dir, *username, *password, *ssh_key, *known_hosts, *ca, *self;
	bool allow_file, allow_http;
	int64_t deadline_ms;
	repo_on_poll *fn;
	void *arg;
	VEC(struct want) wants;
	struct child *child; /* of the poll that runs, or NULL */
	bool again;	     /* another poll was asked for meanwhile */
	struct map refs;     /* name -> struct object_id, of the last good poll */
	bool polled, truncated, told_fence;
	struct odb *odb; /* NULL until the first good poll */
	int64_t last_contact_ms;
};

static char *copy_secret(const char *s)
{
	return s && *s ? mem_strdup(s) : NULL;
}

static void free_secret(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

static int check_options(const struct repo_options *o, struct error *err)
{
	struct git_url u;
	bool ssh;

	if (git_url_parse(o->url, o->allow_file, o->allow_http, &u, err) < 0)
		return -1;
	ssh = u.scheme == URL_SSH;
	git_url_clear(&u);
	if (ssh && (!o->ssh_private_key || !o->known_hosts))
		return error_reason(err, ERROR_INVALID, "GitAuth",
				    "%s: SSH needs sshPrivateKey and knownHosts", o->url);
	if (mkdir(o->cache_dir, 0700) < 0 && errno != EEXIST)
		return error_reason(err, ERROR_INVALID, "FetchFailed", "Git cache %s: %m",
				    o->cache_dir);
	return 0;
}

int repo_new(struct loop *loop, const struct repo_options *o, repo_on_poll *fn, void *arg,
	     struct repo **out, struct error *err)
{
	char hex[DIGEST_HEX];
	struct repo *r;

	if (check_options(o, err) < 0)
		return -1;
	r = mem_alloc(sizeof *r);
	r->loop = loop;
	r->url = mem_strdup(o->url);
	r->dir = mem_printf("%s/%s", o->cache_dir,
			    digest_sha256_hex(o->url, strlen(o->url), hex));
	r->username = copy_secret(o->username);
	r->password = copy_secret(o->password);
	r->ssh_key = copy_secret(o->ssh_private_key);
	r->known_hosts = copy_secret(o->known_hosts);
	r->ca = copy_secret(o->ca_data);
	r->self = mem_strdup(o->self ? o->self : "/proc/self/exe");
	r->allow_file = o->allow_file;
	r->allow_http = o->allow_http;
	r->deadline_ms = o->deadline_ms > 0 ? o->deadline_ms : POLL_DEADLINE_MS;
	r->fn = fn;
	r->arg = arg;
	*out = r;
	return 0;
}

static void refs_clear(struct map *refs)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(refs, &i));)
		free(e->value);
	map_clear(refs);
}

void repo_free(struct repo *r)
{
	if (!r)
		return;
	if (r->child)
		child_cancel(r->child);
	for (size_t i = 0; i < r->wants.len; i++)
		free(r->wants.items[i].target);
	vec_clear(&r->wants);
	refs_clear(&r->refs);
	odb_free(r->odb);
	free_secret(r->username);
	free_secret(r->password);
	free_secret(r->ssh_key);
	free_secret(r->known_hosts);
	free_secret(r->ca);
	free(r->url);
	free(r->dir);
	free(r->self);
	free(r);
}

void repo_want(struct repo *r, const char *target)
{
	struct want *w;

	for (size_t i = 0; i < r->wants.len; i++) {
		if (text_eq(r->wants.items[i].target, target)) {
			r->wants.items[i].count++;
			return;
		}
	}
	w = vec_push(&r->wants);
	w->target = mem_strdup(target);
	w->count = 1;
}

void repo_unwant(struct repo *r, const char *target)
{
	for (size_t i = 0; i < r->wants.len; i++) {
		struct want *w = &r->wants.items[i];

		if (!text_eq(w->target, target))
			continue;
		if (--w->count == 0) {
			free(w->target);
			*w = r->wants.items[--r->wants.len];
		}
		return;
	}
}

/* ---- Answers ---- */

static void take_ref(struct map *refs, const cJSON *line)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, "ref"));
	const char *hex = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, "id"));
	struct object_id id;

	if (!name || !hex || object_id_parse(hex, &id) < 0)
		return;
	struct object_id *kept = mem_alloc(sizeof *kept);

	*kept = id;
	free(map_put(refs, name, kept));
}

static int take_error(const cJSON *e, struct error *err)
{
	static const char *const reasons[] = {
		"FetchFailed",	      "GitAuth",      "HostKeyMismatch", "UrlRefused",
		"CertificateRefused", "PackTooLarge", "SandboxFailed",
	};
	const char *reason =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(e, "reason"));
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(e, "text"));
	const cJSON *kind = cJSON_GetObjectItemCaseSensitive(e, "kind");
	int k = cJSON_IsNumber(kind) ? kind->valueint : ERROR_TRANSIENT;
	const char *known = reasons[0];
	AUTO(buf) safe = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (text_eq(reason, reasons[i]))
			known = reasons[i];
	if (k <= ERROR_NONE || k > ERROR_BUG)
		k = ERROR_TRANSIENT;
	text = text ? text : "no reason given";
	buf_put_safe(&safe, text, strlen(text));
	return error_reason(err, (enum error_kind)k, known, "%s", safe.ptr);
}

struct answer {
	struct map refs;
	bool done, fetched, truncated, failed;
	int landlock;
	struct error err;
};

static void take_line(struct answer *a, const char *line, size_t len)
{
	cJSON *json = cJSON_ParseWithLength(line, len);
	const cJSON *result = cJSON_GetObjectItemCaseSensitive(json, "result");
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(json, "error");
	const cJSON *landlock = cJSON_GetObjectItemCaseSensitive(result, "landlock");

	if (error) {
		a->failed = true;
		take_error(error, &a->err);
	} else if (result) {
		a->done = true;
		a->fetched = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(result, "fetched"));
		a->truncated =
			cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(result, "truncated"));
		a->landlock = cJSON_IsNumber(landlock) ? landlock->valueint : 0;
	} else {
		take_ref(&a->refs, json);
	}
	cJSON_Delete(json);
}

/* Whatever it had answered before it was killed counts, if it had come to its result. */
static int take_answer(struct answer *a, const struct child_result *c, int64_t deadline_ms)
{
	const char *end = c->out.ptr + c->out.len;

	for (const char *p = c->out.ptr; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		if (!nl)
			break;
		take_line(a, p, (size_t)(nl - p));
		p = nl + 1;
	}
	if (a->done && !a->failed)
		return 0;
	if (a->failed)
		return -1;
	if (c->timed_out || c->signal == SIGALRM)
		return error_reason(&a->err, ERROR_TRANSIENT, "FetchTimeout",
				    "no answer within %lld s", (long long)deadline_ms / 1000);
	if (c->signal)
		return error_reason(&a->err, ERROR_TRANSIENT, "FetchFailed",
				    "the fetch was ended by signal %d", c->signal);
	return error_reason(&a->err, ERROR_TRANSIENT, "FetchFailed",
			    "the fetch ended with exit code %d and no answer", c->exit_code);
}

static int open_odb(struct repo *r, struct error *err)
{
	AUTO_FREE char *objects = mem_printf("%s/repo.git/objects", r->dir);

	return r->odb ? 0 : odb_open(objects, &r->odb, err);
}

static void accept_answer(struct repo *r, struct answer *a)
{
	refs_clear(&r->refs);
	r->refs = a->refs;
	a->refs = (struct map)MAP_INIT;
	r->truncated = a->truncated;
	r->polled = true;
	r->last_contact_ms = clock_now_ms();
	if (a->fetched)
		odb_rest(r->odb);
	if (a->landlock == 0 && !r->told_fence)
		log_warn("git", "this kernel has no Landlock; fetching without it", "repo",
			 r->url, LOG_END);
	r->told_fence = true;
}

static void on_child(void *arg, struct child_result *c)
{
	struct repo *r = arg;
	struct answer a = {0};
	int rc;

	r->child = NULL;
	rc = take_answer(&a, c, r->deadline_ms);
	if (rc == 0)
		rc = open_odb(r, &a.err);
	if (rc == 0)
		accept_answer(r, &a);
	else
		error_wrap(&a.err, "%s", r->url);
	refs_clear(&a.refs);
	if (r->again) {
		r->again = false;
		repo_poll(r);
	}
	/* Last: it may free the repository. */
	r->fn(r->arg, r, rc < 0 ? &a.err : NULL);
}

/* ---- Orders ---- */

static char *make_orders(const struct repo *r)
{
	const struct {
		const char *key, *value;
	} texts[] = {
		{"url", r->url},
		{"cache", r->dir},
		{"username", r->username},
		{"password", r->password},
		{"sshKey", r->ssh_key},
		{"knownHosts", r->known_hosts},
		{"ca", r->ca},
	};
	cJSON *o = cJSON_CreateObject(), *want = cJSON_AddArrayToObject(o, "want");
	char *text;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].value)
			cJSON_AddStringToObject(o, texts[i].key, texts[i].value);
	cJSON_AddBoolToObject(o, "allowFile", r->allow_file);
	cJSON_AddBoolToObject(o, "allowHttp", r->allow_http);
	cJSON_AddNumberToObject(o, "packMax", (double)GIT_PACK_MAX);
	cJSON_AddNumberToObject(o, "deadlineMs", (double)r->deadline_ms);
	for (size_t i = 0; i < r->wants.len; i++)
		cJSON_AddItemToArray(want, cJSON_CreateString(r->wants.items[i].target));
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	return text;
}

void repo_poll(struct repo *r)
{
	const char *argv[] = {r->self, "git-fetch", NULL};
	const char *env[] = {"LANG=C.UTF-8", NULL};
	struct error err = ERROR_INIT;
	char *orders;
	int rc;

	if (r->child) {
		r->again = true;
		return;
	}
	orders = make_orders(r);
	rc = child_start(r->loop,
			 &(struct child_options){.argv = argv,
						 .env = env,
						 .stdin_data = orders,
						 .stdin_len = strlen(orders),
						 .deadline_ms = r->deadline_ms,
						 .stdout_max = ANSWER_MAX},
			 on_child, r, &r->child, &err);
	free_secret(orders);
	if (rc < 0) {
		error_wrap(&err, "%s", r->url);
		r->fn(r->arg, r, &err);
	}
}

bool repo_polling(const struct repo *r)
{
	return r->child != NULL;
}

/* ---- Revisions ---- */

/* The id that a target names in the last good poll. */
static int resolve(struct repo *r, const char *target, struct object_id *id, struct error *err)
{
	char *refs[2] = {NULL, NULL};
	const struct object_id *found = NULL;
	size_t n;

	if (target_is_id(target, id)) {
		if (odb_has(r->odb, id))
			return 0;
		return error_reason(err, ERROR_GONE, "RefMissing",
				    "%s: no branch or tag holds commit %s", r->url, target);
	}
	n = target_refs(target, refs);
	for (size_t i = 0; i < n && !found; i++)
		found = map_get(&r->refs, refs[i]);
	free(refs[0]);
	free(refs[1]);
	if (found) {
		*id = *found;
		return 0;
	}
	if (r->truncated)
		return error_reason(
			err, ERROR_TRANSIENT, "NotPolled",
			"%s: \"%s\" is not among the first %d refs; the next poll asks "
			"for it",
			r->url, target, GIT_REFS_MAX);
	return error_reason(err, ERROR_GONE, "RefMissing", "%s: no branch or tag \"%s\"",
			    r->url, target);
}

static int make_revision(struct repo *r, const char *target, const struct object_id *id,
			 struct revision **out, struct error *err)
{
	struct object_id commit, tag;
	bool has_tag;

	if (revision_peel(r->odb, id, &commit, &tag, &has_tag, err) < 0)
		return error_wrap(err, "%s", r->url);
	*out = revision_new(r->url, target, &commit, has_tag ? &tag : NULL, r->odb);
	return 0;
}

int repo_revision(struct repo *r, const char *target, struct revision **out, struct error *err)
{
	struct object_id id;

	if (!r->polled)
		return error_reason(err, ERROR_TRANSIENT, "NotPolled", "%s: not polled yet",
				    r->url);
	if (resolve(r, target, &id, err) < 0)
		return -1;
	/* Seen, and wanted only since: the next poll brings it. */
	if (!odb_has(r->odb, &id))
		return error_reason(err, ERROR_TRANSIENT, "NotPolled",
				    "%s: \"%s\" is not fetched yet", r->url, target);
	return make_revision(r, target, &id, out, err);
}

int repo_revision_at(struct repo *r, const struct object_id *commit, struct revision **out,
		     struct error *err)
{
	char hex[OBJECT_ID_HEX];

	object_id_hex(commit, hex);
	if (open_odb(r, err) < 0 || !odb_has(r->odb, commit))
		return error_reason(err, ERROR_GONE, "ObjectMissing",
				    "%s: commit %s is not in the cache", r->url, hex);
	return make_revision(r, hex, commit, out, err);
}

int64_t repo_last_contact_ms(const struct repo *r)
{
	return r->last_contact_ms;
}
