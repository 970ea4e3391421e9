/*
 * value/value.h - the tree of a Kubernetes object.
 *
 * In:  YAML (value/yaml.h) or JSON (value/json.h) from outside, or built by us.
 * Out: a tree whose numbers are kept as text, whose maps keep their order, and its canonical
 * JSON.
 *
 * A tree lives in the arena it was made in. Strings have a length and are NUL-terminated; they
 * contain no NUL inside, since the readers refuse it. Keys of one object are unique.
 */
#ifndef VALUE_VALUE_H
#define VALUE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

enum value_type {
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_NUMBER,
	VALUE_STRING,
	VALUE_ARRAY,
	VALUE_OBJECT
};

struct member {
	const char *key; /* NUL-terminated, in the arena */
	uint32_t key_len;
	struct value *value;
};

struct value {
	enum value_type type;
	uint32_t line, column; /* where it stood in its document, from 1; 0: made by us */
	union {
		bool boolean;
		struct { /* VALUE_STRING, VALUE_NUMBER (JSON number syntax, as it was written)
			  */
			const char *ptr;
			size_t len;
		} text;
		struct {
			struct value **items;
			size_t len, cap;
		} array;
		struct {
			struct member *members;
			size_t len, cap;
		} object;
	};
};

/* What a reader accepts; a cap that is met gives ERROR_INVALID with the named reason. */
struct value_limits {
	size_t bytes; /* of input: TooLarge */
	size_t nodes; /* TooManyNodes */
	int depth;    /* TooDeep */
};
extern const struct value_limits value_limits_manifest; /* 3 MiB, 100,000 nodes, depth 100 */
extern const struct value_limits
	value_limits_api; /* API server's answers: 64 MiB, 4,000,000, 100 */

/* Making. */
struct value *value_null(struct arena *a);
struct value *value_bool(struct arena *a, bool b);
struct value *value_int(struct arena *a, int64_t n);
struct value *value_string(struct arena *a, const char *s);
struct value *value_stringn(struct arena *a, const char *s, size_t len);
struct value *value_array(struct arena *a);
struct value *value_object(struct arena *a);
struct value *value_copy(struct arena *a, const struct value *v); /* deep */

/* Changing. set replaces an existing key in place, else appends; push appends. */
void value_set(struct arena *a, struct value *object, const char *key, struct value *v);
/* value_set() for a key that is not there yet, without looking: for maps of thousands. */
void value_append(struct arena *a, struct value *object, const char *key, struct value *v);
void value_set_string(struct arena *a, struct value *object, const char *key, const char *s);
void value_set_int(struct arena *a, struct value *object, const char *key, int64_t n);
void value_push(struct arena *a, struct value *array, struct value *v);
bool value_remove(struct value *object, const char *key); /* true: it was there */
/* The object at `key`, made empty when absent (or when something else stood there). */
struct value *value_object_at(struct arena *a, struct value *object, const char *key);

/* Reading. NULL or a wrong type anywhere gives NULL (or the fallback): no crash on hostile
 * trees. */
struct value *value_get(const struct value *object, const char *key);
/* value_at(v, "metadata", "name", NULL): follows keys; a key "#3" is the fourth array item. */
struct value *value_at(const struct value *v, ...) __attribute__((sentinel));
const char *value_str(const struct value *v); /* the string, or NULL when it is no string */
const char *value_get_str(const struct value *object, const char *key);
bool value_get_bool(const struct value *object, const char *key, bool fallback);
/* Whole numbers only (1, -3; not 1.0 or 1e3); anything else gives fallback. */
int64_t value_get_int(const struct value *object, const char *key, int64_t fallback);
size_t value_len(const struct value *v); /* of an array or object; 0 for all else */
const char *value_type_name(enum value_type type);

bool value_equal(const struct value *a,
		 const struct value *b); /* order of keys doesn't matter */

/* Drop members that are null, everywhere (server-side apply gives them no meaning we want). */
void value_drop_nulls(struct value *v);

/* for each item / member of v, which may be NULL or of another type (then: none). */
#define array_each(v, i, item)                                                      \
	for (size_t i = 0; (v) && (v)->type == VALUE_ARRAY && i < (v)->array.len && \
			   ((item) = (v)->array.items[i], 1);                       \
	     i++)
#define object_each(v, i, m)                                                          \
	for (size_t i = 0; (v) && (v)->type == VALUE_OBJECT && i < (v)->object.len && \
			   ((m) = &(v)->object.members[i], 1);                        \
	     i++)

#endif
