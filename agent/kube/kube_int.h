/*
 * kube/kube_int.h - inside the client: the two peers, credentials, raw calls, discovery's
 * state.
 */
#ifndef KUBE_KUBE_INT_H
#define KUBE_KUBE_INT_H

#include <sys/queue.h>
#include <sys/stat.h>

#include "base/map.h"
#include "kube/config_int.h"
#include "kube/kube.h"

/* ---- credentials (auth.c) ---- */

struct kube_auth {
	char *file_token;	     /* last content of token_file */
	int64_t token_read_at;	     /* boot-time clock; 0: read it again */
	struct kube_credential cred; /* of the exec plugin */
	struct child *plugin;	     /* running now: calls wait */
	int64_t plugin_ran_at;
	struct stat files[3]; /* certificate, key, CA, as they were when read */
	int64_t files_checked_at;
};

int kube_auth_init(struct kube *k, struct error *err);
void kube_auth_clear(struct kube *k);
/* Look after files and expiry before a request. False: wait, kube_auth_ready() will be called.
 */
bool kube_auth_prepare(struct kube *k);
const char *kube_auth_bearer(const struct kube *k); /* or NULL */
/* After a 401: forget what is remembered. True: another try may fare better. */
bool kube_auth_refused(struct kube *k);
/* After a TLS failure: true when files had changed and were taken in. */
bool kube_auth_reload(struct kube *k);
void kube_auth_ready(struct kube *k); /* in call.c: what waited goes on */

/* ---- raw calls (call.c) ---- */

struct kube_raw {
	const char *method;	  /* static */
	const char *path;	  /* with query; copied */
	const char *accept;	  /* static; NULL: JSON */
	const char *content_type; /* static; NULL without body: none, else JSON */
	const char *etag;	  /* If-None-Match; copied */
	const char *body;	  /* copied */
	size_t body_len;
	int64_t deadline_ms;	     /* 0: 30 s */
	bool once;		     /* send again only what surely was not carried out */
	const struct error *refused; /* don't send: answer with this; NULL: send */
};

typedef void kube_on_raw(void *arg, struct http_reply *reply, int tries);

struct kube_call {
	TAILQ_ENTRY(kube_call) link; /* in kube->calls until fn was called */
	struct kube *k;
	struct http_call *http;
	struct timer retry;
	const char *method, *accept, *content_type;
	char *path, *etag;
	struct buf body;
	int64_t deadline; /* boot-time clock */
	int tries;
	bool has_body, once, waits_for_auth, refused_once, reloaded_once, delivering;
	kube_on_raw *on_raw;
	void *raw_arg;
	struct error refused;
	struct kube_sent *sent; /* of kube_send(); freed with the call */
};
TAILQ_HEAD(kube_calls, kube_call);

struct kube_call *kube_raw_start(struct kube *k, const struct kube_raw *raw, kube_on_raw *fn,
				 void *arg);
/* Common headers, those of `own` first, into `out` (room for `size`), NULL-terminated. */
void kube_headers(const struct kube *k, const char **out, size_t size, const char *const *own);
int64_t kube_random(int64_t below); /* 0 when below is not positive */

/* ---- requests (send.c, status.c) ---- */

struct kube_sent { /* what a request was about, for its answer and errors */
	enum kube_verb verb;
	const struct kube_kind *kind;
	char *ns, *name;
	const char *peer, *source; /* the server's URL, and where credentials came from */
	kube_on_reply *fn;
	void *arg;
};

#define KUBE_JSON "application/json"
#define KUBE_META \
	"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
#define KUBE_META_LIST \
	"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

/* /api/v1/namespaces/NS/plural[/name], percent-encoded. ns may be NULL. */
void kube_put_path(struct buf *b, const struct kube_kind *kind, const char *ns,
		   const char *name);
/* "?key=value" or "&key=value", the value percent-encoded. */
void kube_put_query(struct buf *b, const char *key, const char *value);

/* Turn an answer that is no success into an error. `status`: its Status object, or NULL. */
void kube_explain(const struct kube_sent *sent, const struct http_reply *r,
		  const struct value *status, struct error *err, const char **field);

/* ---- the client ---- */

struct kube_discovery;
struct kube_notes;

struct kube {
	int64_t deadline_ms; /* 0: the default */
	struct loop *loop;
	struct kube_config *config;
	struct http *requests, *watching;
	struct kube_auth auth;
	struct kube_calls calls;
	LIST_HEAD(, kube_watch) watches;
	struct map no_watch_list; /* groups whose server has no WatchList */
	struct kube_discovery *discovery;
	struct kube_notes *notes;
	struct kube_stats stats;
};

int kube_connect(struct kube *k, struct error *err); /* make, or reconfigure, the two peers */

struct kube_discovery *kube_discovery_new(void);
void kube_discovery_free(struct kube_discovery *d);
struct kube_notes *kube_notes_new(struct kube *k);
void kube_notes_free(struct kube_notes *n);

#endif
