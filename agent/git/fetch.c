/*
 * The child of a poll: `modelsync git-fetch`. Reads its orders (one JSON object) from standard
 * input, raises its fence, lists the remote's refs, fetches what is wanted and missing, and
 * answers in JSON lines:
 *
 *   {"ref":"refs/heads/main","id":"3f2a..."}          one a ref, the wanted ones first
 *   {"result":{"fetched":true,"truncated":false,"landlock":4,"objects":12,"bytes":3456}}
 *   {"error":{"kind":2,"reason":"GitAuth","text":"..."}}          instead of a result
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "base/clock.h"
#include "git/git_int.h"

#define ORDERS_MAX (4 * 1024 * 1024)

struct fetch {
	struct fetch_orders orders;
	git_repository *repo;
	git_odb *odb;
	struct remote remote;
	const git_remote_head **heads;
	size_t head_count;
	char *told; /* a flag a head: said already */
	VEC(char *) refspecs;
	bool truncated, need_all;
	int landlock;
};

/* ---- Orders ---- */

static const char *order_text(const cJSON *o, const char *key)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));

	return s ? s : "";
}

static long long order_number(const cJSON *o, const char *key)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(o, key);

	return cJSON_IsNumber(n) ? (long long)n->valuedouble : 0;
}

static int read_orders(struct fetch_orders *o, struct error *err)
{
	AUTO(buf) in = BUF_INIT;
	char chunk[16384];
	ssize_t n;

	while ((n = read(STDIN_FILENO, chunk, sizeof chunk)) > 0 && in.len < ORDERS_MAX)
		buf_add(&in, chunk, (size_t)n);
	o->json = cJSON_ParseWithLength(in.ptr, in.len);
	explicit_bzero(in.ptr, in.len);
	explicit_bzero(chunk, sizeof chunk);
	if (!cJSON_IsObject(o->json))
		return error_set(err, ERROR_BUG,
				 "git-fetch: no orders on standard input; the agent "
				 "starts this command, people don't");
	o->cache = order_text(o->json, "cache");
	o->username = order_text(o->json, "username");
	o->password = order_text(o->json, "password");
	o->ssh_key = order_text(o->json, "sshKey");
	o->known_hosts = order_text(o->json, "knownHosts");
	o->ca = order_text(o->json, "ca");
	o->allow_file = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o->json, "allowFile"));
	o->allow_http = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o->json, "allowHttp"));
	o->pack_max = order_number(o->json, "packMax");
	o->deadline_ms = order_number(o->json, "deadlineMs");
	o->want = cJSON_GetObjectItemCaseSensitive(o->json, "want");
	if (o->cache[0] != '/' || o->pack_max <= 0 || o->deadline_ms <= 0)
		return error_set(err, ERROR_BUG, "git-fetch: incomplete orders");
	return git_url_parse(order_text(o->json, "url"), o->allow_file, o->allow_http, &o->url,
			     err);
}

/* ---- The room it works in ---- */

static int make_dir(const char *path, struct error *err)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_reason(err, ERROR_TRANSIENT, "FetchFailed", "making %s: %m", path);
	return 0;
}

static int write_text(const char *path, const char *text, struct error *err)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		return error_reason(err, ERROR_TRANSIENT, "FetchFailed", "writing %s: %m",
				    path);
	return 0;
}

/* A home of its own, where the SSH library finds known_hosts: it asks the server for a kind of
 * key that is pinned there. (Whether the key is right, remote.c decides.) */
static int make_home(struct fetch *f, struct error *err)
{
	AUTO_FREE char *home = mem_printf("%s/home", f->orders.cache);
	AUTO_FREE char *ssh = mem_printf("%s/.ssh", home);
	AUTO_FREE char *known = mem_printf("%s/known_hosts", ssh);

	if (f->orders.url.scheme != URL_SSH)
		return 0;
	if (make_dir(home, err) < 0 || make_dir(ssh, err) < 0 ||
	    write_text(known, f->orders.known_hosts, err) < 0)
		return -1;
	setenv("HOME", home, 1);
	git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_GLOBAL, home);
	return 0;
}

