/*
 * kube/auth.c - credentials that change while we run: token files, exec plugins, certificate
 * files. Nothing here has a timer: everything is looked at when a request is about to be sent.
 */
#include "kube/kube_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#define TOKEN_AGE_MS	50000  /* client-go: one minute less ten seconds */
#define FILES_AGE_MS	300000 /* certificates: every five minutes */
#define EXPIRY_SLACK_MS 10000
#define PLUGIN_PAUSE_MS 5000 /* between two runs that refusals ask for */
#define TOKEN_MAX	(1 << 16)

static void wipe(char **s)
{
	if (*s)
		explicit_bzero(*s, strlen(*s));
	free(*s);
	*s = NULL;
}

/* ---- token file ---- */

static void read_token(struct kube *k)
{
	struct kube_auth *a = &k->auth;
	char text[TOKEN_MAX];
	size_t len = 0;
	ssize_t n = 0;
	int fd = open(k->config->token_file, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && len < sizeof text &&
	       (n = read(fd, text + len, sizeof text - len)) > 0)
		len += (size_t)n;
	if (fd >= 0)
		close(fd);
	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	a->token_read_at = clock_mono_ms();
	if (fd >= 0 && n >= 0 && len && len < sizeof text && !memchr(text, '\n', len)) {
		wipe(&a->file_token);
		a->file_token = mem_strndup(text, len);
	} else { /* the old one may still be good */
		log_warn("kube", "token file is not readable, empty or too long", "file",
			 k->config->token_file, LOG_END);
	}
	explicit_bzero(text, sizeof text);
}

const char *kube_auth_bearer(const struct kube *k)
{
	const struct kube_auth *a = &k->auth;

	if (!k->config->send_credentials)
		return NULL;
	if (a->file_token)
		return a->file_token;
	return a->cred.token ? a->cred.token : k->config->token;
}

/* ---- certificate files ---- */

static bool look_at_files(struct kube *k)
{
	const char *const paths[3] = {k->config->cert_file, k->config->key_file,
				      k->config->ca_file};
	bool changed = false;

	for (int i = 0; i < 3; i++) {
		struct stat st, *old = &k->auth.files[i];

		if (!paths[i] || stat(paths[i], &st))
			continue;
		changed |= st.st_ino != old->st_ino || st.st_size != old->st_size ||
			   st.st_mtim.tv_sec != old->st_mtim.tv_sec ||
			   st.st_mtim.tv_nsec != old->st_mtim.tv_nsec;
		*old = st;
	}
	k->auth.files_checked_at = clock_mono_ms();
	return changed;
}

bool kube_auth_reload(struct kube *k)
{
	struct error err = ERROR_INIT;

	if (!look_at_files(k))
		return false;
	if (kube_connect(k, &err)) {
		log_warn("kube", "changed certificate files are not usable, the old ones stay",
			 "error", err.text, LOG_END);
		memset(k->auth.files, 0, sizeof k->auth.files); /* look again */
		return false;
	}
	log_info("kube", "certificate files have changed", "server", k->config->server,
		 LOG_END);
	return true;
}

/* ---- exec plugin ---- */

static void take_credential(struct kube *k, struct kube_credential *cred)
{
	struct kube_auth *a = &k->auth;
	struct error err = ERROR_INIT;
	bool new_cert = !text_eq(cred->cert, a->cred.cert) || !text_eq(cred->key, a->cred.key);

	kube_credential_clear(&a->cred);
	a->cred = *cred;
	if (new_cert && k->requests && kube_connect(k, &err))
		log_warn("kube", "the plugin's certificate is not usable", "error", err.text,
			 LOG_END);
}

static void on_plugin_done(void *arg, struct child_result *r)
{
	struct kube *k = arg;
	struct kube_credential cred = {0};
	struct error err = ERROR_INIT;

	k->auth.plugin = NULL;
	if (kube_credential_read(k->config->exec, r, &cred, &err))
		log_warn("kube", "no new credentials", "error", err.text, LOG_END);
	else
		take_credential(k, &cred);
	if (r->out.len)
		explicit_bzero(r->out.ptr, r->out.len);
	kube_auth_ready(k);
}

static void run_plugin(struct kube *k)
{
	struct child_options o;
	struct error err = ERROR_INIT;

	k->auth.plugin_ran_at = clock_mono_ms();
	kube_exec_options(k->config->exec, &o);
	if (child_start(k->loop, &o, on_plugin_done, k, &k->auth.plugin, &err))
		log_warn("kube", "no new credentials", "error", err.text, LOG_END);
}

static int run_plugin_now(struct kube *k, struct error *err)
{
	const struct kube_exec *exec = k->config->exec;
	struct kube_credential cred = {0};
	struct child_result r;
	struct child_options o;

	kube_exec_options(exec, &o);
	k->auth.plugin_ran_at = clock_mono_ms();
	if (child_run(&o, &r, err)) {
		if (exec->install_hint && err)
			error_set(err, ERROR_DENIED, "plugin %s can't be run: %s",
				  exec->command, exec->install_hint);
		return -1;
	}
	int rc = kube_credential_read(exec, &r, &cred, err);
	if (r.out.len)
		explicit_bzero(r.out.ptr, r.out.len);
	child_result_clear(&r);
	if (!rc)
		take_credential(k, &cred);
	return rc;
}

/* ---- */

int kube_auth_init(struct kube *k, struct error *err)
{
	if (!k->config->send_credentials)
		return 0;
	look_at_files(k);
	if (k->config->token_file)
		read_token(k);
	return k->config->exec ? run_plugin_now(k, err) : 0;
}

void kube_auth_clear(struct kube *k)
{
	if (k->auth.plugin)
		child_cancel(k->auth.plugin);
	wipe(&k->auth.file_token);
	kube_credential_clear(&k->auth.cred);
}

bool kube_auth_prepare(struct kube *k)
{
	struct kube_auth *a = &k->auth;
	int64_t now = clock_mono_ms();

	if (!k->config->send_credentials)
		return true;
	if (now - a->files_checked_at >= FILES_AGE_MS)
		kube_auth_reload(k);
	if (k->config->token_file &&
	    (!a->token_read_at || now - a->token_read_at >= TOKEN_AGE_MS))
		read_token(k);
	if (k->config->exec && !a->plugin && a->cred.expires_ms &&
	    a->cred.expires_ms - EXPIRY_SLACK_MS <= clock_now_ms() &&
	    now - a->plugin_ran_at >= PLUGIN_PAUSE_MS)
		run_plugin(k);
	return !a->plugin;
}

bool kube_auth_refused(struct kube *k)
{
	struct kube_auth *a = &k->auth;
	int64_t now = clock_mono_ms();

	if (!k->config->send_credentials)
		return false;
	if (k->config->exec) {
		if (!a->plugin && now - a->plugin_ran_at >= PLUGIN_PAUSE_MS)
			run_plugin(k);
		return true;
	}
	if (k->config->token_file) {
		a->token_read_at = 0;
		return true;
	}
	return kube_auth_reload(k);
}
