/*
 * net/http.h - HTTP/2 client: libcurl's multi interface on the loop.
 *
 * A `struct http` is one peer with its TLS settings and its own connections (watches get one of
 * their own, so that a stalled stream can't starve writes). Redirects are never followed.
 * No on_data or on_done is ever called from inside http_start() or http_cancel().
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/buf.h"
#include "net/loop.h"

struct http;
struct http_call;

struct http_options {
	const char *base_url; /* https://host:port[/prefix], no trailing slash */
	bool allow_plain;     /* http:// too (forge on loopback, tests) */
	bool insecure;	      /* don't verify the peer: only where the user wrote so */
	const char *ca_file;  /* PEM; NULL and no ca_data: the system's */
	const char *ca_data;  /* PEM text, wins over ca_file */
	const char *cert_file, *key_file; /* client certificate, or NULL */
	const char *cert_data, *key_data; /* PEM text, win over the files */
	const char *server_name; /* for TLS verification and SNI, or NULL: host of base_url */
	const char *proxy;	 /* URL, or NULL: the environment's */
	const char *user_agent;
	int max_connections; /* 0: 1 */
	bool gzip;	     /* ask for compressed answers */
};

/* All strings are copied. */
int http_new(struct loop *loop, const struct http_options *o, struct http **out,
	     struct error *err);
void http_free(struct http *h); /* cancels what runs: their on_done is not called */

struct http_request {
	const char *method;	    /* "GET", ... */
	const char *path;	    /* appended to base_url; already percent-encoded */
	const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
	const char *bearer;	    /* sent as Authorization: Bearer; never logged */
	const void *body;	    /* copied; NULL: none */
	size_t body_len;
	int64_t deadline_ms; /* whole request; 0: none (watches) */
	int64_t idle_ms;     /* fail when no byte came for so long; 0: none */
	size_t max_body;     /* of an answer that is collected; 0: 64 MiB */
};

struct http_reply {
	int status; /* 0: no answer; then `err` tells */
	struct error
		err; /* transport only: ERROR_TRANSIENT mostly, ERROR_DENIED for TLS failures */
	struct buf body; /* empty when on_data took it; the callee may steal it (buf_detach) */
	char content_type[128];
	char etag[128];
	int64_t retry_after_ms; /* -1: the header was not there */
	bool connection_failed; /* nothing reached the server: always safe to send again */
};

/* Returns 0, or -1 to abort the transfer (then on_done gets ERROR_INVALID). First called with
 * len 0 when the headers have come: the server answers. Starting and cancelling calls in here
 * is fine, it takes effect when curl has returned. */
typedef int http_on_data(void *arg, int status, const char *data, size_t len);
typedef void http_on_done(void *arg, struct http_reply *reply);

/* The call is freed after on_done or http_cancel(). on_data may be NULL: the body is collected.
 */
struct http_call *http_start(struct http *h, const struct http_request *r,
			     http_on_data *on_data, http_on_done *on_done, void *arg);
void http_cancel(struct http_call *call); /* nothing is called afterwards */

/* Close idle connections so that new credentials or certificates take effect on the next call.
 */
int http_reconfigure(struct http *h, const struct http_options *o, struct error *err);

/* Append `s` percent-encoded (everything but unreserved characters of RFC 3986). */
void http_put_encoded(struct buf *b, const char *s);

#endif
