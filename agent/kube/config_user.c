/*
 * kube/config_user.c - who we are: one user entry of a kubeconfig, and exec credential plugins.
 */
#include "kube/config_int.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "value/json.h"

#define PLUGIN_MS   60000
#define ITEMS_MAX   256
#define EXEC_PREFIX "client.authentication.k8s.io/"

extern char **environ;

static bool has(const struct value *map, const char *key)
{
	const struct value *v = value_get(map, key);

	return v && v->type != VALUE_NULL && !(value_str(v) && !*value_str(v));
}

/* What we can't do is refused by name, never ignored. */
static int check_supported(const struct value *user, const char *where, bool no_exec,
			   struct error *err)
{
	static const char *const files[] = {"client-certificate", "client-key", "tokenFile"};
	const char *provider = value_get_str(value_get(user, "auth-provider"), "name");

	if (has(user, "auth-provider"))
		return error_set(
			err, ERROR_REFUSED,
			"%s: auth-provider %s is not supported (Kubernetes removed it in "
			"1.26): use an exec plugin or a token",
			where, provider ? provider : "");
	if (has(user, "username") || has(user, "password"))
		return error_set(
			err, ERROR_REFUSED,
			"%s: username and password are not supported (Kubernetes removed "
			"them in 1.19): use a token or a client certificate",
			where);
	if (!no_exec)
		return 0;
	if (has(user, "exec"))
		return error_set(
			err, ERROR_REFUSED,
			"%s: exec is not allowed in a kubeconfig from a Secret: use a token "
			"or a client certificate",
			where);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (has(user, files[i]))
			return error_set(
				err, ERROR_REFUSED,
				"%s: %s is not allowed in a kubeconfig from a Secret: put "
				"the data itself in",
				where, files[i]);
	return 0;
}

/* ---- impersonation ---- */

struct lines {
	VEC(const char *) list;
};

static int add_line(struct kube_config *c, struct lines *l, const char *name, const char *value,
		    const char *where, struct error *err)
{
	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			return error_set(err, ERROR_INVALID,
					 "%s: %s: only printable ASCII is possible in a header",
					 where, name);
	if (l->list.len >= ITEMS_MAX)
		return error_set(err, ERROR_INVALID, "%s: more than %d impersonation fields",
				 where, ITEMS_MAX);
	*vec_push(&l->list) = arena_printf(c->arena, "%s: %s", name, value);
	return 0;
}

static int add_extra(struct kube_config *c, struct lines *l, const struct value *extra,
		     const char *where, struct error *err)
{
	struct member *m;
	struct value *item;

	object_each (extra, i, m) {
		AUTO(buf) name = BUF_INIT;
		AUTO_FREE char *lower = mem_strdup(m->key);

		for (char *p = lower; *p; p++)
			*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
		buf_puts(&name, "Impersonate-Extra-");
		http_put_encoded(&name, lower);
		array_each (m->value, j, item)
			if (value_str(item) &&
			    add_line(c, l, name.ptr, value_str(item), where, err))
				return -1;
	}
	return 0;
}

static int read_impersonation(struct kube_config *c, const struct value *user,
			      const char *where, struct error *err)
{
	struct lines l = {0};
	const char *as = value_get_str(user, "as"), *uid = value_get_str(user, "as-uid");
	struct value *item;
	int rc = 0;

	if (!as || !*as) {
		if (has(user, "as-groups") || has(user, "as-uid") || has(user, "as-user-extra"))
			return error_set(err, ERROR_INVALID,
					 "%s: as-groups, as-uid and as-user-extra need as",
					 where);
		return 0;
	}
	rc = add_line(c, &l, "Impersonate-User", as, where, err);
	if (!rc && uid && *uid)
		rc = add_line(c, &l, "Impersonate-Uid", uid, where, err);
	array_each (value_get(user, "as-groups"), i, item)
		if (!rc && value_str(item))
			rc = add_line(c, &l, "Impersonate-Group", value_str(item), where, err);
	if (!rc)
		rc = add_extra(c, &l, value_get(user, "as-user-extra"), where, err);
	if (!rc) {
		c->impersonate =
			arena_alloc(c->arena, (l.list.len + 1) * sizeof *c->impersonate);
		memcpy(c->impersonate, l.list.items, l.list.len * sizeof *c->impersonate);
	}
	vec_clear(&l.list);
	return rc;
}

