/*
 * plan/plan.h - desired x live x inventory -> what to do, with the reason for each. Pure.
 *
 * Removal is an ordinary change. What is as it should be makes no entry, only a count.
 */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include "live/live.h"
#include "plan/inventory.h"

enum change_kind {
	CHANGE_CREATE, /* not there (or there without our label: apply finds out) */
	CHANGE_UPDATE, /* Git changed it */
	CHANGE_REPAIR, /* the cluster changed it */
	CHANGE_PRUNE,  /* Git removed it */
	CHANGE_WAIT,   /* the server doesn't know its kind */
	CHANGE_REFUSE, /* belongs to another application */
	CHANGE_KEEP,   /* would be pruned, and is kept: why says so */
};

struct change {
	enum change_kind kind;
	const char *key;		   /* in the plan's arena, as all strings here */
	const struct desired_object *want; /* NULL for PRUNE and KEEP; lives with the desired */
	const struct kube_kind *resource;  /* NULL for WAIT */
	const char *ns, *name;
	const char *uid; /* of the live object or the inventory; "" when not known */
	bool labelled;	 /* the live object carries our label: force is allowed */
	bool known;	 /* uid stands in our inventory */
	const char *why; /* one phrase: "new in Git", "changed in Git", "deleted from the
			    cluster", ... */
};

struct plan_options {
	const char *part_of;
	bool prune;	  /* syncPolicy.automated.prune, or asked for by hand */
	bool allow_empty; /* an empty source may prune everything */
	int prune_limit;  /* objects; -1: the default, more than half of at least ten is refused
			   */
	bool discovery_stale; /* no conclusions about kinds that are gone */
};

struct plan;

/*
 * Watches on the kinds of all desired objects and of all inventory entries must be ready (the
 * caller awaits live_ready()): here, what live does not have does not exist.
 *
 * -1: refused as a whole; reasons EmptySource, PruneLimit, SharedObject (text names what).
 * Order of changes: wave, tier, key; prunes and keeps last, in reverse order of wave and tier.
 * Namespaces, CRDs, PVCs and PVs are never pruned without opt-in: CHANGE_KEEP.
 */
int plan_make(const struct desired *d, const struct live *l, const struct inventory *inv,
	      const struct plan_options *o, struct plan **out, struct error *err);
/* The same for one key, for self-heal: *out is NULL when it is as it should be, and for what
 * Git does not want (self-heal prunes nothing). An object of another application is
 * CHANGE_REFUSE. */
int plan_repair(const struct desired *d, const struct live *l, const struct inventory *inv,
		const struct plan_options *o, const char *key, struct plan **out,
		struct error *err);
void plan_free(struct plan *p);

size_t plan_count(const struct plan *p);
const struct change *plan_at(const struct plan *p, size_t i);
size_t plan_unchanged(const struct plan *p);
size_t plan_count_of(const struct plan *p, enum change_kind kind);
bool plan_empty(const struct plan *p); /* nothing to write: no create, update, repair, prune */
const char *change_name(enum change_kind kind); /* "create", ... */

/* Keys that stand in the inventory, and neither in Git nor in the cluster as ours: the owner
 * removes their entries. Nothing is sent. None while discovery is stale. */
size_t plan_forget_count(const struct plan *p);
const char *plan_forget_at(const struct plan *p, size_t i);

#endif
