/*
 * kube/watch.c - keeps one collection in sight: list, then watch, again and again.
 *
 *   WAITING --timer--> INITIAL (WatchList: objects, then the bookmark that ends them, then
 *                               events on the same connection)
 *                  or  LISTING (pages; the server has no WatchList) --> WATCHING
 *                  or  WATCHING (the last resourceVersion is still good)
 *
 * Whatever ends a connection leads back to WAITING, with or without the version, now or later:
 * stream_ended() and list_ended() decide. While all is quiet no timer of ours runs but the one
 * that ends a silent connection.
 */
#include "kube/watch_int.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "value/json.h"

#define FIRST_PAUSE_MS	800
#define MOST_PAUSE_MS	30000
#define TIMEOUT_LEAST_S 300
#define TIMEOUT_SPAN_S	300
#define SILENCE_S	30    /* beyond the server's own timeout */
#define ANSWER_MS	30000 /* for headers, and between initial objects */
#define QUICK_MS	1000  /* ended sooner, without an event: a failure */
#define LIST_PAGE	"250"
#define HEADERS_MAX	280

static void enter(struct kube_watch *w, enum watch_state next)
{
	static const char *const names[] = {"waiting", "initial", "listing", "watching"};

	log_debug("kube", "watch", "kind", w->o.kind->kind, "from", names[w->state], "to",
		  names[next], "version", w->version, LOG_END);
	w->state = next;
}

/* ---- telling the owner ---- */

/* Bracket for callbacks: the owner may stop the watch inside. False: it did. */
static bool alive(struct kube_watch *w)
{
	if (--w->busy || !w->stopped)
		return !w->stopped;
	watch_free(w);
	return false;
}

static void tell_broken(struct kube_watch *w, const struct error *err)
{
	if (w->told)
		return;
	w->told = true;
	w->ops->on_broken(w->arg, err);
}

static void explain(struct kube_watch *w, const struct http_reply *r, const char *body,
		    size_t len, struct error *err)
{
	const struct kube_sent sent = {.verb = KUBE_LIST,
				       .kind = w->o.kind,
				       .ns = (char *)w->o.ns,
				       .peer = w->k->config->server,
				       .source = w->k->config->source};
	AUTO_ARENA a = arena_new();
	struct value *status = NULL;

	if (len && value_json_parse(a, body, len, &value_limits_api, &status, NULL))
		status = NULL;
	kube_explain(&sent, r, status, err, NULL);
}

/* ---- waiting ---- */

static int64_t pause_ms(const struct kube_watch *w)
{
	int64_t pause = FIRST_PAUSE_MS;

	for (int i = 1; i < w->failures && pause < MOST_PAUSE_MS; i++)
		pause *= 2;
	if (pause > MOST_PAUSE_MS)
		pause = MOST_PAUSE_MS;
	return pause / 2 + kube_random(pause);
}

static void again(struct kube_watch *w, int64_t ms)
{
	enter(w, WATCH_WAITING);
	w->k->stats.watch_restarts++;
	timer_set(&w->timer, ms);
}

static void again_later(struct kube_watch *w)
{
	w->failures++;
	again(w, pause_ms(w));
}

/* Start over with a full list: at once, but not twice in a row. */
static void relist(struct kube_watch *w)
{
	w->version[0] = '\0';
	free(w->more);
	w->more = NULL;
	w->failures++;
	again(w, w->failures > 1 ? pause_ms(w) : 0);
}

/* ---- connecting ---- */

static bool has_watch_list(const struct kube_watch *w)
{
	return !map_get(&w->k->no_watch_list, w->o.kind->group);
}

static void lacks_watch_list(struct kube_watch *w)
{
	const char *group = w->o.kind->group;

	log_info("kube", "no WatchList here: list and watch instead", "group",
		 *group ? group : "core", LOG_END);
	map_put(&w->k->no_watch_list, w->o.kind->group, w->k);
}

static void put_collection(struct kube_watch *w, struct buf *path)
{
	kube_put_path(path, w->o.kind, w->o.ns, NULL);
	if (w->o.selector)
		kube_put_query(path, "labelSelector", w->o.selector);
	if (w->o.name) {
		AUTO_FREE char *field = mem_printf("metadata.name=%s", w->o.name);
		kube_put_query(path, "fieldSelector", field);
	}
}

static void connect_to(struct kube_watch *w, const char *path, const char *accept,
		       int64_t idle_ms, int64_t deadline_ms, http_on_data *on_data,
		       http_on_done *on_done)
{
	const char *headers[HEADERS_MAX], *const own[] = {accept, NULL};

	kube_headers(w->k, headers, HEADERS_MAX, own);
	const struct http_request r = {
		.method = "GET",
		.path = path,
		.headers = headers,
		.bearer = kube_auth_bearer(w->k),
		.idle_ms = idle_ms,
		.deadline_ms = deadline_ms,
	};
	w->started = clock_mono_ms();
	w->answered = w->got_event = false;
	w->trouble = TROUBLE_NONE;
	buf_clear(&w->line);
	w->http = http_start(w->k->watching, &r, on_data, on_done, w);
}

