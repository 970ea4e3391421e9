/*
 * forge/gitea.c - how Gitea and Forgejo speak.
 *
 * Written from Gitea 1.26's API: POST /repos/O/R/statuses/SHA answers 201; a status is never
 * changed, a new one of the same context takes its place; GET /repos/O/R/commits/SHA/statuses
 * lists them all, at most 50 a page. `sort=recentupdate` counts in seconds and `highestindex`
 * sorts the wrong way round there, so the newest of a page is the one with the highest id.
 * Gitea itself sets no limit on descriptions: 255 characters hold a sentence with file and
 * field.
 */
#include "forge/forge_int.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "base/text.h"
#include "value/json.h"

#define STATUSES_MAX_BYTES (1024 * 1024)

static int api_base(const struct forge_options *o, struct buf *url, struct error *err)
{
	struct repo_url u = REPO_URL_INIT;
	size_t len;

	if (o->api_url && *o->api_url) {
		if (!text_starts(o->api_url, "https://") && !text_starts(o->api_url, "http://"))
			return error_reason(
				err, ERROR_INVALID, "ForgeUrl",
				"commitStatus.url: wanted https://HOST[:PORT][/PREFIX]");
		len = strlen(o->api_url);
		while (len && o->api_url[len - 1] == '/')
			len--;
		if (len > 7 && strncmp(o->api_url + len - 7, "/api/v1", 7) == 0)
			len -= 7;
		buf_add(url, o->api_url, len);
		return 0;
	}
	if (repo_url_parse(o->repo_url, NULL, false, &u, err) < 0)
		return -1;
	buf_printf(url, "%s%s", u.origin.ptr, u.prefix.ptr);
	repo_url_clear(&u);
	return 0;
}

static void put_repo(struct buf *path, const char *owner, const char *repo)
{
	buf_puts(path, "/api/v1/repos/");
	http_put_encoded(path, owner);
	buf_putc(path, '/');
	http_put_encoded(path, repo);
}

static void put_member(struct buf *body, const char *key, const char *value)
{
	buf_putc(body, body->len ? ',' : '{');
	json_put_string(body, key, strlen(key));
	buf_putc(body, ':');
	json_put_string(body, value, strlen(value));
}

static void request(const char *owner, const char *repo, const struct commit_status *s,
		    struct buf *path, struct buf *body)
{
	put_repo(path, owner, repo);
	buf_printf(path, "/statuses/%s", s->commit);
	put_member(body, "state", commit_state_name(s->state));
	put_member(body, "context", s->context);
	put_member(body, "description", s->description);
	if (s->target_url)
		put_member(body, "target_url", s->target_url);
	buf_putc(body, '}');
}

static void latest(const char *owner, const char *repo, const char *commit, struct buf *path)
{
	put_repo(path, owner, repo);
	buf_printf(path, "/commits/%s/statuses?sort=recentupdate&limit=50", commit);
}

static const char *member(const cJSON *object, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static const cJSON *newest(const cJSON *list, const char *context)
{
	const cJSON *item, *best = NULL;
	double best_id = -1;

	cJSON_ArrayForEach(item, list)
	{
		const cJSON *id = cJSON_GetObjectItemCaseSensitive(item, "id");

		if (!text_eq(member(item, "context"), context) || !cJSON_IsNumber(id))
			continue;
		if (id->valuedouble > best_id) {
			best_id = id->valuedouble;
			best = item;
		}
	}
	return best;
}

static bool parse(const char *body, size_t len, const char *context, enum commit_state *state,
		  struct buf *description)
{
	const cJSON *item = NULL;
	const char *word, *text;
	bool found = false;
	cJSON *list;

	if (len > STATUSES_MAX_BYTES)
		return false;
	list = cJSON_ParseWithLengthOpts(body, len + 1, NULL, 1);
	if (cJSON_IsArray(list))
		item = newest(list, context);
	word = member(item, "status");
	text = member(item, "description");
	for (int s = COMMIT_PENDING; word && text && s <= COMMIT_ERROR; s++) {
		if (!text_eq(word, commit_state_name((enum commit_state)s)))
			continue;
		*state = (enum commit_state)s;
		buf_puts(description, text);
		found = true;
	}
	cJSON_Delete(list);
	return found;
}

const struct forge_provider provider_gitea = {
	.name = "gitea",
	.headers = (const char *const[]){"Accept: application/json", NULL},
	.auth_header = "Authorization: token ",
	.description_max = 255,
	.min_interval_ms = 0,
	.api_base = api_base,
	.request = request,
	.latest = latest,
	.parse = parse,
};
