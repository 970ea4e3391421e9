/*
 * forge/forge.c - the queue of commit statuses.
 *
 * One item a commit and context. It holds what is wanted and what is known to stand in the
 * forge, and one call at a time brings the second to the first: a GET where nothing is known, a
 * POST where the two differ. Whatever leaves it unclear if a POST arrived makes the item
 * unknown again, so that the next try asks first and nothing is sent twice.
 */
#include "forge/forge_int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#define ITEMS_MAX  1000
#define CALL_MS	   15000
#define ANSWER_MAX (1024 * 1024)
#define TARGET_MAX 2048

static const struct forge_pauses default_pauses = {
	.first = 1000, .most = 5 * 60 * 1000, .slow = 10 * 60 * 1000};

enum item_state {
	ITEM_QUIET,   /* what is wanted stands */
	ITEM_WAITING, /* to be worked on at .due */
	ITEM_ASKING,  /* the GET runs */
	ITEM_SENDING, /* the POST runs */
};

struct text_status {
	enum commit_state state;
	char *description, *target_url;
};

struct item {
	TAILQ_ENTRY(item) link; /* oldest first */
	char *commit, *context;
	enum item_state state;
	struct text_status want, sent /* by the POST that runs */;
	bool known; /* `stands` and `standing` are true */
	bool any;   /* known: is there a status at all */
	enum commit_state stands;
	char *standing; /* its description */
	int64_t due;	/* monotonic */
	int failures;	/* in a row */
	bool told;	/* of this outage */
	bool rejected;	/* the forge did not take what was sent: another text may do */
};

struct forge {
	const struct forge_provider *provider;
	struct http *http;
	struct timer timer;
	struct buf owner, repo, auth;
	struct forge_pauses pauses;
	forge_on_sent *fn;
	void *arg;
	TAILQ_HEAD(, item) items;
	size_t count;
	bool dropping;	   /* said so */
	struct item *busy; /* whose call runs */
	struct http_call *call;
	int64_t not_before; /* monotonic: rate limit and Retry-After, for all items */
};

static void text_status_clear(struct text_status *t)
{
	free(t->description);
	free(t->target_url);
	*t = (struct text_status){0};
}

static void item_free(struct forge *f, struct item *it)
{
	TAILQ_REMOVE(&f->items, it, link);
	f->count--;
	text_status_clear(&it->want);
	text_status_clear(&it->sent);
	free(it->commit);
	free(it->context);
	free(it->standing);
	free(it);
}

static const char *state_name(enum item_state s)
{
	static const char *const names[] = {"quiet", "waiting", "asking", "sending"};

	return names[s];
}

static void enter(struct item *it, enum item_state next)
{
	static const unsigned char legal[] = {
		[ITEM_QUIET] = 1 << ITEM_WAITING,
		[ITEM_WAITING] = 1 << ITEM_ASKING | 1 << ITEM_SENDING | 1 << ITEM_QUIET,
		[ITEM_ASKING] = 1 << ITEM_WAITING | 1 << ITEM_QUIET,
		[ITEM_SENDING] = 1 << ITEM_WAITING | 1 << ITEM_QUIET,
	};

	if (!(legal[it->state] & 1 << next))
		abort();
	log_debug("forge", "status", "commit", it->commit, "context", it->context, "from",
		  state_name(it->state), "to", state_name(next), LOG_END);
	it->state = next;
}

/* What is wanted already stands. */
static bool settled(const struct item *it)
{
	return it->known && it->any && it->stands == it->want.state &&
	       text_eq(it->standing, it->want.description);
}

static void remember(struct item *it, bool any, enum commit_state state, char *description)
{
	free(it->standing);
	it->known = true;
	it->any = any;
	it->stands = state;
	it->standing = description;
}

static void pump(struct forge *f);