/* ---- exec plugins ---- */

static const char **exec_argv(struct kube_config *c, const char *command,
			      const struct value *args)
{
	const char **argv = arena_alloc(c->arena, (value_len(args) + 2) * sizeof *argv);
	struct value *item;
	size_t n = 0;

	argv[n++] = command;
	array_each (args, i, item)
		if (value_str(item))
			argv[n++] = arena_strdup(c->arena, value_str(item));
	return argv;
}

/* Ours, then the plugin's own, then KUBERNETES_EXEC_INFO; a later one replaces an earlier. */
static const char **exec_env(struct kube_config *c, const struct value *env, const char *api)
{
	size_t ours = 0, n = 0;
	struct value *item;

	while (environ[ours])
		ours++;
	const char **out = arena_alloc(c->arena, (ours + value_len(env) + 2) * sizeof *out);
	array_each (env, i, item) {
		const char *name = value_get_str(item, "name"),
			   *v = value_get_str(item, "value");
		if (name && v)
			out[n++] = arena_printf(c->arena, "%s=%s", name, v);
	}
	out[n++] =
		arena_printf(c->arena,
			     "KUBERNETES_EXEC_INFO={\"kind\":\"ExecCredential\",\"apiVersion\":"
			     "\"%s\",\"spec\":{\"interactive\":false}}",
			     api);
	size_t own = n;
	for (size_t i = 0; i < ours; i++) {
		bool replaced = false;
		for (size_t j = 0; j < own && !replaced; j++)
			replaced = !strncmp(environ[i], out[j], strcspn(out[j], "=") + 1);
		if (!replaced)
			out[n++] = arena_strdup(c->arena, environ[i]);
	}
	return out;
}

static int read_exec(struct kube_config *c, const struct value *exec, const char *dir,
		     const char *where, struct error *err)
{
	const char *command = value_get_str(exec, "command");
	const char *api = value_get_str(exec, "apiVersion");
	const char *mode = value_get_str(exec, "interactiveMode");

	if (!command || !*command)
		return error_set(err, ERROR_INVALID, "%s: exec has no command", where);
	if (!api || (strcmp(api, EXEC_PREFIX "v1") && strcmp(api, EXEC_PREFIX "v1beta1")))
		return error_set(err, ERROR_INVALID,
				 "%s: exec.apiVersion is \"%s\", wanted " EXEC_PREFIX
				 "v1 or v1beta1",
				 where, api ? api : "");
	if (mode && !strcmp(mode, "Always"))
		return error_set(
			err, ERROR_REFUSED,
			"%s: exec.interactiveMode is Always: the agent has no terminal to "
			"ask on; use a plugin that can work without",
			where);
	if (value_get_bool(exec, "provideClusterInfo", false))
		return error_set(
			err, ERROR_REFUSED,
			"%s: exec.provideClusterInfo is not supported: give the plugin "
			"what it needs by args or env",
			where);
	if (value_len(value_get(exec, "args")) > ITEMS_MAX ||
	    value_len(value_get(exec, "env")) > ITEMS_MAX)
		return error_set(err, ERROR_INVALID, "%s: exec has more than %d args or env",
				 where, ITEMS_MAX);
	struct kube_exec *e = arena_alloc(c->arena, sizeof *e);
	e->command = strchr(command, '/') ? kube_config_path(c, dir, command)
					  : arena_strdup(c->arena, command);
	e->api_version = arena_strdup(c->arena, api);
	e->install_hint = arena_strdup(c->arena, value_get_str(exec, "installHint"));
	e->argv = exec_argv(c, e->command, value_get(exec, "args"));
	e->env = exec_env(c, value_get(exec, "env"), api);
	c->exec = e;
	return 0;
}

