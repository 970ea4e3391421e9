/*
 * The connection to a remote: host keys, certificates, credentials, caps, and what a failure
 * means. In the child only.
 */
#include <cjson/cJSON.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "git/git_int.h"

#define SYSTEM_CAS "/etc/ssl/certs/ca-certificates.crt"

/* ---- Who is at the other end ---- */

static int check_host_key(struct remote *r, const git_cert_hostkey *cert)
{
	const struct git_url *u = &r->orders->url;
	const char *host = u->host;

	if (!(cert->type & GIT_CERT_SSH_RAW))
		return error_reason(&r->seen, ERROR_DENIED, "HostKeyMismatch",
				    "%s: its host key can't be read", host);
	switch (known_hosts_check(r->orders->known_hosts, host, u->port,
				  (const unsigned char *)cert->hostkey, cert->hostkey_len)) {
	case HOST_KEY_MATCHES:
		return 0;
	case HOST_KEY_DIFFERS:
		return error_reason(
			&r->seen, ERROR_DENIED, "HostKeyMismatch",
			"%s shows another host key than the one in knownHosts; if it was "
			"changed on purpose, put the new one there (ssh-keyscan)",
			host);
	case HOST_KEY_REVOKED:
		return error_reason(&r->seen, ERROR_DENIED, "HostKeyMismatch",
				    "%s shows a host key that knownHosts marks @revoked", host);
	case HOST_KEY_UNKNOWN:
		break;
	}
	if (u->port && u->port != 22)
		return error_reason(
			&r->seen, ERROR_DENIED, "HostKeyMismatch",
			"[%s]:%d is not in knownHosts; put its line there (ssh-keyscan -p "
			"%d %s)",
			host, u->port, u->port, host);
	return error_reason(&r->seen, ERROR_DENIED, "HostKeyMismatch",
			    "%s is not in knownHosts; put its line there (ssh-keyscan %s)",
			    host, host);
}

static bool is_address(const char *host)
{
	return strchr(host, ':') || strspn(host, "0123456789.") == strlen(host);
}

static int on_certificate(git_cert *cert, int valid, const char *host, void *arg)
{
	struct remote *r = arg;

	if (cert->cert_type == GIT_CERT_HOSTKEY_LIBSSH2)
		return check_host_key(r, (const git_cert_hostkey *)cert) < 0 ? GIT_ECERTIFICATE
									     : 0;
	if (cert->cert_type == GIT_CERT_X509 && valid)
		return 0;
	/* mbedTLS, which Debian builds libgit2 with, compares host names only. */
	error_reason(
		&r->seen, ERROR_DENIED, "CertificateRefused",
		"%s: its certificate is not signed by %s, or is for another name, or expired%s",
		r->orders->url.host,
		*r->orders->ca ? "the CA of the source" : "a CA of this system",
		is_address(r->orders->url.host) ? "; write the host's name, not its address"
						: "");
	return GIT_ECERTIFICATE;
}

/* ---- Who we are ---- */

static int no_login(struct remote *r, const char *why)
{
	error_reason(&r->seen, ERROR_DENIED, "GitAuth", "%s: %s", r->orders->url.host, why);
	return GIT_EAUTH;
}

static int login_ssh(git_credential **out, struct remote *r, const char *user, unsigned allowed)
{
	const struct fetch_orders *o = r->orders;

	if (!*user)
		user = "git";
	if (!(allowed & GIT_CREDENTIAL_SSH_MEMORY) && (allowed & GIT_CREDENTIAL_USERNAME))
		return git_credential_username_new(out, user);
	if (!(allowed & GIT_CREDENTIAL_SSH_MEMORY))
		return no_login(r, "it takes no public keys");
	if (!*o->ssh_key)
		return no_login(r, "it wants a key, and the source has no sshPrivateKey");
	if (r->logins++)
		return no_login(r, "it does not take our SSH key");
	return git_credential_ssh_key_memory_new(out, user, NULL, o->ssh_key, NULL);
}

static int on_credentials(git_credential **out, const char *url, const char *user_of_url,
			  unsigned allowed, void *arg)
{
	struct remote *r = arg;
	const struct fetch_orders *o = r->orders;
	const char *user = *o->username ? o->username : o->url.user ? o->url.user : "";
	struct git_url at;
	bool ours;

	if (o->url.scheme == URL_SSH)
		return login_ssh(out, r, o->url.user ? o->url.user : user, allowed);
	/* libgit2 follows redirects to another port even when told not to. */
	if (git_url_parse(url, false, o->allow_http, &at, NULL) < 0)
		return no_login(r, "it sent us elsewhere");
	ours = at.scheme == o->url.scheme && at.port == o->url.port &&
	       text_eq(at.host, o->url.host);
	git_url_clear(&at);
	if (!ours)
		return no_login(r, "it sent us elsewhere");
	if (!*o->password)
		return no_login(
			r, "it wants a login, and the source has none; or no such repository");
	if (r->logins++)
		return no_login(
			r,
			"it does not take our user name and password; or no such repository");
	if (!(allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT))
		return no_login(r, "it takes no user name and password");
	return git_credential_userpass_plaintext_new(out, *user ? user : "git", o->password);
}

/* ---- How much ---- */

