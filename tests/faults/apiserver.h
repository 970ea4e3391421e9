/*
 * faults/apiserver.h - a small API server in the test's own loop, with a script of faults.
 *
 * Plain HTTP/1.1 on loopback. Kept as real: resourceVersion, uid, generation, managedFields of
 * server-side apply (conflicts, removal, takeover by others, no-op), dry run, uid precondition,
 * discovery (aggregated with ETag, legacy), list with pages, watch with bookmarks, WatchList,
 * label selectors (k=v, k), metadata.name field selectors, PartialObjectMetadata.
 * Not kept: schemas, defaulting, validation, garbage collection, finalizers. Lists are atomic
 * for ownership, except lists of objects that all have a "name", which are maps by that name.
 *
 * Kinds from the start: v1 Namespace, ConfigMap, Secret, Service, ServiceAccount, Pod;
 * apps/v1 Deployment, StatefulSet, DaemonSet; batch/v1 Job; events.k8s.io/v1 Event;
 * coordination.k8s.io/v1 Lease; apiextensions.k8s.io/v1 CustomResourceDefinition. Namespaces
 * must exist (404 as the real one) except "default" and "kube-system", which do.
 */
#ifndef FAULTS_APISERVER_H
#define FAULTS_APISERVER_H

#include "kube/kube.h"

struct apiserver;

struct apiserver *apiserver_new(struct loop *loop);
void apiserver_free(struct apiserver *s);	      /* after kube_free() of its clients */
const char *apiserver_url(const struct apiserver *s); /* http://127.0.0.1:PORT */
const char *apiserver_kubeconfig(const struct apiserver *s); /* text for kube_config_parse() */
struct kube *apiserver_connect(struct apiserver *s);	     /* a client of it; caller frees */
/* Connect, discover (runs the loop until that is done), return the client. */
struct kube *apiserver_client(struct apiserver *s);

/* ---- Kinds ---- */

void apiserver_add_kind(struct apiserver *s, const char *group, const char *version,
			const char *kind, const char *plural, bool namespaced, bool has_status);
void apiserver_remove_kind(struct apiserver *s, const char *group, const char *kind);
void apiserver_set_stale(struct apiserver *s, const char *group, bool stale);

/* ---- Objects, as if another client had written them ---- */

/* Create, or replace whole. `json` has apiVersion, kind, metadata. `manager` takes ownership of
 * every field whose value changes (operation Update). status is kept as given. Returns the
 * stored object (valid until its next change), NULL when the kind is unknown. */
const struct value *apiserver_put(struct apiserver *s, const char *manager, const char *json);
/* The stored object, or NULL. api_version: "v1", "apps/v1". */
const struct value *apiserver_get(struct apiserver *s, const char *api_version,
				  const char *kind, const char *ns, const char *name);
bool apiserver_delete(struct apiserver *s, const char *api_version, const char *kind,
		      const char *ns, const char *name);
size_t apiserver_count(const struct apiserver *s); /* objects, namespaces included */
int64_t apiserver_revision(const struct apiserver *s);

/* ---- Faults ---- */

enum fault_kind {
	FAULT_STATUS, /* answer `status` with `body` (NULL: a Status object), nothing done */
	FAULT_STATUS_DONE, /* the same, but after the request has been carried out */
	FAULT_STALL,	   /* never answer */
	FAULT_DELAY,	   /* answer after delay_ms */
	FAULT_CLOSE,	   /* close the connection without an answer; the request is not done */
	FAULT_CLOSE_DONE,  /* the same, but it is done: as a GOAWAY that came too late */
	FAULT_CUT,	   /* carry out, send the first `cut` bytes of the body, then close */
	FAULT_JUNK, /* status 200 with `body` (NULL: "{\"kind\":") in place of the answer */
	FAULT_HUGE, /* status 200 with `cut` bytes of white space and "{}" */
	FAULT_HALF_LINES,  /* watches: every event line is sent in two writes, 20 ms apart */
	FAULT_NO_BOOKMARK, /* watches: the bookmark that ends the initial events never comes */
};

struct fault {
	enum fault_kind kind;
	const char *method; /* NULL: any */
	const char *match;  /* part of path and query, as it was sent; NULL: any */
	int skip;	    /* let so many matching requests pass first */
	int times;	    /* then hit so many; 0: for ever */
	int status;
	int retry_after;  /* seconds; 0: no header; -1: "Retry-After: 0" */
	const char *body; /* static or outliving the server */
	size_t cut;
	int64_t delay_ms;
};

void apiserver_fault(struct apiserver *s, const struct fault *f); /* first match wins */
void apiserver_clear_faults(struct apiserver *s);

/* What the server lacks; all false at first. */
struct apiserver_lacks {
	bool watch_list;	   /* 422 for sendInitialEvents */
	bool aggregated_discovery; /* plain APIGroupList and APIResourceList */
};
void apiserver_set_lacks(struct apiserver *s, struct apiserver_lacks lacks);
void apiserver_expire(struct apiserver *s);	 /* forget old events: 410 for older versions */
void apiserver_cut_watches(struct apiserver *s); /* close them in the middle of a line */
void apiserver_end_watches(struct apiserver *s); /* end them as at their timeoutSeconds */
void apiserver_watch_error(struct apiserver *s, int code, const char *reason); /* ERROR event */
void apiserver_bookmark(struct apiserver *s);	     /* send one to every watch now */
size_t apiserver_watches(const struct apiserver *s); /* open now */

/* ---- What it saw ---- */

struct apiserver_seen {
	char *method, *uri, *body, *content_type, *accept, *authorization, *impersonate;
	int status; /* sent; 0: none */
};
/* Requests so far whose method is `method` (NULL: any) and whose path and query contain `match`
 * (NULL: any). Discovery counts too. */
size_t apiserver_seen_count(const struct apiserver *s, const char *method, const char *match);
/* The newest such request, or NULL; valid until the next request. */
const struct apiserver_seen *apiserver_seen(const struct apiserver *s, const char *method,
					    const char *match);
void apiserver_forget(struct apiserver *s); /* start counting at zero */

/* Run the loop until *flag is true, at most `ms`; false when it did not become true. */
bool apiserver_run_until(struct apiserver *s, const bool *flag, int64_t ms);
bool loop_run_until(struct loop *loop, const bool *flag, int64_t ms);
void loop_run_for(struct loop *loop, int64_t ms);

#endif
