/* faults/apiserver.c - requests in, faults, answers out; and what tests ask afterwards. */
#include "faults_int.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/text.h"

static void serve(struct apiserver *s, struct evhttp_request *req, const struct fault *fault,
		  size_t seen);

/* ---- requests held back ---- */

static void held_free(struct fs_held *h)
{
	TAILQ_REMOVE(&h->s->held, h, link);
	timer_clear(&h->timer);
	free(h);
}

static void hang_up(struct evhttp_request *req)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(req);

	if (conn)
		shutdown(bufferevent_getfd(evhttp_connection_get_bufferevent(conn)), SHUT_RDWR);
}

static void on_held(void *arg)
{
	struct fs_held *h = arg;
	struct apiserver *s = h->s;
	struct evhttp_request *req = h->req;
	size_t seen = h->seen;

	if (h->what == HELD_CLOSING) {
		hang_up(req); /* and stays held, until the server is freed */
		return;
	}
	held_free(h);
	if (evhttp_request_get_connection(req))
		serve(s, req, NULL, seen);
	else
		evhttp_request_free(req);
}

static void hold(struct apiserver *s, struct evhttp_request *req, int what, int64_t ms,
		 size_t seen)
{
	struct fs_held *h = mem_alloc(sizeof *h);
	struct evhttp_connection *conn = evhttp_request_get_connection(req);

	h->s = s;
	h->req = req;
	h->what = what;
	h->seen = seen;
	timer_init(&h->timer, s->loop, on_held, h);
	if (what != HELD_STALLED)
		timer_set(&h->timer, ms);
	TAILQ_INSERT_TAIL(&s->held, h, link);
	bufferevent_enable(evhttp_connection_get_bufferevent(conn), EV_READ); /* see it close */
}

/* ---- faults ---- */

void apiserver_fault(struct apiserver *s, const struct fault *f)
{
	struct fs_fault *mine = vec_push(&s->faults);

	mine->f = *f;
}

void apiserver_clear_faults(struct apiserver *s)
{
	vec_clear(&s->faults);
}

static const struct fault *next_fault(struct apiserver *s, const char *method, const char *uri)
{
	for (size_t i = 0; i < s->faults.len; i++) {
		struct fs_fault *f = &s->faults.items[i];
		if ((f->f.method && strcmp(f->f.method, method)) ||
		    (f->f.match && !strstr(uri, f->f.match)) ||
		    (f->f.times && f->hit >= f->f.times))
			continue;
		if (f->passed < f->f.skip) {
			f->passed++;
			continue;
		}
		f->hit++;
		return &f->f;
	}
	return NULL;
}

/* ---- answers ---- */

static void set_seen(struct apiserver *s, size_t seen, int status)
{
	if (seen < s->seen.len)
		s->seen.items[seen].status = status;
}

static void reply(struct apiserver *s, struct evhttp_request *req, int status, const char *type,
		  const char *text, size_t len, size_t seen)
{
	struct evbuffer *out = evbuffer_new();

	set_seen(s, seen, status);
	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", type);
	evbuffer_add(out, text, len);
	evhttp_send_reply(req, status, "Answer", out);
	evbuffer_free(out);
}

static void reply_answer(struct apiserver *s, struct evhttp_request *req,
			 const struct fs_answer *a, size_t seen)
{
	AUTO(buf) text = BUF_INIT;

	if (a->etag)
		evhttp_add_header(evhttp_request_get_output_headers(req), "ETag", a->etag);
	if (a->not_modified) {
		reply(s, req, 304, "application/json", "", 0, seen);
		return;
	}
	if (a->doc)
		value_json_write(a->doc, &text);
	else
		buf_puts(&text, a->text ? a->text : "");
	reply(s, req, a->status, a->type ? a->type : "application/json", text.ptr, text.len,
	      seen);
}

static void reply_fault(struct apiserver *s, struct evhttp_request *req, const struct fault *f,
			const char *last_part, size_t seen)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{401, "Unauthorized"},	  {403, "Forbidden"},	  {404, "NotFound"},
		{409, "Conflict"},	  {410, "Expired"},	  {422, "Invalid"},
		{429, "TooManyRequests"}, {500, "InternalError"}, {503, "ServiceUnavailable"}};
	struct fs_answer a = {.arena = arena_new()};
	const char *reason = "";

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == f->status)
			reason = reasons[i].reason;
	if (f->retry_after)
		evhttp_add_header(
			evhttp_request_get_output_headers(req), "Retry-After",
			f->retry_after < 0 ? "0" : arena_printf(a.arena, "%d", f->retry_after));
	fs_status(&a, f->status, reason, "fault by the test", "things", last_part);
	if (f->body) {
		a.doc = NULL;
		a.text = f->body;
		a.type = *f->body == '{' ? "application/json" : "text/plain";
	}
	reply_answer(s, req, &a, seen);
	arena_free(a.arena);
}

