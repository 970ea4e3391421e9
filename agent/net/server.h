/*
 * net/server.h - HTTP server (evhttp) with deadlines and caps: headers 16 KiB, body 1 MiB,
 * 5 s for the headers, 10 s for the body, at most 256 connections.
 */
#ifndef NET_SERVER_H
#define NET_SERVER_H

#include "base/buf.h"
#include "net/loop.h"

struct server;

struct server_request {
	const char *method, *path, *query; /* path decoded, no '..'; query raw or "" */
	const char *body;
	size_t body_len;
	const char *(*header)(const struct server_request *r, const char *name); /* or NULL */
	void *impl;
};

struct server_reply {
	int status;		  /* preset 200 */
	const char *content_type; /* static; preset "text/plain; charset=utf-8" */
	struct buf body;
};

typedef void server_handler(void *arg, const struct server_request *r,
			    struct server_reply *reply);

/* address: "127.0.0.1:8080", "[::1]:8080", ":8080" (all addresses), port 0 picks a free one. */
int server_new(struct loop *loop, const char *address, server_handler *handler, void *arg,
	       struct server **out, struct error *err);
int server_port(const struct server *s);
void server_free(struct server *s);

#endif
