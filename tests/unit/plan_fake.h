/*
 * plan_fake.h - what the tests of plan/ share: desired and live as plain lists (all of their
 * functions that plan/ calls are here, so the archive's stay out).
 */
#ifndef TESTS_UNIT_PLAN_FAKE_H
#define TESTS_UNIT_PLAN_FAKE_H

#include "test.h"

#include "base/text.h"
#include "plan/plan.h"

#define PART_OF "applyset-ours-v1"
#define OTHERS	"applyset-others-v1"

/* ---- desired: sorted by key ---- */

struct desired {
	VEC(struct desired_object) rows;
};

size_t desired_count(const struct desired *d)
{
	return d->rows.len;
}

const struct desired_object *desired_at(const struct desired *d, size_t i)
{
	return &d->rows.items[i];
}

static int fake_by_key(const void *key, const void *row)
{
	return strcmp(key, ((const struct desired_object *)row)->key);
}

const struct desired_object *desired_find(const struct desired *d, const char *key)
{
	return d->rows.len ? bsearch(key, d->rows.items, d->rows.len, sizeof *d->rows.items,
				     fake_by_key)
			   : NULL;
}

/* ---- live ---- */

struct live {
	struct map rows; /* key -> struct live_object */
};

const struct live_object *live_get(const struct live *l, const char *key)
{
	return map_get(&l->rows, key);
}

void live_each(const struct live *l, const char *part_of,
	       void (*fn)(void *arg, const struct live_object *o), void *arg)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&l->rows, &i));)
		if (text_eq(((struct live_object *)e->value)->part_of, part_of))
			fn(arg, e->value);
}

/* ---- The world of a test: what is in the cluster, in Git, in the inventory ---- */

struct world {
	struct arena *arena;
	struct desired desired;
	struct live live;
	struct inventory inventory;
	struct plan_options options;
};

static inline struct world world_new(void)
{
	return (struct world){
		.arena = arena_new(),
		.options = {.part_of = PART_OF, .prune = true, .prune_limit = -1}};
}

static inline void world_free(struct world *w)
{
	vec_clear(&w->desired.rows);
	map_clear(&w->live.rows);
	inventory_clear(&w->inventory);
	arena_free(w->arena);
}

static inline const struct kube_kind *fake_kind(const char *group, const char *kind)
{
	const struct kube_kind *k;

	k = kind_source_builtin.find(NULL, group, NULL, kind);
	return k;
}

static inline int fake_row_compare(const void *a, const void *b)
{
	return strcmp(((const struct desired_object *)a)->key,
		      ((const struct desired_object *)b)->key);
}

/* Git wants `key` with this content; pointers to rows move with each call. */
static inline struct desired_object *want(struct world *w, const char *key, int content)
{
	struct desired_object *o = vec_push(&w->desired.rows);
	struct object_key *k = arena_alloc(w->arena, sizeof *k);

	assert_int_equal(object_key_parse(key, k), 0);
	o->key = arena_strdup(w->arena, key);
	o->kind = k->kind;
	o->ns = k->ns;
	o->name = k->name;
	o->api_version = *k->group ? arena_printf(w->arena, "%s/v1", k->group) : "v1";
	o->resource = fake_kind(k->group, k->kind);
	o->tier = (uint8_t)kind_tier(k->group, k->kind);
	o->hash[0] = (unsigned char)content;
	o->hash[1] = 1;
	qsort(w->desired.rows.items, w->desired.rows.len, sizeof *o, fake_row_compare);
	return (struct desired_object *)desired_find(&w->desired, key);
}

/* The cluster has `key`, as we applied it with this content. */
static inline struct live_object *have(struct world *w, const char *key, int content,
				       const char *uid)
{
	struct live_object *o = arena_alloc(w->arena, sizeof *o);
	struct object_key *k = arena_alloc(w->arena, sizeof *k);

	assert_int_equal(object_key_parse(key, k), 0);
	o->key = arena_strdup(w->arena, key);
	o->kind = fake_kind(k->group, k->kind);
	o->ns = k->ns;
	o->name = k->name;
	o->uid = arena_strdup(w->arena, uid);
	o->part_of = PART_OF;
	o->own = 100 + (uint64_t)content;
	o->has_hash = true;
	o->hash[0] = (unsigned char)content;
	o->hash[1] = 1;
	o->why = "";
	map_put(&w->live.rows, key, o);
	return o;
}

/* The inventory says that `key` was applied with this content. */
static inline struct inventory_entry *recorded(struct world *w, const char *key, int content,
					       const char *uid)
{
	struct inventory_entry *e = inventory_add(&w->inventory, key);

	snprintf(e->uid, sizeof e->uid, "%s", uid);
	memset(e->hash, 0, sizeof e->hash);
	if (content >= 0) {
		e->hash[0] = (unsigned char)content;
		e->hash[1] = 1;
		e->own = 100 + (uint64_t)content;
	}
	return e;
}

static inline void put_plan(const struct plan *p, struct buf *out)
{
	for (size_t i = 0; i < plan_count(p); i++) {
		const struct change *c = plan_at(p, i);
		buf_printf(out, "%s %s%s%s%s%s%s: %s\n", change_name(c->kind), c->key,
			   *c->uid ? " uid " : "", c->uid, c->labelled ? " labelled" : "",
			   c->known ? " known" : "", c->resource ? "" : " unknown", c->why);
	}
	for (size_t i = 0; i < plan_forget_count(p); i++)
		buf_printf(out, "forget %s\n", plan_forget_at(p, i));
	buf_printf(out, "%zu unchanged\n", plan_unchanged(p));
}

#endif