static void reply_junk(struct apiserver *s, struct evhttp_request *req, const struct fault *f,
		       size_t seen)
{
	AUTO(buf) text = BUF_INIT;

	if (f->kind == FAULT_JUNK) {
		buf_puts(&text, f->body ? f->body : "{\"kind\":");
	} else {
		buf_reserve(&text, f->cut + 2);
		memset(text.ptr, ' ', f->cut);
		text.len = f->cut;
		buf_puts(&text, "{}");
	}
	reply(s, req, 200, "application/json", text.ptr, text.len, seen);
}

/* The first bytes of the answer, then the connection goes. */
static void reply_cut(struct apiserver *s, struct evhttp_request *req,
		      const struct fs_answer *a, const struct fault *f, size_t seen)
{
	AUTO(buf) text = BUF_INIT;
	struct evbuffer *out = evbuffer_new();

	if (a->doc)
		value_json_write(a->doc, &text);
	evbuffer_add(out, text.ptr, f->cut < text.len ? f->cut : text.len);
	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type",
			  "application/json");
	evhttp_send_reply_start(req, a->status, "Cut");
	evhttp_send_reply_chunk(req, out);
	evbuffer_free(out);
	hold(s, req, HELD_CLOSING, 20, seen);
}

/* ---- taking a request apart ---- */

static const char *method_of(struct evhttp_request *req)
{
	switch ((int)evhttp_request_get_command(req)) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_PUT:
		return "PUT";
	case EVHTTP_REQ_PATCH:
		return "PATCH";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	default:
		return "?";
	}
}

/* /api/v1/... and /apis/G/V/...: kind, namespace, name, subresource. False: not served. */
static bool route(struct apiserver *s, struct fs_request *r, const char *path)
{
	char *parts[10], *rest = arena_strdup(r->arena, path), *part;
	size_t n = 0, i;

	while ((part = strsep(&rest, "/")) && n < ARRAY_LEN(parts))
		if (*part)
			parts[n++] = evhttp_uridecode(part, 0, NULL);
	bool core = n && !strcmp(parts[0], "api");
	i = core ? 2 : 3;
	const char *group = core ? "" : n > 1 ? parts[1] : "";
	const char *version = n >= i ? parts[i - 1] : "";
	if (n > i + 2 && !strcmp(parts[i], "namespaces") &&
	    fs_kind_of(s, group, version, parts[i + 2], NULL)) {
		r->ns = arena_strdup(r->arena, parts[i + 1]);
		i += 2;
	}
	if (n > i)
		r->kind = fs_kind_of(s, group, version, parts[i], NULL);
	if (n > i + 1)
		r->name = arena_strdup(r->arena, parts[i + 1]);
	if (n > i + 2)
		r->subresource = arena_strdup(r->arena, parts[i + 2]);
	while (n)
		free(parts[--n]);
	return r->kind && (!r->name || r->ns || !r->kind->namespaced);
}

static void read_request(struct evhttp_request *req, struct fs_request *r,
			 struct evkeyvalq *query)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	struct evkeyvalq *headers = evhttp_request_get_input_headers(req);
	const char *type = evhttp_find_header(headers, "Content-Type");
	const char *text = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));

	r->method = method_of(req);
	r->query = query;
	r->accept = evhttp_find_header(headers, "Accept");
	r->meta_only = r->accept && strstr(r->accept, "as=PartialObjectMetadata");
	r->content_type = type ? type : "";
	r->body_len = evbuffer_get_length(in);
	r->body = r->body_len ? (const char *)evbuffer_pullup(in, -1) : "";
	evhttp_parse_query_str(text ? text : "", query);
	r->dry_run = evhttp_find_header(query, "dryRun") != NULL;
}

static void process(struct apiserver *s, struct fs_request *r, struct evhttp_request *req,
		    struct fs_answer *a, const struct fault *f)
{
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(req));
	const char *etag =
		evhttp_find_header(evhttp_request_get_input_headers(req), "If-None-Match");

	a->status = 200;
	if (!strcmp(r->method, "GET") && fs_discovery(s, path, r->accept, etag, a))
		return;
	if (!route(s, r, path)) {
		a->status = 404;
		a->type = "text/plain";
		a->text = "404 page not found\n";
		return;
	}
	if (!strcmp(r->method, "GET") && evhttp_find_header(r->query, "watch")) {
		a->status = 0; /* it stays open */
		fs_watch(s, r, req, a, f && f->kind == FAULT_HALF_LINES,
			 f && f->kind == FAULT_NO_BOOKMARK);
		return;
	}
	fs_handle(s, r, a);
}

static void serve_done(struct apiserver *s, struct evhttp_request *req, const struct fault *f,
		       struct fs_answer *a, size_t seen)
{
	const char *slash =
		strrchr(evhttp_uri_get_path(evhttp_request_get_evhttp_uri(req)), '/');

	if (!f || f->kind == FAULT_HALF_LINES || f->kind == FAULT_NO_BOOKMARK)
		reply_answer(s, req, a, seen);
	else if (f->kind == FAULT_CLOSE_DONE)
		hold(s, req, HELD_CLOSING, 0, seen);
	else if (f->kind == FAULT_CUT)
		reply_cut(s, req, a, f, seen);
	else
		reply_fault(s, req, f, slash ? slash + 1 : "", seen);
}