static int on_progress(const git_indexer_progress *p, void *arg)
{
	struct remote *r = arg;

	r->bytes = p->received_bytes;
	r->objects = p->total_objects;
	if ((long long)r->bytes <= r->orders->pack_max)
		return 0;
	error_reason(&r->seen, ERROR_INVALID, "PackTooLarge", "more than %lld bytes to fetch",
		     r->orders->pack_max);
	return -1;
}

/* ---- Going there ---- */

static int failed(struct remote *r, int rc, const char *doing, struct error *err)
{
	const git_error *e = git_error_last();
	const char *text = e && e->message ? e->message : "";

	if (r->seen.kind) {
		if (err)
			*err = r->seen;
		return -1;
	}
	r->cache_fault = e && (e->klass == GIT_ERROR_REFERENCE ||
			       e->klass == GIT_ERROR_REPOSITORY || e->klass == GIT_ERROR_ODB ||
			       e->klass == GIT_ERROR_CONFIG || e->klass == GIT_ERROR_ZLIB);
	if (rc == GIT_ECERTIFICATE)
		return git_library_error(err, ERROR_DENIED, "CertificateRefused", doing);
	if (rc == GIT_EAUTH || strstr(text, "status code: 401") ||
	    strstr(text, "status code: 403"))
		return git_library_error(err, ERROR_DENIED, "GitAuth", doing);
	if (strstr(text, "status code: 404"))
		return error_reason(
			err, ERROR_TRANSIENT, "FetchFailed",
			"%s: no such repository, or this login may not see it (404)", doing);
	if (strstr(text, "File too large") || strstr(text, "object size limit"))
		return error_reason(err, ERROR_INVALID, "PackTooLarge",
				    "%s: more than %lld bytes to fetch", doing,
				    r->orders->pack_max);
	return git_library_error(err, ERROR_TRANSIENT, "FetchFailed", doing);
}

static void set_callbacks(git_remote_callbacks *cb, struct remote *r)
{
	cb->certificate_check = on_certificate;
	cb->credentials = on_credentials;
	cb->transfer_progress = on_progress;
	cb->payload = r;
}

/* The CA of the source instead of the system's, through a file in the cache: libgit2 takes
 * nothing else. */
static int set_trust_store(const struct fetch_orders *o, struct error *err)
{
	AUTO_FREE char *path = mem_printf("%s/ca.pem", o->cache);
	FILE *f;
	int rc;

	if (o->url.scheme != URL_HTTPS)
		return 0;
	if (!*o->ca) {
		if (access(SYSTEM_CAS, R_OK) == 0)
			git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, SYSTEM_CAS, NULL);
		return 0;
	}
	f = fopen(path, "we");
	if (!f || fputs(o->ca, f) < 0 || fclose(f) != 0)
		return error_reason(err, ERROR_TRANSIENT, "FetchFailed", "writing %s: %m",
				    path);
	rc = git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, path, NULL);
	unlink(path);
	return rc < 0 ? git_library_error(err, ERROR_INVALID, "CertificateRefused",
					  "the CA of the source")
		      : 0;
}

int remote_connect(struct remote *r, git_repository *repo, struct error *err)
{
	git_remote_connect_options o;
	int rc;

	if (set_trust_store(r->orders, err) < 0)
		return -1;
	git_remote_connect_options_init(&o, GIT_REMOTE_CONNECT_OPTIONS_VERSION);
	set_callbacks(&o.callbacks, r);
	o.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
	o.proxy_opts.type = GIT_PROXY_NONE;
	rc = git_remote_create_anonymous(&r->git, repo, r->orders->url.text);
	if (rc == 0)
		rc = git_remote_connect_ext(r->git, GIT_DIRECTION_FETCH, &o);
	return rc < 0 ? failed(r, rc, "connecting", err) : 0;
}

/* The refs below only tell the next fetch what is there already. Where a branch "a" has given
 * way to "a/b", the old one is in the way: forget them all, then. */
static int forget_refs(git_repository *repo)
{
	git_strarray names = {0};
	int rc = git_reference_list(&names, repo);

	for (size_t i = 0; rc == 0 && i < names.count; i++)
		git_reference_remove(repo, names.strings[i]);
	git_strarray_dispose(&names);
	return rc;
}

int remote_fetch(struct remote *r, git_strarray *refspecs, struct error *err)
{
	git_fetch_options o;
	int rc;

	git_fetch_options_init(&o, GIT_FETCH_OPTIONS_VERSION);
	set_callbacks(&o.callbacks, r);
	o.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
	o.proxy_opts.type = GIT_PROXY_NONE;
	o.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
	o.update_fetchhead = 0;
	rc = git_remote_download(r->git, refspecs, &o);
	if (rc < 0)
		return failed(r, rc, "fetching", err);
	rc = git_remote_update_tips(r->git, &o.callbacks, 0, GIT_REMOTE_DOWNLOAD_TAGS_NONE,
				    NULL);
	if (rc < 0) {
		forget_refs(git_remote_owner(r->git));
		git_remote_update_tips(r->git, &o.callbacks, 0, GIT_REMOTE_DOWNLOAD_TAGS_NONE,
				       NULL);
	}
	return 0;
}

void remote_close(struct remote *r)
{
	if (r->git)
		git_remote_disconnect(r->git);
	git_remote_free(r->git);
	r->git = NULL;
}
