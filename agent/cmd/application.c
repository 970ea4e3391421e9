/* cmd/application.c - see application.h. */
#include "cmd/application.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

void application_view(const struct value *object, struct application_view *out)
{
	const struct value *meta = value_get(object, "metadata"),
			   *status = value_get(object, "status");
	const struct value *sync = value_get(status, "sync"),
			   *health = value_get(status, "health");
	const struct value *op = value_get(status, "operation");
	struct value *c;

	memset(out, 0, sizeof *out);
	out->ns = or_empty(value_get_str(meta, "namespace"));
	out->name = or_empty(value_get_str(meta, "name"));
	out->sync = or_empty(value_get_str(sync, "status"));
	out->revision = or_empty(value_get_str(sync, "revision"));
	out->health = or_empty(value_get_str(health, "status"));
	out->health_message = or_empty(value_get_str(health, "message"));
	out->signer = or_empty(value_str(value_at(status, "history", "#0", "signer", NULL)));
	out->phase = or_empty(value_get_str(op, "phase"));
	out->requested = or_empty(value_get_str(op, "requested"));
	out->operation_message = or_empty(value_get_str(op, "message"));
	out->objects = value_get_int(value_get(status, "summary"), "objects", 0);
	out->generation = value_get_int(meta, "generation", 0);
	out->observed = value_get_int(status, "observedGeneration", 0);
	out->reason = out->message = "";
	array_each (value_get(status, "conditions"), i, c) {
		if (!text_eq(value_get_str(c, "type"), "Ready"))
			continue;
		out->ready = text_eq(value_get_str(c, "status"), "True") &&
			     out->observed == out->generation;
		out->reason = or_empty(value_get_str(c, "reason"));
		out->message = or_empty(value_get_str(c, "message"));
	}
}

static const struct kube_kind *application_kind(struct cli *c, struct error *err)
{
	const struct kube_kind *k = kube_kind(c->kube, "modelsync.dev", NULL, "Application");

	if (!k)
		error_reason(err, ERROR_INVALID, "CrdMissing",
			     "this cluster doesn't know Applications of modelsync.dev: run "
			     "`modelsync "
			     "install`");
	return k;
}

int application_get(struct cli *c, const char *operand, struct arena *a, struct value **out,
		    struct error *err)
{
	AUTO(buf) ns = BUF_INIT;
	AUTO(buf) name = BUF_INIT;
	struct kube_request r = {.verb = KUBE_GET, .kind = application_kind(c, err)};

	if (!r.kind)
		return -1;
	cli_name(c, operand, &ns, &name);
	r.ns = ns.ptr;
	r.name = name.ptr;
	return cli_send(c, &r, a, out, err)
		       ? error_wrap(err, "application %s/%s", ns.ptr, name.ptr)
		       : 0;
}

int application_list(struct cli *c, struct arena *a, struct value **out, struct error *err)
{
	struct kube_request r = {
		.verb = KUBE_LIST, .kind = application_kind(c, err), .ns = c->ns};

	return r.kind ? cli_send(c, &r, a, out, err) : -1;
}

struct watch {
	struct cli *cli;
	bool (*fn)(void *arg, const struct application_view *v);
	void *arg;
	struct arena *arena;
	struct value *last;
	bool done, late, progress;
	struct error broken;
};

static void show_progress(struct watch *w, const struct application_view *v)
{
	AUTO(buf) line = BUF_INIT;

	if (!w->progress)
		return;
	buf_printf(&line, "%s/%s  %s  %s  %.12s  %s", v->ns, v->name, *v->sync ? v->sync : "-",
		   *v->health ? v->health : "-", v->revision, v->ready ? "" : v->message);
	AUTO(buf) safe = BUF_INIT;
	buf_put_safe(&safe, line.ptr, line.len < 100 ? line.len : 100);
	fprintf(stderr, "\r\033[K%s", safe.ptr);
}

static void on_event(void *arg, enum kube_event event, const struct value *object)
{
	struct watch *w = arg;
	struct application_view v;

	if (event == KUBE_DELETED) {
		error_reason(&w->broken, ERROR_GONE, "NotFound", "the Application was deleted");
		w->late = true;
		loop_stop(w->cli->loop);
		return;
	}
	w->last = value_copy(w->arena, object);
	application_view(w->last, &v);
	show_progress(w, &v);
	if (!w->done && w->fn(w->arg, &v)) {
		w->done = true;
		loop_stop(w->cli->loop);
	}
}

static void on_begin(void *arg)
{
	(void)arg;
}

static void on_synced(void *arg)
{
	struct watch *w = arg;

	if (w->last)
		return;
	error_reason(&w->broken, ERROR_GONE, "NotFound", "there is no such Application");
	w->late = true;
	loop_stop(w->cli->loop);
}

static void on_broken(void *arg, const struct error *err)
{
	struct watch *w = arg;

	w->broken = *err; /* told if the time runs out */
}

static void on_timeout(void *arg)
{
	struct watch *w = arg;

	w->late = true;
	loop_stop(w->cli->loop);
}

int application_watch(struct cli *c, const char *operand,
		      bool (*fn)(void *arg, const struct application_view *v), void *arg,
		      struct arena *a, struct value **object, struct error *err)
{
	static const struct kube_watch_ops ops = {on_begin, on_event, on_synced, on_broken};
	struct watch w = {c, fn, arg, a, NULL, false, false, isatty(STDERR_FILENO), ERROR_INIT};
	AUTO(buf) ns = BUF_INIT;
	AUTO(buf) name = BUF_INIT;
	struct timer timer = {0};
	char took[24];
	struct kube_watch_options o = {.kind = application_kind(c, err)};

	if (!o.kind)
		return -1;
	cli_name(c, operand, &ns, &name);
	o.ns = ns.ptr;
	o.name = name.ptr;
	timer_init(&timer, c->loop, on_timeout, &w);
	timer_set(&timer, c->timeout_ms);
	struct kube_watch *watch = kube_watch_start(c->kube, &o, &ops, &w);
	while (!w.done && !w.late)
		loop_run(c->loop);
	kube_watch_stop(watch);
	timer_clear(&timer);
	if (w.progress)
		fputs("\r\033[K", stderr);
	*object = w.last;
	if (w.done)
		return 0;
	if (w.broken.kind != ERROR_NONE) {
		*err = w.broken;
		return error_wrap(err, "application %s/%s", ns.ptr, name.ptr);
	}
	return error_reason(err, ERROR_TRANSIENT, "Timeout",
			    "application %s/%s: not there after %s", ns.ptr, name.ptr,
			    text_duration(c->timeout_ms, took));
}
