/* kube/kube.c - the client as a whole: its two connections, its life. */
#include "kube/kube_int.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/text.h"

/* With HTTP/2 one connection carries them all; the caps matter for servers without it. */
#define REQUEST_CONNECTIONS	  8
#define WATCH_CONNECTIONS	  64
#define PLAIN_REQUEST_CONNECTIONS 32
#define PLAIN_WATCH_CONNECTIONS	  256

static bool is_local(const char *url)
{
	return strstr(url, "//127.") || strstr(url, "//localhost") || strstr(url, "//[::1]");
}

int kube_connect(struct kube *k, struct error *err)
{
	const struct kube_config *c = k->config;
	const struct kube_credential *cred = &k->auth.cred;
	bool plain = text_starts(c->server, "http://");
	struct http_options o = {
		.base_url = c->server,
		.allow_plain = true, /* the user wrote it so */
		.insecure = c->insecure,
		.ca_file = c->ca_file,
		.ca_data = c->ca_data,
		.cert_file = cred->cert ? NULL : c->cert_file,
		.key_file = cred->cert ? NULL : c->key_file,
		.cert_data = cred->cert ? cred->cert : c->cert_data,
		.key_data = cred->cert ? cred->key : c->key_data,
		.server_name = c->server_name,
		.proxy = c->proxy,
		.gzip = !c->no_compression && !is_local(c->server),
		.max_connections = plain ? PLAIN_REQUEST_CONNECTIONS : REQUEST_CONNECTIONS,
	};
	int rc = k->requests ? http_reconfigure(k->requests, &o, err)
			     : http_new(k->loop, &o, &k->requests, err);

	o.max_connections = plain ? PLAIN_WATCH_CONNECTIONS : WATCH_CONNECTIONS;
	o.gzip = false; /* its decoder would hold single events back */
	if (!rc)
		rc = k->watching ? http_reconfigure(k->watching, &o, err)
				 : http_new(k->loop, &o, &k->watching, err);
	return rc;
}

void kube_set_deadline(struct kube *k, int64_t ms)
{
	k->deadline_ms = ms;
}

int kube_new(struct loop *loop, struct kube_config *config, struct kube **out,
	     struct error *err)
{
	struct kube *k = mem_alloc(sizeof *k);

	k->loop = loop;
	k->config = config;
	TAILQ_INIT(&k->calls);
	LIST_INIT(&k->watches);
	k->discovery = kube_discovery_new();
	k->notes = kube_notes_new(k);
	if (kube_auth_init(k, err) || kube_connect(k, err)) {
		kube_free(k);
		return error_wrap(err, "Kubernetes");
	}
	*out = k;
	return 0;
}

void kube_free(struct kube *k)
{
	if (!k)
		return;
	kube_notes_free(k->notes);
	while (!LIST_EMPTY(&k->watches))
		kube_watch_stop(LIST_FIRST(&k->watches));
	while (!TAILQ_EMPTY(&k->calls))
		kube_cancel(TAILQ_FIRST(&k->calls));
	kube_discovery_free(k->discovery);
	kube_auth_clear(k);
	http_free(k->requests);
	http_free(k->watching);
	map_clear(&k->no_watch_list);
	kube_config_free(k->config);
	free(k);
}

const struct kube_config *kube_config_of(const struct kube *k)
{
	return k->config;
}

struct loop *kube_loop(const struct kube *k)
{
	return k->loop;
}

const struct kube_stats *kube_stats(const struct kube *k)
{
	return &k->stats;
}

int64_t kube_random(int64_t below)
{
	return below > 0 ? (int64_t)randombytes_uniform((uint32_t)below) : 0;
}
