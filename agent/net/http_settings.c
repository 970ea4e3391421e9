/*
 * net/http_settings.c - what a peer was configured with, and its translation to curl options.
 *
 * Files are read here, once: a call sees the same credentials from start to end, and curl
 * keeps a connection only for calls with the very same bytes.
 */
#include "net/http_int.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

#define PEM_MAX	       (1 << 20)
#define PEER_DEAD_MS   45000 /* sent bytes not acknowledged, or keepalives not answered */
#define KEEPALIVE_IDLE 20L   /* seconds */

void settings_unref(struct settings *s)
{
	if (!s || --s->refs)
		return;
	free(s->base_url);
	free(s->host);
	free(s->shown);
	free(s->ca);
	free(s->cert);
	if (s->key)
		explicit_bzero(s->key, s->key_len);
	free(s->key);
	free(s->sni_url);
	free(s->sni_to);
	free(s->sni_host);
	free(s->proxy);
	free(s->user_agent);
	free(s);
}

static int read_pem(const char *what, const char *path, char **out, struct error *err)
{
	AUTO(buf) b = BUF_INIT;
	char chunk[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, ERROR_INVALID, "%s file %s: %s", what, path,
				 strerror(errno));
	while ((n = read(fd, chunk, sizeof chunk)) > 0 && b.len <= PEM_MAX)
		buf_add(&b, chunk, (size_t)n);
	explicit_bzero(chunk, sizeof chunk);
	int error = errno;
	close(fd);
	if (n < 0)
		return error_set(err, ERROR_INVALID, "%s file %s: %s", what, path,
				 strerror(error));
	if (!b.len || b.len > PEM_MAX)
		return error_set(err, ERROR_INVALID, "%s file %s: %zu bytes, wanted 1 to %d",
				 what, path, b.len, PEM_MAX);
	*out = buf_detach(&b);
	return 0;
}

static int load(const char *what, const char *data, const char *file, char **out, size_t *len,
		struct error *err)
{
	if (data)
		*out = mem_strdup(data);
	else if (file && read_pem(what, file, out, err))
		return -1;
	*len = *out ? strlen(*out) : 0;
	return 0;
}

static bool is_loopback(const char *host)
{
	return !strcmp(host, "localhost") || !strcmp(host, "[::1]") ||
	       text_starts(host, "127.");
}

/* Take the URL apart with curl's own parser, so that both agree on what is host and port. */
static int split_url(struct settings *s, const char *url, bool allow_plain, struct error *err)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL, *port = NULL, *odd = NULL;
	int rc = -1;

	if (!u || curl_url_set(u, CURLUPART_URL, url, 0) ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) ||
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT)) {
		error_set(err, ERROR_INVALID, "\"%s\" is no URL, wanted https://host:port",
			  url);
	} else if (!curl_url_get(u, CURLUPART_USER, &odd, 0) ||
		   !curl_url_get(u, CURLUPART_PASSWORD, &odd, 0)) {
		error_set(err, ERROR_INVALID,
			  "a URL with a user name or password is not accepted: %s", host);
	} else if (!curl_url_get(u, CURLUPART_QUERY, &odd, 0) ||
		   !curl_url_get(u, CURLUPART_FRAGMENT, &odd, 0)) {
		error_set(err, ERROR_INVALID, "\"%s\": a base URL has no query and no fragment",
			  url);
	} else if (strcmp(scheme, "https") && (strcmp(scheme, "http") || !allow_plain)) {
		error_set(err, ERROR_INVALID,
			  "\"%s\": the scheme %s is not accepted, wanted https", url, scheme);
	} else {
		s->plain = !strcmp(scheme, "http");
		s->loopback = is_loopback(host);
		bool usual = !strcmp(port, s->plain ? "80" : "443");
		s->host = mem_printf("%s%s%s", host, usual ? "" : ":", usual ? "" : port);
		s->shown = mem_printf("%s://%s", scheme, s->host);
		s->sni_to =
			mem_printf("%s:%s", host, port); /* completed by use_server_name() */
		rc = 0;
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_free(odd);
	curl_url_cleanup(u);
	return rc;
}

