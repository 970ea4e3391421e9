/*
 * faults/faults_int.h - inside the test API server: objects and ownership (store.c, fields.c),
 * HTTP and faults (apiserver.c, handlers.c), watches (watches.c), discovery (kinds.c).
 */
#ifndef FAULTS_FAULTS_INT_H
#define FAULTS_FAULTS_INT_H

#include <event2/http.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/map.h"
#include "base/mem.h"
#include "apiserver.h"
#include "value/json.h"

struct fs_kind {
	char *group, *version, *kind, *plural;
	bool namespaced, has_status, stale, removed;
};

struct fs_object {
	TAILQ_ENTRY(fs_object) link;
	struct arena *arena; /* of `v`; replaced with every change */
	struct value *v;
	struct fs_kind *kind;
	char *key, *ns, *name;
};

struct fs_event {
	struct arena *arena;
	enum kube_event type;
	int64_t revision;
	struct fs_kind *kind;
	const char *ns, *name;
	struct value *object, *old_labels; /* labels before; NULL when there was no object */
};

struct fs_watcher {
	TAILQ_ENTRY(fs_watcher) link;
	struct apiserver *s;
	struct evhttp_request *req;
	struct fs_kind *kind;
	char *ns, *name, *selector;
	bool meta_only, half_lines;
	struct buf pending;
	struct timer timer;
};

struct fs_held { /* a request that waits, or never gets an answer */
	TAILQ_ENTRY(fs_held) link;
	struct apiserver *s;
	struct evhttp_request *req;
	struct timer timer;
	enum { HELD_STALLED, HELD_DELAYED, HELD_CLOSING } what;
	size_t seen;
};

struct fs_fault {
	struct fault f;
	int passed, hit;
};

struct apiserver {
	struct loop *loop;
	struct evhttp *http;
	int port;
	char url[64];
	char *kubeconfig;
	VEC(struct fs_kind *) kinds;
	struct map objects; /* key -> struct fs_object * */
	TAILQ_HEAD(, fs_object) list;
	VEC(struct fs_event) events;
	int64_t revision, oldest; /* a watch from before `oldest` gets 410 */
	TAILQ_HEAD(, fs_watcher) watchers;
	TAILQ_HEAD(, fs_held) held;
	VEC(struct fs_fault) faults;
	VEC(struct apiserver_seen) seen;
	struct apiserver_lacks lacks;
	bool freeing;
};

/* An answer being made. `doc` (in `arena`) wins over `text`. */
struct fs_answer {
	struct arena *arena;
	int status;
	const char *type; /* content type */
	struct value *doc;
	const char *text, *etag;
	bool not_modified;
};

/* A request taken apart. */
struct fs_request {
	const char *method;
	struct arena *arena;
	struct evkeyvalq *query;
	struct fs_kind *kind;
	const char *ns, *name, *subresource, *content_type, *accept;
	const char *body;
	size_t body_len;
	bool dry_run, meta_only;
};

/* kinds.c */
void fs_kinds_init(struct apiserver *s);
void fs_kinds_clear(struct apiserver *s);
struct fs_kind *fs_kind_of(struct apiserver *s, const char *group, const char *version,
			   const char *plural, const char *kind); /* by plural or by kind */
struct fs_kind *fs_kind_of_object(struct apiserver *s, const struct value *v);
bool fs_discovery(struct apiserver *s, const char *path, const char *accept, const char *etag,
		  struct fs_answer *a);

/* store.c */
void fs_store_init(struct apiserver *s);
void fs_store_clear(struct apiserver *s);
struct fs_object *fs_find(struct apiserver *s, const struct fs_kind *k, const char *ns,
			  const char *name);
/* Put `v` in the place of `old` (or create); version, uid, generation, event. Unchanged:
 * nothing. */
struct fs_object *fs_store(struct apiserver *s, struct fs_kind *k, const char *ns,
			   const char *name, struct fs_object *old, struct value *v);
void fs_remove(struct apiserver *s, struct fs_object *o);
void fs_status(struct fs_answer *a, int code, const char *reason, const char *message,
	       const char *kind, const char *name);
void fs_cause(struct fs_answer *a, const char *reason, const char *message, const char *field);
bool fs_matches(const char *selector, const struct value *labels);

/* fields.c: managedFields */
struct value *fs_fields(struct arena *a, const struct value *object, bool status_only);
/* A write that is no apply: `manager` takes what differs between the two. */
void fs_own_changes(struct arena *a, const struct value *before, struct value *after,
		    const char *manager, const char *subresource);
/* Server-side apply of `config` to `live` (in `a`, changed in place). False: conflicts, in
 * `ans`. */
bool fs_apply(struct arena *a, struct value *live, const struct value *config,
	      const char *manager, const char *subresource, bool force, struct fs_answer *ans);

/* handlers.c */
void fs_handle(struct apiserver *s, struct fs_request *r, struct fs_answer *a);

/* watches.c */
void fs_watch(struct apiserver *s, struct fs_request *r, struct evhttp_request *req,
	      struct fs_answer *refusal, bool half_lines, bool no_bookmark);
void fs_watchers_tell(struct apiserver *s, const struct fs_event *e);
void fs_watchers_free(struct apiserver *s);
struct value *fs_meta_only(struct arena *a, const struct value *v);

#endif
