/*
 * live/live.h - what the cluster has of the objects we manage: about 200 bytes each, no bodies.
 *
 * In:  watches on the kinds that applications use, selected by our part-of label; metadata
 * only, whole objects for kinds whose health needs them. Out: per object uid, version, the
 * digest of our own managedFields entry (so that drift is seen without comparing a value), the
 * applied hash it carries, and its health.
 */
#ifndef LIVE_LIVE_H
#define LIVE_LIVE_H

#include "desired/desired.h"
#include "health/health.h"
#include "kube/kube.h"

#define MANAGER "modelsync" /* field manager of what Git says */

struct live_object {
	const char *key; /* as in desired_object */
	const struct kube_kind *kind;
	const char *ns, *name, *uid;
	const char *part_of; /* interned */
	uint64_t version;    /* resourceVersion; 0 when it is no number */
	uint64_t own;	     /* digest of our Apply entry's fieldsV1; 0: no such entry */
	bool has_hash;	     /* the applied annotation is ours and names this very key */
	unsigned char hash[DESIRED_HASH_LEN];
	bool deleting;	    /* deletionTimestamp is set */
	bool foreign_owner; /* a controller ownerReference that we did not write */
	enum health health;
	const char *why; /* "" when healthy */
	int64_t health_since_ms;
};

struct live;
struct live_ops {
	/* o NULL: gone from there: deleted, or its label names another now (who is told
	 * too). Called for every change, also while a first list runs; not for what
	 * live_take() takes in, nor for what live_unwant() drops. Valid in the call, which
	 * must not change `live`. */
	void (*on_change)(void *arg, const char *key, const char *part_of,
			  const struct live_object *o);
	/* A watch got a full list; or first news after it had been broken. */
	void (*on_synced)(void *arg);
	void (*on_broken)(void *arg, const struct kube_kind *kind, const struct error *err);
};

struct live *live_new(struct kube *k, const struct live_ops *ops, void *arg);
void live_free(struct live *l);

/* Keep a watch on a kind (all namespaces); counted, dropped when the last lets go. Versions of
 * one kind share a watch. */
void live_want(struct live *l, const struct kube_kind *kind);
void live_unwant(struct live *l, const struct kube_kind *kind);
/* True when the kind's watch has seen a full list: absence then means absence. */
bool live_ready(const struct live *l, const struct kube_kind *kind);

const struct live_object *live_get(const struct live *l,
				   const char *key); /* till next change */
size_t live_count(const struct live *l);
/* All objects with this part-of value, in no order; fn must not change anything. */
void live_each(const struct live *l, const char *part_of,
	       void (*fn)(void *arg, const struct live_object *o), void *arg);

/* The answer of one of our own writes: taken in at once, so that its echo is no drift.
 * `object` is the object or its PartialObjectMetadata; where only the whole object tells the
 * health, it is Progressing until the watch has shown it. Returns the entry (as live_get), NULL
 * when `object` has no name. An entry of a later version stays as it is: what it tells is then
 * not what our write left. */
const struct live_object *live_take(struct live *l, const struct kube_kind *kind,
				    const struct value *object);

/* Digest of the Apply entry of `manager` in an object's managedFields; 0 when there is none. */
uint64_t live_own_digest(const struct value *object, const char *manager);
/* An object's resourceVersion; 0 when it is no number. */
uint64_t live_version(const struct value *object);

#endif
