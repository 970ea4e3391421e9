/*
 * live/live_int.h - rows and how they are read from an object; private to live/ and its tests.
 */
#ifndef LIVE_LIVE_INT_H
#define LIVE_LIVE_INT_H

#include "base/map.h"
#include "live/live.h"

#define ROW_UID_MAX 40 /* a longer one is cut: its object is then never deleted, only kept */

struct row;

/* All rows with one part-of value. Lives as long as it has rows; part_of points to its name. */
struct owner {
	struct row *rows;
	size_t count;
	char name[];
};

struct row {
	struct live_object o;	  /* key, ns, name and uid point into this row */
	struct row *chain;	  /* next in the bucket */
	struct row *next, **link; /* of the same owner */
	uint32_t generation;	  /* of the watch when it was last seen */
	bool awaits_body; /* our write's answer had no status: the echo tells the health */
	bool taken;	  /* from the answer of our write; the watch has not shown it yet */
	bool spared;	  /* a list did not show it while it was taken: not another time */
	char uid[ROW_UID_MAX];
	char text[]; /* key NUL ns NUL */
};

struct rows {
	struct row **buckets; /* a power of two of chains */
	size_t cap, len;
	struct map owners; /* part_of -> struct owner * */
};

void rows_clear(struct rows *rows);
struct row *rows_get(const struct rows *rows, const char *key);
/* A new row without owner; the key must not be there yet. */
struct row *rows_add(struct rows *rows, const char *key, const char *ns, const char *name);
void rows_own(struct rows *rows, struct row *row, const char *part_of); /* moves it there */
void rows_remove(struct rows *rows,
		 struct row *row); /* frees it, and its owner with the last */
const struct owner *rows_owner(const struct rows *rows, const char *part_of);

/* What an object says about itself, but key, kind, part_of and health. `scratch` is
 * overwritten. */
void row_read(struct row *row, const struct value *object, struct buf *scratch);

#endif
