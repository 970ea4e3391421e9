/*
 * web/web.h - /metrics, /healthz, /readyz of the agent.
 *
 * healthz: the loop turns. readyz: every Application has been looked at once; 503 with what is
 * awaited until then.
 */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include "sync/sync.h"

struct web;
int web_new(struct loop *loop, const char *address, const struct agent *agent, struct web **out,
	    struct error *err);
int web_port(const struct web *w);
void web_free(struct web *w);

#endif
