/* value/value.c - making, reading and changing trees; see value.h. The readers and writers are
 * in json*.c and yaml*.c. Functions that recurse do so as deep as the tree, which the readers
 * cap at value_limits.depth. */
#include "value/value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "value/value_int.h"

const struct value_limits value_limits_manifest = {3 << 20, 100000, 100};
const struct value_limits value_limits_api = {64 << 20, 4000000, 100};

static struct value *make(struct arena *a, enum value_type type)
{
	struct value *v = arena_alloc(a, sizeof *v);

	v->type = type;
	return v;
}

struct value *value_null(struct arena *a)
{
	return make(a, VALUE_NULL);
}

struct value *value_bool(struct arena *a, bool b)
{
	struct value *v = make(a, VALUE_BOOL);

	v->boolean = b;
	return v;
}

struct value *value_int(struct arena *a, int64_t n)
{
	struct value *v = make(a, VALUE_NUMBER);
	char text[24];

	v->text.len = (size_t)snprintf(text, sizeof text, "%" PRId64, n);
	v->text.ptr = arena_strndup(a, text, v->text.len);
	return v;
}

struct value *value_stringn(struct arena *a, const char *s, size_t len)
{
	struct value *v = make(a, VALUE_STRING);

	v->text.ptr = arena_strndup(a, s, len);
	v->text.len = len;
	return v;
}

struct value *value_string(struct arena *a, const char *s)
{
	return value_stringn(a, s, strlen(s));
}

struct value *value_array(struct arena *a)
{
	return make(a, VALUE_ARRAY);
}

struct value *value_object(struct arena *a)
{
	return make(a, VALUE_OBJECT);
}

static struct value *copy(struct arena *a, const struct value *v, bool share)
{
	struct value *to = arena_alloc(a, sizeof *to);

	*to = *v;
	switch (v->type) {
	case VALUE_NULL:
	case VALUE_BOOL:
		break;
	case VALUE_NUMBER:
	case VALUE_STRING:
		if (!share)
			to->text.ptr = arena_strndup(a, v->text.ptr, v->text.len);
		break;
	case VALUE_ARRAY:
		to->array.cap = v->array.len;
		to->array.items = arena_alloc(a, v->array.len * sizeof *v->array.items);
		for (size_t i = 0; i < v->array.len; i++)
			to->array.items[i] = copy(a, v->array.items[i], share);
		break;
	case VALUE_OBJECT:
		to->object.cap = v->object.len;
		to->object.members = arena_alloc(a, v->object.len * sizeof *v->object.members);
		for (size_t i = 0; i < v->object.len; i++) {
			const struct member *m = &v->object.members[i];

			to->object.members[i] = (struct member){
				share ? m->key : arena_strndup(a, m->key, m->key_len),
				m->key_len, copy(a, m->value, share)};
		}
		break;
	}
	return to;
}

struct value *value_copy(struct arena *a, const struct value *v)
{
	return copy(a, v, false);
}

struct value *value_clone(struct arena *a, const struct value *v)
{
	return copy(a, v, true);
}

/* Room for one item more in an arena's array; the old array stays behind in the arena. */
static void *grow(struct arena *a, void *items, size_t len, size_t *cap, size_t item_size)
{
	if (len < *cap)
		return items;
	*cap = *cap ? *cap * 2 : 4;
	void *wider = arena_alloc(a, *cap * item_size);
	if (len)
		memcpy(wider, items, len * item_size);
	return wider;
}

static struct member *find(const struct value *object, const char *key)
{
	if (!object || object->type != VALUE_OBJECT)
		return NULL;
	size_t len = strlen(key);
	for (size_t i = 0; i < object->object.len; i++) {
		struct member *m = &object->object.members[i];
		if (m->key_len == len && !memcmp(m->key, key, len))
			return m;
	}
	return NULL;
}

void value_set(struct arena *a, struct value *object, const char *key, struct value *v)
{
	struct member *m = find(object, key);

	if (m) {
		m->value = v;
		return;
	}
	value_append(a, object, key, v);
}

void value_append(struct arena *a, struct value *object, const char *key, struct value *v)
{
	size_t len = strlen(key);

	object->object.members = grow(a, object->object.members, object->object.len,
				      &object->object.cap, sizeof(struct member));
	object->object.members[object->object.len++] =
		(struct member){arena_strndup(a, key, len), (uint32_t)len, v};
}

void value_set_string(struct arena *a, struct value *object, const char *key, const char *s)
{
	value_set(a, object, key, value_string(a, s));
}

void value_set_int(struct arena *a, struct value *object, const char *key, int64_t n)
{
	value_set(a, object, key, value_int(a, n));
}

void value_push(struct arena *a, struct value *array, struct value *v)
{
	array->array.items =
		grow(a, array->array.items, array->array.len, &array->array.cap, sizeof v);
	array->array.items[array->array.len++] = v;
}

bool value_remove(struct value *object, const char *key)
{
	struct member *m = find(object, key);

	if (!m)
		return false;
	size_t at = (size_t)(m - object->object.members);
	memmove(m, m + 1, (--object->object.len - at) * sizeof *m);
	return true;
}

struct value *value_object_at(struct arena *a, struct value *object, const char *key)
{
	struct value *v = value_get(object, key);

