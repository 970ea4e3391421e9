/*
 * kube/call.c - one request with its tries: credentials, Retry-After, backoff, one deadline.
 */
#include "kube/kube_int.h"

#include <stdlib.h>

#include "base/clock.h"

#define DEADLINE_MS    30000
#define FIRST_PAUSE_MS 100
#define MOST_PAUSE_MS  5000
#define BUSY_PAUSE_MS  1000 /* for a 429 without Retry-After */
#define HEADERS_MAX    280

static void call_try(struct kube_call *c);

static void call_free(struct kube_call *c)
{
	timer_clear(&c->retry);
	if (c->body.len)
		explicit_bzero(c->body.ptr, c->body.len);
	buf_clear(&c->body);
	if (c->sent) {
		free(c->sent->ns);
		free(c->sent->name);
	}
	free(c->sent);
	free(c->path);
	free(c->etag);
	free(c);
}

static void deliver(struct kube_call *c, struct http_reply *r)
{
	TAILQ_REMOVE(&c->k->calls, c, link);
	c->delivering = true;
	c->on_raw(c->raw_arg ? c->raw_arg : c, r, c->tries); /* may free the client */
	call_free(c);
}

/* Milliseconds to wait before another try, or -1: this answer is final. */
static int64_t pause_before_retry(const struct kube_call *c, const struct http_reply *r)
{
	int64_t pause = FIRST_PAUSE_MS;

	for (int i = 1; i < c->tries && pause < MOST_PAUSE_MS; i++)
		pause *= 2;
	if (pause > MOST_PAUSE_MS)
		pause = MOST_PAUSE_MS;
	pause = pause / 2 + kube_random(pause);
	if (!r->status) {
		bool again =
			r->connection_failed || (r->err.kind == ERROR_TRANSIENT && !c->once);
		return again ? pause : -1;
	}
	if (r->status != 429 && (r->status != 503 || r->retry_after_ms < 0))
		return -1;
	int64_t asked = r->retry_after_ms >= 0 ? r->retry_after_ms : BUSY_PAUSE_MS;
	return asked + kube_random(asked / 4 + FIRST_PAUSE_MS);
}

static void on_done(void *arg, struct http_reply *r)
{
	struct kube_call *c = arg;
	struct kube *k = c->k;

	c->http = NULL;
	if (r->status == 401 && !c->refused_once && kube_auth_refused(k)) {
		c->refused_once = true;
		k->stats.retries++;
		timer_set(&c->retry, 0);
		return;
	}
	if (!r->status && r->err.kind == ERROR_DENIED && !c->reloaded_once &&
	    kube_auth_reload(k)) {
		c->reloaded_once = true;
		k->stats.retries++;
		timer_set(&c->retry, 0);
		return;
	}
	int64_t pause = pause_before_retry(c, r);
	if (pause >= 0 && clock_mono_ms() + pause < c->deadline) {
		k->stats.retries++;
		timer_set(&c->retry, pause);
		return;
	}
	deliver(c, r);
}

/* An answer of our own: nothing came back. */
static void deliver_error(struct kube_call *c, const struct error *err)
{
	struct http_reply r = {.retry_after_ms = -1, .err = *err};

	buf_init(&r.body);
	deliver(c, &r);
}

static void on_retry(void *arg)
{
	struct kube_call *c = arg;
	struct error err = c->refused;

	if (!err.kind && clock_mono_ms() >= c->deadline)
		error_set(&err, ERROR_TRANSIENT, "%s: no answer in time", c->k->config->server);
	if (err.kind)
		deliver_error(c, &err);
	else
		call_try(c);
}

void kube_headers(const struct kube *k, const char **out, size_t size, const char *const *own)
{
	size_t n = 0;

	for (; *own && n + 1 < size; own++)
		out[n++] = *own;
	if (k->config->send_credentials)
		for (const char **h = k->config->impersonate; h && *h && n + 1 < size; h++)
			out[n++] = *h;
	out[n] = NULL;
}

static void call_try(struct kube_call *c)
{
	struct kube *k = c->k;
	const char *headers[HEADERS_MAX], *own[4] = {c->accept};
	int64_t left = c->deadline - clock_mono_ms();

	if (!kube_auth_prepare(k)) {
		c->waits_for_auth = true;
		timer_set(&c->retry, left); /* should the plugin take too long */
		return;
	}
	c->waits_for_auth = false;
	c->tries++;
	if (c->content_type)
		own[1] = c->content_type;
	if (c->etag)
		own[c->content_type ? 2 : 1] = c->etag;
	kube_headers(k, headers, HEADERS_MAX, own);
	const struct http_request r = {
		.method = c->method,
		.path = c->path,
		.headers = headers,
		.bearer = kube_auth_bearer(k),
		.body = c->has_body ? c->body.ptr : NULL,
		.body_len = c->body.len,
		.deadline_ms = left > 0 ? left : 1,
	};
	c->http = http_start(k->requests, &r, NULL, on_done, c);
}

void kube_auth_ready(struct kube *k)
{
	struct kube_call *c;

	TAILQ_FOREACH(c, &k->calls, link)
	if (c->waits_for_auth)
		timer_set(&c->retry, 0);
}

struct kube_call *kube_raw_start(struct kube *k, const struct kube_raw *raw, kube_on_raw *fn,
				 void *arg)
{
	struct kube_call *c = mem_alloc(sizeof *c);
	int64_t deadline = raw->deadline_ms > 0 ? raw->deadline_ms
			   : k->deadline_ms > 0 ? k->deadline_ms
						: DEADLINE_MS;

	c->k = k;
	c->method = raw->method;
	c->accept = raw->accept ? raw->accept : "Accept: " KUBE_JSON;
	c->content_type = raw->content_type;
	c->path = mem_strdup(raw->path);
	c->etag = raw->etag ? mem_printf("If-None-Match: %s", raw->etag) : NULL;
	buf_init(&c->body);
	c->has_body = raw->body != NULL;
	buf_add(&c->body, raw->body, raw->body ? raw->body_len : 0);
	c->once = raw->once;
	c->deadline = clock_mono_ms() + deadline;
	c->on_raw = fn;
	c->raw_arg = arg;
	timer_init(&c->retry, k->loop, on_retry, c);
	TAILQ_INSERT_TAIL(&k->calls, c, link);
	if (raw->refused) {
		c->refused = *raw->refused;
		timer_set(&c->retry, 0);
	} else {
		call_try(c);
	}
	return c;
}

void kube_cancel(struct kube_call *c)
{
	if (c->delivering)
		return; /* from its own callback: it ends right after */
	TAILQ_REMOVE(&c->k->calls, c, link);
	if (c->http)
		http_cancel(c->http);
	call_free(c);
}
