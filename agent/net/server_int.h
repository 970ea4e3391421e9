/* net/server_int.h - the server's deadlines, so that tests need not wait for the real ones. */
#ifndef NET_SERVER_INT_H
#define NET_SERVER_INT_H

#include "net/server.h"

struct server_limits {
	int64_t headers_ms; /* from a request's first byte, or the connection, to its empty line
			     */
	int64_t body_ms;    /* from there to the last byte */
	int64_t reply_ms;   /* for the client to take the answer, and to ask again */
	int64_t sweep_ms;   /* how often deadlines are looked at */
};

void server_set_limits(struct server *s, const struct server_limits *limits);

#endif
