/*
 * kube/kube.h - untyped Kubernetes API client on the loop.
 *
 * Paths come from (group, version, plural, namespace, name) percent-encoded; bodies are JSON.
 * Two connections: one for requests, one for watches. Every request here may safely be sent
 * twice (apply, merge patch, delete with uid precondition), so connection failures, GOAWAY,
 * 429 and 503 with Retry-After are retried inside within the request's deadline.
 */
#ifndef KUBE_KUBE_H
#define KUBE_KUBE_H

#include "kube/config.h"
#include "value/value.h"

struct kube;

int kube_new(struct loop *loop, struct kube_config *config /* taken over */, struct kube **out,
	     struct error *err);
void kube_free(struct kube *k); /* cancels calls and watches */
const struct kube_config *kube_config_of(const struct kube *k);
struct loop *kube_loop(const struct kube *k);
/* For requests that name no deadline, discovery included; 30 s where this is not called. */
void kube_set_deadline(struct kube *k, int64_t ms);

/* ---- Kinds (discovery) ---- */

/* One served kind; interned, valid until kube_free(), even when a later discovery lacks it. */
struct kube_kind {
	const char *group, *version, *kind, *plural; /* core group: "" */
	bool namespaced;
	bool served;	 /* by the last discovery */
	bool stale;	 /* its group's backend did not answer: unknown, never "gone" */
	bool has_status; /* status subresource */
	bool preferred;	 /* the version the server names first for this group and kind */
	bool can_list_watch, can_patch;
};

/* Ask for the served kinds; cheap when unchanged (ETag). Calls that overlap share one request.
 */
typedef void kube_on_discovered(void *arg, const struct error *err /* NULL: fine */,
				bool changed);
void kube_discover(struct kube *k, kube_on_discovered *fn, void *arg);
/* NULL when not known. version NULL: the preferred one. */
const struct kube_kind *kube_kind(struct kube *k, const char *group, const char *version,
				  const char *kind);
/* True when any group was stale in the last discovery: don't conclude that a kind is gone. */
bool kube_discovery_stale(const struct kube *k);
/* "Deployment.apps", "ConfigMap": for people and for ApplySet annotations. */
char *kube_kind_text(const struct kube_kind *kind, char *out, size_t size);

/* ---- Requests ---- */

enum kube_verb {
	KUBE_GET,
	KUBE_LIST,
	KUBE_CREATE,	  /* POST */
	KUBE_APPLY,	  /* server-side apply */
	KUBE_MERGE_PATCH, /* RFC 7386 */
	KUBE_REPLACE,	  /* PUT */
	KUBE_DELETE,
};

struct kube_request {
	enum kube_verb verb;
	const struct kube_kind *kind;
	const char *ns; /* NULL or "" for cluster-scoped kinds; LIST: NULL is all namespaces */
	const char *name;
	const char *subresource; /* "status", or NULL */
	const char *body;	 /* JSON; copied */
	size_t body_len;
	const char *field_manager; /* APPLY, MERGE_PATCH, CREATE, REPLACE */
	bool force, dry_run;
	bool metadata_only;   /* answer as PartialObjectMetadata */
	const char *uid;      /* DELETE: precondition, required; propagation is Background */
	const char *selector; /* LIST: label selector */
	int64_t deadline_ms;  /* 0: 30 s, retries included */
};

struct kube_reply {
	int status;	  /* HTTP status; 0: nothing came back */
	struct error err; /* ERROR_NONE on 2xx; else kind, reason and a sentence for people */
	struct value *object; /* the answer, parsed (a Status on failure); NULL when none */
	struct arena *arena;  /* owns `object`; freed after the callback unless stolen */
	const char *field;    /* first cause's field of a failure ("spec.replicas"), or NULL */
	int tries;
};

struct kube_call;
typedef void kube_on_reply(void *arg, struct kube_reply *reply);

/*
 * Error mapping (measured on 1.36): 401, 403 -> ERROR_DENIED ("Unauthorized", "Forbidden"), but
 * a namespace that is being deleted -> ERROR_TRANSIENT "NamespaceTerminating"; 404 of a
 * namespace -> ERROR_INVALID "NamespaceMissing"; other 404 -> ERROR_GONE "NotFound" or, when
 * the path itself is not served, "KindUnknown"; 409 with FieldManagerConflict -> ERROR_CONFLICT
 * "FieldConflict" (text names the manager and fields); other 409 -> ERROR_CONFLICT "Conflict";
 * 410 -> ERROR_GONE "Expired"; 400, 422 -> ERROR_INVALID "Rejected" (with causes); 500 whose
 * message is a schema error of server-side apply ("field not declared in schema", "expected
 * ...", "failed to convert
 * ...") -> ERROR_INVALID "Rejected"; 413, and a 500 of etcd's limit -> ERROR_INVALID
 * "TooLarge"; 429, other 5xx, no answer -> ERROR_TRANSIENT "ServerBusy", "ServerError",
 * "Unreachable"; TLS refused by either side -> ERROR_DENIED "TlsFailed". Bodies of Secrets are
 * never quoted in a text. A CREATE may reach the server twice when a kept connection is closed
 * under it: a Conflict then may be our own first try.
 */
struct kube_call *kube_send(struct kube *k, const struct kube_request *r, kube_on_reply *fn,
			    void *arg);
void kube_cancel(struct kube_call *c); /* nothing is called afterwards */

/* ---- Watches ---- */

enum kube_event { KUBE_ADDED, KUBE_MODIFIED, KUBE_DELETED };

struct kube_watch_options {
	const struct kube_kind *kind;
	const char *ns;	      /* NULL: all */
	const char *selector; /* label selector, or NULL */
	const char *name;     /* a single object (field selector), or NULL */
	bool metadata_only;
};

/*
 * A list, then a watch, for ever: streamed where the server can (WatchList), list and watch
 * where not; bookmarks; reconnects with the last resourceVersion; 410 starts over.
 * on_begin: a full list starts; what is not seen between it and on_synced is gone.
 * on_event: `object` is valid only inside the call; it has apiVersion and kind.
 * on_broken: the server can't be reached or refuses (told once per outage); it goes on trying.
 */
struct kube_watch_ops {
	void (*on_begin)(void *arg);
	void (*on_event)(void *arg, enum kube_event event, const struct value *object);
	void (*on_synced)(void *arg);
	void (*on_broken)(void *arg, const struct error *err);
};

struct kube_watch;
struct kube_watch *kube_watch_start(struct kube *k, const struct kube_watch_options *o,
				    const struct kube_watch_ops *ops, void *arg);
void kube_watch_stop(struct kube_watch *w); /* nothing is called afterwards */

/* ---- Events (events.k8s.io/v1) ---- */

struct kube_event_note {
	const char *api_version, *kind, *ns, *name, *uid; /* the object it is about */
	bool warning;
	const char *reason; /* CamelCase */
	const char *action; /* CamelCase verb: "Sync" */
	const char *note;   /* cut at 1,000 bytes */
};
/* Fire and forget; repeats of the same note are folded into a series. */
void kube_note(struct kube *k, const struct kube_event_note *e);

/* ---- Counters for /metrics ---- */
struct kube_stats {
	uint64_t requests[7 /* by verb */], failures, retries, watch_restarts;
};
const struct kube_stats *kube_stats(const struct kube *k);

#endif
