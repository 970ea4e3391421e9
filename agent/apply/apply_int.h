/*
 * apply/apply_int.h - what the files of apply/ share.
 *
 * apply.c moves the machine; item.c sends one object's requests and judges the answers;
 * await.c holds waves back until they are healthy; report.c sums up.
 */
#ifndef APPLY_APPLY_INT_H
#define APPLY_APPLY_INT_H

#include "apply/apply.h"
#include "base/mem.h"

enum apply_state {
	APPLY_PREFLIGHT, /* dry runs of everything that can be dry-run now */
	APPLY_READY,	 /* passed; the owner saves its inventory */
	APPLY_CHECKING,	 /* dry runs of what preflight can't speak for, one tier */
	APPLY_WRITING,	 /* one tier */
	APPLY_AWAITING,	 /* health of the waves so far */
	APPLY_PRUNING,	 /* one tier */
	APPLY_DONE,
};

/* How many requests may be in flight: grows with answers, halves when the server is busy. */
struct pace {
	int window, max, in_flight;
	int credit;	/* answers since the window last grew */
	uint64_t round; /* how often it was halved */
};
void pace_init(struct pace *p, int max);
bool pace_free(const struct pace *p);
uint64_t pace_sent(struct pace *p); /* the round to give back with the answer */
void pace_answered(struct pace *p, uint64_t round, bool busy);

/* One change and where it stands. */
struct item {
	struct apply *apply;
	const struct change *change;
	struct kube_call *call; /* in flight, or NULL */
	struct error *err;	/* why it failed, or NULL */
	uint64_t round;		/* of the pace, when it was sent */
	uint64_t version;	/* of the live object, when the write was sent */
	bool deferred; /* its namespace or schema is made by this plan: checked before its tier
			*/
	bool recheck;  /* its write met a conflict: one more dry run, then one more write */
	bool retried;  /* recheck was used up */
	bool probe;    /* a webhook can't dry-run: it is read instead */
	bool ours;     /* the dry run showed the very object that we own */
};

/* Objects whose health the next wave waits for. */
struct gate {
	const struct desired_object **order; /* by wave; made when first needed */
	size_t len, at;			     /* order[0..at) were awaited before */
	VEC(const struct desired_object *) pending;
};

struct apply {
	struct kube *kube;
	struct live *live;
	const struct desired *desired;
	const struct plan *plan;
	struct apply_options o;
	struct apply_ops ops;
	void *arg;
	enum apply_state state;
	int64_t started; /* boot-time clock, ms */
	struct timer turn, late;
	struct item *items; /* one a change, in the plan's order */
	size_t len, writes; /* prunes and keeps start at items[writes] */
	struct pace pace;
	size_t first, next, end; /* the pass that runs: items[next..end) are still to be sent */
	VEC(struct item *) again; /* to be sent before them */
	size_t tier;		  /* where the next tier begins */
	size_t failures;	  /* items with err */
	bool go;		  /* apply_write() was called */
	bool waited;		  /* for health: what preflight saw is old */
	bool stop;		  /* nothing new is sent, what is in flight comes to its end */
	bool released;		  /* the last wave is healthy: prune */
	struct gate gate;
	struct error end_err; /* timeout, or an object that can't become healthy */
	struct outcome outcome;
};

/* item.c */
bool item_is_write(const struct item *it); /* create, update, repair */
bool item_needs_check(const struct item *it);
bool item_may_be_foreign(const struct item *it); /* if it exists: no label, no adopt */
void item_send(struct item *it);		 /* what the state of the apply asks for */
void item_cancel(struct item *it);
void item_fail(struct item *it,
	       const struct error *err); /* keeps a copy with its object's name */

/* apply.c */
void apply_wake(struct apply *a); /* step on the next turn of the loop */

/* await.c: 1 all healthy, 0 not yet, -1 one that can't become so (err says which) */
void gate_open(struct gate *g, const struct desired *d, int wave, bool all);
int gate_check(struct gate *g, const struct live *l, struct error *err);
void gate_describe(const struct gate *g, const struct live *l, struct buf *out);
void gate_clear(struct gate *g);

/* report.c */
void report_refusals(struct apply *a); /* CHANGE_REFUSE becomes a failure of its item */
void report_done(struct apply *a, int64_t now);

#endif