static void serve(struct apiserver *s, struct evhttp_request *req, const struct fault *f,
		  size_t seen)
{
	struct fs_answer a = {.arena = arena_new()};
	struct fs_request r = {.arena = a.arena};
	struct evkeyvalq query;

	read_request(req, &r, &query);
	process(s, &r, req, &a, f);
	set_seen(s, seen, a.status ? a.status : 200);
	if (a.status)
		serve_done(s, req, f, &a, seen);
	evhttp_clear_headers(&query);
	arena_free(a.arena);
}

static char *header(struct evhttp_request *req, const char *name)
{
	return mem_strdup(evhttp_find_header(evhttp_request_get_input_headers(req), name));
}

static size_t note(struct apiserver *s, struct evhttp_request *req)
{
	struct apiserver_seen *n = vec_push(&s->seen);
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	size_t len = evbuffer_get_length(in);

	n->method = mem_strdup(method_of(req));
	n->uri = mem_strdup(evhttp_request_get_uri(req));
	n->body = mem_strndup(len ? (const char *)evbuffer_pullup(in, -1) : "", len);
	n->content_type = header(req, "Content-Type");
	n->accept = header(req, "Accept");
	n->authorization = header(req, "Authorization");
	n->impersonate = header(req, "Impersonate-User");
	return s->seen.len - 1;
}

static void on_request(struct evhttp_request *req, void *arg)
{
	struct apiserver *s = arg;
	const struct fault *f = next_fault(s, method_of(req), evhttp_request_get_uri(req));
	const char *slash =
		strrchr(evhttp_uri_get_path(evhttp_request_get_evhttp_uri(req)), '/');
	size_t seen = note(s, req);

	if (!f) {
		serve(s, req, NULL, seen);
		return;
	}
	switch (f->kind) {
	case FAULT_STATUS:
		reply_fault(s, req, f, slash ? slash + 1 : "", seen);
		return;
	case FAULT_STALL:
		hold(s, req, HELD_STALLED, 0, seen);
		return;
	case FAULT_DELAY:
		hold(s, req, HELD_DELAYED, f->delay_ms, seen);
		return;
	case FAULT_CLOSE:
		hold(s, req, HELD_CLOSING, 0, seen);
		return;
	case FAULT_JUNK:
	case FAULT_HUGE:
		reply_junk(s, req, f, seen);
		return;
	case FAULT_STATUS_DONE:
	case FAULT_CLOSE_DONE:
	case FAULT_CUT:
	case FAULT_HALF_LINES:
	case FAULT_NO_BOOKMARK:
		serve(s, req, f, seen);
		return;
	}
}

/* ---- life ---- */

struct apiserver *apiserver_new(struct loop *loop)
{
	struct apiserver *s = mem_alloc(sizeof *s);

	s->loop = loop;
	TAILQ_INIT(&s->watchers);
	TAILQ_INIT(&s->held);
	fs_kinds_init(s);
	fs_store_init(s);
	s->http = evhttp_new(loop_base(loop));
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
						    EVHTTP_REQ_PATCH | EVHTTP_REQ_DELETE);
	evhttp_set_gencb(s->http, on_request, s);
	struct evhttp_bound_socket *bound =
		evhttp_bind_socket_with_handle(s->http, "127.0.0.1", 0);
	struct sockaddr_in at = {0};
	socklen_t len = sizeof at;
	if (!bound ||
	    getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&at, &len))
		abort();
	s->port = ntohs(at.sin_port);
	snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", s->port);
	s->kubeconfig =
		mem_printf("apiVersion: v1\nkind: Config\ncurrent-context: test\n"
			   "clusters: [{name: test, cluster: {server: '%s'}}]\n"
			   "users: [{name: test, user: {token: test-token}}]\n"
			   "contexts: [{name: test, context: {cluster: test, user: test}}]\n",
			   s->url);
	return s;
}

void apiserver_free(struct apiserver *s)
{
	struct fs_held *h;

	s->freeing = true;
	while ((h = TAILQ_FIRST(&s->held))) {
		if (!evhttp_request_get_connection(h->req))
			evhttp_request_free(h->req); /* libevent has let go of it */
		held_free(h);
	}
	evhttp_free(s->http);
	fs_watchers_free(s);
	fs_store_clear(s);
	fs_kinds_clear(s);
	apiserver_forget(s);
	vec_clear(&s->seen);
	vec_clear(&s->faults);
	free(s->kubeconfig);
	free(s);
}

const char *apiserver_url(const struct apiserver *s)
{
	return s->url;
}

const char *apiserver_kubeconfig(const struct apiserver *s)
{
	return s->kubeconfig;
}

void apiserver_set_lacks(struct apiserver *s, struct apiserver_lacks lacks)
{
	s->lacks = lacks;
}
