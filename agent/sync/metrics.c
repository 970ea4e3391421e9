/* sync/metrics.c - the agent's numbers in Prometheus' text format; one table of plain counters.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "sync/app_int.h"

const double histogram_bounds[HISTOGRAM_BUCKETS] = {0.001, 0.005, 0.01, 0.025, 0.05,
						    0.1,   0.5,	  2.5,	10,    60};

void histogram_add(struct histogram *h, int64_t us)
{
	double seconds = (double)us / 1e6;
	int i = 0;

	while (i < HISTOGRAM_BUCKETS && seconds > histogram_bounds[i])
		i++;
	h->counts[i]++;
	h->total++;
	h->sum += seconds;
}

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_histogram(struct buf *out, const char *name, const char *help,
			  const struct histogram *h)
{
	uint64_t sum = 0;

	head(out, name, "histogram", help);
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		sum += h->counts[i];
		buf_printf(out, "%s_bucket{le=\"%g\"} %llu\n", name, histogram_bounds[i],
			   (unsigned long long)sum);
	}
	buf_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %g\n%s_count %llu\n", name,
		   (unsigned long long)h->total, name, h->sum, name,
		   (unsigned long long)h->total);
}

static void put_counter(struct buf *out, const char *name, const char *help, uint64_t value)
{
	head(out, name, "counter", help);
	buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

/* Resident bytes of this process, from /proc/self/statm; 0 when it can't be read. */
static uint64_t resident_bytes(void)
{
	unsigned long long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%llu %llu", &size, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void put_apps(const struct agent *a, struct buf *out)
{
	struct map_entry *e;

	head(out, "modelsync_app_info", "gauge",
	     "1 for each Application, with its commit, reason and health");
	for (size_t i = 0; (e = map_next(&a->apps, &i));) {
		const struct app *app = e->value;
		const struct condition *r = &app->conditions[CONDITION_READY];
		char why[256];
		enum health h = app->target ? desired_health(app->target, a->live, why)
					    : HEALTH_UNKNOWN;

		buf_printf(out,
			   "modelsync_app_info{app=\"%s\",revision=\"%s\",ready=\"%s\",reason="
			   "\"%s\","
			   "health=\"%s\"} 1\n",
			   app->key, app->state.applied, r->status == 1 ? "true" : "false",
			   r->reason, health_name(h));
	}
	head(out, "modelsync_app_objects", "gauge", "objects that each Application wants");
	for (size_t i = 0; (e = map_next(&a->apps, &i));) {
		const struct app *app = e->value;
		buf_printf(out, "modelsync_app_objects{app=\"%s\"} %zu\n", app->key,
			   app->target ? desired_count(app->target) : 0);
	}
	head(out, "modelsync_app_out_of_sync", "gauge", "objects that differ and are left so");
	for (size_t i = 0; (e = map_next(&a->apps, &i));) {
		const struct app *app = e->value;
		buf_printf(out, "modelsync_app_out_of_sync{app=\"%s\"} %zu\n", app->key,
			   app->drifted.len);
	}
}

static void put_sources(const struct agent *a, struct buf *out)
{
	struct map_entry *e;
	int64_t now = clock_now_ms();

	head(out, "modelsync_source_contact_age_seconds", "gauge",
	     "time since the repository answered last");
	for (size_t i = 0; (e = map_next(&a->sources, &i));) {
		const struct source *s = e->value;
		int64_t at = s->repo ? repo_last_contact_ms(s->repo) : 0;
		AUTO(buf) url = BUF_INIT;
		buf_put_safe(&url, s->url, strcspn(s->url, "\"\\"));
		buf_printf(out, "modelsync_source_contact_age_seconds{url=\"%s\"} %.3f\n",
			   url.ptr, at ? (double)(now - at) / 1000 : -1.0);
	}
}

void agent_metrics(const struct agent *a, struct buf *out)
{
	const struct stats *s = &a->stats;
	const struct kube_stats *k = kube_stats(a->kube);
	static const char *const verbs[] = {"get",	   "list",    "create", "apply",
					    "merge-patch", "replace", "delete"};

	head(out, "modelsync_build_info", "gauge", "1, with the version");
	buf_printf(out, "modelsync_build_info{version=\"%s\"} 1\n", MODELSYNC_VERSION);
	head(out, "process_resident_memory_bytes", "gauge", "resident memory");
	buf_printf(out, "process_resident_memory_bytes %llu\n",
		   (unsigned long long)resident_bytes());
	put_apps(a, out);
	put_sources(a, out);
	put_counter(out, "modelsync_syncs_succeeded_total", "syncs that ended well",
		    s->syncs_ok);
	put_counter(out, "modelsync_syncs_failed_total", "syncs that failed", s->syncs_failed);
	put_counter(out, "modelsync_repairs_total", "objects repaired after drift", s->repairs);
	put_counter(out, "modelsync_repairs_failed_total", "repairs that failed",
		    s->repairs_failed);
	put_counter(out, "modelsync_prunes_total", "objects pruned", s->prunes);
	put_counter(out, "modelsync_polls_succeeded_total", "polls of repositories",
		    s->polls_ok);
	put_counter(out, "modelsync_polls_failed_total", "polls that failed", s->polls_failed);
	put_histogram(out, "modelsync_sync_seconds",
		      "from a verified head to the end of its sync", &s->sync_seconds);
	put_histogram(out, "modelsync_repair_seconds", "from a drift event to its repair",
		      &s->repair_seconds);
	put_histogram(out, "modelsync_verify_seconds", "verification of one range of commits",
		      &s->verify_seconds);
	head(out, "modelsync_refusals_total", "counter", "heads refused, by code");
	for (int i = 1; i < REFUSAL_CODES; i++)
		buf_printf(out, "modelsync_refusals_total{code=\"%s\"} %llu\n",
			   refusal_table[i].code, (unsigned long long)s->refusals[i]);
	head(out, "modelsync_kube_requests_total", "counter",
	     "requests to the API server, by verb");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		buf_printf(out, "modelsync_kube_requests_total{verb=\"%s\"} %llu\n", verbs[i],
			   (unsigned long long)k->requests[i]);
	put_counter(out, "modelsync_kube_failures_total", "requests that failed", k->failures);
	put_counter(out, "modelsync_kube_retries_total", "requests sent again", k->retries);
	put_counter(out, "modelsync_watch_restarts_total", "watches opened again",
		    k->watch_restarts);
	head(out, "modelsync_live_objects", "gauge", "objects watched");
	buf_printf(out, "modelsync_live_objects %zu\n", live_count(a->live));
}
