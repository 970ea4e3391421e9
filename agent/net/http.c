/*
 * net/http.c - one call: from http_start() to on_done, once.
 *
 * curl's callbacks in here only copy bytes; results come from http_pool.c through call_finish()
 * and are delivered when curl has returned.
 */
#include "net/http_int.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#define DEFAULT_MAX_BODY ((size_t)64 << 20)
#define SILENT_MS	 5000 /* a late call on connections this silent: don't use them again */

void http_enter(struct http *h)
{
	h->busy++;
}

static void http_destroy(struct http *h)
{
	struct http_call *c;

	while ((c = TAILQ_FIRST(&h->done))) {
		TAILQ_REMOVE(&h->done, c, link);
		call_free(c);
	}
	pool_free_all(h);
	timer_clear(&h->deliver);
	settings_unref(h->settings);
	free(h);
}

void http_leave(struct http *h)
{
	if (!--h->busy && h->dead)
		http_destroy(h);
}

static void on_deliver(void *arg)
{
	http_deliver(arg);
}

int http_new(struct loop *loop, const struct http_options *o, struct http **out,
	     struct error *err)
{
	struct settings *s = settings_new(o, err);

	if (!s)
		return -1;
	struct http *h = mem_alloc(sizeof *h);
	h->loop = loop;
	h->settings = s;
	TAILQ_INIT(&h->done);
	timer_init(&h->deliver, loop, on_deliver, h);
	pool_renew(h);
	*out = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	h->dead = true;
	if (!h->busy)
		http_destroy(h);
}

int http_reconfigure(struct http *h, const struct http_options *o, struct error *err)
{
	struct settings *s = settings_new(o, err);

	if (!s)
		return -1;
	bool same = settings_equal(s, h->settings);
	settings_unref(h->settings);
	h->settings = s;
	if (!same)
		pool_renew(h);
	return 0;
}

/* ---- curl's callbacks ---- */

static void touch(struct http_call *c)
{
	c->last_byte = c->pool->last_byte = clock_mono_ms();
}

static bool header_is(const char *line, size_t len, const char *name, const char **value,
		      size_t *value_len)
{
	size_t n = strlen(name);

	if (len <= n || line[n] != ':' || strncasecmp(line, name, n))
		return false;
	for (n++; n < len && (line[n] == ' ' || line[n] == '\t'); n++)
		;
	while (len > n && isspace((unsigned char)line[len - 1]))
		len--;
	*value = line + n;
	*value_len = len - n;
	return true;
}

static void copy_header(char *out, size_t size, const char *value, size_t len)
{
	if (len >= size)
		return; /* a cut ETag would never match: better none */
	memcpy(out, value, len);
	out[len] = '\0';
}

/* Seconds or a date. */
static int64_t retry_after_ms(const char *value, size_t len)
{
	char text[64];
	uint64_t seconds;
	time_t at;

	if (!text_u64(value, len, 86400, &seconds))
		return (int64_t)seconds * 1000;
	copy_header(text, sizeof text, value, len < sizeof text ? len : 0);
	at = len < sizeof text ? curl_getdate(text, NULL) : -1;
	if (at < 0)
		return -1;
	int64_t ms = (int64_t)at * 1000 - clock_now_ms();
	return ms < 0 ? 0 : ms;
}

static void new_answer(struct http_call *c, const char *line, size_t len)
{
	const char *space = memchr(line, ' ', len);

	c->status = space && (size_t)(space - line) + 4 <= len ? atoi(space + 1) : 0;
	c->reply.content_type[0] = c->reply.etag[0] = '\0';
	c->reply.retry_after_ms = -1;
}

/* To on_data; false: abort. The call may have been cancelled inside. */
static bool hand_over(struct http_call *c, const char *data, size_t len)
{
	if (c->state != CALL_ACTIVE || c->http->dead)
		return false;
	if (c->on_data(c->arg, c->status, data, len) < 0)
		c->aborted = true;
	return !c->aborted && c->state == CALL_ACTIVE && !c->http->dead;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct http_call *c = arg;
	size_t len = size * count, n;
	const char *value;

	touch(c);
	if (len > 5 && !memcmp(line, "HTTP/", 5))
		new_answer(c, line, len);
	else if (header_is(line, len, "content-type", &value, &n))
		copy_header(c->reply.content_type, sizeof c->reply.content_type, value, n);
	else if (header_is(line, len, "etag", &value, &n))
		copy_header(c->reply.etag, sizeof c->reply.etag, value, n);
	else if (header_is(line, len, "retry-after", &value, &n))
		c->reply.retry_after_ms = retry_after_ms(value, n);
	else if (len <= 2 && c->status >= 200 && c->on_data && !c->answered) {
		c->answered = true;
		return hand_over(c, "", 0) ? len : 0;
	}
	return len;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct http_call *c = arg;
	size_t len = size * count;

	touch(c);
	if (c->on_data)
		return hand_over(c, data, len) ? len : 0;
	if (len > c->max_body - c->reply.body.len) {
		c->too_large = true;
		return 0; /* anything but `len` aborts */
	}
	buf_add(&c->reply.body, data, len);
	return len;
}

