/*
 * sync/state.c - the record of one Application: reading SyncState objects, keeping track of
 * what differs from what is stored. Writing them is state_save.c.
 */
#include "sync/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/text.h"

#define NAME_MAX_LEN 240

void state_init(struct state *s, const char *app)
{
	memset(s, 0, sizeof *s);
	s->app = mem_strdup(app);
}

static void history_entry_clear(struct history_entry *e)
{
	free(e->signer);
	free(e->subject);
}

void state_clear(struct state *s)
{
	free(s->app);
	free(s->source);
	free(s->failed_commit);
	free(s->failed_reason);
	free(s->failed_text);
	free(s->report_commit);
	free(s->report_state);
	free(s->report_text);
	for (size_t i = 0; i < s->history.len; i++)
		history_entry_clear(&s->history.items[i]);
	vec_clear(&s->history);
	map_clear(&s->removed);
	inventory_clear(&s->inventory);
	memset(s, 0, sizeof *s);
}

void state_text(char **field, const char *value, bool *dirty)
{
	if (text_eq(*field, value))
		return;
	free(*field);
	*field = mem_strdup(value);
	*dirty = true;
}

void state_id(char field[OBJECT_ID_HEX], const char *value, bool *dirty)
{
	if (!strcmp(field, value))
		return;
	snprintf(field, OBJECT_ID_HEX, "%s", value);
	*dirty = true;
}

/* -1: something else than an id stands there. */
static int read_id(const struct value *object, const char *key, char out[OBJECT_ID_HEX])
{
	const char *s = value_get_str(object, key);
	struct object_id id;

	if (!s || !*s)
		return 0;
	if (object_id_parse(s, &id))
		return -1;
	snprintf(out, OBJECT_ID_HEX, "%s", s);
	return 0;
}

static int64_t read_time(const struct value *object, const char *key)
{
	const char *s = value_get_str(object, key);
	int64_t ms = 0;

	return s && !clock_parse(s, &ms) ? ms : 0;
}

static void read_history(struct state *s, const struct value *list)
{
	struct value *item;

	array_each (list, i, item) {
		if (i >= STATE_HISTORY_MAX)
			break;
		struct history_entry *e = vec_push(&s->history);
		read_id(item, "revision", e->commit);
		e->signer = mem_strdup(value_get_str(item, "signer"));
		e->subject = mem_strdup(value_get_str(item, "subject"));
		e->at_ms = read_time(item, "deployedAt");
		e->took_ms = value_get_int(item, "tookMs", 0);
		e->created = (size_t)value_get_int(item, "created", 0);
		e->updated = (size_t)value_get_int(item, "updated", 0);
		e->repaired = (size_t)value_get_int(item, "repaired", 0);
		e->pruned = (size_t)value_get_int(item, "pruned", 0);
	}
}

static int read_first(struct state *s, const struct value *object)
{
	const struct value *failed = value_get(object, "failed");
	const struct value *seen = value_get(object, "firstSeen");
	const struct value *report = value_get(object, "report");

	s->source = mem_strdup(value_get_str(object, "source"));
	int bad = read_id(object, "lastTrusted", s->last_trusted) |
		  read_id(object, "applied", s->applied) |
		  read_id(object, "attempted", s->attempted) |
		  read_id(seen, "commit", s->first_seen_commit);
	s->failed_commit = mem_strdup(value_get_str(failed, "commit"));
	s->failed_reason = mem_strdup(value_get_str(failed, "reason"));
	s->failed_text = mem_strdup(value_get_str(failed, "message"));
	s->first_seen_ms = read_time(seen, "at");
	s->report_commit = mem_strdup(value_get_str(report, "commit"));
	s->report_state = mem_strdup(value_get_str(report, "state"));
	s->report_text = mem_strdup(value_get_str(report, "description"));
	read_history(s, value_get(object, "history"));
	return bad;
}

int state_read(struct state *s, const struct value *object, struct error *err)
{
	const char *app = value_get_str(object, "application");
	int64_t piece = value_get_int(object, "piece", 0);
	const struct value *entries = value_get(object, "entries");
	struct member *m;

	if (!app || strcmp(app, s->app) || piece < 0 || piece >= STATE_PIECES)
		return error_reason(
			err, ERROR_INVALID, "StateInvalid",
			"SyncState %s: application \"%.128s\" piece %lld: not a state of %s",
			value_str(value_at(object, "metadata", "name", NULL)), app,
			(long long)piece, s->app);
	object_each (entries, i, m) {
		struct inventory_entry parsed = {0};

		if (!value_str(m->value) || inventory_entry_parse(value_str(m->value), &parsed))
			return error_reason(err, ERROR_INVALID, "StateInvalid",
					    "SyncState of %s: entry \"%.128s\" can't be read",
					    s->app, m->key);
		struct inventory_entry *e = inventory_add(&s->inventory, m->key);
		const char *key = e->key;
		*e = parsed;
		e->key = key;
		e->piece = (int)piece;
		s->piece_len[piece]++;
	}
	if (piece >= s->pieces)
		s->pieces = (int)piece + 1;
	if (!piece && read_first(s, object))
		return error_reason(err, ERROR_INVALID, "StateInvalid",
				    "SyncState of %s: a commit in it is no commit id", s->app);
	return 0;
}

struct inventory_entry *state_entry(struct state *s, const char *key)
{
	struct inventory_entry *e = inventory_get(&s->inventory, key);
	int piece = 1; /* piece 0 holds the facts alone, so that saving them is always cheap */

	if (e)
		return e;
	while (piece < STATE_PIECES - 1 && s->piece_len[piece] >= STATE_PIECE_MAX)
		piece++;
	e = inventory_add(&s->inventory, key);
	e->piece = piece;
	e->dirty = true;
	s->piece_len[piece]++;
	return e;
}

void state_forget(struct state *s, const char *key)
{
	struct inventory_entry *e = inventory_get(&s->inventory, key);

	if (!e)
		return;
	AUTO_FREE char *removed = mem_printf("%d %s", e->piece, key);
	map_put(&s->removed, removed, s);
	s->piece_len[e->piece]--;
	inventory_remove(&s->inventory, key);
}

void state_history_add(struct state *s, const struct history_entry *e, int limit)
{
	struct history_entry copy = *e;

	copy.signer = mem_strdup(e->signer);
	copy.subject = mem_strdup(e->subject);
	(void)vec_push(&s->history);
	memmove(&s->history.items[1], &s->history.items[0],
		(s->history.len - 1) * sizeof *s->history.items);
	s->history.items[0] = copy;
	while (s->history.len > (size_t)limit)
		history_entry_clear(&s->history.items[--s->history.len]);
	s->dirty = true;
}

void state_name(const char *app, struct buf *out)
{
	char hex[DIGEST_HEX];
	size_t start = out->len;

	buf_puts(out, app);
	char *slash = strchr(out->ptr + start, '/');
	if (slash)
		*slash = '.';
	if (out->len - start > NAME_MAX_LEN) { /* unique all the same */
		digest_sha256_hex(app, strlen(app), hex);
		buf_truncate(out, start + NAME_MAX_LEN - 17);
		buf_printf(out, ".%.16s", hex);
	}
}
