/*
 * forge/forge.h - writes commit statuses to the forge, each once.
 *
 * In:  a commit, a context ("modelsync/team/web"), a state and one sentence.
 * Out: the status on the commit. Per commit and context only the newest matters: an unsent
 * older one is dropped. Failures are retried with backoff for as long as the status is the
 * newest. The first time a process has something to say about a commit it asks the forge for
 * the latest status there and stays silent when that one is identical, so that a restart never
 *      repeats one.
 *
 * Provider: a table entry of URL shapes, state words and limits. Gitea (and Forgejo) now.
 */
#ifndef FORGE_FORGE_H
#define FORGE_FORGE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/loop.h"

enum commit_state { COMMIT_PENDING, COMMIT_SUCCESS, COMMIT_FAILURE, COMMIT_ERROR };
const char *commit_state_name(enum commit_state s); /* "pending", ... */

struct commit_status {
	const char *commit;  /* 40 hex digits */
	const char *context; /* at most 255 bytes */
	enum commit_state state;
	const char *description; /* made safe and cut to the provider's limit */
	const char *target_url;	 /* or NULL */
};

struct forge_options {
	const char *provider; /* "gitea" */
	const char *repo_url; /* of the source: owner and repository are taken from its path */
	const char *api_url;  /* base of the API, or NULL: from repo_url (scheme and host) */
	const char *token;    /* never logged */
	const char *ca_data;  /* PEM, or NULL */
	bool allow_http;
};

/* How one kind of forge speaks. `request` fills path and body of the call that writes a status;
 * `latest` fills the path that lists statuses of a commit and `parse` finds the newest one of
 * the context in the answer (body[len] is NUL): state and description, or returns false. */
struct forge_provider {
	const char *name;
	const char *const *headers; /* constant ones */
	const char *auth_header;    /* "Authorization: token " */
	size_t description_max;	    /* characters */
	bool nested;		    /* an owner may have several parts: "group/sub" */
	int64_t min_interval_ms;    /* between two calls, to stay inside rate limits */
	int (*api_base)(const struct forge_options *o, struct buf *url, struct error *err);
	void (*request)(const char *owner, const char *repo, const struct commit_status *s,
			struct buf *path, struct buf *body);
	void (*latest)(const char *owner, const char *repo, const char *commit,
		       struct buf *path);
	bool (*parse)(const char *body, size_t len, const char *context,
		      enum commit_state *state, struct buf *description);
};
const struct forge_provider *forge_provider(const char *name); /* NULL: not known */
const char *forge_provider_names(void);			       /* "gitea" : for messages */

struct forge;
/* Told when a status stands on the commit (err NULL; one that already stood when it was posted
 * a second time is not told again), and once per outage when it can't be written (it goes on
 * trying; after ERROR_DENIED and ERROR_INVALID every 10 minutes). `s` lives until the call
 * returns, in which forge_post() is fine and forge_free() is not. */
typedef void forge_on_sent(void *arg, const struct commit_status *s, const struct error *err);

/* All strings are copied. Reasons: ForgeProvider, ForgeUrl, ForgeToken, HttpRefused. */
int forge_new(struct loop *loop, const struct forge_options *o, forge_on_sent *fn, void *arg,
	      struct forge **out, struct error *err);
void forge_free(struct forge *f);
/* Copied. At most 1,000 commits and contexts are remembered; beyond, the oldest is forgotten.
 */
void forge_post(struct forge *f, const struct commit_status *s);
bool forge_idle(const struct forge *f); /* nothing waits to be sent */

#endif