/* ---- results ---- */

static bool is_refusal(CURLcode result, const char *message)
{
	switch ((int)result) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return true;
	default: /* with TLS 1.3 a refused client certificate shows as a failed read */
		return strstr(message, "alert") != NULL;
	}
}

static void explain(struct http_call *c, CURLcode result)
{
	struct error *err = &c->reply.err;
	const char *peer = c->settings->shown;
	const char *why = *c->message ? c->message : curl_easy_strerror(result);
	char took[24];
	long os = 0;

	if (c->too_large)
		error_reason(err, ERROR_INVALID, "TooLarge",
			     "%s: the answer has more than %zu bytes", peer, c->max_body);
	else if (c->aborted)
		error_set(err, ERROR_INVALID, "%s: the answer was not accepted", peer);
	else if (c->timed_out)
		error_set(err, ERROR_TRANSIENT, "%s: %s %s", peer, c->timed_out,
			  text_duration(strstr(c->timed_out, "byte") ? c->idle_ms
								     : c->deadline_ms,
					took));
	else if (result == CURLE_COULDNT_CONNECT &&
		 !curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &os) && os)
		error_set(err, ERROR_TRANSIENT, "%s: can't connect: %s", peer,
			  strerror((int)os));
	else if (is_refusal(result, why))
		error_set(err, ERROR_DENIED, "%s: TLS: %s", peer, why);
	else if (result == CURLE_UNSUPPORTED_PROTOCOL || result == CURLE_URL_MALFORMAT)
		error_set(err, ERROR_INVALID, "%s: %s", peer, why);
	else
		error_set(err, ERROR_TRANSIENT, "%s: %s", peer, why);
}

void call_finish(struct http_call *c, CURLcode result)
{
	curl_off_t sent = 0;
	struct http_reply *r = &c->reply;

	curl_easy_getinfo(c->easy, CURLINFO_PRETRANSFER_TIME_T, &sent);
	if (result == CURLE_OK) {
		r->status = c->status;
	} else {
		explain(c, result);
		r->connection_failed = !sent && r->err.kind == ERROR_TRANSIENT;
	}
	timer_cancel(&c->timer);
	curl_easy_cleanup(c->easy);
	c->easy = NULL;
	c->pool = NULL;
	c->state = CALL_DONE;
	TAILQ_INSERT_TAIL(&c->http->done, c, link);
}

void call_free(struct http_call *c)
{
	curl_easy_cleanup(c->easy); /* before the slists and the body it points to */
	curl_slist_free_all(c->headers);
	curl_slist_free_all(c->connect_to);
	timer_clear(&c->timer);
	buf_clear(&c->body);
	buf_clear(&c->reply.body);
	settings_unref(c->settings);
	free(c);
}

void http_deliver(struct http *h)
{
	struct http_call *c;

	http_enter(h);
	while (!h->dead && (c = TAILQ_FIRST(&h->done))) {
		TAILQ_REMOVE(&h->done, c, link);
		c->state = CALL_DELIVERING;
		c->on_done(c->arg, &c->reply);
		call_free(c);
	}
	http_leave(h);
}

/* Deadline or idle time. Bytes only note when they came, so it may have to wait on. */
static void on_call_timer(void *arg)
{
	struct http_call *c = arg;
	struct pool *p = c->pool;
	struct http *h = c->http;
	int64_t now = clock_mono_ms(), left = INT64_MAX;

	if (c->deadline_ms)
		left = c->started + c->deadline_ms - now;
	if (c->idle_ms && c->last_byte + c->idle_ms - now < left)
		left = c->last_byte + c->idle_ms - now;
	if (left > 0) {
		timer_set(&c->timer, left);
		return;
	}
	bool late = c->deadline_ms && c->started + c->deadline_ms <= now;
	c->timed_out = late ? "no answer within" : "no byte came for";
	if (p == h->pool && now - p->last_byte >= SILENT_MS && c->last_byte == c->started)
		pool_renew(h);
	pool_remove(c);
	call_finish(c, CURLE_OPERATION_TIMEDOUT);
	pool_release(p);
	http_deliver(h);
}