/*
 * A TLS name that is not the host: the URL gets that name, and is connected to the real host.
 * The server still sees the real one as Host or :authority.
 */
static int use_server_name(struct settings *s, const char *name, struct error *err)
{
	AUTO_FREE char *target = steal(&s->sni_to);
	const char *port = strrchr(target, ':') + 1;
	const char *prefix = strstr(s->base_url, "://") + 3;

	if (!name || s->plain)
		return 0;
	if (!*name ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			 "-._") != strlen(name))
		return error_set(err, ERROR_INVALID, "TLS server name \"%s\" is no host name",
				 name);
	prefix += strcspn(prefix, "/");
	s->sni_url = mem_printf("https://%s:%s%s", name, port, prefix);
	s->sni_to = mem_printf("%s:%s:%s", name, port, target);
	s->sni_host = mem_printf("Host: %s", s->host);
	return 0;
}

struct settings *settings_new(const struct http_options *o, struct error *err)
{
	struct settings *s = mem_alloc(sizeof *s);

	s->refs = 1;
	s->base_url = mem_strdup(o->base_url);
	s->proxy = mem_strdup(o->proxy);
	s->user_agent =
		mem_strdup(o->user_agent ? o->user_agent : "modelsync/" MODELSYNC_VERSION);
	s->insecure = o->insecure;
	s->gzip = o->gzip;
	s->max_connections = o->max_connections > 0 ? o->max_connections : 1;
	if (split_url(s, o->base_url, o->allow_plain, err) ||
	    use_server_name(s, o->server_name, err) ||
	    load("CA", o->ca_data, o->ca_file, &s->ca, &s->ca_len, err) ||
	    load("certificate", o->cert_data, o->cert_file, &s->cert, &s->cert_len, err) ||
	    load("key", o->key_data, o->key_file, &s->key, &s->key_len, err)) {
		settings_unref(s);
		return NULL;
	}
	if (!s->cert != !s->key) {
		error_set(err, ERROR_INVALID,
			  "a client certificate needs its key, and a key needs "
			  "its certificate: only the %s was given",
			  s->cert ? "certificate" : "key");
		settings_unref(s);
		return NULL;
	}
	return s;
}

bool settings_equal(const struct settings *a, const struct settings *b)
{
	return text_eq(a->base_url, b->base_url) && text_eq(a->ca, b->ca) &&
	       text_eq(a->cert, b->cert) && text_eq(a->key, b->key) &&
	       text_eq(a->sni_url, b->sni_url) && text_eq(a->proxy, b->proxy) &&
	       text_eq(a->user_agent, b->user_agent) && a->insecure == b->insecure &&
	       a->gzip == b->gzip && a->max_connections == b->max_connections;
}

/* Find dead peers without waking up: the kernel probes, and gives up in PEER_DEAD_MS. */
static int on_socket_made(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	unsigned int ms = PEER_DEAD_MS;

	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
	return CURL_SOCKOPT_OK;
}

static void set_blob(CURL *easy, CURLoption option, char *data, size_t len)
{
	struct curl_blob blob = {.data = data, .len = len, .flags = CURL_BLOB_NOCOPY};

	if (data)
		curl_easy_setopt(easy, option, &blob);
}

static void apply_tls(struct settings *s, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, s->insecure ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, s->insecure ? 0L : 2L);
	if (s->ca || s->insecure) {
		/* curl would go on trusting its default directory beside the blob. */
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
	}
	set_blob(easy, CURLOPT_CAINFO_BLOB, s->ca, s->ca_len);
	set_blob(easy, CURLOPT_SSLCERT_BLOB, s->cert, s->cert_len);
	set_blob(easy, CURLOPT_SSLKEY_BLOB, s->key, s->key_len);
}

void settings_apply(struct settings *s, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, s->plain ? "http" : "https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, s->plain ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 10L);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket_made);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 10000L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 16384L);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, s->user_agent);
	if (s->gzip)
		curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	if (s->proxy)
		curl_easy_setopt(easy, CURLOPT_PROXY, s->proxy);
	else if (s->loopback) /* the environment's proxy is not for this machine */
		curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	if (!s->plain)
		apply_tls(s, easy);
}
