/*
 * base/map.h - a hash map from string to pointer.
 *
 * Keys are copied; values are borrowed. SipHash with a key of the process, so that names chosen
 * by others can't make it slow. Iteration order is unspecified: sort before showing.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

struct map_entry {
	char *key;
	void *value;
	size_t hash;
};

struct map {
	struct map_entry *slots; /* key NULL: never used; MAP_TOMB: removed */
	size_t cap, len, used;
};

#define MAP_INIT  \
	{         \
		0 \
	}

void map_clear(struct map *m); /* frees the keys; values are the caller's */
void *map_get(const struct map *m, const char *key); /* NULL when absent */
/* Returns the value that was there before, or NULL. `value` must not be NULL. */
void *map_put(struct map *m, const char *key, void *value);
void *map_remove(struct map *m, const char *key); /* the value removed, or NULL */

/* for (size_t i = 0; (e = map_next(&m, &i));): entries in no order; don't add or remove inside.
 */
struct map_entry *map_next(const struct map *m, size_t *i);

#endif