/* The callback may post, which may change or forget the item: it gets copies. */
static void tell(struct forge *f, const struct item *it, enum commit_state state,
		 const char *description, const struct error *err)
{
	AUTO_FREE char *commit = mem_strdup(it->commit);
	AUTO_FREE char *context = mem_strdup(it->context);
	AUTO_FREE char *text = mem_strdup(description);
	AUTO_FREE char *target_url = mem_strdup(it->want.target_url);
	struct commit_status s = {.commit = commit,
				  .context = context,
				  .state = state,
				  .description = text,
				  .target_url = target_url};

	if (f->fn)
		f->fn(f->arg, &s, err);
}

static void call_failed(struct forge *f, struct item *it, const struct http_reply *reply,
			const struct error *err)
{
	bool first = !it->told;

	if (it->state == ITEM_SENDING && !reply->connection_failed &&
	    (reply->status == 0 || reply->status >= 500))
		it->known = false;
	it->due = clock_mono_ms() +
		  pause_after(&f->pauses, err, it->failures++, reply->retry_after_ms);
	if (reply->retry_after_ms > 0)
		f->not_before = it->due;
	it->rejected = err->kind == ERROR_INVALID;
	it->told = true;
	enter(it, ITEM_WAITING);
	pump(f);
	if (first)
		tell(f, it, it->want.state, it->want.description, err);
}

/* The item's call went well; `stood`: it showed that a status of ours stands. */
static void call_worked(struct forge *f, struct item *it, bool stood)
{
	it->failures = 0;
	it->told = it->rejected = false;
	it->due = clock_mono_ms();
	enter(it, settled(it) ? ITEM_QUIET : ITEM_WAITING);
	pump(f);
	if (stood)
		tell(f, it, it->stands, it->standing, NULL);
}

static void on_listed(void *arg, struct http_reply *reply)
{
	struct forge *f = arg;
	struct item *it = steal(&f->busy);
	struct buf text = BUF_INIT;
	enum commit_state state = COMMIT_PENDING;
	struct error err = ERROR_INIT;
	bool any;

	f->call = NULL;
	if (reply_error(f->provider, reply, &err) < 0) {
		call_failed(f, it, reply, &err);
		return;
	}
	any = f->provider->parse(reply->body.ptr, reply->body.len, it->context, &state, &text);
	remember(it, any, state, buf_detach(&text));
	call_worked(f, it, settled(it));
}

static void on_written(void *arg, struct http_reply *reply)
{
	struct forge *f = arg;
	struct item *it = steal(&f->busy);
	struct error err = ERROR_INIT;

	f->call = NULL;
	if (reply_error(f->provider, reply, &err) < 0) {
		call_failed(f, it, reply, &err);
		return;
	}
	log_info("forge", "status written", "commit", it->commit, "context", it->context,
		 "state", commit_state_name(it->sent.state), "description",
		 it->sent.description, LOG_END);
	remember(it, true, it->sent.state, steal(&it->sent.description));
	call_worked(f, it, true);
}

static void call(struct forge *f, struct item *it, const char *method, const struct buf *path,
		 const struct buf *body, http_on_done *on_done)
{
	const char *headers[8] = {f->auth.ptr, "Content-Type: application/json"};
	size_t n = 2;

	for (size_t i = 0; f->provider->headers[i] && n + 1 < ARRAY_LEN(headers); i++)
		headers[n++] = f->provider->headers[i];
	f->busy = it;
	f->not_before = clock_mono_ms() + f->provider->min_interval_ms;
	f->call = http_start(f->http,
			     &(struct http_request){.method = method,
						    .path = path->ptr,
						    .headers = headers,
						    .body = body ? body->ptr : NULL,
						    .body_len = body ? body->len : 0,
						    .deadline_ms = CALL_MS,
						    .max_body = ANSWER_MAX},
			     NULL, on_done, f);
}

