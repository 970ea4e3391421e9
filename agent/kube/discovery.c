/*
 * kube/discovery.c - which kinds the server has: two requests (/api, /apis) with ETags; servers
 * that don't know the aggregated form are asked group by group.
 *
 * A kind is interned: its pointer stays good for the client's life, its fields change in place.
 */
#include "kube/discovery_int.h"

#include <stdlib.h>

#include "base/text.h"
#include "value/json.h"

#define ACCEPT                                                                          \
	"Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList," \
	"application/json"

struct kube_discovery *kube_discovery_new(void)
{
	struct kube_discovery *d = mem_alloc(sizeof *d);

	d->arena = arena_new();
	return d;
}

void kube_discovery_free(struct kube_discovery *d)
{
	if (!d)
		return;
	map_clear(&d->kinds);
	map_clear(&d->preferred);
	map_clear(&d->strings);
	vec_clear(&d->all);
	vec_clear(&d->waiters);
	vec_clear(&d->legacy);
	arena_free(d->round);
	arena_free(d->arena);
	free(d);
}

/* ---- asking ---- */

static void finish(struct kube *k)
{
	struct kube_discovery *d = k->discovery;
	struct error err = d->err;
	bool changed = false;

	if (!err.kind)
		changed = discovery_commit(d);
	else /* what was read is not taken: ask for it again */
		d->etag[HALF_CORE][0] = d->etag[HALF_GROUPS][0] = '\0';
	d->running = false;
	/* A callback may ask again: it then waits for the next round. */
	size_t n = d->waiters.len;
	struct waiter *list = d->waiters.items;
	d->waiters.items = NULL;
	d->waiters.len = d->waiters.cap = 0;
	for (size_t i = 0; i < n; i++)
		list[i].fn(list[i].arg, err.kind ? &err : NULL, changed);
	free(list);
}

static void one_done(struct kube *k)
{
	if (!--k->discovery->pending)
		finish(k);
}

static void failed(struct kube_discovery *d, struct kube *k, const struct http_reply *r,
		   const char *path)
{
	if (d->err.kind)
		return; /* the first tells enough */
	if (!r->status)
		d->err = r->err;
	else if (r->status == 401 || r->status == 403)
		error_reason(&d->err, ERROR_DENIED,
			     r->status == 401 ? "Unauthorized" : "Forbidden",
			     "%s does not accept our credentials (from %s) for %s: HTTP %d",
			     k->config->server, k->config->source, path, r->status);
	else
		error_reason(&d->err, ERROR_TRANSIENT, "ServerError",
			     "%s answers %s with HTTP %d", k->config->server, path, r->status);
	error_wrap(&d->err, "discovery");
}

struct legacy_call { /* in d->round */
	struct kube *k;
	size_t index; /* in d->legacy */
};

static void on_legacy(void *arg, struct http_reply *r, int tries)
{
	struct legacy_call *l = arg;
	struct kube *k = l->k;
	struct kube_discovery *d = k->discovery;
	struct legacy_version *v = &d->legacy.items[l->index];
	AUTO_ARENA a = arena_new();
	struct value *doc = NULL;

	if (r->status == 200 &&
	    !value_json_parse(a, r->body.ptr, r->body.len, &value_limits_api, &doc, NULL))
		discovery_read_legacy(d, v, doc);
	else if (r->status != 404) /* a backend that is down: unknown, not gone */
		discovery_mark_stale(d, v->group, v->version);
	one_done(k);
}

/* One request for each group and version of the legacy list. */
static void ask_versions(struct kube *k, size_t from)
{
	struct kube_discovery *d = k->discovery;

	for (size_t i = from; i < d->legacy.len; i++) {
		const struct legacy_version *v = &d->legacy.items[i];
		struct legacy_call *l = arena_alloc(d->round, sizeof *l);
		AUTO(buf) path = BUF_INIT;

		buf_puts(&path, *v->group ? "/apis/" : "/api");
		http_put_encoded(&path, v->group);
		buf_putc(&path, '/');
		http_put_encoded(&path, v->version);
		const struct kube_raw raw = {.method = "GET", .path = path.ptr};
		l->k = k;
		l->index = i;
		d->pending++;
		kube_raw_start(k, &raw, on_legacy, l);
	}
}

static void take(struct kube *k, enum half half, struct http_reply *r)
{
	struct kube_discovery *d = k->discovery;
	const char *path = half == HALF_CORE ? "/api" : "/apis";
	AUTO_ARENA a = arena_new();
	struct error err = ERROR_INIT;
	struct value *doc;
	size_t before = d->legacy.len;

	if (r->status == 304)
		return;
	if (r->status != 200) {
		failed(d, k, r, path);
		return;
	}
	if (value_json_parse(a, r->body.ptr, r->body.len, &value_limits_api, &doc, &err)) {
		d->err = err;
		d->err.kind = ERROR_TRANSIENT;
		error_wrap(&d->err, "discovery: %s%s", k->config->server, path);
		return;
	}
	discovery_begin(d, half);
	/* A type with other parameters is how an old server says that it can't. */
	if (strstr(r->content_type, "as=APIGroupDiscoveryList")) {
		if (discovery_read(d, doc, &d->err))
			error_wrap(&d->err, "discovery: %s%s", k->config->server, path);
		snprintf(d->etag[half], sizeof d->etag[half], "%s", r->etag);
	} else {
		d->etag[half][0] = '\0';
		if (discovery_read_groups(d, half, doc, &d->err))
			error_wrap(&d->err, "discovery: %s%s", k->config->server, path);
		else
			ask_versions(k, before);
	}
}

static void on_core(void *arg, struct http_reply *r, int tries)
{
	take(arg, HALF_CORE, r);
	one_done(arg);
}

static void on_groups(void *arg, struct http_reply *r, int tries)
{
	take(arg, HALF_GROUPS, r);
	one_done(arg);
}

void kube_discover(struct kube *k, kube_on_discovered *fn, void *arg)
{
	struct kube_discovery *d = k->discovery;
	struct waiter *w = vec_push(&d->waiters);

	w->fn = fn;
	w->arg = arg;
	if (d->running)
		return;
	d->running = true;
	d->err = (struct error)ERROR_INIT;
	d->legacy.len = 0;
	arena_free(d->round);
	d->round = arena_new();
	d->touched[HALF_CORE] = d->touched[HALF_GROUPS] = false;
	d->pending = 2;
	struct kube_raw raw = {.method = "GET", .path = "/api", .accept = ACCEPT};
	raw.etag = *d->etag[HALF_CORE] ? d->etag[HALF_CORE] : NULL;
	kube_raw_start(k, &raw, on_core, k);
	raw.path = "/apis";
	raw.etag = *d->etag[HALF_GROUPS] ? d->etag[HALF_GROUPS] : NULL;
	kube_raw_start(k, &raw, on_groups, k);
}

/* ---- looking up ---- */

const struct kube_kind *kube_kind(struct kube *k, const char *group, const char *version,
				  const char *kind)
{
	const struct kube_discovery *d = k->discovery;
	char key[DISCOVERY_KEY_MAX];

	if (!discovery_key(key, group, version ? version : "", kind))
		return NULL;
	const struct kind_entry *e = map_get(version ? &d->kinds : &d->preferred, key);
	return e && e->now.served ? &e->now : NULL;
}

bool kube_discovery_stale(const struct kube *k)
{
	return k->discovery->stale;
}

char *kube_kind_text(const struct kube_kind *kind, char *out, size_t size)
{
	snprintf(out, size, "%s%s%s", kind->kind, *kind->group ? "." : "", kind->group);
	return out;
}
