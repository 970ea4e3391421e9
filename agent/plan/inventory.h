/*
 * plan/inventory.h - what an application has applied: the memory behind prune and self-heal.
 *
 * Kept in SyncState objects by sync/; here it is data only. An entry without uid is one that
 * was about to be created when the inventory was written: it may or may not exist.
 */
#ifndef PLAN_INVENTORY_H
#define PLAN_INVENTORY_H

#include "base/map.h"
#include "desired/desired.h"

struct inventory_entry {
	const char *key;
	char uid[40];			      /* "" : not known yet */
	unsigned char hash[DESIRED_HASH_LEN]; /* what was last applied; all zero: nothing yet */
	uint64_t own;			      /* ownership digest after that apply */
	int piece;			      /* which SyncState object holds it */
	bool dirty;			      /* differs from what is stored */
	bool wanted; /* scratch of plan_make(): saves it a search; false outside */
};

struct inventory {
	struct map entries; /* key -> struct inventory_entry * */
};

void inventory_clear(struct inventory *inv);
struct inventory_entry *inventory_get(const struct inventory *inv, const char *key);
struct inventory_entry *inventory_add(struct inventory *inv,
				      const char *key); /* or the present */
void inventory_remove(struct inventory *inv, const char *key);
size_t inventory_count(const struct inventory *inv);

/* The value of one stored entry: "UID HASH OWN" ("-" for what is not known), and back. */
void inventory_entry_format(const struct inventory_entry *e, struct buf *out);
int inventory_entry_parse(const char *text, struct inventory_entry *e);

#endif
