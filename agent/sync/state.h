/*
 * sync/state.h - what the agent remembers of one Application, in SyncState objects of its own
 * namespace: last trusted commit, what was applied (inventory), first-seen times, reports,
 * history.
 *
 * Object 0 holds the facts; the inventory is in objects 1, 2, ... (NAME-1, NAME-2) of at most
 * STATE_PIECE_MAX entries each, since one object is bounded by etcd and a small one is quick to
 * save. Saving sends only what changed, as merge patches.
 */
#ifndef SYNC_STATE_H
#define SYNC_STATE_H

#include "kube/kube.h"
#include "plan/inventory.h"

#define STATE_PIECE_MAX	  2000
#define STATE_HISTORY_MAX 100

struct history_entry { /* one finished sync, newest first; strings are owned */
	char commit[OBJECT_ID_HEX];
	char *signer, *subject;
	int64_t at_ms, took_ms;
	size_t created, updated, repaired, pruned;
};

struct state {
	char *app;    /* "namespace/name" */
	char *source; /* URL that last_trusted belongs to, or NULL */
	/* All "" when there is none. */
	char last_trusted[OBJECT_ID_HEX], applied[OBJECT_ID_HEX], attempted[OBJECT_ID_HEX];
	char *failed_commit, *failed_reason,
		*failed_text; /* NULL: the last sync did not fail */
	char first_seen_commit[OBJECT_ID_HEX];
	int64_t first_seen_ms;
	/* The last commit status that the forge accepted. */
	char *report_commit, *report_state, *report_text;
	VEC(struct history_entry) history;
	struct inventory inventory;
	/* Set when what was stored can't be read: nothing is decided from half a memory. */
	struct error broken;

	bool dirty;	    /* the fields above differ from what is stored */
	struct map removed; /* "PIECE KEY" of entries to delete from what is stored; see
			       state_save.c */
	int pieces;	    /* SyncState objects that exist */
	int piece_len[64];  /* entries in each piece */
};

#define STATE_PIECES 64 /* 126,000 entries: more than an application may have */

void state_init(struct state *s, const char *app);
void state_clear(struct state *s);
void state_text(char **field, const char *value, bool *dirty); /* replace an owned string */
void state_id(char field[OBJECT_ID_HEX], const char *value, bool *dirty);

/* Take in one SyncState object (any piece, any order). -1: not one of ours. */
int state_read(struct state *s, const struct value *object, struct error *err);

/* Inventory changes that keep the record of what is stored. */
struct inventory_entry *state_entry(struct state *s, const char *key); /* adds when absent */
void state_forget(struct state *s, const char *key);
void state_history_add(struct state *s, const struct history_entry *e /* strings copied */,
		       int limit);

/* ---- Saving ---- */

struct state_saver;
typedef void state_on_saved(void *arg, const struct error *err);
struct state_saver *state_saver_new(struct kube *k, const char *ns, struct state *s,
				    state_on_saved *fn, void *arg);
void state_saver_free(struct state_saver *sv);
bool state_unsaved(const struct state *s); /* something differs from what is stored */
/* Write what differs; nothing to do calls fn from the next turn. One at a time: a call while
 * one runs is remembered, and fn is called once all is written. Transient failures are retried
 * for as long as the saver lives; fn gets the error of others. */
void state_save(struct state_saver *sv);
bool state_saving(const struct state_saver *sv);

/* The name of an application's first SyncState object. */
void state_name(const char *app, struct buf *out);

#endif
