/*
 * kube/stream.c - the bytes of a watch: lines, each one event, however they are cut.
 *
 * Runs inside curl's callback. An event is parsed into an arena of its own, handed over, and
 * freed; only a line that has not come whole yet is kept.
 */
#include "kube/watch_int.h"

#include "base/clock.h"
#include "base/text.h"
#include "value/json.h"

#define EVENT_MAX      ((size_t)4 << 20)
#define ERROR_BODY_MAX ((size_t)64 << 10)
#define KEEP_BUFFER    ((size_t)64 << 10)

static const struct value_limits limits = {.bytes = EVENT_MAX, .nodes = 1000000, .depth = 100};

static int broken(struct kube_watch *w, const char *why)
{
	w->trouble = TROUBLE_BROKEN;
	return error_reason(&w->trouble_err, ERROR_TRANSIENT, "ServerError", "watch of %s: %s",
			    w->o.kind->kind, why);
}

/* An ERROR event carries a Status: how its stream failed. */
static int take_error(struct kube_watch *w, const struct value *status)
{
	int64_t code = value_get_int(status, "code", 0);
	const char *reason = value_get_str(status, "reason"), *text;

	text = value_get_str(status, "message");
	if (code == 410 || text_eq(reason, "Expired") || text_eq(reason, "Gone")) {
		w->trouble = TROUBLE_EXPIRED;
		return -1;
	}
	if (code == 429 || code == 503 || code == 504) {
		w->trouble = TROUBLE_BUSY;
		return -1;
	}
	return broken(w, text ? text : "the server sent an error");
}

static void begin(struct kube_watch *w)
{
	if (w->begun || w->state != WATCH_INITIAL)
		return;
	w->begun = true;
	w->ops->on_begin(w->arg);
}

static void take_bookmark(struct kube_watch *w, const struct value *meta)
{
	const char *end =
		value_get_str(value_get(meta, "annotations"), "k8s.io/initial-events-end");

	if (w->state != WATCH_INITIAL || !text_eq(end, "true"))
		return;
	w->state = WATCH_WATCHING;
	timer_cancel(&w->timer);
	w->ops->on_synced(w->arg);
}

static int take_event(struct kube_watch *w, const struct value *event)
{
	static const char *const types[] = {[KUBE_ADDED] = "ADDED",
					    [KUBE_MODIFIED] = "MODIFIED",
					    [KUBE_DELETED] = "DELETED"};
	const char *type = value_get_str(event, "type");
	const struct value *object = value_get(event, "object");
	const struct value *meta = value_get(object, "metadata");
	const char *version = value_get_str(meta, "resourceVersion");
	bool bookmark = text_eq(type, "BOOKMARK");
	size_t t;

	if (text_eq(type, "ERROR"))
		return take_error(w, object);
	for (t = 0; t < ARRAY_LEN(types) && !text_eq(type, types[t]); t++)
		;
	if ((t == ARRAY_LEN(types) && !bookmark) || !version || !*version ||
	    strlen(version) >= sizeof w->version)
		return broken(w, "an event without known type or version");
	w->got_event = true;
	w->failures = 0;
	begin(w);
	if (w->stopped)
		return -1;
	if (bookmark)
		take_bookmark(w, meta);
	else
		w->ops->on_event(w->arg, (enum kube_event)t, object);
	if (w->stopped)
		return -1;
	if (w->state == WATCH_WATCHING) /* initial objects don't come in order of version */
		snprintf(w->version, sizeof w->version, "%s", version);
	return 0;
}

int watch_take_line(struct kube_watch *w, const char *line, size_t len)
{
	AUTO_ARENA a = arena_new();
	struct value *event = NULL;
	struct error err = ERROR_INIT;

	while (len && (line[len - 1] == '\r' || line[len - 1] == ' '))
		len--;
	if (!len)
		return 0;
	if (value_json_parse(a, line, len, &limits, &event, &err))
		return broken(w, !strcmp(w->o.kind->kind, "Secret") ? "an event is no JSON"
								    : err.text);
	return take_event(w, event);
}

/* Whole lines straight from curl's buffer; the rest is kept until the next bytes. */
static int take_lines(struct kube_watch *w, const char *data, size_t len)
{
	while (len) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t)(end - data) : len;

		if (w->line.len + n > EVENT_MAX)
			return broken(w, "an event of more than 4 MiB");
		if (w->line.len || !end)
			buf_add(&w->line, data, n);
		if (!end)
			return 0;
		int rc = w->line.len ? watch_take_line(w, w->line.ptr, w->line.len)
				     : watch_take_line(w, data, n);
		if (w->line.cap > KEEP_BUFFER)
			buf_clear(&w->line);
		else
			buf_reset(&w->line);
		if (rc)
			return rc;
		data += n + 1;
		len -= n + 1;
	}
	return 0;
}

static void take_answer(struct kube_watch *w)
{
	w->answered = true;
	w->told = w->refused_once = false;
	if (w->state == WATCH_WATCHING)
		timer_cancel(&w->timer);
}

int watch_on_data(void *arg, int status, const char *data, size_t len)
{
	struct kube_watch *w = arg;

	w->heard = clock_mono_ms();
	if (status != 200) { /* an error: what it says is read when it has come whole */
		if (w->line.len + len <= ERROR_BODY_MAX)
			buf_add(&w->line, data, len);
		return 0;
	}
	if (!w->answered)
		take_answer(w);
	w->busy++;
	int rc = take_lines(w, data, len);
	if (--w->busy || !w->stopped)
		return rc;
	watch_free(w);
	return -1;
}
