/* faults/asking.c - what tests ask the server afterwards, and how they run the loop. */
#include "faults_int.h"

static bool is_such(const struct apiserver_seen *n, const char *method, const char *match)
{
	return (!method || !strcmp(n->method, method)) && (!match || strstr(n->uri, match));
}

size_t apiserver_seen_count(const struct apiserver *s, const char *method, const char *match)
{
	size_t count = 0;

	for (size_t i = 0; i < s->seen.len; i++)
		count += is_such(&s->seen.items[i], method, match);
	return count;
}

const struct apiserver_seen *apiserver_seen(const struct apiserver *s, const char *method,
					    const char *match)
{
	for (size_t i = s->seen.len; i--;)
		if (is_such(&s->seen.items[i], method, match))
			return &s->seen.items[i];
	return NULL;
}

void apiserver_forget(struct apiserver *s)
{
	for (size_t i = 0; i < s->seen.len; i++) {
		struct apiserver_seen *n = &s->seen.items[i];
		free(n->method);
		free(n->uri);
		free(n->body);
		free(n->content_type);
		free(n->accept);
		free(n->authorization);
		free(n->impersonate);
	}
	s->seen.len = 0;
	for (struct fs_held *h = TAILQ_FIRST(&s->held); h; h = TAILQ_NEXT(h, link))
		h->seen = (size_t)-1; /* of what is forgotten */
}

/* ---- the loop ---- */

static void on_late(void *arg)
{
	*(bool *)arg = true;
}

bool loop_run_until(struct loop *loop, const bool *flag, int64_t ms)
{
	bool late = false;
	struct timer t;

	timer_init(&t, loop, on_late, &late);
	timer_set(&t, ms);
	while (!*flag && !late)
		event_base_loop(loop_base(loop), EVLOOP_ONCE);
	timer_clear(&t);
	return *flag;
}

void loop_run_for(struct loop *loop, int64_t ms)
{
	bool never = false;

	loop_run_until(loop, &never, ms);
}

bool apiserver_run_until(struct apiserver *s, const bool *flag, int64_t ms)
{
	return loop_run_until(s->loop, flag, ms);
}

/* ---- clients ---- */

struct kube *apiserver_connect(struct apiserver *s)
{
	const struct kube_config_options o = {0};
	struct kube_config *config;
	struct kube *k;
	struct error err = ERROR_INIT;

	if (kube_config_parse(s->kubeconfig, strlen(s->kubeconfig), NULL, &o, &config, &err) ||
	    kube_new(s->loop, config, &k, &err)) {
		fprintf(stderr, "apiserver_connect: %s\n", err.text);
		abort();
	}
	return k;
}

static void on_discovered(void *arg, const struct error *err, bool changed)
{
	if (err) {
		fprintf(stderr, "apiserver_client: %s\n", err->text);
		abort();
	}
	*(bool *)arg = true;
}

struct kube *apiserver_client(struct apiserver *s)
{
	struct kube *k = apiserver_connect(s);
	bool done = false;

	kube_discover(k, on_discovered, &done);
	if (!loop_run_until(s->loop, &done, 5000))
		abort();
	return k;
}
