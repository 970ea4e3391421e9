/*
 * sync/state_save.c - writes what differs from the stored SyncState objects: one merge patch a
 * piece, all at once; a piece that isn't there is created whole.
 */
#include "sync/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "value/json.h"

#define RETRY_FIRST_MS 500
#define RETRY_MOST_MS  30000

struct piece {
	struct state_saver *saver;
	struct kube_call *call;
	int index;
	bool creating;
};

struct state_saver {
	struct kube *kube;
	char *ns;
	struct state *state;
	state_on_saved *fn;
	void *arg;
	struct timer timer;
	struct piece pieces[STATE_PIECES];
	int in_flight;
	bool running, again, failed;
	struct error err;
	int64_t delay_ms;
};

static char sent; /* value of the entries of state->removed that the running save sends */

static void start(struct state_saver *sv);

static void put_time(struct arena *a, struct value *o, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT_MAX];

	value_set_string(a, o, key, clock_micro(ms, text));
}

static struct value *history_value(struct arena *a, const struct state *s)
{
	struct value *list = value_array(a);

	for (size_t i = 0; i < s->history.len; i++) {
		const struct history_entry *e = &s->history.items[i];
		struct value *o = value_object(a);

		value_set_string(a, o, "revision", e->commit);
		value_set_string(a, o, "signer", e->signer ? e->signer : "");
		value_set_string(a, o, "subject", e->subject ? e->subject : "");
		put_time(a, o, "deployedAt", e->at_ms);
		value_set_int(a, o, "tookMs", e->took_ms);
		value_set_int(a, o, "created", (int64_t)e->created);
		value_set_int(a, o, "updated", (int64_t)e->updated);
		value_set_int(a, o, "repaired", (int64_t)e->repaired);
		value_set_int(a, o, "pruned", (int64_t)e->pruned);
		value_push(a, list, o);
	}
	return list;
}

/* A string member, or null so that a merge patch removes it. */
static void put_text(struct arena *a, struct value *o, const char *key, const char *s)
{
	value_set(a, o, key, s && *s ? value_string(a, s) : value_null(a));
}

static void put_first(struct arena *a, const struct state *s, struct value *body)
{
	struct value *failed = value_object(a), *seen = value_object(a),
		     *report = value_object(a);

	put_text(a, body, "source", s->source);
	put_text(a, body, "lastTrusted", s->last_trusted);
	put_text(a, body, "applied", s->applied);
	put_text(a, body, "attempted", s->attempted);
	put_text(a, failed, "commit", s->failed_commit);
	put_text(a, failed, "reason", s->failed_reason);
	put_text(a, failed, "message", s->failed_text);
	value_set(a, body, "failed", s->failed_commit ? failed : value_null(a));
	put_text(a, seen, "commit", s->first_seen_commit);
	put_time(a, seen, "at", s->first_seen_ms);
	value_set(a, body, "firstSeen", s->first_seen_ms ? seen : value_null(a));
	put_text(a, report, "commit", s->report_commit);
	put_text(a, report, "state", s->report_state);
	put_text(a, report, "description", s->report_text);
	value_set(a, body, "report", s->report_commit ? report : value_null(a));
	value_set(a, body, "history", history_value(a, s));
}

/* The name of piece `index`. */
static void piece_name(const struct state *s, int index, struct buf *out)
{
	/* The first label tells pieces from an Application that is called so. */
	if (index)
		buf_printf(out, "inventory-%d.", index);
	state_name(s->app, out);
}

/* Entries of a piece: all of them when it is created, else only those that differ. */
static size_t put_entries(struct arena *a, struct state *s, int index, bool all,
			  struct value *entries)
{
	AUTO(buf) text = BUF_INIT;
	struct map_entry *me;
	size_t n = 0;

