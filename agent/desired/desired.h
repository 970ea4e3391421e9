/*
 * desired/desired.h - the objects that a verified commit wants, without their bodies.
 *
 * In:  a verified revision, the source's path and destination, the kinds the server knows.
 * Out: objects sorted by key, each with wave, hash and the place it came from; or all problems
 * of the commit together (one problem means that nothing of the commit is applied).
 *
 * Bodies are not kept: desired_body() reads the blob again by id, so 10,000 objects cost about
 * 2 MiB. The same commit gives the same bytes and hashes on any machine.
 */
#ifndef DESIRED_DESIRED_H
#define DESIRED_DESIRED_H

#include "base/mem.h"
#include "kube/kube.h"
#include "trust/trust.h"

/* Label and annotation that every object we apply carries. The label is ApplySet's
 * (KEP-3659, kubectl's constant); the annotation's value is "HASH KEY". */
#define LABEL_PART_OF	   "applyset.kubernetes.io/part-of"
#define ANNOTATION_APPLIED "modelsync.dev/applied"

#define DESIRED_HASH_LEN    16
#define DESIRED_MAX_OBJECTS 20000	       /* TooManyObjects */
#define DESIRED_MAX_BYTES   (10 * 1024 * 1024) /* of one commit's manifests: TooLarge */

struct desired_object {
	/* "Kind.group|namespace|name" ("Kind" for core): identity whatever the version. */
	const char *key;
	const char *api_version, *kind, *ns /* "" for cluster-scoped */, *name;
	const struct kube_kind *resource;     /* NULL: the server doesn't know the kind (yet) */
	const char *file;		      /* in the repository */
	unsigned char hash[DESIRED_HASH_LEN]; /* of key and canonical JSON */
	int wave;			      /* sync-wave annotation, ours or Argo CD's; 0 */
	uint32_t line;			      /* where the object starts */
	uint32_t document; /* which one in the file, from 0 (items of a List count on) */
	uint32_t source;   /* index of the file among those read */
	uint8_t tier;	   /* built-in order of kinds inside a wave, from kind_tier() */
	bool adopt;	   /* annotation modelsync.dev/adopt: "true" */
	bool item;	   /* stands in a List */
};

/* One thing wrong with a commit. Strings live as long as the list. */
struct problem {
	const char *file;      /* or "" */
	uint32_t line, column; /* 0: unknown */
	const char *reason;    /* static: YamlInvalid, DuplicateObject, RemovedApi, ... */
	const char *text;      /* one sentence: seen, wanted, what to do */
};
/* In order of file and line; at most 100, then one that says so. Zero-initialised is empty. */
struct problems {
	VEC(struct problem) list;
	struct arena *arena;
};
#define PROBLEMS_MAX 100
void problems_clear(struct problems *p);
/* Add one; `file` and the text are copied, `reason` is static. */
void problems_add(struct problems *p, const char *file, uint32_t line, uint32_t column,
		  const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
void problems_done(struct problems *p); /* sorts; cuts at PROBLEMS_MAX and says so */

struct desired_spec {
	const char *app;     /* "namespace/name" of the Application: for messages */
	const char *part_of; /* value of LABEL_PART_OF */
	const char *path;    /* folder in the repository; "" or ".": its root */
	bool recurse;	     /* folders below it too */
	const char *ns;	     /* destination.namespace, for objects that name none; or NULL */
};

/* How to find a kind: the API server's discovery, or a built-in table for `check`. */
struct kind_source {
	const struct kube_kind *(*find)(void *arg, const char *group, const char *version,
					const char *kind);
	void *arg;
	uint64_t generation; /* changes when answers may change */
};

struct desired;

/*
 * `previous` (may be NULL) of the same application saves parsing files that did not change; it
 * may be freed afterwards. A new generation of `kinds` costs only the files whose kinds differ.
 * Files that are no .yaml, .yml or .json are left alone. 0: *out owned by the caller and holds
 * a reference to `v`. -1: problems filled (never empty).
 */
int desired_make(struct verified *v, const struct desired_spec *spec,
		 const struct kind_source *kinds, const struct desired *previous,
		 struct desired **out, struct problems *problems);
void desired_free(struct desired *d);

size_t desired_count(const struct desired *d);
const struct desired_object *desired_at(const struct desired *d, size_t i); /* sorted by key */
const struct desired_object *desired_find(const struct desired *d, const char *key);
size_t desired_unknown(const struct desired *d); /* objects whose kind is not known */
const struct verified *desired_verified(const struct desired *d);
size_t desired_skipped(const struct desired *d); /* YAML files that hold no Kubernetes object */
/* The complete body of an apply: canonical JSON with our label and annotation. Appends to out.
 * The file read last is remembered; desired_rest() gives that memory back (after an apply). */
int desired_body(const struct desired *d, const struct desired_object *o, struct buf *out,
		 struct error *err);
void desired_rest(const struct desired *d);
size_t desired_bytes(const struct desired *d); /* memory held, for budgets */

/* The value of ANNOTATION_APPLIED for an object; and its reader (-1: not in our form). */
void applied_format(const unsigned char hash[DESIRED_HASH_LEN], const char *key,
		    struct buf *out);
int applied_parse(const char *text, unsigned char hash[DESIRED_HASH_LEN], const char **key);

/* "Kind.group|ns|name" from parts (group "" and ns NULL are fine). */
void object_key_put(struct buf *out, const char *group, const char *kind, const char *ns,
		    const char *name);
/* "Deployment shop/web": for people; returns out. */
char *object_key_text(const char *key, char *out, size_t size);
/* The parts of a key, copied to a buffer they point into; -1 when it is no key. */
struct object_key {
	const char *group, *kind, *ns, *name;
	char text[700];
};
int object_key_parse(const char *key, struct object_key *out);

/* The order of kinds: Namespace first, webhooks last; equal tiers are applied together. */
int kind_tier(const char *group, const char *kind);
/* For an API that Kubernetes has removed ("extensions/v1beta1", "Ingress"): what to write
 * instead, or NULL. */
const char *kind_replacement(const char *group, const char *version, const char *kind);

/* ---- For `modelsync check`: the same reading of a folder on disk ---- */

struct manifests_count {
	size_t files, objects;
	size_t skipped;		 /* files that hold no Kubernetes object */
	size_t unknown;		 /* objects whose kind `kinds` doesn't know */
	char unknown_kinds[200]; /* some of them: "Widget.example.com, ..." */
};
/* Reads files as desired_make() does and reports the same problems; makes nothing that could be
 * applied. `path`: a folder or one file. `kinds` may be NULL: the table of built-in kinds. With
 * spec->ns NULL a missing namespace is no problem: only an Application names one. Links are not
 * followed, except `path` itself. 0, or -1 with problems filled. */
int manifests_check(const char *path, const struct desired_spec *spec,
		    const struct kind_source *kinds, struct manifests_count *count,
		    struct problems *problems);
/* Kinds of Kubernetes itself and ours, for use without a cluster. */
extern const struct kind_source kind_source_builtin;

#endif
