/*
 * sync/sync.h - the agent: watches Applications and drives each through its stages.
 *
 * The only folder that knows the order: poll -> verify -> desired -> live -> plan -> preflight
 * -> save the inventory -> write -> health -> prune -> report. One machine an Application
 * (app.c); repositories are shared between them (source.c).
 */
#ifndef SYNC_SYNC_H
#define SYNC_SYNC_H

#include "apply/apply.h"
#include "kube/kube.h"

struct agent;

/* What happened with one Application in observe mode. Valid in the call. */
struct observed {
	const char *app, *commit, *signer; /* commit "" when there is none */
	const struct refusal *refusal;	   /* code REFUSAL_NONE: the head is trusted */
	const struct problems *problems;   /* of reading or of preflight; NULL or empty: none */
	const struct plan *plan;	   /* NULL when it did not get so far */
	const struct desired *desired;	   /* what the plan wants; NULL with plan */
	struct error err;		   /* ERROR_NONE: the plan is complete */
};

struct agent_options {
	const char *ns; /* our own namespace */
	const char *cache_dir, *default_policy;
	int64_t poll_interval_ms, git_timeout_ms, sync_timeout_ms;
	int concurrency;
	bool allow_file_urls, allow_http_urls;
	/* Observe mode: nothing is ever written; `observed` is told once for `only_app`. */
	const char *only_app; /* "namespace/name", or NULL: all */
	bool observe;
	void (*observed)(void *arg, const struct observed *o);
	void *arg;
};

int agent_new(struct kube *k, const struct agent_options *o, struct agent **out,
	      struct error *err);
void agent_free(struct agent *a);
/* Before an orderly end: starts to save what differs from what is stored. True while that runs.
 */
bool agent_flush(struct agent *a);
/* True when every Application has been looked at once; `why` gets what is awaited. */
bool agent_ready(const struct agent *a, struct buf *why);
/* Prometheus text format 0.0.4. */
void agent_metrics(const struct agent *a, struct buf *out);

/* ApplySet id of an Application (KEP-3659): the value of LABEL_PART_OF. */
void application_part_of(const char *ns, const char *name, struct buf *out);

#define ANNOTATION_SYNC	  "modelsync.dev/sync" /* a new value asks for a sync now */
#define SYNC_PRUNE_SUFFIX "+prune" /* at its end: the sync may prune though prune is off */

#endif
