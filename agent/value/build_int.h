/*
 * value/build_int.h - what both readers share: node count, allocation, the keys of open
 * objects.
 *
 * Members and items of containers that are still open lie on two stacks; when a container
 * closes, its part is copied into the arena at its exact size. Cost: linear in the input.
 */
#ifndef VALUE_BUILD_INT_H
#define VALUE_BUILD_INT_H

#include "base/mem.h"
#include "value/value.h"

#define BUILD_KEYS 512 /* recently seen keys, shared between objects; a power of two */

struct place {
	uint32_t line, column;
};

struct pending {
	struct member m;
	struct place at; /* of the key */
	bool merged;	 /* came by a YAML merge key: an explicit key wins over it */
};

struct build {
	struct arena *arena;
	const struct value_limits *limits;
	const char *invalid; /* the reader's reason: JsonInvalid or YamlInvalid */
	size_t nodes;
	struct value *slab;
	size_t slab_left, slab_size;
	VEC(struct pending) members;
	VEC(struct value *) items;
	VEC(uint32_t) table; /* scratch of large objects: index of a member + 1 */
	struct {
		const char *key;
		size_t len;
	} keys[BUILD_KEYS];
};

void build_clear(struct build *b);
/* One node more; NULL with TooManyNodes. */
struct value *build_node(struct build *b, enum value_type type, struct place at,
			 struct error *err);
/* Add `n` nodes at once, before they are made. */
int build_count(struct build *b, size_t n, struct place at, struct error *err);
/* Push a member without value; returns its index in b->members. */
size_t build_member(struct build *b, const char *key, size_t len, struct place at);
/* Members from `first` on become v's; refuses duplicate keys. */
int build_object(struct build *b, size_t first, struct value *v, struct error *err);
void build_array(struct build *b, size_t first, struct value *v);
int build_too_deep(const struct build *b, struct place at, struct error *err);
int build_too_large(const struct value_limits *limits, size_t len, struct error *err);

/* Foreign text as a message shows it: safe, cut after about 60 bytes. Returns out. */
#define BUILD_SHOWN 68
char *build_shown(char out[BUILD_SHOWN], const char *s, size_t len);

/* Line and column (characters, from 1) of data[offset]. */
struct place place_of(const char *data, size_t offset);

#endif
