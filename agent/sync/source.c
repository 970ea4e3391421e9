/*
 * sync/source.c - repositories by URL: who uses them, when they are polled, with what
 * credentials. Poll results are facts for the Applications on them; failures back off on their
 * own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "sync/app_int.h"

#define FAIL_FIRST_MS 2000
#define FAIL_MOST_MS  300000

/* The shortest interval that an Application on it asks for. */
static int64_t interval(const struct source *s)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < s->apps.len; i++) {
		int64_t ms = s->apps.items[i]->spec.interval_ms;
		if (!ms)
			ms = s->agent->o.poll_interval_ms;
		if (ms < least)
			least = ms;
	}
	return least;
}

static void on_poll(void *arg, struct repo *repo, const struct error *err)
{
	struct source *s = arg;
	bool was_broken = s->err.kind != ERROR_NONE;
	int64_t wait = interval(s);

	(void)repo;
	s->polled = true;
	if (err) {
		int64_t backoff = FAIL_FIRST_MS << (s->failures < 8 ? s->failures : 8);

		s->agent->stats.polls_failed++;
		if (!was_broken) {
			log_warn("git", "poll failed", "url", s->url, "reason", error_code(err),
				 "error", err->text, LOG_END);
			s->broken_since_ms = clock_now_ms();
		}
		s->failures++;
		s->err = *err;
		if (backoff > FAIL_MOST_MS)
			backoff = FAIL_MOST_MS;
		/* What only a person can mend is tried at the usual pace, not faster. */
		wait = err->kind == ERROR_TRANSIENT && backoff < wait ? backoff
		       : backoff > wait				      ? backoff
								      : wait;
	} else {
		s->agent->stats.polls_ok++;
		if (was_broken)
			log_info("git", "poll works again", "url", s->url, LOG_END);
		s->failures = 0;
		s->broken_since_ms = 0;
		s->err = (struct error)ERROR_INIT;
	}
	timer_set(&s->timer, random_jitter(wait));
	for (size_t i = 0; i < s->apps.len; i++)
		app_polled(s->apps.items[i]);
}

void source_poll(struct source *s)
{
	if (s->repo)
		repo_poll(s->repo);
	else
		source_credentials(s);
}

void source_soon(struct source *s)
{
	timer_set(&s->timer, 500);
}

static void on_timer(void *arg)
{
	source_poll(arg);
}

/* The Secret whose url is the longest prefix of ours, ending at a '/' or the end. */
static const struct credential *find_credential(const struct source *s)
{
	const struct credential *best = NULL;
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&s->agent->secrets, &i));) {
		const struct credential *c = e->value;
		size_t n = strlen(c->url);

		if (strncmp(s->url, c->url, n) ||
		    (s->url[n] && s->url[n] != '/' && c->url[n - 1] != '/'))
			continue;
		if (!best || n > strlen(best->url))
			best = c;
	}
	return best;
}

static void open_repo(struct source *s)
{
	const struct credential *c = find_credential(s);
	const struct agent_options *ao = &s->agent->o;
	struct repo_options o = {
		.url = s->url,
		.cache_dir = ao->cache_dir,
		.allow_file = ao->allow_file_urls,
		.allow_http = ao->allow_http_urls,
		.deadline_ms = ao->git_timeout_ms,
	};

	if (c) {
		o.username = c->username;
		o.password = c->password;
		o.ssh_private_key = c->ssh_key;
		o.known_hosts = c->known_hosts;
		o.ca_data = c->ca;
	}
	if (!agent_knows_secrets(s->agent))
		return; /* source_credentials() comes once the Secrets are known */
	s->credential = c ? c->digest : 0;
	if (repo_new(s->agent->loop, &o, on_poll, s, &s->repo, &s->err)) {
		s->polled = true;
		s->repo = NULL;
		timer_set(&s->timer, random_jitter(FAIL_MOST_MS));
		return;
	}
	for (size_t i = 0; i < s->apps.len; i++)
		if (s->apps.items[i]->spec.target)
			repo_want(s->repo, s->apps.items[i]->spec.target);
}

void source_credentials(struct source *s)
{
	const struct credential *c = find_credential(s);

	if (s->repo && s->credential == (c ? c->digest : 0))
		return;
	repo_free(s->repo);
	s->repo = NULL;
	s->err = (struct error)ERROR_INIT;
	open_repo(s);
	if (s->repo)
		repo_poll(s->repo);
	else if (s->polled)
		for (size_t i = 0; i < s->apps.len; i++)
			app_polled(s->apps.items[i]);
}

struct source *source_join(struct agent *a, struct app *app)
{
	struct source *s = map_get(&a->sources, app->spec.repo_url);

	if (!s) {
		s = mem_alloc(sizeof *s);
		s->agent = a;
		s->url = mem_strdup(app->spec.repo_url);
		timer_init(&s->timer, a->loop, on_timer, s);
		map_put(&a->sources, s->url, s);
		*vec_push(&s->apps) = app;
		open_repo(s);
	} else {
		*vec_push(&s->apps) = app;
		if (s->repo)
			repo_want(s->repo, app->spec.target);
	}
	if (s->repo)
		timer_set(&s->timer, 0);
	else
		app_poked(app); /* nothing to poll with; s->err tells the machine why */
	return s;
}

void source_leave(struct source *s, struct app *app)
{
	for (size_t i = 0; i < s->apps.len; i++)
		if (s->apps.items[i] == app) {
			s->apps.items[i] = s->apps.items[--s->apps.len];
			break;
		}
	if (s->repo && app->spec.target)
		repo_unwant(s->repo, app->spec.target);
	if (s->apps.len)
		return;
	map_remove(&s->agent->sources, s->url);
	timer_clear(&s->timer);
	repo_free(s->repo);
	vec_clear(&s->apps);
	free(s->url);
	free(s);
}

/* data.KEY of a Secret, decoded; NULL when absent or no base64. */
static char *secret_field(const struct value *secret, const char *key)
{
	const struct value *v = value_at(secret, "data", key, NULL);
	AUTO(buf) out = BUF_INIT;

	if (!v || v->type != VALUE_STRING ||
	    buf_put_base64_decoded(&out, v->text.ptr, v->text.len))
		return NULL;
	return buf_detach(&out);
}

struct credential *credential_read(const struct value *secret)
{
	struct credential *c = mem_alloc(sizeof *c);
	AUTO(buf) all = BUF_INIT;

	c->url = secret_field(secret, "url");
	if (!c->url || !*c->url) {
		credential_free(c);
		return NULL;
	}
	c->name = mem_strdup(value_str(value_at(secret, "metadata", "name", NULL)));
	c->username = secret_field(secret, "username");
	c->password = secret_field(secret, "password");
	c->ssh_key = secret_field(secret, "sshPrivateKey");
	c->known_hosts = secret_field(secret, "knownHosts");
	c->ca = secret_field(secret, "caCert");
	const char *const parts[] = {c->url,	 c->username,	 c->password,
				     c->ssh_key, c->known_hosts, c->ca};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		buf_printf(&all, "%s\n", parts[i] ? parts[i] : "");
	c->digest = digest_u64(all.ptr, all.len);
	return c;
}

void credential_free(struct credential *c)
{
	if (!c)
		return;
	free(c->name);
	free(c->url);
	free(c->username);
	free(c->password);
	free(c->ssh_key);
	free(c->known_hosts);
	free(c->ca);
	free(c);
}