	if (!v || v->type != VALUE_OBJECT) {
		v = value_object(a);
		value_set(a, object, key, v);
	}
	return v;
}

struct value *value_get(const struct value *object, const char *key)
{
	struct member *m = find(object, key);

	return m ? m->value : NULL;
}

struct value *value_at(const struct value *v, ...)
{
	const struct value *at = v;
	const char *key;
	va_list ap;

	va_start(ap, v);
	while (at && (key = va_arg(ap, const char *))) {
		uint64_t index;

		if (at->type == VALUE_ARRAY)
			at = key[0] == '#' &&
					     !text_u64(key + 1, strlen(key + 1), SIZE_MAX,
						       &index) &&
					     index < at->array.len
				     ? at->array.items[index]
				     : NULL;
		else
			at = value_get(at, key);
	}
	va_end(ap);
	return (struct value *)at;
}

const char *value_str(const struct value *v)
{
	return v && v->type == VALUE_STRING ? v->text.ptr : NULL;
}

const char *value_get_str(const struct value *object, const char *key)
{
	return value_str(value_get(object, key));
}

bool value_get_bool(const struct value *object, const char *key, bool fallback)
{
	const struct value *v = value_get(object, key);

	return v && v->type == VALUE_BOOL ? v->boolean : fallback;
}

int64_t value_get_int(const struct value *object, const char *key, int64_t fallback)
{
	const struct value *v = value_get(object, key);
	char *end;

	if (!v || v->type != VALUE_NUMBER)
		return fallback;
	errno = 0;
	long long n = strtoll(v->text.ptr, &end, 10);
	return errno || end != v->text.ptr + v->text.len ? fallback : n;
}

size_t value_len(const struct value *v)
{
	if (v && v->type == VALUE_ARRAY)
		return v->array.len;
	return v && v->type == VALUE_OBJECT ? v->object.len : 0;
}

const char *value_type_name(enum value_type type)
{
	switch (type) {
	case VALUE_NULL:
		return "null";
	case VALUE_BOOL:
		return "boolean";
	case VALUE_NUMBER:
		return "number";
	case VALUE_STRING:
		return "string";
	case VALUE_ARRAY:
		return "array";
	case VALUE_OBJECT:
		return "object";
	}
	return "?";
}

static int compare_keys(const struct member *a, const struct member *b)
{
	uint32_t shorter = a->key_len < b->key_len ? a->key_len : b->key_len;
	int c = memcmp(a->key, b->key, shorter);

	return c ? c : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static int compare_refs(const void *a, const void *b)
{
	return compare_keys(*(const struct member *const *)a, *(const struct member *const *)b);
}

const struct member **value_sorted(const struct value *object)
{
	const struct member *m = object->object.members;
	size_t len = object->object.len, i = 1;

	while (i < len && compare_keys(&m[i - 1], &m[i]) < 0)
		i++;
	if (i >= len)
		return NULL;
	const struct member **refs = mem_array(len, sizeof(*refs));
	for (i = 0; i < len; i++)
		refs[i] = &m[i];
	qsort(refs, len, sizeof(*refs), compare_refs);
	return refs;
}

static bool same_key(const struct member *a, const struct member *b)
{
	return a->key_len == b->key_len && !memcmp(a->key, b->key, a->key_len);
}

/* Objects are compared in their order as long as it agrees, then sorted: never quadratic. */
static bool equal_objects(const struct value *a, const struct value *b)
{
	size_t len = a->object.len, i = 0;
	const struct member *ma = a->object.members, *mb = b->object.members;

	if (len != b->object.len)
		return false;
	while (i < len && same_key(&ma[i], &mb[i]))
		i++;
	if (i == len) {
		for (i = 0; i < len; i++)
			if (!value_equal(ma[i].value, mb[i].value))
				return false;
		return true;
	}
	AUTO_FREE const struct member **sa = value_sorted(a);
	AUTO_FREE const struct member **sb = value_sorted(b);
	for (i = 0; i < len; i++) {
		const struct member *x = sa ? sa[i] : &ma[i], *y = sb ? sb[i] : &mb[i];
		if (!same_key(x, y) || !value_equal(x->value, y->value))
			return false;
	}
	return true;
}

bool value_equal(const struct value *a, const struct value *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case VALUE_NULL:
		return true;
	case VALUE_BOOL:
		return a->boolean == b->boolean;
	case VALUE_NUMBER:
	case VALUE_STRING:
		return a->text.len == b->text.len &&
		       !memcmp(a->text.ptr, b->text.ptr, a->text.len);
	case VALUE_ARRAY:
		if (a->array.len != b->array.len)
			return false;
		for (size_t i = 0; i < a->array.len; i++)
			if (!value_equal(a->array.items[i], b->array.items[i]))
				return false;
		return true;
	case VALUE_OBJECT:
		return equal_objects(a, b);
	}
	return false;
}

void value_drop_nulls(struct value *v)
{
	struct value *item;
	struct member *m;
	size_t kept = 0;

	array_each (v, i, item)
		value_drop_nulls(item);
	object_each (v, i, m) {
		if (m->value->type == VALUE_NULL)
			continue;
		value_drop_nulls(m->value);
		v->object.members[kept++] = *m;
	}
	if (v && v->type == VALUE_OBJECT)
		v->object.len = kept;
}
