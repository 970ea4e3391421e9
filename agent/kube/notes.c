/*
 * kube/notes.c - Kubernetes events about our objects, repeats folded into a series.
 *
 * The first of a kind is created; the first repeat makes it a series; further ones are counted
 * here and written every half hour, and when the series ends (six quiet minutes). Bounded: when
 * the table is full the longest quiet series ends early, when too many requests are under way a
 * note is dropped. Events are a help, nothing may depend on them.
 */
#include "kube/kube_int.h"

#include <stdlib.h>
#include <sodium.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "value/json.h"

#define SERIES_MAX 512
#define IN_FLIGHT  16
#define QUIET_MS   360000
#define REFRESH_MS 1800000
#define NOTE_MAX   1000
#define CONTROLLER "modelsync.dev/agent"

struct series {
	TAILQ_ENTRY(series) link; /* newest last */
	char *key, *ns, *name;	  /* name of the Event object */
	int64_t last_ms, last_mono, written_mono;
	int count, written; /* times seen; told to the server */
};

struct kube_notes {
	struct kube *k;
	struct map by_key;
	TAILQ_HEAD(, series) list;
	struct timer sweep;
	int in_flight;
	char instance[128];
};

static void series_free(struct kube_notes *n, struct series *s)
{
	map_remove(&n->by_key, s->key);
	TAILQ_REMOVE(&n->list, s, link);
	free(s->key);
	free(s->ns);
	free(s->name);
	free(s);
}

static void on_written(void *arg, struct http_reply *r, int tries)
{
	struct kube_notes *n = arg;

	n->in_flight--;
	if (r->status < 200 || r->status > 299)
		log_debug("kube", "event not written", "error",
			  r->status ? "refused" : r->err.text, LOG_END);
}

static bool write_event(struct kube_notes *n, const char *method, const char *ns,
			const char *name, const struct buf *body)
{
	AUTO(buf) path = BUF_INIT;
	bool patch = !strcmp(method, "PATCH");

	if (n->in_flight >= IN_FLIGHT)
		return false;
	buf_puts(&path, "/apis/events.k8s.io/v1/namespaces/");
	http_put_encoded(&path, ns);
	buf_puts(&path, "/events");
	if (patch) {
		buf_putc(&path, '/');
		http_put_encoded(&path, name);
	}
	const struct kube_raw raw = {
		.method = method,
		.path = path.ptr,
		.content_type = patch ? "Content-Type: application/merge-patch+json"
				      : "Content-Type: " KUBE_JSON,
		.body = body->ptr,
		.body_len = body->len,
		.once = true,
	};
	n->in_flight++;
	kube_raw_start(n->k, &raw, on_written, n);
	return true;
}

static void write_series(struct kube_notes *n, struct series *s)
{
	AUTO(buf) body = BUF_INIT;
	char when[CLOCK_TEXT_MAX];

	if (s->count == s->written)
		return;
	buf_printf(&body, "{\"series\":{\"count\":%d,\"lastObservedTime\":\"%s\"}}", s->count,
		   clock_micro(s->last_ms, when));
	if (!write_event(n, "PATCH", s->ns, s->name, &body))
		return;
	s->written = s->count;
	s->written_mono = clock_mono_ms();
}

static void on_sweep(void *arg)
{
	struct kube_notes *n = arg;
	int64_t now = clock_mono_ms();
	struct series *s;

	while ((s = TAILQ_FIRST(&n->list)) && now - s->last_mono >= QUIET_MS) {
		write_series(n, s);
		series_free(n, s);
	}
	if (s)
		timer_set(&n->sweep, s->last_mono + QUIET_MS - now);
}

/* ---- a new one ---- */

static void put_field(struct buf *b, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	char last = b->ptr[b->len - 1];
	buf_printf(b, "%s\"%s\":", last == '{' ? "" : ",", key);
	json_put_string(b, value, strlen(value));
}

