/*
 * kube/discovery_int.h - the table of kinds and how documents are read into it.
 *
 * A round stages what it reads; discovery_commit() makes it true at once, so that a failed
 * round changes nothing.
 */
#ifndef KUBE_DISCOVERY_INT_H
#define KUBE_DISCOVERY_INT_H

#include "kube/kube_int.h"

#define DISCOVERY_KEY_MAX 800

enum half { HALF_CORE, HALF_GROUPS }; /* what /api says, what /apis says */

struct kind_entry {
	struct kube_kind now, next; /* `now` is what others hold pointers to */
	bool seen;		    /* in this round */
	int rank, next_rank;	    /* place of its version in its group */
};

struct legacy_version {
	const char *group, *version;
	int rank;
};

struct waiter {
	kube_on_discovered *fn;
	void *arg;
};

struct kube_discovery {
	struct arena *arena;
	struct arena *round;  /* what lives as long as one round */
	struct map kinds;     /* group/version/kind -> struct kind_entry * */
	struct map preferred; /* group//kind -> the same */
	struct map strings;   /* interned */
	VEC(struct kind_entry *) all;
	VEC(struct waiter) waiters;
	VEC(struct legacy_version) legacy;
	char etag[2][128];
	bool touched[2]; /* half was answered anew in this round */
	int stale_versions[2];
	struct error err;
	int pending;
	bool running, stale;
};

/* False when it would not fit: no such kind then. */
bool discovery_key(char out[DISCOVERY_KEY_MAX], const char *group, const char *version,
		   const char *kind);
void discovery_begin(struct kube_discovery *d, enum half half);
/* APIGroupDiscoveryList. */
int discovery_read(struct kube_discovery *d, const struct value *doc, struct error *err);
/* APIVersions or APIGroupList: fills d->legacy. */
int discovery_read_groups(struct kube_discovery *d, enum half half, const struct value *doc,
			  struct error *err);
/* APIResourceList of one group and version. */
void discovery_read_legacy(struct kube_discovery *d, const struct legacy_version *v,
			   const struct value *doc);
void discovery_mark_stale(struct kube_discovery *d, const char *group, const char *version);
bool discovery_commit(struct kube_discovery *d); /* true: something is different */

#endif
