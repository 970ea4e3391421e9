/* cmd/run.c - the agent: settings, connection, probes, until a signal ends it. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "config/config.h"
#include "kube/kube.h"
#include "sync/sync.h"
#include "web/web.h"

#define STOP_MS 3000

struct run {
	struct config config;
	struct loop *loop;
	struct kube *kube;
	struct agent *agent;
	struct web *web;
	struct timer stopping;
	int64_t stop_by_ms; /* boot-time clock; 0: not stopping */
};

static void help(void)
{
	AUTO(buf) options = BUF_INIT;

	config_help(&options);
	printf("Usage: modelsync run [FLAGS]\n\n"
	       "Runs the agent: watches the Applications of its namespace, polls their "
	       "repositories,\n"
	       "verifies, applies, heals and reports. Credentials: kubeconfig, or "
	       "in-cluster.\n\n"
	       "Flags (each also as environment MODELSYNC_NAME, or in the file of "
	       "--config):\n%s",
	       options.ptr);
}

static void on_signal(void *arg, int signal)
{
	struct run *r = arg;

	if (r->stop_by_ms) {
		loop_stop(r->loop); /* asked twice */
		return;
	}
	log_info("run", "stopping", "signal", strsignal(signal), LOG_END);
	r->stop_by_ms = clock_mono_ms() + STOP_MS;
	timer_set(&r->stopping, 0);
}

/* What is remembered is saved, if the API server takes it in time: a kill costs no more than a
 * few needless repairs at the next start. */
static void on_stopping(void *arg)
{
	struct run *r = arg;

	if (agent_flush(r->agent) && clock_mono_ms() < r->stop_by_ms)
		timer_set(&r->stopping, 20);
	else
		loop_stop(r->loop);
}

static int start(struct run *r, struct error *err)
{
	const struct config *c = &r->config;
	struct kube_config_options ko = {.kubeconfig = c->kubeconfig, .context = c->context};
	struct kube_config *kc = NULL;
	struct agent_options ao = {
		.ns = c->ns,
		.cache_dir = c->cache_dir,
		.default_policy = c->default_trust_policy,
		.poll_interval_ms = c->poll_interval_ms,
		.git_timeout_ms = c->git_timeout_ms,
		.sync_timeout_ms = c->sync_timeout_ms,
		.concurrency = (int)c->concurrency,
		.allow_file_urls = c->allow_file_urls,
		.allow_http_urls = c->allow_http_urls,
	};

	if (loop_new(&r->loop, err) || kube_config_load(&ko, &kc, err) ||
	    kube_new(r->loop, kc, &r->kube, err) || agent_new(r->kube, &ao, &r->agent, err))
		return -1;
	if (*c->listen && web_new(r->loop, c->listen, r->agent, &r->web, err))
		return -1;
	timer_init(&r->stopping, r->loop, on_stopping, r);
	if (loop_on_signal(r->loop, SIGTERM, on_signal, r) ||
	    loop_on_signal(r->loop, SIGINT, on_signal, r))
		return error_set(err, ERROR_BUG, "signals can't be handled");
	return 0;
}

static void stop(struct run *r)
{
	timer_clear(&r->stopping);
	web_free(r->web);
	agent_free(r->agent);
	if (r->kube)
		kube_free(r->kube);
	if (r->loop)
		loop_free(r->loop);
	config_clear(&r->config);
}

int cmd_run(int argc, char **argv)
{
	struct run r = {0};
	struct error err = ERROR_INIT;
	int rest = argc;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			help();
			return EXIT_DONE;
		}
	config_init(&r.config);
	if (config_load(&r.config, argc, argv, &rest, &err)) {
		fprintf(stderr, "modelsync run: %s\n", err.text);
		config_clear(&r.config);
		return EXIT_USAGE;
	}
	if (rest < argc || log_configure(r.config.log_level, r.config.log_format)) {
		fprintf(stderr,
			rest < argc ? "modelsync run: \"%s\": no operand is wanted\n"
				    : "modelsync run: log level or format is not known (%s)\n",
			rest < argc ? argv[rest] : r.config.log_level);
		config_clear(&r.config);
		return EXIT_USAGE;
	}
	/* Bursts of small trees come and go: give their pages back, from one arena. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 256 * 1024);
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	if (start(&r, &err)) {
		log_error("run", "can't start", "reason", error_code(&err), "error", err.text,
			  LOG_END);
		stop(&r);
		return EXIT_FAILED;
	}
	log_info("run", "started", "version", MODELSYNC_VERSION, "server",
		 kube_config_server(kube_config_of(r.kube)), "namespace", r.config.ns, LOG_END);
	loop_run(r.loop);
	stop(&r);
	return EXIT_DONE;
}