static void start(struct forge *f, struct item *it)
{
	AUTO(buf) path = BUF_INIT;
	AUTO(buf) body = BUF_INIT;
	struct commit_status s = {.commit = it->commit, .context = it->context};

	if (!it->known) {
		f->provider->latest(f->owner.ptr, f->repo.ptr, it->commit, &path);
		enter(it, ITEM_ASKING);
		call(f, it, "GET", &path, NULL, on_listed);
		return;
	}
	text_status_clear(&it->sent);
	it->sent.state = s.state = it->want.state;
	it->sent.description = mem_strdup(it->want.description);
	s.description = it->want.description;
	s.target_url = it->want.target_url;
	f->provider->request(f->owner.ptr, f->repo.ptr, &s, &path, &body);
	enter(it, ITEM_SENDING);
	call(f, it, "POST", &path, &body, on_written);
}

/* Start the next call, or set the timer for it. Calls nobody back. */
static void pump(struct forge *f)
{
	int64_t now = clock_mono_ms();
	struct item *it, *next = NULL;

	if (f->busy)
		return;
	TAILQ_FOREACH(it, &f->items, link)
	if (it->state == ITEM_WAITING && (!next || it->due < next->due))
		next = it;
	if (!next) {
		timer_cancel(&f->timer);
		return;
	}
	if (next->due > now || f->not_before > now)
		timer_set(&f->timer,
			  (next->due > f->not_before ? next->due : f->not_before) - now);
	else
		start(f, next);
}

static void on_timer(void *arg)
{
	pump(arg);
}

static struct item *item_find(struct forge *f, const char *commit, const char *context)
{
	struct item *it;

	TAILQ_FOREACH(it, &f->items, link)
	if (text_eq(it->commit, commit) && text_eq(it->context, context))
		return it;
	return NULL;
}

/* Make room: the oldest that is quiet, else the oldest that waits. */
static void item_evict(struct forge *f)
{
	struct item *it, *victim = NULL;

	TAILQ_FOREACH(it, &f->items, link)
	{
		if (it->state == ITEM_QUIET) {
			victim = it;
			break;
		}
		if (!victim && it->state == ITEM_WAITING)
			victim = it;
	}
	if (!victim)
		return;
	if (victim->state == ITEM_WAITING && !f->dropping)
		log_warn("forge", "too many statuses wait, the oldest are dropped", "commit",
			 victim->commit, "context", victim->context, LOG_END);
	f->dropping = victim->state == ITEM_WAITING;
	item_free(f, victim);
}

static struct item *item_add(struct forge *f, const char *commit, const char *context)
{
	struct item *it = mem_alloc(sizeof *it);

	if (f->count >= ITEMS_MAX)
		item_evict(f);
	it->commit = mem_strdup(commit);
	it->context = mem_strdup(context);
	TAILQ_INSERT_TAIL(&f->items, it, link);
	f->count++;
	return it;
}

void forge_post(struct forge *f, const struct commit_status *s)
{
	AUTO(buf) context = BUF_INIT;
	AUTO(buf) text = BUF_INIT;
	struct item *it;

	if (!s->commit || strlen(s->commit) != 40 || !text_is_hex(s->commit, 40)) {
		log_error("forge", "not a commit id", "commit", s->commit, LOG_END);
		return;
	}
	context_put(&context, s->context);
	description_put(&text, s->description ? s->description : "",
			f->provider->description_max);
	it = item_find(f, s->commit, context.ptr);
	if (!it)
		it = item_add(f, s->commit, context.ptr);
	text_status_clear(&it->want);
	it->want.state = s->state;
	it->want.description = buf_detach(&text);
	if (s->target_url && strlen(s->target_url) <= TARGET_MAX)
		it->want.target_url = mem_strdup(s->target_url);
	if (it->state == ITEM_QUIET && !settled(it)) {
		it->due = clock_mono_ms();
		enter(it, ITEM_WAITING);
	} else if (it->state == ITEM_WAITING && settled(it)) {
		it->told = false;
		enter(it, ITEM_QUIET);
	} else if (it->state == ITEM_WAITING && it->rejected) {
		it->due = clock_mono_ms();
		it->rejected = false;
	}
	pump(f);
}