static void start_stream(struct kube_watch *w, bool initial)
{
	AUTO(buf) path = BUF_INIT;
	int64_t timeout = TIMEOUT_LEAST_S + kube_random(TIMEOUT_SPAN_S);
	char text[24];

	snprintf(text, sizeof text, "%d", (int)timeout);
	put_collection(w, &path);
	kube_put_query(&path, "watch", "1");
	kube_put_query(&path, "allowWatchBookmarks", "true");
	kube_put_query(&path, "timeoutSeconds", text);
	if (initial) {
		kube_put_query(&path, "sendInitialEvents", "true");
		kube_put_query(&path, "resourceVersionMatch", "NotOlderThan");
	} else {
		kube_put_query(&path, "resourceVersion", w->version);
	}
	enter(w, initial ? WATCH_INITIAL : WATCH_WATCHING);
	w->begun = false;
	timer_set(&w->timer, ANSWER_MS);
	connect_to(w, path.ptr,
		   w->o.metadata_only ? "Accept: " KUBE_META : "Accept: " KUBE_JSON,
		   (timeout + SILENCE_S) * 1000, 0, watch_on_data, watch_on_stream_done);
}

static void start_list(struct kube_watch *w)
{
	AUTO(buf) path = BUF_INIT;

	put_collection(w, &path);
	kube_put_query(&path, "limit", LIST_PAGE);
	if (w->more)
		kube_put_query(&path, "continue", w->more);
	enter(w, WATCH_LISTING);
	connect_to(w, path.ptr,
		   w->o.metadata_only ? "Accept: " KUBE_META_LIST : "Accept: " KUBE_JSON, 0,
		   2 * ANSWER_MS, NULL, watch_on_list_done);
}

/* The server took the watch and sends nothing: after headers, or in the initial list. */
static void on_silence(struct kube_watch *w)
{
	int64_t left = w->heard + ANSWER_MS - clock_mono_ms();
	struct error err = ERROR_INIT;

	if (w->answered && left > 0) {
		timer_set(&w->timer, left);
		return;
	}
	http_cancel(w->http);
	w->http = NULL;
	if (w->answered && w->state == WATCH_INITIAL) {
		lacks_watch_list(w); /* it ignored sendInitialEvents */
		again(w, 0);
		return;
	}
	error_reason(&err, ERROR_TRANSIENT, "Unreachable",
		     "%s: no answer to a watch of %s within %d s", w->k->config->server,
		     w->o.kind->kind, ANSWER_MS / 1000);
	again_later(w);
	w->busy++;
	tell_broken(w, &err);
	alive(w);
}

static void on_timer(void *arg)
{
	struct kube_watch *w = arg;

	switch (w->state) {
	case WATCH_WAITING:
		if (!kube_auth_prepare(w->k))
			timer_set(&w->timer,
				  FIRST_PAUSE_MS); /* new credentials are on their way */
		else if (*w->version)
			start_stream(w, false);
		else if (has_watch_list(w))
			start_stream(w, true);
		else
			start_list(w);
		return;
	case WATCH_INITIAL:
	case WATCH_WATCHING:
		on_silence(w);
		return;
	case WATCH_LISTING:
		return;
	}
}

/* ---- endings ---- */

/* The server refused, or could not be reached. */
static void refused(struct kube_watch *w, const struct http_reply *r, const char *body,
		    size_t len)
{
	struct error err = ERROR_INIT;

	if (r->status == 401 && !w->refused_once && kube_auth_refused(w->k)) {
		w->refused_once = true;
		again(w, 0);
		return;
	}
	if (!r->status && r->err.kind == ERROR_DENIED && kube_auth_reload(w->k)) {
		again(w, 0);
		return;
	}
	explain(w, r, body, len, &err);
	w->failures++;
	again(w, r->status == 429 && r->retry_after_ms > 0
			 ? r->retry_after_ms + kube_random(1000)
			 : pause_ms(w));
	w->busy++;
	tell_broken(w, &err);
	alive(w);
}

static bool is_watch_list_refusal(const struct kube_watch *w, int status)
{
	return w->state == WATCH_INITIAL && (status == 422 || status == 400) &&
	       (strstr(w->line.ptr, "sendInitialEvents") ||
		strstr(w->line.ptr, "resourceVersionMatch"));
}

static void spoilt(struct kube_watch *w)
{
	struct error err = w->trouble_err;

	switch (w->trouble) {
	case TROUBLE_EXPIRED:
		relist(w);
		return;
	case TROUBLE_BUSY:
		again_later(w);
		return;
	case TROUBLE_NONE:
	case TROUBLE_BROKEN:
		w->version[0] = '\0';
		again_later(w);
		w->busy++;
		tell_broken(w, &err);
		alive(w);
		return;
	}
}