int kube_config_read_user(struct kube_config *c, const struct value *user, const char *dir,
			  const char *where, bool no_exec, struct error *err)
{
	if (check_supported(user, where, no_exec, err) ||
	    kube_config_read_data(c, user, "client-certificate-data", where, &c->cert_data,
				  err) ||
	    kube_config_read_data(c, user, "client-key-data", where, &c->key_data, err) ||
	    read_impersonation(c, user, where, err))
		return -1;
	if (!c->cert_data)
		c->cert_file =
			kube_config_path(c, dir, value_get_str(user, "client-certificate"));
	if (!c->key_data)
		c->key_file = kube_config_path(c, dir, value_get_str(user, "client-key"));
	bool cert = c->cert_data || c->cert_file, key = c->key_data || c->key_file;
	if (cert != key)
		return error_set(err, ERROR_INVALID,
				 "%s: there is a client-%s but no client-%s", where,
				 cert ? "certificate" : "key", cert ? "key" : "certificate");
	const char *token = value_get_str(user, "token");
	c->token = token && *token ? arena_strdup(c->arena, token) : NULL;
	c->token_file = kube_config_path(c, dir, value_get_str(user, "tokenFile"));
	if (has(user, "exec"))
		return read_exec(c, value_get(user, "exec"), dir, where, err);
	return 0;
}

/* ---- what a plugin answers ---- */

void kube_credential_clear(struct kube_credential *c)
{
	char **const secrets[] = {&c->token, &c->cert, &c->key};

	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		if (*secrets[i])
			explicit_bzero(*secrets[i], strlen(*secrets[i]));
		free(*secrets[i]);
	}
	*c = (struct kube_credential){0};
}

void kube_exec_options(const struct kube_exec *exec, struct child_options *o)
{
	*o = (struct child_options){
		.argv = exec->argv,
		.env = exec->env,
		.deadline_ms = PLUGIN_MS,
	};
}

int kube_credential_parse(const struct kube_exec *exec, const char *out, size_t len,
			  struct kube_credential *cred, struct error *err)
{
	static const struct value_limits limits = {
		.bytes = 1 << 20, .nodes = 1000, .depth = 20};
	AUTO_ARENA a = arena_new();
	struct value *doc;

	if (value_json_parse(a, out, len, &limits, &doc,
			     NULL)) /* an error could quote a token */
		return error_set(err, ERROR_DENIED, "plugin %s: its output is no JSON",
				 exec->command);
	const char *kind = value_get_str(doc, "kind"), *api = value_get_str(doc, "apiVersion");
	if (!text_eq(kind, "ExecCredential") || !text_eq(api, exec->api_version))
		return error_set(err, ERROR_DENIED,
				 "plugin %s: it answered %s %s, wanted %s "
				 "ExecCredential",
				 exec->command, api ? api : "?", kind ? kind : "?",
				 exec->api_version);
	const struct value *status = value_get(doc, "status");
	const char *token = value_get_str(status, "token");
	const char *cert = value_get_str(status, "clientCertificateData");
	const char *key = value_get_str(status, "clientKeyData");
	const char *expires = value_get_str(status, "expirationTimestamp");
	int64_t at = 0;
	if (!token && !cert && !key)
		return error_set(err, ERROR_DENIED,
				 "plugin %s: it gave no token and no certificate",
				 exec->command);
	if (!cert != !key)
		return error_set(
			err, ERROR_DENIED,
			"plugin %s: it gave a certificate without key, or a key without "
			"certificate",
			exec->command);
	if (expires && clock_parse(expires, &at))
		return error_set(err, ERROR_DENIED, "plugin %s: expirationTimestamp is no time",
				 exec->command);
	cred->token = mem_strdup(token);
	cred->cert = mem_strdup(cert);
	cred->key = mem_strdup(key);
	cred->expires_ms = at;
	return 0;
}

int kube_credential_read(const struct kube_exec *exec, const struct child_result *r,
			 struct kube_credential *cred, struct error *err)
{
	AUTO(buf) said = BUF_INIT;

	if (r->timed_out)
		return error_set(err, ERROR_DENIED, "plugin %s: no answer within %d s",
				 exec->command, PLUGIN_MS / 1000);
	if (r->exit_code) {
		buf_put_safe(&said, r->err.ptr, r->err.len < 200 ? r->err.len : 200);
		return error_set(err, ERROR_DENIED, "plugin %s: it failed (exit code %d): %s",
				 exec->command, r->exit_code, said.ptr);
	}
	return kube_credential_parse(exec, r->out.ptr, r->out.len, cred, err);
}