bool forge_idle(const struct forge *f)
{
	const struct item *it;

	TAILQ_FOREACH(it, &f->items, link)
	if (it->state != ITEM_QUIET)
		return false;
	return true;
}

void forge_set_pauses(struct forge *f, const struct forge_pauses *p)
{
	f->pauses = *p;
}

/* "Authorization: token XYZ"; a Secret's value often ends in a line feed. */
static int auth_put(struct buf *out, const struct forge_provider *p, const char *token,
		    struct error *err)
{
	size_t len = token ? strlen(token) : 0;

	while (len && strchr(" \t\r\n", token[len - 1]))
		len--;
	if (!len || len > 4096)
		return error_reason(err, ERROR_INVALID, "ForgeToken",
				    "token of the forge: empty or too long");
	for (size_t i = 0; i < len; i++)
		if (token[i] <= ' ' || token[i] > '~')
			return error_reason(err, ERROR_INVALID, "ForgeToken",
					    "token of the forge: has white space or other "
					    "characters that no token has");
	buf_printf(out, "%s%.*s", p->auth_header, (int)len, token);
	return 0;
}

static int connect_to(struct forge *f, struct loop *loop, const struct forge_options *o,
		      struct error *err)
{
	AUTO(buf) base = BUF_INIT;
	struct repo_url u = REPO_URL_INIT;
	struct http_options http = {.ca_data = o->ca_data,
				    .allow_plain = o->allow_http,
				    .user_agent = "modelsync/" MODELSYNC_VERSION};

	if (f->provider->api_base(o, &base, err) < 0)
		return -1;
	if (!o->allow_http && text_starts(base.ptr, "http://"))
		return error_reason(
			err, ERROR_INVALID, "HttpRefused",
			"forge %s: the token would travel in the clear; use https, or "
			"start the agent with --allow-http-urls",
			base.ptr);
	if (repo_url_parse(o->repo_url, o->api_url, f->provider->nested, &u, err) < 0)
		return -1;
	buf_puts(&f->owner, u.owner.ptr);
	buf_puts(&f->repo, u.repo.ptr);
	repo_url_clear(&u);
	http.base_url = base.ptr;
	return http_new(loop, &http, &f->http, err);
}

int forge_new(struct loop *loop, const struct forge_options *o, forge_on_sent *fn, void *arg,
	      struct forge **out, struct error *err)
{
	const struct forge_provider *provider = forge_provider(o->provider);
	struct forge *f;

	if (!provider)
		return error_reason(
			err, ERROR_INVALID, "ForgeProvider",
			"commitStatus.provider: '%s' is not known; this version has %s",
			o->provider ? o->provider : "", forge_provider_names());
	f = mem_alloc(sizeof *f);
	*f = (struct forge){.provider = provider,
			    .owner = BUF_INIT,
			    .repo = BUF_INIT,
			    .auth = BUF_INIT,
			    .pauses = default_pauses,
			    .fn = fn,
			    .arg = arg};
	TAILQ_INIT(&f->items);
	timer_init(&f->timer, loop, on_timer, f);
	if (auth_put(&f->auth, provider, o->token, err) < 0 ||
	    connect_to(f, loop, o, err) < 0) {
		forge_free(f);
		return -1;
	}
	*out = f;
	return 0;
}

void forge_free(struct forge *f)
{
	struct item *it, *next;

	if (!f)
		return;
	for (it = TAILQ_FIRST(&f->items); it; it = next) {
		next = TAILQ_NEXT(it, link);
		item_free(f, it);
	}
	if (f->http)
		http_free(f->http);
	timer_clear(&f->timer);
	buf_clear(&f->owner);
	buf_clear(&f->repo);
	explicit_bzero(f->auth.ptr, f->auth.len);
	buf_clear(&f->auth);
	free(f);
}
