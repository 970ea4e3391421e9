/* faults/watches.c - streams of events, whole or in pieces. */
#include "faults_int.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/socket.h>

#include "base/text.h"

#define HALF_MS 20

static void watcher_free(struct fs_watcher *w)
{
	TAILQ_REMOVE(&w->s->watchers, w, link);
	timer_clear(&w->timer);
	buf_clear(&w->pending);
	free(w->ns);
	free(w->name);
	free(w->selector);
	free(w);
}

/* The client is gone: libevent has let go of the request, it is ours to free. */
static void on_close(struct evhttp_connection *conn, void *arg)
{
	struct apiserver *s = arg;
	struct fs_watcher *w, *next;

	if (s->freeing)
		return;
	for (w = TAILQ_FIRST(&s->watchers); w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (evhttp_request_get_connection(w->req))
			continue;
		evhttp_request_free(w->req);
		watcher_free(w);
	}
}

static void send_bytes(struct fs_watcher *w, const char *data, size_t len)
{
	struct evbuffer *out = evbuffer_new();

	evbuffer_add(out, data, len);
	if (len && evhttp_request_get_connection(w->req))
		evhttp_send_reply_chunk(w->req, out);
	evbuffer_free(out);
}

static void on_second_half(void *arg)
{
	struct fs_watcher *w = arg;

	send_bytes(w, w->pending.ptr, w->pending.len);
	buf_reset(&w->pending);
}

static void send_line(struct fs_watcher *w, const struct buf *line)
{
	size_t half = line->len / 2;

	if (!w->half_lines) {
		send_bytes(w, line->ptr, line->len);
	} else if (w->pending.len) {
		buf_add(&w->pending, line->ptr, line->len);
	} else {
		send_bytes(w, line->ptr, half);
		buf_add(&w->pending, line->ptr + half, line->len - half);
		timer_set(&w->timer, HALF_MS);
	}
}

static void send_event(struct fs_watcher *w, const char *type, const struct value *object)
{
	AUTO(buf) line = BUF_INIT;
	AUTO_ARENA a = arena_new();
	bool meta = w->meta_only && strcmp(type, "BOOKMARK") && strcmp(type, "ERROR");

	buf_printf(&line, "{\"type\":\"%s\",\"object\":", type);
	value_json_write(meta ? fs_meta_only(a, object) : object, &line);
	buf_puts(&line, "}\n");
	send_line(w, &line);
}

static void send_bookmark(struct fs_watcher *w, bool ends_initial)
{
	AUTO_ARENA a = arena_new();
	struct value *o = value_object(a), *meta = value_object_at(a, o, "metadata");

	value_set_string(a, o, "kind", w->kind->kind);
	value_set_string(a, meta, "resourceVersion",
			 arena_printf(a, "%lld", (long long)w->s->revision));
	if (ends_initial)
		value_set_string(a, value_object_at(a, meta, "annotations"),
				 "k8s.io/initial-events-end", "true");
	send_event(w, "BOOKMARK", o);
}

static bool concerns(const struct fs_watcher *w, const struct fs_kind *k, const char *ns,
		     const char *name)
{
	return w->kind == k && (!w->ns || !strcmp(w->ns, ns)) &&
	       (!w->name || !strcmp(w->name, name));
}

/* With a selector, what stops matching is DELETED, and what starts is ADDED. */
static void send_change(struct fs_watcher *w, const struct fs_event *e)
{
	static const char *const types[] = {"ADDED", "MODIFIED", "DELETED"};
	const struct value *labels = value_at(e->object, "metadata", "labels", NULL);

	if (!concerns(w, e->kind, e->ns, e->name))
		return;
	bool is = fs_matches(w->selector, labels) && e->type != KUBE_DELETED;
	bool was = e->old_labels ? fs_matches(w->selector, e->old_labels)
				 : e->type == KUBE_DELETED && fs_matches(w->selector, labels);
	if (is || was)
		send_event(w, types[is ? was ? KUBE_MODIFIED : KUBE_ADDED : KUBE_DELETED],
			   e->object);
}

void fs_watchers_tell(struct apiserver *s, const struct fs_event *e)
{
	struct fs_watcher *w;

	TAILQ_FOREACH(w, &s->watchers, link)
	send_change(w, e);
}

/* ---- opening ---- */

