/*
 * forge/provider.c - the table of providers, and what is the same for all of them: words for
 * states, descriptions, what an answer means and how long to wait after it.
 */
#include "forge/forge_int.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/text.h"

#define RETRY_AFTER_MAX_MS (3600 * 1000)
#define CONTEXT_MAX	   255

static const struct forge_provider *const providers[] = {&provider_gitea};

const struct forge_provider *forge_provider(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(providers); i++)
		if (text_eq(providers[i]->name, name))
			return providers[i];
	return NULL;
}

const char *forge_provider_names(void)
{
	static struct buf names = BUF_INIT;

	if (!names.len)
		for (size_t i = 0; i < ARRAY_LEN(providers); i++)
			buf_printf(&names, "%s%s", i ? ", " : "", providers[i]->name);
	return names.ptr;
}

const char *commit_state_name(enum commit_state s)
{
	switch (s) {
	case COMMIT_PENDING:
		return "pending";
	case COMMIT_SUCCESS:
		return "success";
	case COMMIT_FAILURE:
		return "failure";
	case COMMIT_ERROR:
		return "error";
	}
	return "error";
}

void description_put(struct buf *out, const char *text, size_t max)
{
	struct buf safe = BUF_INIT;
	size_t len, chars = 0, fits = 0, start;
	uint32_t rune;

	buf_put_safe(&safe, text, strlen(text));
	for (len = safe.len; len && safe.ptr[len - 1] == ' ';)
		len--;
	start = strspn(safe.ptr, " ");
	for (size_t i = start; i < len; chars++) {
		if (chars + 1 == max)
			fits = i;
		i += text_utf8_rune(safe.ptr + i, len - i, &rune);
	}
	if (chars > max) {
		while (fits > start && safe.ptr[fits - 1] == ' ')
			fits--;
		buf_add(out, safe.ptr + start, fits - start);
		buf_puts(out, "…");
	} else if (len > start) {
		buf_add(out, safe.ptr + start, len - start);
	}
	buf_clear(&safe);
}

void context_put(struct buf *out, const char *text)
{
	struct buf safe = BUF_INIT;
	size_t keep = CONTEXT_MAX - 17;

	description_put(&safe, text, SIZE_MAX);
	if (safe.len > CONTEXT_MAX) {
		while ((safe.ptr[keep] & 0xc0) == 0x80)
			keep--;
		buf_truncate(&safe, keep);
		buf_printf(&safe, "~%016" PRIx64, digest_u64(text, strlen(text)));
	}
	buf_add(out, safe.ptr, safe.len);
	buf_clear(&safe);
}

/* The forge's own words, made safe: {"message": "..."} in Gitea, GitHub and GitLab. */
static void put_message(const struct http_reply *reply, struct buf *out)
{
	cJSON *root = cJSON_ParseWithLengthOpts(reply->body.ptr, reply->body.len + 1, NULL, 1);
	const char *text =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "message"));

	if (text && *text) {
		buf_puts(out, ": ");
		description_put(out, text, 200);
	}
	cJSON_Delete(root);
}

/* What an HTTP status means, the first row that fits. */
static const struct {
	int from, to;
	enum error_kind kind;
	const char *reason, *advice;
} meanings[] = {
	{300, 399, ERROR_INVALID, "ForgeRedirect", "is the forge's URL right"},
	{401, 401, ERROR_DENIED, "ForgeDenied", "is the token still valid"},
	{403, 403, ERROR_DENIED, "ForgeDenied", "may the token write to the repository"},
	{404, 404, ERROR_INVALID, "ForgeNotFound",
	 "do repository and commit exist there, and does the token see them"},
	{408, 408, ERROR_TRANSIENT, "ForgeBusy", NULL},
	{429, 429, ERROR_TRANSIENT, "ForgeBusy", NULL},
	{400, 499, ERROR_INVALID, "ForgeRejected", NULL},
	{500, 599, ERROR_TRANSIENT, "ForgeFailed", NULL},
};

int reply_error(const struct forge_provider *p, const struct http_reply *reply,
		struct error *err)
{
	struct buf text = BUF_INIT;

	if (reply->status >= 200 && reply->status < 300)
		return 0;
	if (reply->status == 0) {
		*err = reply->err;
		if (err->kind == ERROR_NONE)
			error_set(err, ERROR_TRANSIENT, "no answer");
		return error_wrap(err, "%s", p->name);
	}
	put_message(reply, &text);
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
		if (reply->status < meanings[i].from || reply->status > meanings[i].to)
			continue;
		if (meanings[i].advice)
			buf_printf(&text, "; %s?", meanings[i].advice);
		error_reason(err, meanings[i].kind, meanings[i].reason, "%s answered %d%s",
			     p->name, reply->status, text.ptr);
		buf_clear(&text);
		return -1;
	}
	buf_clear(&text);
	return error_reason(err, ERROR_TRANSIENT, "ForgeFailed", "%s answered %d", p->name,
			    reply->status);
}

int64_t pause_after(const struct forge_pauses *p, const struct error *err, int failures,
		    int64_t retry_after_ms)
{
	int64_t ms = p->first;

	if (retry_after_ms > RETRY_AFTER_MAX_MS)
		retry_after_ms = RETRY_AFTER_MAX_MS;
	if (err->kind == ERROR_DENIED || err->kind == ERROR_INVALID)
		return p->slow > retry_after_ms ? p->slow : retry_after_ms;
	for (int i = 0; i < failures && ms < p->most; i++)
		ms *= 2;
	if (ms > p->most)
		ms = p->most;
	ms = ms / 2 + (int64_t)arc4random_uniform((uint32_t)ms + 1);
	return ms > retry_after_ms ? ms : retry_after_ms;
}
