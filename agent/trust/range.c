/*
 * Which commits are new: those reachable from the head and not from what is trusted already.
 *
 * Both sides are walked together, newest committer time first, as git does, and the trusted
 * side marks what it reaches as old. Parents come from our own splitter. A commit whose time
 * lies may make an old commit look new; that only gets it checked. Nothing new can look old,
 * since only walking from the base marks.
 */
#include <sodium.h>
#include <stdlib.h>

#include "trust/trust_int.h"

struct walker {
	struct range *r;
	size_t max;
	int64_t skew_s, oldest_new_s;
	size_t fresh_queued; /* in the heap and not (yet) known as old */
	size_t missed;	     /* reads that failed */
	struct refusal *refusal;
	struct buf raw;
	unsigned char key[crypto_shorthash_KEYBYTES];
};

/* ---- Nodes by id ---- */

static size_t slot_of(const struct walker *w, const struct object_id *id)
{
	uint64_t hash;
	size_t mask = w->r->slot_count - 1, at;

	crypto_shorthash((unsigned char *)&hash, id->raw, OBJECT_ID_LEN, w->key);
	for (at = hash & mask; w->r->slots[at]; at = (at + 1) & mask)
		if (object_id_eq(&w->r->nodes.items[w->r->slots[at] - 1].id, id))
			break;
	return at;
}

static void grow_slots(struct walker *w)
{
	struct range *r = w->r;

	free(r->slots);
	r->slot_count = r->slot_count ? 2 * r->slot_count : 64;
	r->slots = mem_array(r->slot_count, sizeof *r->slots);
	for (size_t i = 0; i < r->nodes.len; i++)
		r->slots[slot_of(w, &r->nodes.items[i].id)] = (uint32_t)i + 1;
}

static uint32_t intern(struct walker *w, const struct object_id *id)
{
	struct range *r = w->r;
	size_t at;

	if (2 * (r->nodes.len + 1) > r->slot_count)
		grow_slots(w);
	at = slot_of(w, id);
	if (!r->slots[at]) {
		vec_push(&r->nodes)->id = *id;
		r->slots[at] = (uint32_t)r->nodes.len;
	}
	return r->slots[at] - 1;
}

/* ---- The heap: newest on top ---- */

static bool newer(const struct range *r, size_t i, size_t j)
{
	return r->nodes.items[r->heap.items[i]].committed_s >
	       r->nodes.items[r->heap.items[j]].committed_s;
}

static void heap_swap(struct range *r, size_t i, size_t j)
{
	uint32_t t = r->heap.items[i];

	r->heap.items[i] = r->heap.items[j];
	r->heap.items[j] = t;
}

static void heap_push(struct range *r, uint32_t n)
{
	size_t i = r->heap.len;

	*vec_push(&r->heap) = n;
	for (; i > 0 && newer(r, i, (i - 1) / 2); i = (i - 1) / 2)
		heap_swap(r, i, (i - 1) / 2);
}

static uint32_t heap_pop(struct range *r)
{
	uint32_t top = r->heap.items[0];
	size_t i = 0, child;

	r->heap.items[0] = r->heap.items[--r->heap.len];
	while ((child = 2 * i + 1) < r->heap.len) {
		if (child + 1 < r->heap.len && newer(r, child + 1, child))
			child++;
		if (!newer(r, child, i))
			break;
		heap_swap(r, i, child);
		i = child;
	}
	return top;
}

/* ---- Reading ---- */

static void keep_parents(struct walker *w, uint32_t n, const struct commit *c)
{
	uint32_t edges = (uint32_t)w->r->edges.len;

	for (size_t i = 0; i < c->parent_count; i++) {
		struct object_id id;

		commit_parent(c, i, &id);
		*vec_push(&w->r->edges) = intern(w, &id);
	}
	w->r->nodes.items[n].edges = edges;
	w->r->nodes.items[n].parents = (uint32_t)c->parent_count;
}

/* Read a commit and put it in the queue. One that is not there, or can't be split, stays not
 * loaded: an old one ends the walk there, a new one is refused when its turn comes. */
static void enqueue(struct walker *w, uint32_t n)
{
	struct object_id id = w->r->nodes.items[n].id;
	struct commit c;

	if (w->r->nodes.items[n].loaded)
		return;
	buf_reset(&w->raw);
	if (odb_read(w->r->odb, &id, OBJECT_COMMIT, GIT_COMMIT_MAX, &w->raw, NULL) < 0 ||
	    commit_split(w->raw.ptr, w->raw.len, &c, NULL) < 0) {
		w->missed++;
		return;
	}
	keep_parents(w, n, &c);
	w->r->nodes.items[n].committed_s = c.committed_s;
	w->r->nodes.items[n].loaded = true;
	heap_push(w->r, n);
	w->fresh_queued += !w->r->nodes.items[n].old;
}

/* Mark as old, and all that was reached through it. */
static void mark_old(struct walker *w, uint32_t first)
{
	struct range *r = w->r;
	VEC(uint32_t) todo = {0};

	*vec_push(&todo) = first;
	while (todo.len) {
		uint32_t at = todo.items[--todo.len];
		struct node *n = &r->nodes.items[at];

		if (n->old)
			continue;
		n->old = true;
		if (!n->loaded)
			continue;
		if (n->done)
			r->fresh--;
		else
			w->fresh_queued--;
		for (uint32_t i = 0; i < n->parents; i++)
			*vec_push(&todo) = r->edges.items[n->edges + i];
	}
	vec_clear(&todo);
}

