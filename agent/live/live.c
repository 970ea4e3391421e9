/*
 * live/live.c - keeps the rows true: watches in, changes out.
 *
 * An event that is not newer than the row is nothing new: the echo of our own write, or a list
 * that repeats what is known. Versions of one cluster only grow, over deletions too, so one
 * comparison is enough. What a full list does not show is reported as gone.
 */
#include "live/live.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "live/live_int.h"

#define SELECTOR LABEL_PART_OF /* it exists */

/* One kind, whatever its version: two versions of one kind show the same objects. */
struct watch {
	struct live *live;
	const struct kube_kind *kind;
	struct kube_watch *watch;
	size_t wants;
	uint32_t generation; /* of the latest list */
	bool synced, broken;
};

struct live {
	struct kube *kube;
	struct live_ops ops;
	void *arg;
	struct rows rows;
	VEC(struct watch *) watches;
	struct buf key, why, scratch;
};

static bool same_kind(const struct kube_kind *a, const struct kube_kind *b)
{
	return a == b || (!strcmp(a->kind, b->kind) && !strcmp(a->group, b->group));
}

static struct watch *watch_of(const struct live *l, const struct kube_kind *kind)
{
	for (size_t i = 0; i < l->watches.len; i++)
		if (same_kind(l->watches.items[i]->kind, kind))
			return l->watches.items[i];
	return NULL;
}

/* ---- Rows ---- */

static struct row *row_of(struct live *l, const struct kube_kind *kind,
			  const struct value *object, bool make)
{
	const struct value *meta = value_get(object, "metadata");
	const char *name = value_get_str(meta, "name"), *ns = value_get_str(meta, "namespace");
	struct row *row;

	if (!name)
		return NULL;
	ns = kind->namespaced && ns ? ns : "";
	buf_reset(&l->key);
	object_key_put(&l->key, kind->group, kind->kind, ns, name);
	row = rows_get(&l->rows, l->key.ptr);
	if (!row && make)
		row = rows_add(&l->rows, l->key.ptr, ns, name);
	return row;
}

static void set_health(struct row *row, enum health health, const char *why, int64_t now)
{
	struct live_object *o = &row->o;

	if (!o->health_since_ms || o->health != health)
		o->health_since_ms = now;
	o->health = health;
	if (!strcmp(o->why, why))
		return;
	if (*o->why)
		free((char *)o->why);
	o->why = *why ? mem_strdup(why) : "";
}

static void read_object(struct live *l, struct row *row, const struct kube_kind *kind,
			const struct value *object)
{
	const struct value *labels = value_at(object, "metadata", "labels", NULL);
	const char *part_of = value_get_str(labels, LABEL_PART_OF);

	part_of = part_of ? part_of : "";
	row->o.kind = kind;
	row_read(row, object, &l->scratch);
	if (*row->o.part_of && strcmp(row->o.part_of, part_of)) /* its owner lost it */
		l->ops.on_change(l->arg, row->o.key, row->o.part_of, NULL);
	rows_own(&l->rows, row, part_of);
}

static void read_health(struct live *l, struct row *row, const struct value *object)
{
	int64_t now = clock_now_ms();
	enum health health;

	buf_reset(&l->why);
	health = health_of(object, now, &l->why);
	set_health(row, health, l->why.ptr, now);
	row->awaits_body = false;
}

/* The row goes; the key outlives the call in l->key. */
static void drop(struct live *l, struct row *row, bool tell)
{
	AUTO_FREE char *part_of = tell ? mem_strdup(row->o.part_of) : NULL;

	buf_reset(&l->key);
	buf_puts(&l->key, row->o.key);
	rows_remove(&l->rows, row);
	if (tell)
		l->ops.on_change(l->arg, l->key.ptr, part_of, NULL);
}

/* Not in the latest list. A list may be older than our write: what no event has shown yet is
 * spared once, and the watch that goes on from the list shows it or its end. */
static bool is_missing(struct row *row, uint32_t generation)
{
	if (row->generation == generation)
		return false;
	if (row->taken && !row->spared) {
		row->spared = true;
		return false;
	}
	return true;
}

/* Drop the rows of a kind; with `w`, only those that its latest list did not show. */
static void sweep(struct live *l, const struct kube_kind *kind, const struct watch *w)
{
	VEC(struct row *) gone = {0};
	struct row *row;

	for (size_t i = 0; i < l->rows.cap; i++)
		for (row = l->rows.buckets[i]; row; row = row->chain)
			if (same_kind(row->o.kind, kind) &&
			    (!w || is_missing(row, w->generation)))
				*vec_push(&gone) = row;
	for (size_t i = 0; i < gone.len; i++)
		drop(l, gone.items[i], w != NULL);
	vec_clear(&gone);
}

/* ---- Watches ---- */

static void on_begin(void *arg)
{
	struct watch *w = arg;

	w->generation++;
}

