/*
 * kube/config.c - finds kubeconfig files, merges them as kubectl does, picks context, cluster
 * and user, and checks what is there. Users and their exec plugins are in config_user.c.
 */
#include "kube/config_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/text.h"
#include "value/json.h"
#include "value/yaml.h"

#define FILE_MAX  (1 << 20)
#define FILES_MAX 64
#define POD_FILES "/var/run/secrets/kubernetes.io/serviceaccount"

static const struct value_limits limits = {.bytes = FILE_MAX, .nodes = 100000, .depth = 32};

struct entry {
	const struct value *body; /* of "cluster", "user" or "context" */
	const char *dir;
};

/* Several files as one: the first to name a cluster, user or context wins it whole. */
struct merged {
	struct arena *arena;
	struct map clusters, users, contexts; /* name -> struct entry * */
	const char *current;
};

static void merged_clear(struct merged *m)
{
	map_clear(&m->clusters);
	map_clear(&m->users);
	map_clear(&m->contexts);
}

/* 0; 1 when it does not exist; -1. */
static int read_file(const char *path, struct buf *out, struct error *err)
{
	char chunk[8192];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 1;
	if (fd < 0)
		return error_set(err, ERROR_INVALID, "%s: %s", path, strerror(errno));
	while ((n = read(fd, chunk, sizeof chunk)) > 0 && out->len <= FILE_MAX)
		buf_add(out, chunk, (size_t)n);
	int error = errno;
	close(fd);
	if (n < 0)
		return error_set(err, ERROR_INVALID, "%s: %s", path, strerror(error));
	if (out->len > FILE_MAX)
		return error_set(err, ERROR_INVALID, "%s: more than %d bytes", path, FILE_MAX);
	return 0;
}

static int merge_list(struct merged *m, const struct value *doc, const char *list,
		      const char *item_key, struct map *into, const char *dir,
		      struct error *err)
{
	const struct value *items = value_get(doc, list);
	struct value *item;

	if (items && items->type != VALUE_ARRAY && items->type != VALUE_NULL)
		return error_set(err, ERROR_INVALID, "%s: %s, wanted a list", list,
				 value_type_name(items->type));
	array_each (items, i, item) {
		const char *name = value_get_str(item, "name");
		const struct value *body = value_get(item, item_key);

		if (!name)
			return error_set(err, ERROR_INVALID, "%s[%zu]: no name", list, i);
		if (map_get(into, name))
			continue;
		struct entry *e = arena_alloc(m->arena, sizeof *e);
		e->body = body && body->type == VALUE_OBJECT ? body : value_object(m->arena);
		e->dir = arena_strdup(m->arena, dir);
		map_put(into, name, e);
	}
	return 0;
}

static int merge(struct merged *m, const char *text, size_t len, const char *dir,
		 struct error *err)
{
	struct value_docs docs = {0};

	if (value_yaml_parse(m->arena, text, len, &limits, &docs, err))
		return -1;
	const struct value *doc = docs.list.len ? docs.list.items[0] : NULL;
	value_docs_clear(&docs);
	if (!doc)
		return 0;
	if (doc->type != VALUE_OBJECT)
		return error_set(err, ERROR_INVALID, "%s, wanted a kubeconfig",
				 value_type_name(doc->type));
	const char *kind = value_get_str(doc, "kind");
	if (kind && strcmp(kind, "Config"))
		return error_set(err, ERROR_INVALID, "kind is %s, wanted Config", kind);
	const char *current = value_get_str(doc, "current-context");
	if (!m->current && current && *current)
		m->current = current;
	if (merge_list(m, doc, "clusters", "cluster", &m->clusters, dir, err) ||
	    merge_list(m, doc, "users", "user", &m->users, dir, err) ||
	    merge_list(m, doc, "contexts", "context", &m->contexts, dir, err))
		return -1;
	return 0;
}

/* 0; 1 when it does not exist; -1. */
static int merge_file(struct merged *m, const char *path, struct error *err)
{
	AUTO(buf) text = BUF_INIT;
	int rc = read_file(path, &text, err);

	if (rc)
		return rc;
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *dir =
		slash ? mem_strndup(path, (size_t)(slash - path) + 1) : mem_strdup("");
	rc = merge(m, text.ptr, text.len, dir, err);
	explicit_bzero(text.ptr, text.len);
	return rc ? error_wrap(err, "kubeconfig %s", path) : 0;
}

const char *kube_config_path(struct kube_config *c, const char *dir, const char *path)
{
	size_t n = dir ? strlen(dir) : 0;

	if (!path || !*path)
		return NULL;
	if (path[0] == '/' || !n)
		return arena_strdup(c->arena, path);
	return arena_printf(c->arena, "%s%s%s", dir, dir[n - 1] == '/' ? "" : "/", path);
}