	for (size_t i = 0; (me = map_next(&s->inventory.entries, &i));) {
		struct inventory_entry *e = me->value;

		if (e->piece != index || !(all || e->dirty))
			continue;
		buf_reset(&text);
		inventory_entry_format(e, &text);
		value_append(a, entries, e->key, value_stringn(a, text.ptr, text.len));
		e->dirty = false;
		n++;
	}
	for (size_t i = 0; !all && (me = map_next(&s->removed, &i));) {
		char *key;
		if ((int)strtol(me->key, &key, 10) != index)
			continue;
		me->value = &sent;
		const struct inventory_entry *now = inventory_get(&s->inventory, key + 1);
		if (!now || now->piece != index)
			value_append(a, entries, key + 1, value_null(a));
		n++;
	}
	return n;
}

static bool piece_differs(const struct state *s, int index)
{
	struct map_entry *me;

	if (!index && (s->dirty || !s->pieces))
		return true;
	for (size_t i = 0; (me = map_next(&s->removed, &i));)
		if (atoi(me->key) == index)
			return true;
	for (size_t i = 0; (me = map_next(&s->inventory.entries, &i));) {
		struct inventory_entry *e = me->value;
		if (e->piece == index && e->dirty)
			return true;
	}
	return false;
}

bool state_unsaved(const struct state *s)
{
	struct map_entry *me;

	if (s->dirty || s->removed.len)
		return true;
	for (size_t i = 0; (me = map_next(&s->inventory.entries, &i));)
		if (((struct inventory_entry *)me->value)->dirty)
			return true;
	return false;
}

/* What a finished save removed need not be removed again. */
static void drop_removed(struct state *s)
{
	struct map left = MAP_INIT;
	struct map_entry *me;

	for (size_t i = 0; (me = map_next(&s->removed, &i));)
		if (me->value != &sent)
			map_put(&left, me->key, s);
	map_clear(&s->removed);
	s->removed = left;
}

static void finish(struct state_saver *sv)
{
	struct error err = sv->err;

	sv->running = false;
	if (!sv->failed)
		drop_removed(sv->state);
	if (sv->failed && err.kind == ERROR_TRANSIENT) {
		sv->delay_ms = sv->delay_ms ? sv->delay_ms * 2 : RETRY_FIRST_MS;
		if (sv->delay_ms > RETRY_MOST_MS)
			sv->delay_ms = RETRY_MOST_MS;
		sv->again = true;
		timer_set(&sv->timer, random_jitter(sv->delay_ms));
		return;
	}
	sv->delay_ms = 0;
	if (sv->again && !sv->failed) {
		start(sv);
		return;
	}
	sv->again = false;
	sv->fn(sv->arg, sv->failed ? &err : NULL);
}

static void mark_dirty(struct state *s, int index)
{
	struct map_entry *me;

	if (!index)
		s->dirty = true;
	for (size_t i = 0; (me = map_next(&s->inventory.entries, &i));) {
		struct inventory_entry *e = me->value;
		if (e->piece == index)
			e->dirty = true;
	}
}

static void on_reply(void *arg, struct kube_reply *r)
{
	struct piece *p = arg;
	struct state_saver *sv = p->saver;

	p->call = NULL;
	sv->in_flight--;
	if (r->err.kind == ERROR_NONE) {
		if (p->creating && p->index >= sv->state->pieces)
			sv->state->pieces = p->index + 1;
	} else {
		/* Whatever was sent may not stand there: say it all again next time. */
		mark_dirty(sv->state, p->index);
		if (r->err.kind == ERROR_GONE && !p->creating && p->index < sv->state->pieces) {
			sv->state->pieces = p->index;
			r->err.kind =
				ERROR_TRANSIENT; /* somebody deleted it: create it again */
		} else if (r->err.kind == ERROR_CONFLICT && p->creating) {
			sv->state->pieces = p->index + 1; /* it is there: patch it */
			r->err.kind = ERROR_TRANSIENT;
		}
		if (!sv->failed) {
			sv->err = r->err;
			error_wrap(&sv->err, "saving the state of %s", sv->state->app);
		}
		sv->failed = true;
	}
	if (!sv->in_flight)
		finish(sv);
}

