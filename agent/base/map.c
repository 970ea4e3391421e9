/* base/map.c - open addressing with linear probing, at most 3/4 full. */
#include "base/map.h"

#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static char tomb[1];

static size_t hash_of(const char *key)
{
	static unsigned char seed[crypto_shorthash_KEYBYTES];
	static bool seeded;
	uint64_t h;

	if (!seeded) {
		randombytes_buf(seed, sizeof seed);
		seeded = true;
	}
	crypto_shorthash((unsigned char *)&h, (const unsigned char *)key, strlen(key), seed);
	return (size_t)h;
}

static struct map_entry *find(const struct map *m, const char *key, size_t hash)
{
	if (!m->cap)
		return NULL;
	for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct map_entry *e = &m->slots[i];

		if (!e->key)
			return NULL;
		if (e->key != tomb && e->hash == hash && !strcmp(e->key, key))
			return e;
	}
}

static void grow(struct map *m)
{
	struct map_entry *old = m->slots;
	size_t old_cap = m->cap, cap = 8;

	while (cap * 3 < (m->len + 1) * 5)
		cap *= 2;
	m->slots = mem_array(cap, sizeof *m->slots);
	m->cap = cap;
	m->used = m->len;
	for (size_t i = 0; i < old_cap; i++) {
		if (!old[i].key || old[i].key == tomb)
			continue;
		size_t at = old[i].hash & (cap - 1);
		while (m->slots[at].key)
			at = (at + 1) & (cap - 1);
		m->slots[at] = old[i];
	}
	free(old);
}

void map_clear(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		if (m->slots[i].key != tomb)
			free(m->slots[i].key);
	free(m->slots);
	*m = (struct map)MAP_INIT;
}

void *map_get(const struct map *m, const char *key)
{
	struct map_entry *e = m->len ? find(m, key, hash_of(key)) : NULL;

	return e ? e->value : NULL;
}

void *map_put(struct map *m, const char *key, void *value)
{
	size_t hash = hash_of(key);
	struct map_entry *e = find(m, key, hash);

	if (e) {
		void *old = e->value;
		e->value = value;
		return old;
	}
	if ((m->used + 1) * 4 > m->cap * 3)
		grow(m);
	size_t at = hash & (m->cap - 1);
	while (m->slots[at].key)
		at = (at + 1) & (m->cap - 1);
	m->slots[at] = (struct map_entry){mem_strdup(key), value, hash};
	m->len++;
	m->used++;
	return NULL;
}

void *map_remove(struct map *m, const char *key)
{
	struct map_entry *e = m->len ? find(m, key, hash_of(key)) : NULL;
	void *old;

	if (!e)
		return NULL;
	old = e->value;
	free(e->key);
	e->key = tomb;
	e->value = NULL;
	m->len--;
	return old;
}

struct map_entry *map_next(const struct map *m, size_t *i)
{
	while (*i < m->cap) {
		struct map_entry *e = &m->slots[(*i)++];
		if (e->key && e->key != tomb)
			return e;
	}
	return NULL;
}
