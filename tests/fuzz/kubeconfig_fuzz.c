/* kubeconfig_fuzz.c - any text as a kubeconfig: read or refused in words; and one from a Secret
 * never leads to a file, a program or a proxy. */
#include <stdlib.h>
#include <string.h>

#include "kube/config_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void check(const struct kube_config *c, bool no_exec)
{
	must(c->server &&
	     (!strncmp(c->server, "https://", 8) || !strncmp(c->server, "http://", 7)));
	must(c->ns && *c->ns);
	must(!(c->cert_file || c->cert_data) == !(c->key_file || c->key_data));
	for (const char **line = c->impersonate; line && *line; line++)
		must(!strpbrk(*line, "\r\n") && strchr(*line, ':'));
	if (no_exec)
		must(!c->exec && !c->proxy && !c->ca_file && !c->cert_file && !c->key_file &&
		     !c->token_file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int no_exec = 0; no_exec < 2; no_exec++) {
		const struct kube_config_options o = {.no_exec = no_exec};
		struct kube_config *c = NULL;
		struct error err = ERROR_INIT;

		if (kube_config_parse((const char *)data, size, "/dir", &o, &c, &err) == 0) {
			check(c, no_exec);
			kube_config_free(c);
		} else {
			must(!c && err.kind && *err.text);
		}
	}
	return 0;
}
