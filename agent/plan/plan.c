/* plan/plan.c - desired x live x inventory -> changes. One pass over what Git wants, one over
 * the inventory, one over what the cluster has of ours; then one sort. */
#include "plan/plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

struct plan {
	struct arena *arena;
	VEC(struct change) changes;
	VEC(const char *) forget;
	size_t unchanged;
};

struct planning {
	const struct desired *desired;
	const struct live *live;
	const struct inventory *inventory;
	const struct plan_options *options;
	struct plan *plan;
	size_t ours; /* objects in the cluster that are this application's */
	size_t shared;
	const struct live_object *first_shared;
};

static const char *keep(struct planning *p, const char *s)
{
	return arena_strdup(p->plan->arena, s ? s : "");
}

static bool ours(const struct planning *p, const struct live_object *o)
{
	return text_eq(o->part_of, p->options->part_of);
}

/* ---- What Git wants ---- */

struct verdict {
	enum change_kind kind;
	const char *why; /* static; NULL: as it should be */
};

/* Jobs run once: neither healed after they ran nor made again when they are gone. */
static bool one_shot(const struct desired_object *w)
{
	return !strcmp(w->kind, "Job") && text_starts(w->api_version, "batch/");
}

static struct verdict judge_absent(const struct desired_object *w,
				   const struct inventory_entry *e)
{
	bool applied = e && *e->uid;

	if (!applied)
		return (struct verdict){CHANGE_CREATE, "new in Git"};
	if (memcmp(e->hash, w->hash, sizeof w->hash))
		return (struct verdict){CHANGE_CREATE,
					"changed in Git, and gone from the cluster"};
	if (one_shot(w))
		return (struct verdict){CHANGE_REPAIR, NULL};
	return (struct verdict){CHANGE_REPAIR, "deleted from the cluster"};
}

static struct verdict judge_present(const struct desired_object *w, const struct live_object *o,
				    const struct inventory_entry *e)
{
	bool as_wanted = o->has_hash && !memcmp(o->hash, w->hash, sizeof w->hash);
	bool recorded = e && *e->uid && !memcmp(e->hash, w->hash, sizeof w->hash);

	if (o->deleting) /* seen again when it is gone */
		return (struct verdict){CHANGE_REPAIR, NULL};
	/* A crash between write and record: once more, for the digest. */
	if (!recorded && as_wanted)
		return (struct verdict){CHANGE_UPDATE, "applied, but not recorded"};
	if (!recorded)
		return (struct verdict){CHANGE_UPDATE, "changed in Git"};
	if (one_shot(w) && o->health != HEALTH_PROGRESSING && o->health != HEALTH_SUSPENDED)
		return (struct verdict){CHANGE_REPAIR, NULL};
	if (strcmp(e->uid, o->uid))
		return (struct verdict){CHANGE_REPAIR, "recreated by somebody else"};
	if (!as_wanted)
		return (struct verdict){CHANGE_REPAIR,
					"applied annotation changed in the cluster"};
	if (e->own != o->own)
		return (struct verdict){CHANGE_REPAIR, "our fields changed in the cluster"};
	return (struct verdict){CHANGE_REPAIR, NULL};
}

static struct change *add_wanted(struct planning *p, const struct desired_object *w,
				 enum change_kind kind, const char *why)
{
	struct change *c = vec_push(&p->plan->changes);

	c->kind = kind;
	c->key = keep(p, w->key);
	c->want = w;
	c->resource = w->resource;
	c->ns = keep(p, w->ns);
	c->name = keep(p, w->name);
	c->uid = "";
	c->why = why;
	return c;
}

static const char *why_waiting(struct planning *p, const struct desired_object *w)
{
	return arena_printf(p->plan->arena, "the API server has no %s in %s (yet)", w->kind,
			    w->api_version);
}

static void plan_wanted(struct planning *p, const struct desired_object *w)
{
	struct inventory_entry *e = inventory_get(p->inventory, w->key);
	const struct live_object *o = w->resource ? live_get(p->live, w->key) : NULL;
	struct verdict v;
	struct change *c;

	if (e)
		e->wanted = true;
	if (!w->resource) {
		add_wanted(p, w, CHANGE_WAIT, why_waiting(p, w));
		return;
	}
	if (o && o->part_of && *o->part_of && !ours(p, o)) {
		p->first_shared = p->shared++ ? p->first_shared : o;
		add_wanted(p, w, CHANGE_REFUSE, "belongs to another application");
		return;
	}
	p->ours += o && ours(p, o);
	v = o ? judge_present(w, o, e) : judge_absent(w, e);
	if (!v.why) {
		p->plan->unchanged++;
		return;
	}
	c = add_wanted(p, w, v.kind, v.why);
	c->labelled = o && ours(p, o);
	c->uid = keep(p, o ? o->uid : e ? e->uid : "");
	c->known = *c->uid && e && !strcmp(e->uid, c->uid);
}