int kube_config_read_data(struct kube_config *c, const struct value *map, const char *key,
			  const char *where, const char **out, struct error *err)
{
	AUTO(buf) b = BUF_INIT;
	const char *text = value_get_str(map, key);

	if (!text || !*text)
		return 0;
	if (buf_put_base64_decoded(&b, text, strlen(text)) || strlen(b.ptr) != b.len)
		return error_set(err, ERROR_INVALID, "%s: %s is not base64 of PEM text", where,
				 key);
	*out = arena_strndup(c->arena, b.ptr, b.len);
	explicit_bzero(b.ptr, b.len);
	return 0;
}

/* ---- picking ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int no_such(const char *what, const char *name, const struct map *m, struct error *err)
{
	AUTO(buf) have = BUF_INIT;
	VEC(char *) names = {0};
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(m, &i));)
		*vec_push(&names) = e->key;
	if (names.len)
		qsort(names.items, names.len, sizeof *names.items, compare_names);
	for (size_t i = 0; i < names.len && i < 10; i++)
		buf_printf(&have, "%s%s", i ? ", " : "", names.items[i]);
	vec_clear(&names);
	return error_set(err, ERROR_INVALID, "there is no %s \"%s\"; there are: %s", what, name,
			 have.len ? have.ptr : "none");
}

static bool loopback_url(const char *url)
{
	const char *host = text_starts(url, "http://") ? url + 7 : "";

	return text_starts(host, "127.") || text_starts(host, "[::1]") ||
	       ((text_starts(host, "localhost")) && strchr(":/", host[9]));
}

static int refuse_field(const char *where, const char *field, struct error *err)
{
	return error_set(
		err, ERROR_REFUSED,
		"%s: %s is not allowed in a kubeconfig from a Secret: put the data itself "
		"in, or use a token",
		where, field);
}

static int read_cluster(struct kube_config *c, const struct value *cluster, const char *dir,
			const char *where, bool no_exec, struct error *err)
{
	const char *server = value_get_str(cluster, "server");

	if (!server || (!text_starts(server, "https://") && !text_starts(server, "http://")))
		return error_set(err, ERROR_INVALID,
				 "%s: server is \"%s\", wanted https://host:port", where,
				 server ? server : "");
	size_t n = strlen(server);
	while (n && server[n - 1] == '/')
		n--;
	c->server = arena_strndup(c->arena, server, n);
	c->send_credentials = text_starts(server, "https://") || loopback_url(server);
	c->server_name = arena_strdup(c->arena, value_get_str(cluster, "tls-server-name"));
	if (c->server_name && !*c->server_name)
		c->server_name = NULL;
	c->insecure = value_get_bool(cluster, "insecure-skip-tls-verify", false);
	c->no_compression = value_get_bool(cluster, "disable-compression", false);
	const char *proxy = value_get_str(cluster, "proxy-url");
	if (proxy && *proxy && no_exec)
		return refuse_field(where, "proxy-url", err);
	if (proxy && *proxy && !text_starts(proxy, "http://") &&
	    !text_starts(proxy, "https://") && !text_starts(proxy, "socks5://") &&
	    !text_starts(proxy, "socks5h://"))
		return error_set(err, ERROR_INVALID,
				 "%s: proxy-url \"%s\": wanted http://, https:// or socks5://",
				 where, proxy);
	c->proxy = proxy && *proxy ? arena_strdup(c->arena, proxy) : NULL;
	if (kube_config_read_data(c, cluster, "certificate-authority-data", where, &c->ca_data,
				  err))
		return -1;
	const char *ca = value_get_str(cluster, "certificate-authority");
	if (!c->ca_data && ca && *ca && no_exec)
		return refuse_field(where, "certificate-authority", err);
	if (!c->ca_data)
		c->ca_file = kube_config_path(c, dir, ca);
	if (c->insecure && (c->ca_data || c->ca_file))
		return error_set(
			err, ERROR_INVALID,
			"%s: a certificate authority and insecure-skip-tls-verify exclude "
			"each other: remove one",
			where);
	return 0;
}

static int pick(struct kube_config *c, struct merged *m, const struct kube_config_options *o,
		struct error *err)
{
	const char *name = o->context && *o->context ? o->context : m->current;
	char where[160];

	if (!name)
		return error_set(err, ERROR_INVALID,
				 "no current-context is set: name one with --context");
	const struct entry *context = map_get(&m->contexts, name);
	if (!context)
		return no_such("context", name, &m->contexts, err);
	const char *cluster_name = value_get_str(context->body, "cluster");
	const char *user_name = value_get_str(context->body, "user");
	const char *ns = value_get_str(context->body, "namespace");
	const struct entry *cluster = cluster_name ? map_get(&m->clusters, cluster_name) : NULL;
	const struct entry *user = user_name ? map_get(&m->users, user_name) : NULL;
	if (!cluster)
		return no_such("cluster", cluster_name ? cluster_name : "", &m->clusters, err);
	if (user_name && *user_name && !user)
		return no_such("user", user_name, &m->users, err);
	c->context = arena_strdup(c->arena, name);
	c->ns = arena_strdup(c->arena, ns && *ns ? ns : "default");
	snprintf(where, sizeof where, "cluster %s", cluster_name);
	if (read_cluster(c, cluster->body, cluster->dir, where, o->no_exec, err))
		return -1;
	snprintf(where, sizeof where, "user %s", user_name);
	return user ? kube_config_read_user(c, user->body, user->dir, where, o->no_exec, err)
		    : 0;
}

static struct kube_config *config_new(const char *source)
{
	struct arena *a = arena_new();
	struct kube_config *c = arena_alloc(a, sizeof *c);

	c->arena = a;
	c->source = arena_strdup(a, source);
	return c;
}

void kube_config_free(struct kube_config *c)
{
	if (c)
		arena_free(c->arena);
}

static int finish(struct merged *m, const char *source, const struct kube_config_options *o,
		  struct kube_config **out, struct error *err)
{
	struct kube_config *c = config_new(source);

	if (pick(c, m, o, err)) {
		kube_config_free(c);
		return error_wrap(err, "kubeconfig %s", source);
	}
	*out = c;
	return 0;
}

int kube_config_parse(const char *text, size_t len, const char *dir,
		      const struct kube_config_options *o, struct kube_config **out,
		      struct error *err)
{
	AUTO_ARENA a = arena_new();
	struct merged m = {.arena = a};
	int rc = merge(&m, text, len, dir, err);

	if (rc)
		error_wrap(err, "kubeconfig");
	else
		rc = finish(&m, "text", o, out, err);
	merged_clear(&m);
	return rc;
}

/* ---- finding ---- */