/* True when the event says something that the row does not know. */
static bool is_news(struct row *row, enum kube_event event, uint64_t version)
{
	if (version && version < row->o.version)
		return false;
	row->taken = row->spared = false;
	return event == KUBE_DELETED || !version || version != row->o.version ||
	       row->awaits_body;
}

static void recovered(struct watch *w)
{
	if (!w->broken)
		return;
	w->broken = false;
	w->live->ops.on_synced(w->live->arg);
}

static void on_event(void *arg, enum kube_event event, const struct value *object)
{
	struct watch *w = arg;
	struct live *l = w->live;
	struct row *row = row_of(l, w->kind, object, event != KUBE_DELETED);

	if (!row)
		return;
	row->generation = w->generation;
	if (is_news(row, event, live_version(object))) {
		if (event == KUBE_DELETED) {
			drop(l, row, true);
		} else {
			read_object(l, row, w->kind, object);
			read_health(l, row, object);
			l->ops.on_change(l->arg, row->o.key, row->o.part_of, &row->o);
		}
	}
	if (w->synced)
		recovered(w);
}

static void on_synced(void *arg)
{
	struct watch *w = arg;

	w->synced = true;
	w->broken = false;
	sweep(w->live, w->kind, w);
	w->live->ops.on_synced(w->live->arg);
}

static void on_broken(void *arg, const struct error *err)
{
	struct watch *w = arg;

	w->broken = true;
	w->live->ops.on_broken(w->live->arg, w->kind, err);
}

static void watch_start(struct watch *w, const struct kube_kind *kind)
{
	static const struct kube_watch_ops ops = {on_begin, on_event, on_synced, on_broken};
	struct kube_watch_options o = {
		.kind = kind,
		.selector = SELECTOR,
		.metadata_only = !health_needs_body(kind->group, kind->kind),
	};

	w->kind = kind;
	w->synced = false;
	w->watch = kube_watch_start(w->live->kube, &o, &ops, w);
}

void live_want(struct live *l, const struct kube_kind *kind)
{
	struct watch *w = watch_of(l, kind);

	if (w && !w->kind->served && kind->served) { /* its version was removed */
		kube_watch_stop(w->watch);
		watch_start(w, kind);
	} else if (!w) {
		w = mem_alloc(sizeof *w);
		w->live = l;
		watch_start(w, kind);
		*vec_push(&l->watches) = w;
	}
	w->wants++;
}

static void watch_free(struct watch *w)
{
	kube_watch_stop(w->watch);
	free(w);
}

void live_unwant(struct live *l, const struct kube_kind *kind)
{
	struct watch *w = watch_of(l, kind);
	size_t i = 0;

	if (!w || --w->wants)
		return;
	while (l->watches.items[i] != w)
		i++;
	l->watches.items[i] = l->watches.items[--l->watches.len];
	sweep(l, w->kind, NULL);
	watch_free(w);
}

bool live_ready(const struct live *l, const struct kube_kind *kind)
{
	const struct watch *w = watch_of(l, kind);

	return w && w->synced;
}

/* ---- The outside ---- */

struct live *live_new(struct kube *k, const struct live_ops *ops, void *arg)
{
	struct live *l = mem_alloc(sizeof *l);

	l->kube = k;
	l->ops = *ops;
	l->arg = arg;
	buf_init(&l->key);
	buf_init(&l->why);
	buf_init(&l->scratch);
	return l;
}

void live_free(struct live *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->watches.len; i++)
		watch_free(l->watches.items[i]);
	vec_clear(&l->watches);
	rows_clear(&l->rows);
	buf_clear(&l->key);
	buf_clear(&l->why);
	buf_clear(&l->scratch);
	free(l);
}

const struct live_object *live_get(const struct live *l, const char *key)
{
	const struct row *row = rows_get(&l->rows, key);

	return row ? &row->o : NULL;
}

size_t live_count(const struct live *l)
{
	return l->rows.len;
}

void live_each(const struct live *l, const char *part_of,
	       void (*fn)(void *arg, const struct live_object *o), void *arg)
{
	const struct owner *owner = rows_owner(&l->rows, part_of);

	for (const struct row *row = owner ? owner->rows : NULL; row; row = row->next)
		fn(arg, &row->o);
}

const struct live_object *live_take(struct live *l, const struct kube_kind *kind,
				    const struct value *object)
{
	struct watch *w = watch_of(l, kind);
	struct row *row = row_of(l, w ? w->kind : kind, object, true);
	uint64_t version = live_version(object);

	if (!row)
		return NULL;
	if (version && version <= row->o.version)
		return &row->o;
	read_object(l, row, w ? w->kind : kind, object);
	row->taken = true;
	row->spared = false;
	if (!health_needs_body(kind->group, kind->kind) ||
	    !text_eq(value_get_str(object, "kind"), "PartialObjectMetadata")) {
		read_health(l, row, object);
		return &row->o;
	}
	row->awaits_body = true;
	set_health(row, HEALTH_PROGRESSING, "waiting for its first status after the change",
		   clock_now_ms());
	return &row->o;
}