static int step(struct walker *w)
{
	struct range *r = w->r;
	uint32_t at = heap_pop(r);
	struct node n;

	r->nodes.items[at].done = true;
	n = r->nodes.items[at];
	if (n.old) {
		r->old_seen++;
	} else {
		w->fresh_queued--;
		r->fresh++;
		if (n.committed_s < w->oldest_new_s)
			w->oldest_new_s = n.committed_s;
	}
	if (r->fresh > w->max)
		return refuse(
			w->refusal, REFUSAL_TOO_MANY_COMMITS, &r->nodes.items[r->head].id,
			"more than %zu new commits, or the last trusted one is not among them",
			w->max);
	if (w->missed > RANGE_MISSED_MAX)
		return refuse(w->refusal, REFUSAL_HISTORY_GAP, &r->nodes.items[r->head].id,
			      "more than %d commits of its history can't be read",
			      RANGE_MISSED_MAX);
	for (uint32_t i = 0; i < n.parents; i++) {
		uint32_t parent = r->edges.items[n.edges + i];

		if (n.old && !r->nodes.items[parent].old)
			mark_old(w, parent);
		enqueue(w, parent);
	}
	return 0;
}

/* The trusted side goes on a little below the oldest new commit, for clocks that differ; and
 * not for ever, whatever date a stranger writes. */
static bool old_side_done(const struct walker *w)
{
	const struct range *r = w->r;

	return w->fresh_queued == 0 &&
	       r->nodes.items[r->heap.items[0]].committed_s < w->oldest_new_s - w->skew_s;
}

static int walk(struct walker *w)
{
	struct range *r = w->r;

	while (r->heap.len && !old_side_done(w)) {
		if (r->nodes.items[r->heap.items[0]].old && r->old_seen >= RANGE_OLD_MAX) {
			heap_pop(r);
			continue;
		}
		if (step(w) < 0)
			return -1;
	}
	return 0;
}

/* Parents before children, the first parent's line first. */
static void put_in_order(struct range *r)
{
	struct frame {
		uint32_t node, next;
	};
	VEC(struct frame) stack = {0};

	if (!r->nodes.items[r->head].old)
		vec_push(&stack)->node = r->head;
	while (stack.len) {
		struct frame *f = &stack.items[stack.len - 1];
		struct node *n = &r->nodes.items[f->node];

		n->done = true;
		if (f->next < n->parents && n->loaded) {
			uint32_t parent = r->edges.items[n->edges + f->next++];
			struct node *p = &r->nodes.items[parent];

			if (!p->old && !p->ordered) {
				p->ordered = true;
				vec_push(&stack)->node = parent;
			}
			continue;
		}
		*vec_push(&r->order) = f->node;
		stack.len--;
	}
	vec_clear(&stack);
}

int range_make(struct odb *odb, const struct object_id *head, const struct object_id *base,
	       size_t max, int64_t skew_s, struct range *out, struct refusal *refusal)
{
	struct range r = {.odb = odb, .base = RANGE_NONE};
	struct walker w = {.r = &r,
			   .max = max,
			   .skew_s = skew_s,
			   .oldest_new_s = INT64_MAX,
			   .refusal = refusal,
			   .raw = BUF_INIT};
	int rc;

	crypto_shorthash_keygen(w.key);
	r.head = intern(&w, head);
	if (base) {
		r.base = intern(&w, base);
		r.nodes.items[r.base].old = true;
		enqueue(&w, r.base);
	}
	enqueue(&w, r.head);
	rc = walk(&w);
	buf_clear(&w.raw);
	if (rc < 0) {
		range_clear(&r);
		return -1;
	}
	put_in_order(&r);
	*out = r;
	return 0;
}

void range_clear(struct range *r)
{
	vec_clear(&r->nodes);
	vec_clear(&r->edges);
	vec_clear(&r->heap);
	vec_clear(&r->order);
	free(r->slots);
	r->slots = NULL;
}

int range_fast_forward(const struct range *r, struct refusal *refusal)
{
	const struct object_id *head = &r->nodes.items[r->head].id;
	char a[SHORT_ID], b[SHORT_ID];
	uint32_t at = r->head;

	if (r->base == RANGE_NONE)
		return 0;
	short_id(head, a);
	short_id(&r->nodes.items[r->base].id, b);
	if (!r->nodes.items[r->base].loaded)
		return refuse(
			refusal, REFUSAL_HISTORY_GAP, head,
			"commit %s can't be compared with the last trusted commit %s, which is "
			"not in the repository",
			a, b);
	if (r->nodes.items[at].old && at != r->base)
		return refuse(
			refusal, REFUSAL_NOT_FAST_FORWARD, head,
			"commit %s is older than the last trusted commit %s, wanted one that "
			"follows it",
			a, b);
	while (!r->nodes.items[at].old) {
		const struct node *n = &r->nodes.items[at];

		/* One that can't be read is refused for that, when its turn comes. */
		if (!n->loaded)
			return 0;
		if (n->parents == 0)
			break;
		at = r->edges.items[n->edges];
	}
	if (at == r->base)
		return 0;
	return refuse(
		refusal, REFUSAL_NOT_FAST_FORWARD, head,
		"commit %s does not follow the last trusted commit %s by first parents, wanted "
		"a fast-forward",
		a, b);
}
