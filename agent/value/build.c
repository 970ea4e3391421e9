/* value/build.c - see build_int.h. */
#include "value/build_int.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define SLAB_FIRST  4
#define SLAB_MOST   128
#define LINEAR_MOST 16 /* objects up to this size look for duplicate keys without hashing */
#define BYTES_OF(n) ((n) * sizeof(struct value))

void build_clear(struct build *b)
{
	vec_clear(&b->members);
	vec_clear(&b->items);
	vec_clear(&b->table);
}

static int too_many(const struct build *b, struct place at, struct error *err)
{
	return error_reason(err, ERROR_INVALID, "TooManyNodes",
			    "line %u, column %u: more than %zu values", at.line, at.column,
			    b->limits->nodes);
}

int build_count(struct build *b, size_t n, struct place at, struct error *err)
{
	if (n > b->limits->nodes - b->nodes)
		return too_many(b, at, err);
	b->nodes += n;
	return 0;
}

int build_too_deep(const struct build *b, struct place at, struct error *err)
{
	return error_reason(err, ERROR_INVALID, "TooDeep",
			    "line %u, column %u: nested more than %d levels deep", at.line,
			    at.column, b->limits->depth);
}

int build_too_large(const struct value_limits *limits, size_t len, struct error *err)
{
	return error_reason(err, ERROR_INVALID, "TooLarge",
			    "%zu bytes, at most %zu are allowed", len, limits->bytes);
}

struct value *build_node(struct build *b, enum value_type type, struct place at,
			 struct error *err)
{
	if (b->nodes >= b->limits->nodes) {
		too_many(b, at, err);
		return NULL;
	}
	b->nodes++;
	if (!b->slab_left) { /* in slabs: an arena would align each one to 16 bytes */
		if (b->slab_size < SLAB_MOST)
			b->slab_size = b->slab_size ? b->slab_size * 2 : SLAB_FIRST;
		b->slab = arena_alloc(b->arena, BYTES_OF(b->slab_size));
		b->slab_left = b->slab_size;
	}
	struct value *v = &b->slab[b->slab_size - b->slab_left--];
	v->type = type;
	v->line = at.line;
	v->column = at.column;
	return v;
}

/* The same few keys stand in every object of a list, so the last ones are remembered. */
static const char *intern(struct build *b, const char *key, size_t len)
{
	const unsigned char *p = (const unsigned char *)key;
	size_t h = len * 31;

	if (len)
		h += p[0] * 7u + p[len / 2] * 131u + p[len - 1] * 17u;
	h &= BUILD_KEYS - 1;
	if (!b->keys[h].key || b->keys[h].len != len || memcmp(b->keys[h].key, key, len)) {
		b->keys[h].key = arena_strndup(b->arena, key, len);
		b->keys[h].len = len;
	}
	return b->keys[h].key;
}

size_t build_member(struct build *b, const char *key, size_t len, struct place at)
{
	struct pending *p = vec_push(&b->members);

	p->m.key = intern(b, key, len);
	p->m.key_len = (uint32_t)len;
	p->at = at;
	return b->members.len - 1;
}

static bool same(const struct pending *x, const struct pending *y)
{
	return x->m.key_len == y->m.key_len &&
	       (x->m.key == y->m.key || !memcmp(x->m.key, y->m.key, x->m.key_len));
}

/* Two members have one key. 0: the first one stays, and the second one is dropped. */
static int settle(struct pending *first, struct pending *second, const struct build *b,
		  struct error *err)
{
	char key[BUILD_SHOWN];

	if (second->merged && first->merged)
		return 0;
	if (second->merged)
		return error_reason(err, ERROR_INVALID, b->invalid,
				    "line %u, column %u: the merge key << comes after key "
				    "\"%s\" (line %u), which it also sets: put << first",
				    second->at.line, second->at.column,
				    build_shown(key, second->m.key, second->m.key_len),
				    first->at.line);
	if (!first->merged)
		return error_reason(err, ERROR_INVALID, "DuplicateKey",
				    "line %u, column %u: key \"%s\" stands twice in one map "
				    "(first at line %u)",
				    second->at.line, second->at.column,
				    build_shown(key, second->m.key, second->m.key_len),
				    first->at.line);
	*first = *second;
	return 0;
}

