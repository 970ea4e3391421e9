/*
 * forge/repo_url.c - from a source's URL to forge, owner and repository.
 *
 * The URL was written by whoever may edit the Application, so it ends up in request paths only
 * after every part of it has been found to consist of harmless characters.
 */
#include "forge/forge_int.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define URL_MAX 2048

void repo_url_clear(struct repo_url *u)
{
	buf_clear(&u->origin);
	buf_clear(&u->prefix);
	buf_clear(&u->owner);
	buf_clear(&u->repo);
}

static bool plain_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("-._~", c);
}

/* "part/part": none of them empty, "." or "..", and only unreserved characters. */
static bool plain_path(const char *s, size_t len)
{
	size_t start = 0;

	for (size_t i = 0; i <= len; i++) {
		if (i < len && s[i] != '/') {
			if (!s[i] || !plain_char(s[i]))
				return false;
			continue;
		}
		if (i == start || strspn(s + start, ".") >= i - start)
			return false;
		start = i + 1;
	}
	return true;
}

static bool plain_host(const char *s, size_t len)
{
	if (!len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!s[i] || (!plain_char(s[i]) && !strchr(":[]", s[i])))
			return false;
	return true;
}

/* The parts of a URL, pointing into it. */
struct url_parts {
	bool ssh;
	const char *scheme; /* "https" or "http"; of SSH: "https" */
	const char *host;   /* with the port, except for SSH */
	size_t host_len;
	const char *path; /* no slashes around */
	size_t path_len;
};

static void trim_path(struct url_parts *u, const char *path)
{
	while (*path == '/')
		path++;
	u->path = path;
	u->path_len = strlen(path);
	while (u->path_len && path[u->path_len - 1] == '/')
		u->path_len--;
}

/* host:port, "[::1]:port" -> without the port */
static size_t without_port(const char *host, size_t len)
{
	const char *bracket = memchr(host, ']', len);
	const char *from = bracket ? bracket : host;
	const char *colon = memchr(from, ':', len - (size_t)(from - host));

	return colon ? (size_t)(colon - host) : len;
}

static void take_host(struct url_parts *u, const char *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (from[i] == '@') {
			from += i + 1;
			len -= i + 1;
			i = (size_t)-1;
		}
	u->host = from;
	u->host_len = u->ssh ? without_port(from, len) : len;
}

static bool split(const char *url, struct url_parts *u)
{
	const char *rest = strstr(url, "://"), *slash, *colon;

	if (rest) {
		if (text_starts(url, "https://"))
			*u = (struct url_parts){.scheme = "https"};
		else if (text_starts(url, "http://"))
			*u = (struct url_parts){.scheme = "http"};
		else if (text_starts(url, "ssh://"))
			*u = (struct url_parts){.scheme = "https", .ssh = true};
		else
			return false;
		rest += 3;
		slash = rest + strcspn(rest, "/");
		take_host(u, rest, (size_t)(slash - rest));
		trim_path(u, slash);
		return true;
	}
	/* scp-like: a colon before any slash */
	colon = strchr(url, ':');
	slash = strchr(url, '/');
	if (!colon || (slash && slash < colon))
		return false;
	*u = (struct url_parts){.scheme = "https", .ssh = true};
	take_host(u, url, (size_t)(colon - url));
	trim_path(u, colon + 1);
	return true;
}

/* Length of the API's path in front of `path`, with the slash after it; 0: it is not there. */
static size_t prefix_of(const struct url_parts *path, const char *api_url)
{
	struct url_parts api;

	if (!api_url || !split(api_url, &api) || !api.path_len ||
	    api.path_len >= path->path_len)
		return 0;
	if (strncmp(api.path, path->path, api.path_len) != 0 || path->path[api.path_len] != '/')
		return 0;
	return api.path_len + 1;
}

/* Offset of the last part of a path. */
static size_t last_part(const char *path, size_t len)
{
	while (len && path[len - 1] != '/')
		len--;
	return len;
}

static int refuse(struct error *err, const char *seen)
{
	return error_reason(
		err, ERROR_INVALID, "ForgeUrl",
		"repository URL: %s; a commit status needs https://HOST/OWNER/REPO, "
		"ssh://USER@HOST/OWNER/REPO or USER@HOST:OWNER/REPO",
		seen);
}

int repo_url_parse(const char *url, const char *api_url, bool nested, struct repo_url *out,
		   struct error *err)
{
	struct url_parts u;
	size_t skip, end, repo;

	if (!url || strlen(url) > URL_MAX)
		return refuse(err, url ? "longer than 2048 bytes" : "missing");
	if (!split(url, &u))
		return refuse(err, "not on a forge");
	if (!plain_host(u.host, u.host_len))
		return refuse(err, "no host, or odd characters in it");
	end = u.path_len;
	if (end > 4 && strncmp(u.path + end - 4, ".git", 4) == 0)
		end -= 4;
	if (!plain_path(u.path, end))
		return refuse(err, "no path, or odd characters in it");
	/* Over HTTP the forge's own prefix stands before the owner; over SSH it does not. */
	repo = last_part(u.path, end);
	if (nested)
		skip = prefix_of(&u, api_url);
	else
		skip = repo && !u.ssh ? last_part(u.path, repo - 1) : 0;
	if (repo < skip + 2)
		return refuse(err, "the path has no owner");
	if (!nested && memchr(u.path + skip, '/', repo - 1 - skip))
		return refuse(err, "the path has more parts than owner and repository");
	buf_printf(&out->origin, "%s://%.*s", u.scheme, (int)u.host_len, u.host);
	if (skip)
		buf_printf(&out->prefix, "/%.*s", (int)skip - 1, u.path);
	buf_add(&out->owner, u.path + skip, repo - 1 - skip);
	buf_add(&out->repo, u.path + repo, end - repo);
	return 0;
}