/* ---- starting and cancelling ---- */

static void add_header(struct http_call *c, const char *line)
{
	c->headers = curl_slist_append(c->headers, line);
	if (!c->headers)
		abort(); /* out of memory */
}

static void set_headers(struct http_call *c, const struct http_request *r)
{
	bool has_type = false;

	for (const char *const *h = r->headers; h && *h; h++) {
		has_type |= !strncasecmp(*h, "content-type:", 13);
		add_header(c, *h);
	}
	if (r->body) {
		add_header(c, "Expect:"); /* no waiting for 100-continue */
		if (!has_type)
			add_header(c, "Content-Type:");
	}
	if (r->bearer) {
		char *line = mem_printf("Authorization: Bearer %s", r->bearer);
		add_header(c, line);
		explicit_bzero(line, strlen(line));
		free(line);
	}
	if (c->settings->sni_host)
		add_header(c, c->settings->sni_host);
	if (c->headers)
		curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
}

static void set_request(struct http_call *c, const struct http_request *r)
{
	struct settings *s = c->settings;
	CURL *easy = c->easy;
	AUTO_FREE char *url =
		mem_printf("%s%s", s->sni_url ? s->sni_url : s->base_url, r->path);

	settings_apply(s, easy);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	if (s->sni_to) {
		c->connect_to = curl_slist_append(NULL, s->sni_to);
		curl_easy_setopt(easy, CURLOPT_CONNECT_TO, c->connect_to);
	}
	if (r->body) {
		buf_add(&c->body, r->body, r->body_len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, c->body.ptr);
	}
	if (!strcmp(r->method, "HEAD"))
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else if (strcmp(r->method, r->body ? "POST" : "GET"))
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
	set_headers(c, r);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, c);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, c->message);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, c);
}

struct http_call *http_start(struct http *h, const struct http_request *r,
			     http_on_data *on_data, http_on_done *on_done, void *arg)
{
	struct http_call *c = mem_alloc(sizeof *c);

	c->http = h;
	c->settings = h->settings;
	c->settings->refs++;
	c->on_data = on_data;
	c->on_done = on_done;
	c->arg = arg;
	c->max_body = r->max_body ? r->max_body : DEFAULT_MAX_BODY;
	c->deadline_ms = r->deadline_ms;
	c->idle_ms = r->idle_ms;
	c->started = c->last_byte = clock_mono_ms();
	buf_init(&c->body);
	buf_init(&c->reply.body);
	c->reply.retry_after_ms = -1;
	c->easy = curl_easy_init();
	if (!c->easy)
		abort(); /* out of memory */
	timer_init(&c->timer, h->loop, on_call_timer, c);
	set_request(c, r);
	if (c->deadline_ms || c->idle_ms)
		timer_set(&c->timer,
			  !c->idle_ms || (c->deadline_ms && c->deadline_ms < c->idle_ms)
				  ? c->deadline_ms
				  : c->idle_ms);
	pool_start(c);
	return c;
}

void http_cancel(struct http_call *c)
{
	struct http *h = c->http;
	struct pool *p = c->pool;

	switch (c->state) {
	case CALL_QUEUED:
	case CALL_ACTIVE:
		timer_cancel(&c->timer);
		if (p->in_curl && c->state == CALL_ACTIVE) {
			c->state = CALL_DROPPED;
			p->has_deferred = true;
			return;
		}
		pool_remove(c);
		call_free(c);
		pool_release(p);
		return;
	case CALL_DONE:
		TAILQ_REMOVE(&h->done, c, link);
		call_free(c);
		return;
	case CALL_DELIVERING: /* from its own on_done: it ends right after */
	case CALL_DROPPED:
		return;
	}
}

void http_put_encoded(struct buf *b, const char *s)
{
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;

		if (isalnum(ch) || ch == '-' || ch == '.' || ch == '_' || ch == '~')
			buf_putc(b, *s);
		else
			buf_printf(b, "%%%02X", ch);
	}
}
