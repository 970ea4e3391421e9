/* web/web.c - see web.h. */
#include "web/web.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/server.h"

struct web {
	struct server *server;
	const struct agent *agent;
};

static void put_metrics(struct web *w, struct server_reply *reply)
{
	reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
	agent_metrics(w->agent, &reply->body);
}

static void put_health(struct web *w, struct server_reply *reply)
{
	(void)w;
	buf_puts(&reply->body, "ok\n");
}

static void put_ready(struct web *w, struct server_reply *reply)
{
	if (agent_ready(w->agent, &reply->body)) {
		buf_puts(&reply->body, "ok\n");
		return;
	}
	reply->status = 503;
	buf_putc(&reply->body, '\n');
}

static const struct {
	const char *path;
	void (*fn)(struct web *w, struct server_reply *reply);
} routes[] = {
	{"/metrics", put_metrics},
	{"/healthz", put_health},
	{"/readyz", put_ready},
};

static void on_request(void *arg, const struct server_request *r, struct server_reply *reply)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (strcmp(r->path, routes[i].path))
			continue;
		if (strcmp(r->method, "GET") && strcmp(r->method, "HEAD")) {
			reply->status = 405;
			buf_puts(&reply->body, "only GET is answered here\n");
			return;
		}
		routes[i].fn(arg, reply);
		return;
	}
	reply->status = 404;
	buf_puts(&reply->body, "there are /metrics, /healthz and /readyz\n");
}

int web_new(struct loop *loop, const char *address, const struct agent *agent, struct web **out,
	    struct error *err)
{
	struct web *w = mem_alloc(sizeof *w);

	w->agent = agent;
	if (server_new(loop, address, on_request, w, &w->server, err)) {
		free(w);
		return -1;
	}
	*out = w;
	return 0;
}

int web_port(const struct web *w)
{
	return server_port(w->server);
}

void web_free(struct web *w)
{
	if (!w)
		return;
	server_free(w->server);
	free(w);
}