static bool refuse(struct apiserver *s, struct fs_request *r, struct fs_answer *a)
{
	const char *version = evhttp_find_header(r->query, "resourceVersion");

	if (s->lacks.watch_list && evhttp_find_header(r->query, "sendInitialEvents")) {
		fs_status(a, 422, "Invalid",
			  "ListOptions.meta.k8s.io is invalid: sendInitialEvents: Forbidden",
			  NULL, NULL);
		fs_cause(a, "FieldValueForbidden", "Forbidden", "sendInitialEvents");
		return true;
	}
	if (version && atoll(version) < s->oldest) {
		fs_status(a, 410, "Expired", "too old resource version", NULL, NULL);
		return true;
	}
	return false;
}

static void send_initial(struct fs_watcher *w, struct fs_request *r, bool no_bookmark)
{
	const char *version = evhttp_find_header(r->query, "resourceVersion");
	struct apiserver *s = w->s;
	struct fs_object *o;

	if (evhttp_find_header(r->query, "sendInitialEvents")) {
		TAILQ_FOREACH(o, &s->list, link)
		if (concerns(w, o->kind, o->ns, o->name) &&
		    fs_matches(w->selector, value_at(o->v, "metadata", "labels", NULL)))
			send_event(w, "ADDED", o->v);
		if (!no_bookmark)
			send_bookmark(w, true);
		return;
	}
	for (size_t i = 0; version && i < s->events.len; i++)
		if (s->events.items[i].revision > atoll(version))
			send_change(w, &s->events.items[i]);
}

void fs_watch(struct apiserver *s, struct fs_request *r, struct evhttp_request *req,
	      struct fs_answer *refusal, bool half_lines, bool no_bookmark)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(req);
	const char *field = evhttp_find_header(r->query, "fieldSelector");

	if (refuse(s, r, refusal))
		return;
	struct fs_watcher *w = mem_alloc(sizeof *w);
	w->s = s;
	w->req = req;
	w->kind = r->kind;
	w->ns = mem_strdup(r->ns);
	w->name = field && text_starts(field, "metadata.name=") ? mem_strdup(field + 14) : NULL;
	w->selector = mem_strdup(evhttp_find_header(r->query, "labelSelector"));
	w->meta_only = r->meta_only;
	w->half_lines = half_lines;
	buf_init(&w->pending);
	timer_init(&w->timer, s->loop, on_second_half, w);
	TAILQ_INSERT_TAIL(&s->watchers, w, link);
	evhttp_connection_set_closecb(conn, on_close, s);
	evhttp_connection_set_timeout(conn, 3600);
	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type",
			  "application/json");
	evhttp_send_reply_start(req, 200, "OK");
	bufferevent_enable(evhttp_connection_get_bufferevent(conn), EV_READ); /* see it close */
	send_initial(w, r, no_bookmark);
}

void fs_watchers_free(struct apiserver *s)
{
	while (!TAILQ_EMPTY(&s->watchers))
		watcher_free(TAILQ_FIRST(&s->watchers));
}

/* ---- for tests ---- */

static void on_cut(evutil_socket_t none, short what, void *arg)
{
	shutdown((int)(intptr_t)arg, SHUT_RDWR);
}

void apiserver_cut_watches(struct apiserver *s)
{
	static const char half[] = "{\"type\":\"ADDED\",\"obj";
	const struct timeval soon = {.tv_usec = 10000};
	struct fs_watcher *w;

	TAILQ_FOREACH(w, &s->watchers, link)
	{
		struct evhttp_connection *conn = evhttp_request_get_connection(w->req);
		if (!conn)
			continue;
		send_bytes(w, half, sizeof half - 1);
		int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(conn));
		event_base_once(loop_base(s->loop), -1, EV_TIMEOUT, on_cut,
				(void *)(intptr_t)fd, &soon);
	}
}

void apiserver_end_watches(struct apiserver *s)
{
	struct fs_watcher *w;

	while ((w = TAILQ_FIRST(&s->watchers))) {
		struct evhttp_request *req = w->req;
		watcher_free(w);
		evhttp_send_reply_end(req);
	}
}

void apiserver_watch_error(struct apiserver *s, int code, const char *reason)
{
	struct fs_answer a = {.arena = arena_new()};
	struct fs_watcher *w;

	fs_status(&a, code, reason, "error by the test", NULL, NULL);
	TAILQ_FOREACH(w, &s->watchers, link)
	send_event(w, "ERROR", a.doc);
	arena_free(a.arena);
	apiserver_end_watches(s);
}

void apiserver_bookmark(struct apiserver *s)
{
	struct fs_watcher *w;

	TAILQ_FOREACH(w, &s->watchers, link)
	send_bookmark(w, false);
}

size_t apiserver_watches(const struct apiserver *s)
{
	const struct fs_watcher *w;
	size_t n = 0;

	TAILQ_FOREACH(w, &s->watchers, link)
	n += evhttp_request_get_connection(w->req) != NULL;
	return n;
}