static size_t find_linear(const struct pending *p, size_t len)
{
	size_t i = 0;

	while (i < len && !same(&p[i], &p[len]))
		i++;
	return i;
}

static uint64_t key_hash(const struct member *m)
{
	static unsigned char seed[crypto_shorthash_KEYBYTES];
	static bool seeded;
	uint64_t h;

	if (!seeded) {
		randombytes_buf(seed, sizeof seed);
		seeded = true;
	}
	crypto_shorthash((unsigned char *)&h, (const unsigned char *)m->key, m->key_len, seed);
	return h;
}

/* The index of the member with p[i]'s key among those before it, or i, which is then known. */
static size_t find_hashed(struct build *b, const struct pending *p, const struct pending *key,
			  size_t i)
{
	size_t mask = b->table.len - 1, at = key_hash(&key->m) & mask;

	for (; b->table.items[at]; at = (at + 1) & mask)
		if (same(&p[b->table.items[at] - 1], key))
			return b->table.items[at] - 1;
	b->table.items[at] = (uint32_t)i + 1;
	return i;
}

static void table_reset(struct build *b, size_t members)
{
	size_t size = 64;

	while (size < members * 2)
		size *= 2;
	if (size > b->table.cap) {
		free(b->table.items);
		b->table.items = mem_array(size, sizeof *b->table.items);
		b->table.cap = size;
	} else {
		memset(b->table.items, 0, size * sizeof *b->table.items);
	}
	b->table.len = size;
}

int build_object(struct build *b, size_t first, struct value *v, struct error *err)
{
	size_t len = b->members.len - first, kept = 0;
	struct pending *p = len ? b->members.items + first : NULL;

	if (len > LINEAR_MOST)
		table_reset(b, len);
	for (size_t i = 0; i < len; i++) {
		size_t twin;

		if (kept != i)
			p[kept] = p[i];
		twin = len > LINEAR_MOST ? find_hashed(b, p, &p[kept], kept)
					 : find_linear(p, kept);
		if (twin == kept)
			kept++;
		else if (settle(&p[twin], &p[kept], b, err))
			return -1;
	}
	v->object.len = v->object.cap = kept;
	v->object.members = kept ? arena_alloc(b->arena, kept * sizeof(struct member)) : NULL;
	for (size_t i = 0; i < kept; i++)
		v->object.members[i] = p[i].m;
	b->members.len = first;
	return 0;
}

void build_array(struct build *b, size_t first, struct value *v)
{
	size_t len = b->items.len - first;

	v->array.len = v->array.cap = len;
	v->array.items = NULL;
	if (len) {
		v->array.items = arena_alloc(b->arena, len * sizeof(struct value *));
		memcpy(v->array.items, b->items.items + first, len * sizeof(struct value *));
	}
	b->items.len = first;
}

char *build_shown(char out[BUILD_SHOWN], const char *s, size_t len)
{
	size_t at = 0, n = 0;
	uint32_t rune;

	for (size_t i = 0; i < len; i += n ? n : 1) {
		n = text_utf8_rune(s + i, len - i, &rune);
		if (at + n + 4 > BUILD_SHOWN) {
			strcpy(out + at, "...");
			return out;
		}
		if (!n || text_rune_unsafe(rune)) {
			out[at++] = '?';
		} else {
			memcpy(out + at, s + i, n);
			at += n;
		}
	}
	out[at] = '\0';
	return out;
}

struct place place_of(const char *data, size_t offset)
{
	struct place at = {1, 1};

	for (size_t i = 0; i < offset; i++) {
		if (data[i] == '\n') {
			at.line++;
			at.column = 1;
		} else if ((data[i] & 0xc0) != 0x80) {
			at.column++;
		}
	}
	return at;
}