static void put_event(struct buf *b, const struct kube_notes *n, const struct series *s,
		      const struct kube_event_note *e, const char *note)
{
	char when[CLOCK_TEXT_MAX];

	buf_puts(b, "{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\",\"metadata\":{");
	put_field(b, "name", s->name);
	put_field(b, "namespace", s->ns);
	buf_puts(b, "},\"regarding\":{");
	put_field(b, "apiVersion", e->api_version);
	put_field(b, "kind", e->kind);
	put_field(b, "namespace", e->ns);
	put_field(b, "name", e->name);
	put_field(b, "uid", e->uid);
	buf_puts(b, "}");
	put_field(b, "eventTime", clock_micro(s->last_ms, when));
	put_field(b, "reportingController", CONTROLLER);
	put_field(b, "reportingInstance", n->instance);
	put_field(b, "type", e->warning ? "Warning" : "Normal");
	put_field(b, "reason", e->reason);
	put_field(b, "action", e->action);
	put_field(b, "note", note);
	buf_puts(b, "}");
}

/* At most NOTE_MAX bytes, cut between characters, nothing that hides or moves text. */
static void put_note(struct buf *b, const char *note)
{
	size_t len = strlen(note ? note : "");

	if (len > NOTE_MAX)
		len = text_utf8_bad(note, NOTE_MAX);
	buf_put_safe(b, note ? note : "", len);
	while (b->len > NOTE_MAX)
		buf_truncate(b, b->len - 1);
}

static struct series *series_new(struct kube_notes *n, const struct kube_event_note *e,
				 char *key)
{
	struct series *s = mem_alloc(sizeof *s), *oldest;
	uint64_t unique;

	while (n->by_key.len >= SERIES_MAX && (oldest = TAILQ_FIRST(&n->list))) {
		write_series(n, oldest);
		series_free(n, oldest);
	}
	randombytes_buf(&unique, sizeof unique);
	s->key = key;
	s->ns = mem_strdup(e->ns && *e->ns ? e->ns : "default");
	s->name = mem_printf("%.230s.%016llx", e->name, (unsigned long long)unique);
	map_put(&n->by_key, key, s);
	TAILQ_INSERT_TAIL(&n->list, s, link);
	return s;
}

void kube_note(struct kube *k, const struct kube_event_note *e)
{
	struct kube_notes *n = k->notes;
	AUTO(buf) note = BUF_INIT;
	AUTO(buf) body = BUF_INIT;

	put_note(&note, e->note);
	char *key = mem_printf("%s|%s|%s|%s|%s|%d|%s|%s|%s", e->api_version, e->kind,
			       e->ns ? e->ns : "", e->name, e->uid ? e->uid : "", e->warning,
			       e->reason, e->action, note.ptr);
	struct series *s = map_get(&n->by_key, key);
	bool first = !s;

	if (first)
		s = series_new(n, e, key);
	else
		free(key);
	s->count++;
	s->last_ms = clock_now_ms();
	s->last_mono = clock_mono_ms();
	TAILQ_REMOVE(&n->list, s, link);
	TAILQ_INSERT_TAIL(&n->list, s, link);
	if (!timer_pending(&n->sweep))
		timer_set(&n->sweep, QUIET_MS);
	if (first) {
		put_event(&body, n, s, e, note.ptr);
		if (!write_event(n, "POST", s->ns, s->name, &body)) {
			series_free(n, s); /* dropped: the next one is a first again */
			return;
		}
		s->written = 1;
		s->written_mono = s->last_mono;
	} else if (s->count == 2 || s->last_mono - s->written_mono >= REFRESH_MS) {
		write_series(n, s);
	}
}

struct kube_notes *kube_notes_new(struct kube *k)
{
	struct kube_notes *n = mem_alloc(sizeof *n);

	n->k = k;
	TAILQ_INIT(&n->list);
	timer_init(&n->sweep, k->loop, on_sweep, n);
	if (gethostname(n->instance, sizeof n->instance - 1) || !*n->instance)
		strcpy(n->instance, "modelsync");
	return n;
}

void kube_notes_free(struct kube_notes *n)
{
	while (!TAILQ_EMPTY(&n->list))
		series_free(n, TAILQ_FIRST(&n->list));
	map_clear(&n->by_key);
	timer_clear(&n->sweep);
	free(n);
}