/* $KUBECONFIG: files between colons, each once, missing ones left out. */
static int merge_path_list(struct merged *m, const char *list, int *found, struct error *err)
{
	struct map seen = MAP_INIT;
	int rc = 0;

	for (int n = 0; *list && n < FILES_MAX; n++) {
		size_t len = strcspn(list, ":");
		AUTO_FREE char *path = mem_strndup(list, len);

		list += len + (list[len] == ':');
		if (!*path || map_put(&seen, path, m))
			continue;
		rc = merge_file(m, path, err);
		if (rc < 0)
			break;
		*found += !rc;
		rc = 0;
	}
	map_clear(&seen);
	return rc;
}

static int load_files(struct merged *m, const struct kube_config_options *o, const char *list,
		      struct kube_config **out, struct error *err)
{
	const char *home = getenv("HOME");
	AUTO_FREE char *usual = mem_printf("%s/.kube/config", home ? home : "");
	const char *source = o->kubeconfig ? o->kubeconfig : list ? list : usual;
	int found = 0;

	if (o->kubeconfig || !list) {
		int rc = merge_file(m, source, err);
		if (rc < 0)
			return -1;
		found = !rc;
	} else if (merge_path_list(m, list, &found, err)) {
		return -1;
	}
	if (!found)
		return error_set(
			err, ERROR_INVALID,
			"kubeconfig %s does not exist: name one with --kubeconfig or in "
			"KUBECONFIG",
			source);
	return finish(m, source, o, out, err);
}

int kube_config_load(const struct kube_config_options *o, struct kube_config **out,
		     struct error *err)
{
	const char *list = getenv("KUBECONFIG"), *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");

	if (list && !*list)
		list = NULL;
	if (!o->kubeconfig && !list && host && *host && port && *port)
		return kube_config_from_pod(POD_FILES, host, port, out, err);
	AUTO_ARENA a = arena_new();
	struct merged m = {.arena = a};
	int rc = load_files(&m, o, list, out, err);
	merged_clear(&m);
	return rc;
}

int kube_config_from_pod(const char *dir, const char *host, const char *port,
			 struct kube_config **out, struct error *err)
{
	struct kube_config *c = config_new("in-cluster");
	bool v6 = strchr(host, ':') && host[0] != '[';
	AUTO(buf) ns = BUF_INIT;

	c->in_cluster = c->send_credentials = true;
	c->server = arena_printf(c->arena, "https://%s%s%s:%s", v6 ? "[" : "", host,
				 v6 ? "]" : "", port);
	c->token_file = arena_printf(c->arena, "%s/token", dir);
	c->ca_file = arena_printf(c->arena, "%s/ca.crt", dir);
	AUTO_FREE char *ns_file = mem_printf("%s/namespace", dir);
	if (access(c->token_file, R_OK) || access(c->ca_file, R_OK)) {
		error_set(
			err, ERROR_INVALID,
			"in-cluster: %s has no readable token and ca.crt: does the pod have a "
			"ServiceAccount with automountServiceAccountToken?",
			dir);
		kube_config_free(c);
		return -1;
	}
	if (read_file(ns_file, &ns, NULL))
		buf_reset(&ns);
	size_t n = strcspn(ns.ptr, "\r\n \t");
	c->ns = n ? arena_strndup(c->arena, ns.ptr, n) : "default";
	*out = c;
	return 0;
}

const char *kube_config_server(const struct kube_config *c)
{
	return c->server;
}

const char *kube_config_namespace(const struct kube_config *c)
{
	return c->ns;
}

bool kube_config_in_cluster(const struct kube_config *c)
{
	return c->in_cluster;
}
