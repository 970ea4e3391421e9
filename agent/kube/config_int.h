/*
 * kube/config_int.h - what a kubeconfig says about one cluster and user, for kube/ alone.
 */
#ifndef KUBE_CONFIG_INT_H
#define KUBE_CONFIG_INT_H

#include "base/mem.h"
#include "kube/config.h"
#include "net/child.h"
#include "net/http.h"
#include "value/value.h"

struct kube_exec {
	const char *command, *api_version, *install_hint;
	const char **argv; /* command first, NULL-terminated */
	const char **env;  /* the whole environment, NULL-terminated */
};

struct kube_config {
	struct arena *arena;
	const char *source; /* where it came from, for errors */
	const char *context;
	const char *server, *server_name, *proxy;
	const char *ca_file, *ca_data;
	const char *cert_file, *key_file, *cert_data, *key_data;
	const char *token, *token_file;
	const char **impersonate; /* header lines, NULL-terminated; NULL: none */
	const char *ns;
	struct kube_exec *exec; /* NULL: none */
	bool insecure, in_cluster, no_compression;
	bool send_credentials; /* https, or plain HTTP to this machine */
};

/* The in-cluster configuration from a mounted ServiceAccount. */
int kube_config_from_pod(const char *dir, const char *host, const char *port,
			 struct kube_config **out, struct error *err);

/* config_user.c: the fields of one user entry; `where` names it in errors. */
int kube_config_read_user(struct kube_config *c, const struct value *user, const char *dir,
			  const char *where, bool no_exec, struct error *err);
/* Decode a `...-data` field to PEM text in the arena. NULL stays NULL. */
int kube_config_read_data(struct kube_config *c, const struct value *map, const char *key,
			  const char *where, const char **out, struct error *err);
/* A path as it stands in a file in `dir`. NULL and "" give NULL. */
const char *kube_config_path(struct kube_config *c, const char *dir, const char *path);

/* What an exec plugin printed. */
struct kube_credential {
	char *token, *cert, *key; /* heap, or NULL */
	int64_t expires_ms;	  /* since 1970; 0: never */
};
void kube_credential_clear(struct kube_credential *c);
int kube_credential_parse(const struct kube_exec *exec, const char *out, size_t len,
			  struct kube_credential *cred, struct error *err);
/* The outcome of a run of the plugin. */
int kube_credential_read(const struct kube_exec *exec, const struct child_result *r,
			 struct kube_credential *cred, struct error *err);
void kube_exec_options(const struct kube_exec *exec, struct child_options *o);

#endif
