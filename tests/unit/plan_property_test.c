/* plan_property_test.c - random Git, cluster and crashes against a model of the server:
 * applying the plan gives what Git wants, a second plan is empty, nothing that is not ours is
 * deleted. */
#include "plan_fake.h"

#define NAMES  14
#define ROUNDS 300

static uint64_t seed;

static uint32_t dice(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

static const char *random_key(struct world *w)
{
	static const char *const kinds[] = {"ConfigMap|shop|", "Deployment.apps|shop|",
					    "Namespace||",
					    "ClusterRole.rbac.authorization.k8s.io||"};

	return arena_printf(w->arena, "%sn%u", kinds[dice(4)], dice(NAMES));
}

/* ---- The server ---- */

struct server {
	struct world w;
	struct map by_us; /* uid -> not NULL: an object that one of our writes reached */
	int uids;
	uint64_t owns;
};

static struct live_object *row(struct server *s, const char *key)
{
	return (struct live_object *)live_get(&s->w.live, key);
}

static const char *new_uid(struct server *s)
{
	return arena_printf(s->w.arena, "uid-%d", s->uids++);
}

static void server_write(struct server *s, const struct change *c)
{
	struct live_object *o = row(s, c->key);

	if (!o)
		o = have(&s->w, c->key, 0, new_uid(s));
	assert_false(o->deleting);
	o->has_hash = true;
	memcpy(o->hash, c->want->hash, sizeof o->hash);
	o->part_of = PART_OF;
	o->own = ++s->owns;
	o->version = o->own; /* what we left: any other is drift */
	map_put(&s->by_us, o->uid, s);
}

static void server_prune(struct server *s, const struct change *c)
{
	const struct live_object *o = row(s, c->key);

	assert_non_null(o);
	assert_string_equal(o->uid, c->uid);
	assert_string_equal(o->part_of, PART_OF);
	assert_false(o->foreign_owner);
	assert_non_null(map_get(&s->by_us, o->uid));
	assert_null(desired_find(&s->w.desired, c->key));
	map_remove(&s->w.live.rows, c->key);
}

/* ---- The owner: union first, then writes, each recorded (or not: a crash) ---- */

static void write_union(struct server *s, const struct plan *p)
{
	for (size_t i = 0; i < plan_count(p); i++)
		if (plan_at(p, i)->want)
			inventory_add(&s->w.inventory, plan_at(p, i)->key);
	for (size_t i = 0; i < plan_forget_count(p); i++)
		inventory_remove(&s->w.inventory, plan_forget_at(p, i));
}

static void apply(struct server *s, const struct plan *p, size_t writes, size_t records)
{
	write_union(s, p);
	for (size_t i = 0; i < plan_count(p) && i < writes; i++) {
		const struct change *c = plan_at(p, i);
		struct inventory_entry *e;

		switch (c->kind) {
		case CHANGE_CREATE:
		case CHANGE_UPDATE:
		case CHANGE_REPAIR:
			server_write(s, c);
			if (i >= records)
				break;
			e = inventory_add(&s->w.inventory, c->key);
			snprintf(e->uid, sizeof e->uid, "%s", row(s, c->key)->uid);
			memcpy(e->hash, c->want->hash, sizeof e->hash);
			e->own = row(s, c->key)->own;
			break;
		case CHANGE_PRUNE:
			server_prune(s, c);
			if (i < records)
				inventory_remove(&s->w.inventory, c->key);
			break;
		case CHANGE_KEEP:
		case CHANGE_WAIT:
			break;
		case CHANGE_REFUSE:
			fail();
		}
	}
}

static struct plan *make(struct server *s)
{
	struct error err = ERROR_INIT;
	struct plan *p = NULL;

	if (plan_make(&s->w.desired, &s->w.live, &s->w.inventory, &s->w.options, &p, &err) < 0)
		fail_msg("%s", err.text);
	return p;
}

/* ---- What happens between ---- */

static void git_changes(struct server *s)
{
	uint32_t n = dice(20);

	if (dice(3)) { /* another set of objects; some with the content they had */
		vec_clear(&s->w.desired.rows);
		while (n--) {
			const char *key = random_key(&s->w);
			if (!desired_find(&s->w.desired, key))
				want(&s->w, key, (int)dice(2));
		}
	}
}

static void cluster_changes(struct server *s)
{
	for (uint32_t n = dice(6); n; n--) {
		const char *key = random_key(&s->w);
		struct live_object *o = row(s, key);
		const struct inventory_entry *e = inventory_get(&s->w.inventory, key);

		if (!o)
			continue;
		switch (dice(5)) {
		case 0:
			map_remove(&s->w.live.rows, key);
			break;
		case 1:
			o->own = ++s->owns;
			break;
		case 2:
			if (e && !strcmp(e->uid, o->uid)) /* only then can anybody know */
				o->has_hash = false;
			break;
		case 3: /* restored from a backup: annotation and all, another uid */
			if (e && *e->uid) {
				o->uid = new_uid(s);
			}
			break;
		case 4:
			o->foreign_owner = !dice(4);
			break;
		}
	}
}

/* Things that only look like ours, and others'. They must never change. */
static void add_foreign(struct server *s)
{
	for (int i = 0; i < 6; i++) {
		const char *key = arena_printf(s->w.arena, "ConfigMap|shop|foreign%d", i);
		struct live_object *o = have(&s->w, key, 9, new_uid(s));

		if (i % 2)
			o->has_hash = false; /* our label, copied by a controller */
		else
			o->part_of = OTHERS;
	}
}

static void check_foreign(struct server *s)
{
	for (int i = 0; i < 6; i++) {
		const struct live_object *o =
			row(s, arena_printf(s->w.arena, "ConfigMap|shop|foreign%d", i));
		assert_non_null(o);
		assert_int_equal(o->hash[0], 9);
		assert_null(map_get(&s->by_us, o->uid));
	}
}

/* Everything wanted is there as wanted; of what is ours, only what may be kept stays. */
static void check_converged(struct server *s)
{
	struct map_entry *at;

	for (size_t i = 0; i < desired_count(&s->w.desired); i++) {
		const struct desired_object *d = desired_at(&s->w.desired, i);
		const struct live_object *o = row(s, d->key);
		const struct inventory_entry *e = inventory_get(&s->w.inventory, d->key);

		assert_non_null(o);
		assert_memory_equal(o->hash, d->hash, sizeof d->hash);
		assert_true(o->has_hash);
		assert_int_equal(o->own, o->version);
		assert_string_equal(e->uid, o->uid);
		assert_non_null(map_get(&s->by_us, o->uid));
	}
	for (size_t i = 0; (at = map_next(&s->w.live.rows, &i));) {
		const struct live_object *o = at->value;
		bool wanted = desired_find(&s->w.desired, o->key);
		if (map_get(&s->by_us, o->uid) && !wanted)
			assert_true(o->foreign_owner || !strcmp(o->kind->kind, "Namespace"));
	}
	check_foreign(s);
}

static void run(uint64_t first)
{
	struct server s = {.w = world_new()};

	seed = first;
	s.w.options.prune_limit = 1000000;
	s.w.options.allow_empty = true;
	add_foreign(&s);
	for (int round = 0; round < ROUNDS; round++) {
		git_changes(&s);
		cluster_changes(&s);
		struct plan *p = make(&s);
		if (dice(3) == 0) { /* killed in the middle */
			size_t writes = dice((uint32_t)plan_count(p) + 1);
			apply(&s, p, writes, writes ? dice((uint32_t)writes + 1) : 0);
			plan_free(p);
			p = make(&s);
		}
		apply(&s, p, SIZE_MAX, SIZE_MAX);
		plan_free(p);
		check_converged(&s);
		p = make(&s);
		assert_true(plan_empty(p));
		assert_int_equal(plan_forget_count(p), 0);
		assert_int_equal(plan_unchanged(p), desired_count(&s.w.desired));
		plan_free(p);
	}
	map_clear(&s.by_us);
	world_free(&s.w);
}

static void test_plan__converges_whatever_happens(void **state)
{
	for (uint64_t first = 1; first <= 20; first++)
		run(first);
}

/* ---- Inventory ---- */

static void test_inventory__entries_read_back(void **state)
{
	static const char *const texts[] = {
		"- - -",
		"0f4c1d2e-aaaa-bbbb-cccc-0123456789ab 000102030405060708090a0b0c0d0e0f "
		"00000000deadbeef",
		"u - 0123456789abcdef",
	};
	static const char *const bad[] = {
		"",
		"u",
		"u -",
		"u - ",
		" - -",
		"u - - -",
		"u x -",
		"u 0001 -",
		"u - 1",
		"u - 0123456789ABCDEF",
		"0123456789012345678901234567890123456789 - -",
	};
	struct inventory_entry e = {.key = "k"}, before;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		AUTO(buf) out = BUF_INIT;
		assert_int_equal(inventory_entry_parse(texts[i], &e), 0);
		inventory_entry_format(&e, &out);
		assert_string_equal(out.ptr, texts[i]);
	}
	before = e;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_row(inventory_entry_parse(bad[i], &e) < 0, bad[i]);
		assert_memory_equal(&e, &before, sizeof e);
	}
}

static void test_inventory__add_get_remove(void **state)
{
	struct inventory inv = {0};
	struct inventory_entry *e = inventory_add(&inv, "ConfigMap|a|b");

	assert_ptr_equal(inventory_add(&inv, "ConfigMap|a|b"), e);
	assert_ptr_equal(inventory_get(&inv, "ConfigMap|a|b"), e);
	assert_string_equal(e->key, "ConfigMap|a|b");
	assert_string_equal(e->uid, "");
	assert_null(inventory_get(&inv, "ConfigMap|a|c"));
	inventory_add(&inv, "ConfigMap|a|c");
	assert_int_equal(inventory_count(&inv), 2);
	inventory_remove(&inv, "ConfigMap|a|b");
	inventory_remove(&inv, "ConfigMap|a|none");
	assert_int_equal(inventory_count(&inv), 1);
	inventory_clear(&inv);
	assert_int_equal(inventory_count(&inv), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan__converges_whatever_happens),
		cmocka_unit_test(test_inventory__entries_read_back),
		cmocka_unit_test(test_inventory__add_get_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
