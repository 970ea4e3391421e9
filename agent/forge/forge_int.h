/*
 * forge/forge_int.h - private to the folder: where a repository lives, words for a reply,
 * pauses.
 */
#ifndef FORGE_FORGE_INT_H
#define FORGE_FORGE_INT_H

#include "forge/forge.h"
#include "net/http.h"

/* What a repository's URL says about its forge. */
struct repo_url {
	struct buf origin; /* "https://host:port", where the API may be asked; the API's own URL
			    * is preferred. For SSH "https://host": its port says nothing about
			    * HTTP. */
	struct buf prefix; /* "" or "/git": the path that the forge lives under */
	struct buf owner, repo;
};
#define REPO_URL_INIT                                                                       \
	{                                                                                   \
		.origin = BUF_INIT, .prefix = BUF_INIT, .owner = BUF_INIT, .repo = BUF_INIT \
	}

/* https://, http://, ssh:// and scp-like ("git@host:owner/repo"). User and password are skipped
 * and never quoted. `api_url` (or NULL) tells the prefix where the owner may have several parts
 * (`nested`). Reason ForgeUrl. `out` holds REPO_URL_INIT and is filled only on success. */
int repo_url_parse(const char *url, const char *api_url, bool nested, struct repo_url *out,
		   struct error *err);
void repo_url_clear(struct repo_url *u);

/* Safe for display, no white space around, at most `max` characters, "…" where it was cut. */
void description_put(struct buf *out, const char *text, size_t max);

/* The same for a context, at most 255 bytes: a longer one ends in a digest of the whole, so
 * that two that differ stay different. */
void context_put(struct buf *out, const char *text);

/* What an answer means. 0: fine; else -1. */
int reply_error(const struct forge_provider *p, const struct http_reply *reply,
		struct error *err);

/* Milliseconds. A pause after n failures in a row: first * 2^n up to most, times 0.5 to 1.5.
 * `slow` is for what needs a person. */
struct forge_pauses {
	int64_t first, most, slow;
};
int64_t pause_after(const struct forge_pauses *p, const struct error *err, int failures,
		    int64_t retry_after_ms);
void forge_set_pauses(struct forge *f, const struct forge_pauses *p); /* for tests */

extern const struct forge_provider provider_gitea;

#endif