/* One fetch at a time in a cache; held until this process ends. */
static int lock_cache(struct fetch *f, struct error *err)
{
	AUTO_FREE char *path = mem_printf("%s/lock", f->orders.cache);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return error_reason(err, ERROR_TRANSIENT, "FetchFailed", "locking %s: %m",
				    path);
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int init_repository(git_repository **out, const char *path)
{
	git_repository_init_options o;

	git_repository_init_options_init(&o, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
	o.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKDIR;
	return git_repository_init_ext(out, path, &o);
}

/* Everything but the objects, which are checked whenever they are read: refs, configuration. */
static void drop_refs(const struct fetch *f)
{
	static const char *const names[] = {"HEAD", "config", "refs", "packed-refs",
					    "FETCH_HEAD"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		AUTO_FREE char *path = mem_printf("%s/repo.git/%s", f->orders.cache, names[i]);

		nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	}
}

/* A cache that can't be opened is begun anew: first without its refs, then without anything. */
static int open_cache(struct fetch *f, struct error *err)
{
	AUTO_FREE char *path = mem_printf("%s/repo.git", f->orders.cache);
	int rc;

	cache_sweep(path);
	rc = git_repository_open_bare(&f->repo, path);
	if (rc < 0) {
		drop_refs(f);
		rc = init_repository(&f->repo, path);
	}
	if (rc < 0) {
		nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
		rc = init_repository(&f->repo, path);
	}
	if (rc == 0)
		rc = git_repository_odb(&f->odb, f->repo);
	return rc < 0 ? git_library_error(err, ERROR_TRANSIENT, "FetchFailed",
					  "opening the cache")
		      : 0;
}

static int prepare(struct fetch *f, struct error *err)
{
	struct fence fence = {.writable = f->orders.cache,
			      .file_max = f->orders.pack_max,
			      .cpu_ms = f->orders.deadline_ms};

	clearenv();
	umask(077);
	alarm((unsigned)(f->orders.deadline_ms / 1000 + 5));
	if (f->orders.url.scheme == URL_FILE)
		fence.readable = f->orders.url.path;
	if (make_dir(f->orders.cache, err) < 0 || fence_raise(&fence, &f->landlock, err) < 0)
		return -1;
	git_library_start();
	/* file:// is switched on by whoever runs the agent, for a folder that he names. */
	git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
	git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECTS, (size_t)10 * 1000 * 1000);
	if (make_home(f, err) < 0 || lock_cache(f, err) < 0)
		return -1;
	return open_cache(f, err);
}

/* ---- Refs ---- */

static void say_ref(struct fetch *f, size_t i)
{
	struct object_id id;
	char hex[OBJECT_ID_HEX];
	cJSON *line = cJSON_CreateObject();
	char *text;

	memcpy(id.raw, f->heads[i]->oid.id, OBJECT_ID_LEN);
	cJSON_AddStringToObject(line, "ref", f->heads[i]->name);
	cJSON_AddStringToObject(line, "id", object_id_hex(&id, hex));
	text = cJSON_PrintUnformatted(line);
	puts(text);
	cJSON_free(text);
	cJSON_Delete(line);
	f->told[i] = 1;
}

static bool ref_counts(const char *name)
{
	return (text_eq(name, "HEAD") || text_starts(name, "refs/heads/") ||
		text_starts(name, "refs/tags/")) &&
	       !text_ends(name, "^{}") && text_utf8_bad(name, strlen(name)) == strlen(name);
}

static void say_refs(struct fetch *f)
{
	size_t count = 0, bytes = 0;

	for (size_t i = 0; i < f->head_count; i++) {
		if (f->told[i] || !ref_counts(f->heads[i]->name))
			continue;
		bytes += strlen(f->heads[i]->name) + 64;
		if (++count > GIT_REFS_MAX || bytes > GIT_REFS_BYTES) {
			f->truncated = true;
			return;
		}
		say_ref(f, i);
	}
}

static bool have(struct fetch *f, const git_oid *id)
{
	return git_odb_exists(f->odb, id) == 1;
}

static bool want_ref(struct fetch *f, const char *name)
{
	for (size_t i = 0; i < f->head_count; i++) {
		if (!text_eq(f->heads[i]->name, name))
			continue;
		if (!f->told[i])
			say_ref(f, i);
		if (!have(f, &f->heads[i]->oid))
			*vec_push(&f->refspecs) = mem_printf(
				"+%s:%s", name,
				text_eq(name, "HEAD") ? "refs/modelsync/HEAD" : name);
		return true;
	}
	return false;
}

static void want_target(struct fetch *f, const char *target)
{
	char *refs[2] = {NULL, NULL};
	struct object_id id;
	git_oid oid;
	size_t n;

	if (target_is_id(target, &id)) {
		git_oid_fromraw(&oid, id.raw);
		f->need_all |= !have(f, &oid);
		return;
	}
	n = target_refs(target, refs);
	for (size_t i = 0; i < n; i++)
		if (want_ref(f, refs[i]))
			break;
	free(refs[0]);
	free(refs[1]);
}

static int list_refs(struct fetch *f, struct error *err)
{
	const cJSON *target;

	if (git_remote_ls(&f->heads, &f->head_count, f->remote.git) < 0)
		return git_library_error(err, ERROR_TRANSIENT, "FetchFailed", "listing refs");
	f->told = mem_array(f->head_count + 1, 1);
	cJSON_ArrayForEach(target, f->orders.want)
	{
		if (cJSON_IsString(target))
			want_target(f, target->valuestring);
	}
	say_refs(f);
	return 0;
}

/* ---- Fetching ---- */

static int fetch_missing(struct fetch *f, bool *fetched, struct error *err)
{
	git_strarray specs;
	int64_t since_s;

	/* A commit that is wanted by its id: any branch or tag may hold it. */
	if (f->need_all) {
		*vec_push(&f->refspecs) = mem_strdup("+refs/heads/*:refs/heads/*");
		*vec_push(&f->refspecs) = mem_strdup("+refs/tags/*:refs/tags/*");
	}
	*fetched = f->refspecs.len > 0;
	if (!*fetched)
		return 0;
	specs = (git_strarray){f->refspecs.items, f->refspecs.len};
	since_s = clock_now_ms() / 1000 - 1;
	if (remote_fetch(&f->remote, &specs, err) < 0)
		return -1;
	if (cache_check_sizes(f->repo, since_s, err) == 0)
		return 0;
	drop_refs(f); /* they name what is not there any more */
	return -1;
}

static void say_result(struct fetch *f, bool fetched)
{
	printf("{\"result\":{\"fetched\":%s,\"truncated\":%s,\"landlock\":%d,\"objects\":%llu,"
	       "\"bytes\":%llu}}\n",
	       fetched ? "true" : "false", f->truncated ? "true" : "false", f->landlock,
	       f->remote.objects, f->remote.bytes);
	fflush(stdout);
}

static void say_error(const struct error *err)
{
	cJSON *line = cJSON_CreateObject(), *e = cJSON_AddObjectToObject(line, "error");
	char *text;

	cJSON_AddNumberToObject(e, "kind", err->kind);
	cJSON_AddStringToObject(e, "reason", error_code(err));
	cJSON_AddStringToObject(e, "text", err->text);
	text = cJSON_PrintUnformatted(line);
	puts(text);
	fflush(stdout);
	cJSON_free(text);
	cJSON_Delete(line);
}

static int run(struct fetch *f, struct error *err)
{
	bool fetched = false;

	f->remote.orders = &f->orders;
	if (prepare(f, err) < 0 || remote_connect(&f->remote, f->repo, err) < 0 ||
	    list_refs(f, err) < 0 || fetch_missing(f, &fetched, err) < 0)
		return -1;
	say_result(f, fetched);
	remote_close(&f->remote);
	/* The answer is out: killed from here on, the next poll does it. */
	if (cache_packs(f->repo) > GIT_PACKS_MANY)
		cache_repack(f->repo, NULL);
	return 0;
}

static void clear(struct fetch *f)
{
	remote_close(&f->remote);
	for (size_t i = 0; i < f->refspecs.len; i++)
		free(f->refspecs.items[i]);
	vec_clear(&f->refspecs);
	free(f->told);
	git_odb_free(f->odb);
	git_repository_free(f->repo);
	git_url_clear(&f->orders.url);
	cJSON_Delete(f->orders.json);
}

int git_fetch_main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	struct fetch f = {0};
	int rc = read_orders(&f.orders, &err);

	if (rc == 0)
		rc = run(&f, &err);
	if (rc < 0)
		say_error(&err);
	if (f.remote.cache_fault)
		drop_refs(&f); /* the next poll finds a good one */
	clear(&f);
	return rc < 0 ? 1 : 0;
}
