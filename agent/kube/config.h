/*
 * kube/config.h - how to reach an API server: kubeconfig as kubectl reads it, or in-cluster.
 *
 * Source: client-go tools/clientcmd (loading rules) and rest/config.go (in-cluster).
 */
#ifndef KUBE_CONFIG_H
#define KUBE_CONFIG_H

#include "base/arena.h"
#include "base/error.h"
#include "net/loop.h"

struct kube_config; /* everything known about one cluster and user; owns its strings */

struct kube_config_options {
	const char *kubeconfig; /* --kubeconfig: only that file; NULL: $KUBECONFIG,
				   ~/.kube/config */
	const char *context;	/* --context, or NULL: current-context */
	bool no_exec; /* refuse exec plugins, file paths and proxies (a Secret's kubeconfig) */
};

/* Order: explicit kubeconfig, $KUBECONFIG (merged as kubectl does), in-cluster when its
 * environment is set and no kubeconfig is, ~/.kube/config. */
int kube_config_load(const struct kube_config_options *o, struct kube_config **out,
		     struct error *err);
/* The same from the text of one kubeconfig; `dir` resolves relative paths. */
int kube_config_parse(const char *text, size_t len, const char *dir,
		      const struct kube_config_options *o, struct kube_config **out,
		      struct error *err);
void kube_config_free(struct kube_config *c);

const char *kube_config_server(const struct kube_config *c);
const char *
kube_config_namespace(const struct kube_config *c); /* the context's, or "default" */
bool kube_config_in_cluster(const struct kube_config *c);

#endif
