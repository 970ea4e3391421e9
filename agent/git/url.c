/*
 * Repository URLs: which are taken, and what host, port and path they name. Everything else is
 * refused with what to write instead. No message here shows a password.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "git/git_int.h"

static int refused(struct error *err, const char *what, const char *write)
{
	return error_reason(err, ERROR_INVALID, "UrlRefused", "repository URL: %s; write %s",
			    what, write);
}

void git_url_clear(struct git_url *u)
{
	free(u->host);
	free(u->user);
	free(u->path);
	free(u->text);
	*u = (struct git_url){0};
}

static bool host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("-._", c);
}

/* "host", "host:port" or "[v6]:port"; `end` is behind it. */
static int parse_host(const char *p, const char *end, struct git_url *u, struct error *err)
{
	const char *stop = p, *port;
	uint64_t n;

	if (p < end && *p == '[') {
		stop = memchr(p, ']', (size_t)(end - p));
		if (!stop)
			return refused(err, "a bracket is not closed",
				       "https://[address]/path");
		u->host = mem_strndup(p + 1, (size_t)(stop - p - 1));
		port = stop + 1;
	} else {
		while (stop < end && host_char(*stop))
			stop++;
		u->host = mem_strndup(p, (size_t)(stop - p));
		port = stop;
	}
	if (stop == p || u->host[0] == '-' || u->host[0] == '\0')
		return refused(err, "no host in it", "https://host/path");
	if (port == end)
		return 0;
	if (*port != ':' || text_u64(port + 1, (size_t)(end - port - 1), 65535, &n) < 0 ||
	    n == 0)
		return refused(err, "host and port are not well-formed",
			       "https://host:port/path");
	u->port = (int)n;
	return 0;
}

/* "user@host:port" before `end`. */
static int parse_authority(const char *p, const char *end, struct git_url *u, struct error *err)
{
	const char *at = NULL;

	for (const char *q = p; q < end; q++)
		if (*q == '@')
			at = q;
	if (!at)
		return parse_host(p, end, u, err);
	if (memchr(p, ':', (size_t)(at - p)))
		return refused(err, "it holds a password, and URLs are shown",
			       "it without one, and the password in the Secret of the source");
	for (const char *q = p; q < at; q++)
		if (!host_char(*q) || *p == '-')
			return refused(err, "the user's name in it is not well-formed",
				       "ssh://git@host/path");
	u->user = mem_strndup(p, (size_t)(at - p));
	return parse_host(at + 1, end, u, err);
}

static int parse_rest(const char *rest, struct git_url *u, struct error *err)
{
	const char *slash = strchr(rest, '/');

	if (u->scheme == URL_FILE) {
		if (rest[0] != '/')
			return refused(err, "a file URL without an absolute path",
				       "file:///srv/repo.git");
		u->path = mem_strdup(rest);
		return 0;
	}
	if (!slash || !slash[1])
		return refused(err, "no path in it", "https://host/path");
	u->path = mem_strdup(slash);
	return parse_authority(rest, slash, u, err);
}

/* git@host:path, as git takes it: no "://", and a colon before any slash. */
static int parse_scp(const char *url, struct git_url *u, struct error *err)
{
	const char *colon = strchr(url, ':'), *slash = strchr(url, '/');

	if (url[0] == '/' || url[0] == '.')
		return refused(err, "a path of this disk", "file:///absolute/path");
	if (!colon || (slash && slash < colon) || !colon[1])
		return refused(err, "neither a URL nor user@host:path", "https://host/path");
	u->scheme = URL_SSH;
	u->path = mem_strdup(colon + 1);
	return parse_authority(url, colon, u, err);
}

static int parse_scheme(const char *url, bool allow_file, bool allow_http, struct git_url *u,
			struct error *err)
{
	static const struct {
		const char *prefix;
		enum url_scheme scheme;
	} known[] = {
		{"https://", URL_HTTPS},
		{"ssh://", URL_SSH},
		{"http://", URL_HTTP},
		{"file://", URL_FILE},
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!text_starts(url, known[i].prefix))
			continue;
		u->scheme = known[i].scheme;
		if (u->scheme == URL_FILE && !allow_file)
			return refused(err, "file:// is not switched on in this agent",
				       "https:// or ssh://");
		if (u->scheme == URL_HTTP && !allow_http)
			return refused(err, "http:// is not switched on in this agent",
				       "https://");
		return parse_rest(url + strlen(known[i].prefix), u, err);
	}
	if (strstr(url, "://") || strstr(url, "::"))
		return refused(err, "its scheme is not taken", "https:// or ssh://");
	return parse_scp(url, u, err);
}

int git_url_parse(const char *url, bool allow_file, bool allow_http, struct git_url *out,
		  struct error *err)
{
	struct git_url u = {0};

	for (const char *p = url; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return refused(err, "white space or a control character in it",
				       "https://host/path");
	if (strlen(url) > 2048)
		return refused(err, "longer than 2,048 bytes", "a shorter one");
	if (parse_scheme(url, allow_file, allow_http, &u, err) < 0) {
		git_url_clear(&u);
		return -1;
	}
	u.text = mem_strdup(url);
	*out = u;
	return 0;
}
