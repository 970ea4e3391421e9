/*
 * live/rows.c - the table of what the cluster has: found by key, walked by owner.
 *
 * A row is one allocation with its strings, chained in its bucket, so that 10,000 objects cost
 * a quarter of what a map of copied keys and separate strings would.
 */
#include <sodium.h>
#include <stdlib.h>

#include "base/mem.h"
#include "live/live_int.h"

static size_t bucket_of(const struct rows *rows, const char *key)
{
	static unsigned char seed[crypto_shorthash_KEYBYTES];
	static bool seeded;
	uint64_t h;

	if (!seeded) {
		randombytes_buf(seed, sizeof seed);
		seeded = true;
	}
	crypto_shorthash((unsigned char *)&h, (const unsigned char *)key, strlen(key), seed);
	return (size_t)h & (rows->cap - 1);
}

struct row *rows_get(const struct rows *rows, const char *key)
{
	struct row *row = rows->cap ? rows->buckets[bucket_of(rows, key)] : NULL;

	while (row && strcmp(row->o.key, key))
		row = row->chain;
	return row;
}

static void put(struct rows *rows, struct row *row)
{
	struct row **bucket = &rows->buckets[bucket_of(rows, row->o.key)];

	row->chain = *bucket;
	*bucket = row;
}

static void grow(struct rows *rows)
{
	struct row **old = rows->buckets;
	size_t old_cap = rows->cap;

	rows->cap = old_cap ? old_cap * 2 : 64;
	rows->buckets = mem_array(rows->cap, sizeof(struct row *));
	for (size_t i = 0; i < old_cap; i++)
		for (struct row *row = old[i], *next; row; row = next) {
			next = row->chain;
			put(rows, row);
		}
	free(old);
}

struct row *rows_add(struct rows *rows, const char *key, const char *ns, const char *name)
{
	size_t key_len = strlen(key), ns_len = strlen(ns), name_len = strlen(name);
	struct row *row = mem_alloc(sizeof *row + key_len + ns_len + 2);

	if (rows->len >= rows->cap)
		grow(rows);
	memcpy(row->text, key, key_len);
	memcpy(row->text + key_len + 1, ns, ns_len);
	row->o.key = row->text;
	row->o.ns = row->text + key_len + 1;
	row->o.name = row->text + key_len - name_len; /* a key ends in the name */
	row->o.uid = row->uid;
	row->o.why = "";
	row->o.part_of = "";
	rows->len++;
	put(rows, row);
	return row;
}

static struct owner *owner_of(const struct row *row)
{
	return row->link ? (struct owner *)(row->o.part_of - offsetof(struct owner, name))
			 : NULL;
}

static void disown(struct rows *rows, struct row *row)
{
	struct owner *owner = owner_of(row);

	if (!owner)
		return;
	*row->link = row->next;
	if (row->next)
		row->next->link = row->link;
	row->link = NULL;
	row->o.part_of = "";
	if (--owner->count)
		return;
	map_remove(&rows->owners, owner->name);
	free(owner);
}

void rows_own(struct rows *rows, struct row *row, const char *part_of)
{
	struct owner *owner = owner_of(row);

	if (owner && !strcmp(owner->name, part_of))
		return;
	disown(rows, row);
	owner = map_get(&rows->owners, part_of);
	if (!owner) {
		owner = mem_alloc(sizeof *owner + strlen(part_of) + 1);
		strcpy(owner->name, part_of);
		map_put(&rows->owners, part_of, owner);
	}
	row->o.part_of = owner->name;
	row->next = owner->rows;
	row->link = &owner->rows;
	if (row->next)
		row->next->link = &row->next;
	owner->rows = row;
	owner->count++;
}

const struct owner *rows_owner(const struct rows *rows, const char *part_of)
{
	return map_get(&rows->owners, part_of);
}

static void row_free(struct row *row)
{
	if (*row->o.why)
		free((char *)row->o.why);
	free(row);
}

void rows_remove(struct rows *rows, struct row *row)
{
	struct row **at = &rows->buckets[bucket_of(rows, row->o.key)];

	while (*at != row)
		at = &(*at)->chain;
	*at = row->chain;
	rows->len--;
	disown(rows, row);
	row_free(row);
}

void rows_clear(struct rows *rows)
{
	struct map_entry *e;

	for (size_t i = 0; i < rows->cap; i++)
		for (struct row *row = rows->buckets[i], *next; row; row = next) {
			next = row->chain;
			row_free(row);
		}
	for (size_t i = 0; (e = map_next(&rows->owners, &i));)
		free(e->value);
	map_clear(&rows->owners);
	free(rows->buckets);
	*rows = (struct rows){0};
}