void watch_on_stream_done(void *arg, struct http_reply *r)
{
	struct kube_watch *w = arg;
	bool quick = clock_mono_ms() - w->started < QUICK_MS && !w->got_event;

	w->http = NULL;
	timer_cancel(&w->timer);
	if (w->trouble != TROUBLE_NONE) {
		spoilt(w);
	} else if (r->status == 410) {
		relist(w);
	} else if (is_watch_list_refusal(w, r->status)) {
		lacks_watch_list(w);
		again(w, 0);
	} else if (!w->answered || (r->status && r->status != 200)) {
		refused(w, r, w->line.ptr, w->line.len);
	} else if (r->status == 200 && !quick && w->state == WATCH_WATCHING) {
		again(w, 0); /* the usual end at timeoutSeconds */
	} else {
		again_later(w); /* cut, or ended before it had begun */
	}
}

static void list_items(struct kube_watch *w, struct arena *a, const struct value *doc)
{
	const char *kind = value_get_str(doc, "kind"), *api = value_get_str(doc, "apiVersion");
	AUTO_FREE char *item_kind = NULL;
	struct value *item;

	if (kind && api && text_ends(kind, "List")) /* items of built-in lists don't say */
		item_kind = mem_strndup(kind, strlen(kind) - 4);
	array_each (value_get(doc, "items"), i, item) {
		if (w->stopped)
			return;
		if (item->type != VALUE_OBJECT)
			continue;
		if (item_kind && !value_get(item, "kind")) {
			value_set_string(a, item, "apiVersion", api);
			value_set_string(a, item, "kind", item_kind);
		}
		w->ops->on_event(w->arg, KUBE_ADDED, item);
	}
}

static void take_page(struct kube_watch *w, struct arena *a, const struct value *doc)
{
	const struct value *meta = value_get(doc, "metadata");
	const char *more = value_get_str(meta, "continue");
	const char *version = value_get_str(meta, "resourceVersion");
	bool first = !w->more;

	free(w->more);
	w->more = more && *more ? mem_strdup(more) : NULL;
	if (!w->more)
		snprintf(w->version, sizeof w->version, "%s", version ? version : "");
	w->told = w->refused_once = false;
	w->busy++;
	if (first)
		w->ops->on_begin(w->arg);
	if (!w->stopped)
		list_items(w, a, doc);
	if (!w->stopped && !w->more)
		w->ops->on_synced(w->arg);
	if (!alive(w))
		return;
	enter(w, WATCH_WAITING);
	timer_set(&w->timer, 0);
}

void watch_on_list_done(void *arg, struct http_reply *r)
{
	struct kube_watch *w = arg;
	AUTO_ARENA a = arena_new();
	struct value *doc = NULL;
	struct error err = ERROR_INIT;

	w->http = NULL;
	if (r->status == 410) {
		relist(w);
	} else if (r->status != 200) {
		refused(w, r, r->body.ptr, r->body.len);
	} else if (value_json_parse(a, r->body.ptr, r->body.len, &value_limits_api, &doc,
				    &err)) {
		w->trouble = TROUBLE_BROKEN;
		error_reason(&w->trouble_err, ERROR_TRANSIENT, "ServerError", "%s list: %s",
			     w->o.kind->kind, err.text);
		spoilt(w);
	} else {
		take_page(w, a, doc);
	}
}

/* ---- life ---- */

struct kube_watch *kube_watch_start(struct kube *k, const struct kube_watch_options *o,
				    const struct kube_watch_ops *ops, void *arg)
{
	struct kube_watch *w = mem_alloc(sizeof *w);

	w->k = k;
	w->o = *o;
	w->o.ns = o->ns && *o->ns ? mem_strdup(o->ns) : NULL;
	w->o.selector = mem_strdup(o->selector);
	w->o.name = mem_strdup(o->name);
	w->ops = ops;
	w->arg = arg;
	buf_init(&w->line);
	timer_init(&w->timer, k->loop, on_timer, w);
	LIST_INSERT_HEAD(&k->watches, w, link);
	timer_set(&w->timer, 0);
	return w;
}

void watch_free(struct kube_watch *w)
{
	timer_clear(&w->timer);
	buf_clear(&w->line);
	free((char *)w->o.ns);
	free((char *)w->o.selector);
	free((char *)w->o.name);
	free(w->more);
	free(w);
}

void kube_watch_stop(struct kube_watch *w)
{
	if (w->stopped)
		return;
	w->stopped = true;
	LIST_REMOVE(w, link);
	if (w->http)
		http_cancel(w->http);
	w->http = NULL;
	timer_cancel(&w->timer);
	if (!w->busy)
		watch_free(w);
}
