/*
 * sync/status.c - the status document of an Application, made from what its machine knows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "sync/app_int.h"

#define ATTENTION_MAX 100

void app_put_time(struct arena *a, struct value *o, const char *key, int64_t ms)
{
	char text[CLOCK_TEXT_MAX];

	value_set(a, o, key, ms ? value_string(a, clock_rfc3339(ms, text)) : value_null(a));
}

static struct value *conditions_value(struct arena *a, const struct app *app)
{
	struct value *list = value_array(a);

	for (int i = 0; i < CONDITIONS; i++) {
		const struct condition *c = &app->conditions[i];
		if (c->status < 0 || !c->type)
			continue;
		struct value *o = value_object(a);
		value_set_string(a, o, "type", c->type);
		value_set_string(a, o, "status", c->status ? "True" : "False");
		value_set_int(a, o, "observedGeneration", app->generation);
		app_put_time(a, o, "lastTransitionTime", c->since_ms);
		value_set_string(a, o, "reason", c->reason);
		value_set_string(a, o, "message", c->message ? c->message : "");
		value_push(a, list, o);
	}
	return list;
}

static struct value *history_value(struct arena *a, const struct state *s, int limit)
{
	struct value *list = value_array(a);

	for (size_t i = 0; i < s->history.len && i < (size_t)limit; i++) {
		const struct history_entry *e = &s->history.items[i];
		struct value *o = value_object(a);
		char took[24];

		value_set_string(a, o, "revision", e->commit);
		value_set_string(a, o, "signer", e->signer ? e->signer : "");
		value_set_string(a, o, "subject", e->subject ? e->subject : "");
		app_put_time(a, o, "deployedAt", e->at_ms);
		value_set_string(a, o, "took", text_duration(e->took_ms, took));
		value_set_int(a, o, "created", (int64_t)e->created);
		value_set_int(a, o, "updated", (int64_t)e->updated);
		value_set_int(a, o, "repaired", (int64_t)e->repaired);
		value_set_int(a, o, "pruned", (int64_t)e->pruned);
		value_push(a, list, o);
	}
	return list;
}

/* Objects that need attention, and the counts over all. */
static void put_resources(struct arena *a, const struct app *app, struct value *status)
{
	static const char *const names[] = {"healthy", "suspended", "progressing",
					    "missing", "degraded",  "unknown"};
	struct value *list = value_array(a), *summary = value_object(a);
	size_t counts[HEALTH_UNKNOWN + 1] = {0};
	size_t total = app->target ? desired_count(app->target) : 0;

	for (size_t i = 0; i < total; i++) {
		const struct desired_object *d = desired_at(app->target, i);
		const struct live_object *o = live_get(app->agent->live, d->key);
		enum health h = o ? o->health : d->resource ? HEALTH_MISSING : HEALTH_UNKNOWN;

		counts[h]++;
		if (h == HEALTH_HEALTHY || h == HEALTH_SUSPENDED ||
		    list->array.len >= ATTENTION_MAX)
			continue;
		struct value *r = value_object(a), *health = value_object(a);
		const char *slash = strchr(d->api_version, '/');
		value_set(a, r, "group",
			  slash ? value_stringn(a, d->api_version,
						(size_t)(slash - d->api_version))
				: value_string(a, ""));
		value_set_string(a, r, "kind", d->kind);
		value_set_string(a, r, "namespace", d->ns ? d->ns : "");
		value_set_string(a, r, "name", d->name);
		value_set_string(a, health, "status", health_name(h));
		value_set_string(a, health, "message",
				 o	       ? o->why
				 : d->resource ? "it does not exist"
					       : "the API server doesn't know its kind");
		value_set(a, r, "health", health);
		value_push(a, list, r);
	}
	value_set_int(a, summary, "objects", (int64_t)total);
	for (size_t h = 0; h < ARRAY_LEN(names); h++)
		value_set_int(a, summary, names[h], (int64_t)counts[h]);
	value_set_int(a, summary, "waiting", (int64_t)app->waiting);
	value_set_int(a, summary, "kept", (int64_t)app->kept);
	value_set_int(a, summary, "outOfSync", (int64_t)app->drifted.len);
	value_set(a, status, "resources", list);
	value_set(a, status, "summary", summary);
}

static struct value *operation_value(struct arena *a, const struct app *app)
{
	const struct operation *op = &app->operation;
	struct value *o = value_object(a);

	value_set(a, o, "phase", *op->phase ? value_string(a, op->phase) : value_null(a));
	value_set(a, o, "revision",
		  *op->revision ? value_string(a, op->revision) : value_null(a));
	value_set(a, o, "requested",
		  app->answered ? value_string(a, app->answered) : value_null(a));
	app_put_time(a, o, "startedAt", op->started_ms);
	app_put_time(a, o, "finishedAt", op->finished_ms);
	value_set(a, o, "message", op->message ? value_string(a, op->message) : value_null(a));
	return o;
}

static struct value *quarantine_value(struct arena *a, const struct app *app)
{
	const struct state *s = &app->state;
	struct value *list = value_array(a);

	if (s->failed_commit && app->failure.kind != ERROR_TRANSIENT && s->failed_reason) {
		struct value *o = value_object(a);
		value_set_string(a, o, "revision", s->failed_commit);
		value_set_string(a, o, "reason", s->failed_reason);
		value_set_string(a, o, "message", s->failed_text ? s->failed_text : "");
		value_push(a, list, o);
	}
	return list;
}

struct value *app_status_value(struct arena *a, const struct app *app, const struct summary *s)
{
	struct value *status = value_object(a), *sync = value_object(a),
		     *health = value_object(a);
	char hex[OBJECT_ID_HEX];

	value_set_int(a, status, "observedGeneration", app->generation);
	value_set_string(a, sync, "status",
			 !app->has_head ? "Unknown"
			 : s->synced	? "Synced"
					: "OutOfSync");
	value_set(a, sync, "revision",
		  app->has_head ? value_string(a, object_id_hex(&app->head, hex))
				: value_null(a));
	value_set(a, status, "sync", sync);
	value_set_string(a, health, "status", health_name(s->health));
	value_set_string(a, health, "message", s->why);
	value_set(a, status, "health", health);
	value_set(a, status, "lastTrusted",
		  *app->state.last_trusted ? value_string(a, app->state.last_trusted)
					   : value_null(a));
	value_set(a, status, "operation", operation_value(a, app));
	value_set(a, status, "history", history_value(a, &app->state, app->spec.history_limit));
	value_set(a, status, "quarantined", quarantine_value(a, app));
	put_resources(a, app, status);
	value_set(a, status, "conditions", conditions_value(a, app));
	return status;
}