/* ---- What Git no longer wants ---- */

static const struct {
	const char *group, *kind, *why;
} protected[] = {
	{"", "Namespace", "kept: a Namespace is never pruned, since all in it would go"},
	{"", "PersistentVolume",
	 "kept: a PersistentVolume is never pruned, since it holds data"},
	{"", "PersistentVolumeClaim",
	 "kept: a PersistentVolumeClaim is never pruned, since it holds data"},
	{"apiextensions.k8s.io", "CustomResourceDefinition",
	 "kept: a CustomResourceDefinition is never pruned, since all its objects would go"},
};

/* Why an object that Git no longer wants stays; NULL: it is pruned. */
static const char *why_kept(const struct planning *p, const struct live_object *o,
			    const struct inventory_entry *e)
{
	if (o->foreign_owner)
		return "kept: another controller owns it";
	if (e && *e->uid ? strcmp(e->uid, o->uid) : !o->has_hash)
		return "kept: it was recreated by somebody else";
	for (size_t i = 0; i < ARRAY_LEN(protected); i++)
		if (!strcmp(protected[i].kind, o->kind->kind) &&
		    !strcmp(protected[i].group, o->kind->group))
			return protected[i].why;
	return p->options->prune ? NULL : "kept: pruning is off";
}

static void plan_unwanted(struct planning *p, const struct live_object *o,
			  const struct inventory_entry *e)
{
	const char *why = why_kept(p, o, e);
	struct change *c;

	p->ours++;
	if (o->deleting)
		return;
	c = vec_push(&p->plan->changes);
	c->kind = why ? CHANGE_KEEP : CHANGE_PRUNE;
	c->key = keep(p, o->key);
	c->resource = o->kind;
	c->ns = keep(p, o->ns);
	c->name = keep(p, o->name);
	c->uid = keep(p, o->uid);
	c->labelled = true;
	c->known = e && !strcmp(e->uid, o->uid);
	c->why = why ? why : "removed from Git";
}

static void plan_inventory(struct planning *p)
{
	struct map_entry *at;

	for (size_t i = 0; (at = map_next(&p->inventory->entries, &i));) {
		struct inventory_entry *e = at->value;
		const struct live_object *o;

		if (e->wanted) {
			e->wanted = false;
			continue;
		}
		o = live_get(p->live, at->key);
		if (o && ours(p, o))
			plan_unwanted(p, o, e);
		else if (o || !p->options->discovery_stale)
			*vec_push(&p->plan->forget) = keep(p, at->key);
	}
}

/* What a crash left: in the cluster with our label, in neither list. An object whose annotation
 * names another key only copied the label (controllers do that for children): not ours. */
static void on_live(void *arg, const struct live_object *o)
{
	struct planning *p = arg;

	if (o->has_hash && ours(p, o) && !inventory_get(p->inventory, o->key) &&
	    !desired_find(p->desired, o->key))
		plan_unwanted(p, o, NULL);
}

static void count_live(void *arg, const struct live_object *o)
{
	++*(size_t *)arg;
}

/* After the other two passes. When all of ours were met there, nothing is left over. */
static void plan_leftovers(struct planning *p)
{
	size_t all = 0;

	live_each(p->live, p->options->part_of, count_live, &all);
	if (all != p->ours)
		live_each(p->live, p->options->part_of, on_live, p);
}

/* ---- Order ---- */

static int tier_of(const struct change *c)
{
	return c->want ? c->want->tier : kind_tier(c->resource->group, c->resource->kind);
}

static bool removes(const struct change *c)
{
	return c->kind == CHANGE_PRUNE || c->kind == CHANGE_KEEP;
}

