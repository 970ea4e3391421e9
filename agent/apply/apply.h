/*
 * apply/apply.h - brings a plan about, many requests at once.
 *
 * Steps: preflight (dry-run every create, update and repair whose namespace and kind exist) ->
 * on_ready: the owner saves the union inventory and calls apply_write() -> waves, inside them
 * tiers of kinds (a tier waits for the tier before; what preflight could not reach, and what it
 * found absent in a later wave, is dry-run before its own tier) -> health awaited after each
 * wave -> prune -> done. A refusal in preflight stops everything before the first write. A
 * write that fails later lets its tier finish, and nothing after it starts. A server that does
 * not answer is no refusal: nothing new is sent, and the end is ERROR_TRANSIENT.
 *
 * Awaited are all objects of `desired` of the waves before the next one to be written, and of
 * all waves before the prune and at the end; changed by this plan or not, so that a second try
 * can't prune what the first one still waited with. A failed Job and a rollout past its
 * progress deadline are final ("Degraded"), an object deleted meanwhile needs another plan
 * ("Changed"); all else may recover until the deadline, which ends everything with
 * ERROR_TRANSIENT "Timeout" and the names of what was awaited.
 *
 * force is used only on objects that carry our label or stand in the inventory by uid. A dry
 * run that answers 200 for an object thought absent met a foreign object: ForeignOwner, unless
 * Git says adopt. A write that answers so fails the same way: its fields are joined then, but
 * on_applied gets the error.
 */
#ifndef APPLY_APPLY_H
#define APPLY_APPLY_H

#include "plan/plan.h"

struct apply;

struct apply_options {
	int concurrency;     /* most in flight, 0: 32; halves on 429, grows back */
	bool preflight;	     /* false: only for repairs of what is known to be valid */
	bool dry_run;	     /* stop after preflight: `diff`, previews */
	bool await_health;   /* false for repairs */
	int64_t deadline_ms; /* for everything, from apply_start() */
};

struct applied {
	const struct change *change;
	const struct live_object *now; /* after a write; NULL after a prune or failure */
	bool created;		       /* 201 */
	bool unchanged;		       /* the server had it so already */
	struct error err;	       /* ERROR_NONE: done */

	/* What the answer of the write said, and so ours to remember; nothing of it after a
	 * prune or failure. `now` may tell of later changes by others. */
	const char *uid;  /* valid in the call */
	uint64_t own;	  /* digest of our managedFields entry */
	uint64_t version; /* 0 when it is no number */
	bool newer;	  /* `now` is of a later version than the answer: look at it again */
};

struct outcome {
	size_t created, updated, repaired, pruned, unchanged, failed, kept, waiting;
	bool wrote;	  /* at least one write was sent */
	struct error err; /* the first failure, wrapped with its object; ERROR_NONE: complete */
	struct problems problems; /* every refusal of preflight, every failed write */
	int64_t took_ms;
	/* Health at the end, of all objects of `desired`; UNKNOWN without await_health: a
	 * repair looks at nothing but its own objects. Ask desired_health() where it is needed.
	 */
	enum health health;
	char why[256]; /* the worst object's reason, with its name */
};

struct apply_ops {
	/* Preflight passed; nothing written yet. Call apply_write() now or later. */
	void (*on_ready)(void *arg);
	/* After each object's write (or prune): the owner updates its inventory. A prune with
	 * ERROR_CONFLICT "Replaced" met another object of that name: it is kept, and the one in
	 * the inventory is gone. The apply must not be freed inside. */
	void (*on_applied)(void *arg, const struct applied *a);
	/* Once; `outcome` is valid in the call. The apply may be freed inside. */
	void (*on_done)(void *arg, const struct outcome *outcome);
};

/* desired, plan, live and inventory must outlive it. No callback from inside apply_start(). */
struct apply *apply_start(struct kube *k, struct live *l, const struct desired *d,
			  const struct plan *p, const struct apply_options *o,
			  const struct apply_ops *ops, void *arg);
void apply_write(struct apply *a); /* go on after on_ready */
void apply_poke(struct apply *a);  /* live changed: look at health again */
void apply_free(struct apply *a);  /* cancels what runs; no callback */

/* Worst health of all objects of `desired` in live, MISSING for absent ones; but a Job that is
 * gone has run, and is left out. */
enum health desired_health(const struct desired *d, const struct live *l, char why[256]);

#endif
