/*
 * net/http_int.h - inside the HTTP client: a peer, its pools of connections, its calls.
 *
 * A pool is one curl multi handle. The peer sends new calls to its current pool; a pool whose
 * connections can't be trusted any more (new credentials, a dead peer, a fatal error) is
 * retired: it gets no new calls and is freed when its last call ends.
 *
 * No curl function that touches a multi handle runs inside one of its callbacks: `in_curl`
 * tells, and what was asked for meanwhile is done by pool_drive() after curl has returned.
 */
#ifndef NET_HTTP_INT_H
#define NET_HTTP_INT_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "net/http.h"

/* What a peer was configured with; shared, since curl reads the blobs while a call runs. */
struct settings {
	int refs;
	char *base_url, *host, *shown; /* host[:port]; the URL as it is shown in errors */
	char *ca, *cert, *key;	       /* PEM text, or NULL */
	size_t ca_len, cert_len, key_len;
	char *sni_url, *sni_to, *sni_host; /* for a TLS name of its own; else NULL */
	char *proxy, *user_agent;
	bool plain, insecure, gzip, loopback;
	int max_connections;
};

enum call_state {
	CALL_QUEUED, /* waits for curl to return */
	CALL_ACTIVE, /* curl has it */
	CALL_DONE,   /* result known, on_done not called yet */
	CALL_DELIVERING,
	CALL_DROPPED, /* cancelled inside a curl callback; removed after */
};

struct http_call {
	TAILQ_ENTRY(http_call) link; /* in pool->calls, or in http->done */
	struct http *http;
	struct pool *pool; /* NULL from CALL_DONE on */
	struct settings *settings;
	enum call_state state;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	struct buf body; /* of the request */
	struct http_reply reply;
	http_on_data *on_data;
	http_on_done *on_done;
	void *arg;
	size_t max_body;
	struct timer timer; /* deadline or idle time, whichever comes first */
	int64_t started, deadline_ms, idle_ms, last_byte;
	int status;
	bool answered, too_large, aborted;
	const char *timed_out; /* which of the two it was, or NULL */
	char message[CURL_ERROR_SIZE];
};
TAILQ_HEAD(call_list, http_call);

struct pool {
	struct pool *next;
	struct http *http;
	CURLM *multi;
	struct timer timer; /* what curl asked for */
	struct call_list calls;
	struct sock *socks;
	int64_t last_byte; /* of any call */
	bool in_curl, retired, has_deferred;
};

struct http {
	struct loop *loop;
	struct settings *settings;
	struct pool *pool;     /* the current one */
	struct pool *pools;    /* all, retired ones too */
	struct call_list done; /* to be delivered */
	struct timer deliver;
	int busy; /* callbacks of ours under way: free later */
	bool dead;
};

/* http_pool.c */
void pool_renew(struct http *h); /* retire the current pool, make another */
void pool_start(struct http_call *c);
void pool_remove(struct http_call *c); /* off the multi handle, or marked for it */
void pool_release(struct pool *p);     /* free it if it is retired and empty */
void pool_free_all(struct http *h);

/* http.c */
void call_finish(struct http_call *c, CURLcode result); /* to http->done */
void call_free(struct http_call *c);
void http_deliver(struct http *h); /* calls on_done; may free h */
void http_enter(struct http *h);
void http_leave(struct http *h); /* may free h */

/* http_settings.c */
struct settings *settings_new(const struct http_options *o, struct error *err);
void settings_unref(struct settings *s);
bool settings_equal(const struct settings *a, const struct settings *b);
void settings_apply(struct settings *s, CURL *easy);

#endif