static int compare(const void *a, const void *b)
{
	const struct change *x = a, *y = b;
	int wave_x = x->want ? x->want->wave : 0, wave_y = y->want ? y->want->wave : 0;
	int c = removes(x) - removes(y);

	if (c)
		return c;
	c = (wave_x > wave_y) - (wave_x < wave_y);
	if (!c)
		c = tier_of(x) - tier_of(y);
	if (!c)
		c = strcmp(x->key, y->key);
	return removes(x) ? -c : c;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort(struct plan *p)
{
	if (p->changes.len > 1)
		qsort(p->changes.items, p->changes.len, sizeof *p->changes.items, compare);
	if (p->forget.len > 1)
		qsort(p->forget.items, p->forget.len, sizeof *p->forget.items, by_text);
}

/* ---- Guards ---- */

static int guard_shared(const struct planning *p, struct error *err)
{
	char text[200], more[40] = "";

	if (!p->shared)
		return 0;
	if (p->shared > 1)
		snprintf(more, sizeof more, " (and %zu more)", p->shared - 1);
	return error_reason(
		err, ERROR_REFUSED, "SharedObject",
		"%s%s belongs to another application: its label %s is %s, ours %s; remove "
		"it from one of the two",
		object_key_text(p->first_shared->key, text, sizeof text), more, LABEL_PART_OF,
		p->first_shared->part_of, p->options->part_of);
}

static int guard_prune(const struct planning *p, struct error *err)
{
	size_t n = plan_count_of(p->plan, CHANGE_PRUNE);
	int limit = p->options->prune_limit;

	if (!n)
		return 0;
	if (!desired_count(p->desired) && !p->options->allow_empty)
		return error_reason(
			err, ERROR_REFUSED, "EmptySource",
			"the path holds no object, and all %zu in the cluster would be "
			"pruned; set syncPolicy.automated.allowEmpty if that is meant",
			n);
	if (limit >= 0 ? n > (size_t)limit : p->ours >= 10 && n * 2 > p->ours)
		return error_reason(
			err, ERROR_REFUSED, "PruneLimit",
			"%zu of %zu objects would be pruned, at most %zu%s; raise pruneLimit "
			"if that is meant",
			n, p->ours, limit >= 0 ? (size_t)limit : p->ours / 2,
			limit >= 0 ? "" : " (half)");
	return 0;
}

/* ---- Outside ---- */

static struct planning start(const struct desired *d, const struct live *l,
			     const struct inventory *inv, const struct plan_options *o)
{
	struct planning p = {.desired = d, .live = l, .inventory = inv, .options = o};

	p.plan = mem_alloc(sizeof *p.plan);
	p.plan->arena = arena_new();
	return p;
}

int plan_make(const struct desired *d, const struct live *l, const struct inventory *inv,
	      const struct plan_options *o, struct plan **out, struct error *err)
{
	struct planning p = start(d, l, inv, o);

	for (size_t i = 0; i < desired_count(d); i++)
		plan_wanted(&p, desired_at(d, i));
	plan_inventory(&p);
	plan_leftovers(&p);
	if (guard_shared(&p, err) < 0 || guard_prune(&p, err) < 0) {
		plan_free(p.plan);
		return -1;
	}
	sort(p.plan);
	*out = p.plan;
	return 0;
}

int plan_repair(const struct desired *d, const struct live *l, const struct inventory *inv,
		const struct plan_options *o, const char *key, struct plan **out,
		struct error *err)
{
	const struct desired_object *w = desired_find(d, key);
	struct inventory_entry *e = inventory_get(inv, key);
	struct planning p = start(d, l, inv, o);

	if (w)
		plan_wanted(&p, w);
	if (e)
		e->wanted = false;
	if (!p.plan->changes.len) {
		plan_free(p.plan);
		p.plan = NULL;
	}
	*out = p.plan;
	return 0;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	vec_clear(&p->changes);
	vec_clear(&p->forget);
	arena_free(p->arena);
	free(p);
}

size_t plan_count(const struct plan *p)
{
	return p->changes.len;
}

const struct change *plan_at(const struct plan *p, size_t i)
{
	return &p->changes.items[i];
}

size_t plan_unchanged(const struct plan *p)
{
	return p->unchanged;
}

size_t plan_count_of(const struct plan *p, enum change_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < p->changes.len; i++)
		n += p->changes.items[i].kind == kind;
	return n;
}

bool plan_empty(const struct plan *p)
{
	return !plan_count_of(p, CHANGE_CREATE) && !plan_count_of(p, CHANGE_UPDATE) &&
	       !plan_count_of(p, CHANGE_REPAIR) && !plan_count_of(p, CHANGE_PRUNE);
}

size_t plan_forget_count(const struct plan *p)
{
	return p->forget.len;
}

const char *plan_forget_at(const struct plan *p, size_t i)
{
	return p->forget.items[i];
}

const char *change_name(enum change_kind kind)
{
	static const char *const names[] = {
		[CHANGE_CREATE] = "create", [CHANGE_UPDATE] = "update",
		[CHANGE_REPAIR] = "repair", [CHANGE_PRUNE] = "prune",
		[CHANGE_WAIT] = "wait",	    [CHANGE_REFUSE] = "refuse",
		[CHANGE_KEEP] = "keep",
	};

	return names[kind];
}