static void send_piece(struct state_saver *sv, const struct kube_kind *kind, int index)
{
	struct state *s = sv->state;
	struct piece *p = &sv->pieces[index];
	struct arena *a = arena_new();
	struct value *body = value_object(a), *entries;
	AUTO(buf) json = BUF_INIT;
	AUTO(buf) name = BUF_INIT;

	p->saver = sv;
	p->index = index;
	p->creating = index >= s->pieces;
	piece_name(s, index, &name);
	value_set_string(a, body, "apiVersion", "modelsync.dev/v1alpha1");
	value_set_string(a, body, "kind", "SyncState");
	if (p->creating)
		value_set_string(a, value_object_at(a, body, "metadata"), "name", name.ptr);
	value_set_string(a, body, "application", s->app);
	value_set_int(a, body, "piece", index);
	if (!index && (s->dirty || p->creating)) {
		put_first(a, s, body);
		s->dirty = false;
	}
	entries = value_object(a);
	if (put_entries(a, s, index, p->creating, entries))
		value_set(a, body, "entries", entries);
	if (p->creating)
		value_drop_nulls(body);
	value_json_write(body, &json);
	arena_free(a);
	struct kube_request r = {
		.verb = p->creating ? KUBE_CREATE : KUBE_MERGE_PATCH,
		.kind = kind,
		.ns = sv->ns,
		.name = p->creating ? NULL : name.ptr,
		.body = json.ptr,
		.body_len = json.len,
		.field_manager = "modelsync-status",
		.metadata_only = true,
	};
	sv->in_flight++;
	p->call = kube_send(sv->kube, &r, on_reply, p);
}

static void start(struct state_saver *sv)
{
	const struct kube_kind *kind =
		kube_kind(sv->kube, "modelsync.dev", "v1alpha1", "SyncState");
	struct state *s = sv->state;
	int most = 0;

	sv->running = true;
	sv->again = sv->failed = false;
	if (!kind) {
		sv->failed = true;
		error_reason(
			&sv->err, ERROR_TRANSIENT, "CrdMissing",
			"the API server doesn't know SyncState (modelsync.dev/v1alpha1): run "
			"`modelsync install`");
		finish(sv);
		return;
	}
	for (int i = 0; i < STATE_PIECES; i++)
		if (s->piece_len[i] || i < s->pieces)
			most = i;
	sv->in_flight = 1; /* held until all are sent */
	for (int i = 0; i <= most; i++)
		if (piece_differs(s, i) || i > s->pieces)
			send_piece(sv, kind, i);
	if (!--sv->in_flight)
		finish(sv);
}

static void on_timer(void *arg)
{
	struct state_saver *sv = arg;

	if (!sv->running)
		start(sv);
}

struct state_saver *state_saver_new(struct kube *k, const char *ns, struct state *s,
				    state_on_saved *fn, void *arg)
{
	struct state_saver *sv = mem_alloc(sizeof *sv);

	sv->kube = k;
	sv->ns = mem_strdup(ns);
	sv->state = s;
	sv->fn = fn;
	sv->arg = arg;
	timer_init(&sv->timer, kube_loop(k), on_timer, sv);
	return sv;
}

void state_saver_free(struct state_saver *sv)
{
	if (!sv)
		return;
	for (int i = 0; i < STATE_PIECES; i++)
		if (sv->pieces[i].call) {
			kube_cancel(sv->pieces[i].call);
			mark_dirty(sv->state, i); /* it may not stand there */
		}
	timer_clear(&sv->timer);
	free(sv->ns);
	free(sv);
}

void state_save(struct state_saver *sv)
{
	if (sv->running || timer_pending(&sv->timer)) {
		sv->again = true;
		return;
	}
	timer_set(&sv->timer, 0);
}

bool state_saving(const struct state_saver *sv)
{
	return sv->running || timer_pending(&sv->timer);
}
