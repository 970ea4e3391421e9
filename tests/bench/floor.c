/*
 * tests/bench/floor.c - the floor: how fast any client could send what a cold apply sends.
 *
 * A bare HTTP/2 load generator over libcurl's multi interface. It shares no code with the
 * agent, knows nothing of plans, answers or health, and makes all bodies before the clock
 * starts; so what it needs is what the API server, etcd, TLS and one connection need.
 *
 *   floor --server URL --ca FILE --cert FILE --key FILE [--token TEXT] --namespace NS
 *         [--mode apply|preflight+apply] [--objects N] [--concurrency C] [--prefix P]
 *
 * apply: one server-side apply for each of N ConfigMaps. preflight+apply: first a dry run of
 * each, and when all are answered, the applies. Prints one line of JSON; exits 1 when an answer
 * was not 200 or 201.
 */
#include <curl/curl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_IN_FLIGHT 256

struct options {
	const char *server, *ca, *cert, *key, *token, *ns, *prefix, *mode;
	int objects, concurrency;
};

struct load {
	const struct options *o;
	CURLM *multi;
	struct curl_slist *headers;
	CURL *slots[MAX_IN_FLIGHT];
	char **bodies;
	int next, answered, errors;
	bool dry_run;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "floor: %s\n", what);
	exit(2);
}

static char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *text(const char *fmt, ...)
{
	char *out = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&out, fmt, ap) < 0)
		die("out of memory");
	va_end(ap);
	return out;
}

/* As large as what the agent sends for tests/bench's ConfigMaps: label, annotation, two keys.
 */
static char *body_of(const struct options *o, int i)
{
	return text("{\"apiVersion\":\"v1\",\"data\":{\"index\":\"%d\",\"text\":\"the quick "
		    "brown fox "
		    "jumps over the lazy "
		    "dog\"},\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":"
		    "{\"modelsync.dev/applied\":\"%032x ConfigMap|%s|%s-%05d\"},\"labels\":"
		    "{\"applyset.kubernetes.io/"
		    "part-of\":\"applyset-%043d-v1\"},\"name\":\"%s-%05d\","
		    "\"namespace\":\"%s\"}}",
		    i, i, o->ns, o->prefix, i, 0, o->prefix, i, o->ns);
}

static size_t drop(char *data, size_t size, size_t n, void *arg)
{
	return size * n;
}

static CURL *slot_new(const struct load *l)
{
	const struct options *o = l->o;
	CURL *c = curl_easy_init();

	if (!c)
		die("no curl handle");
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(c, CURLOPT_PIPEWAIT, 1L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, "PATCH");
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, l->headers);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, drop);
	curl_easy_setopt(c, CURLOPT_CAINFO, o->ca);
	curl_easy_setopt(c, CURLOPT_SSLCERT, o->cert);
	curl_easy_setopt(c, CURLOPT_SSLKEY, o->key);
	return c;
}

/* Put the next request on a handle; false when all were sent. */
static bool send_next(struct load *l, CURL *c)
{
	const struct options *o = l->o;
	int i = l->next;

	if (i == o->objects)
		return false;
	l->next++;
	char *url = text("%s/api/v1/namespaces/%s/configmaps/%s-%05d?fieldManager=modelsync"
			 "&fieldValidation=Strict%s",
			 o->server, o->ns, o->prefix, i, l->dry_run ? "&dryRun=All" : "");
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, l->bodies[i]);
	free(url);
	if (curl_multi_add_handle(l->multi, c) != CURLM_OK)
		die("curl_multi_add_handle failed");
	return true;
}

static void take_answer(struct load *l, CURL *c, CURLcode result)
{
	long status = 0;

	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	l->answered++;
	if (result == CURLE_OK && (status == 200 || status == 201))
		return;
	if (!l->errors++)
		fprintf(stderr, "floor: first error: %s, status %ld\n",
			curl_easy_strerror(result), status);
}

static double phase(struct load *l, bool dry_run)
{
	double start = now();
	int running, left;
	CURLMsg *m;

	l->dry_run = dry_run;
	l->next = l->answered = 0;
	for (int i = 0; i < l->o->concurrency; i++)
		send_next(l, l->slots[i]);
	while (l->answered < l->o->objects) {
		if (curl_multi_perform(l->multi, &running) != CURLM_OK)
			die("curl_multi_perform failed");
		while ((m = curl_multi_info_read(l->multi, &left))) {
			CURL *c = m->easy_handle;
			CURLcode result = m->data.result;

			curl_multi_remove_handle(l->multi, c);
			take_answer(l, c, result);
			send_next(l, c);
		}
		if (l->answered < l->o->objects)
			curl_multi_poll(l->multi, NULL, 0, 1000, NULL);
	}
	return now() - start;
}

static void load_init(struct load *l, const struct options *o)
{
	*l = (struct load){.o = o, .multi = curl_multi_init()};
	curl_multi_setopt(l->multi, CURLMOPT_MAX_HOST_CONNECTIONS, 1L);
	curl_multi_setopt(l->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	l->headers =
		curl_slist_append(l->headers, "Content-Type: application/apply-patch+yaml");
	l->headers = curl_slist_append(
		l->headers,
		"Accept: application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,"
		"application/json");
	if (o->token) {
		char *bearer = text("Authorization: Bearer %s", o->token);
		l->headers = curl_slist_append(l->headers, bearer);
		free(bearer);
	}
	l->bodies = calloc((size_t)o->objects, sizeof *l->bodies);
	for (int i = 0; i < o->objects; i++)
		l->bodies[i] = body_of(o, i);
	for (int i = 0; i < o->concurrency; i++)
		l->slots[i] = slot_new(l);
}

static void load_clear(struct load *l)
{
	for (int i = 0; i < l->o->concurrency; i++)
		curl_easy_cleanup(l->slots[i]);
	curl_multi_cleanup(l->multi);
	curl_slist_free_all(l->headers);
	for (int i = 0; i < l->o->objects; i++)
		free(l->bodies[i]);
	free(l->bodies);
}

static void options_read(struct options *o, int argc, char **argv)
{
	const char *objects = "1000", *concurrency = "32";
	const char **const into[] = {&o->server, &o->ca,   &o->cert,   &o->key,	 &o->token,
				     &o->ns,	 &o->mode, &o->prefix, &objects, &concurrency};
	static const struct option names[] = {
		{"server", 1, NULL, 0},	     {"ca", 1, NULL, 0},     {"cert", 1, NULL, 0},
		{"key", 1, NULL, 0},	     {"token", 1, NULL, 0},  {"namespace", 1, NULL, 0},
		{"mode", 1, NULL, 0},	     {"prefix", 1, NULL, 0}, {"objects", 1, NULL, 0},
		{"concurrency", 1, NULL, 0}, {NULL, 0, NULL, 0},
	};

	*o = (struct options){.prefix = "floor", .mode = "apply"};
	for (int at, c; (c = getopt_long(argc, argv, "", names, &at)) != -1;) {
		if (c)
			exit(2);
		*into[at] = optarg;
	}
	o->objects = atoi(objects);
	o->concurrency = atoi(concurrency);
	if (!o->server || !o->ns)
		die("--server and --namespace are required");
	if (o->objects < 1 || o->concurrency < 1 || o->concurrency > MAX_IN_FLIGHT)
		die("--objects from 1, --concurrency from 1 to 256");
	if (strcmp(o->mode, "apply") && strcmp(o->mode, "preflight+apply"))
		die("--mode is apply or preflight+apply");
}

int main(int argc, char **argv)
{
	struct options o;
	struct load l;
	double preflight = 0, apply;

	options_read(&o, argc, argv);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	load_init(&l, &o);
	if (!strcmp(o.mode, "preflight+apply"))
		preflight = phase(&l, true);
	apply = phase(&l, false);
	printf("{\"mode\":\"%s\",\"objects\":%d,\"concurrency\":%d,\"seconds\":%.4f,"
	       "\"preflight_seconds\":%.4f,\"apply_seconds\":%.4f,\"errors\":%d}\n",
	       o.mode, o.objects, o.concurrency, preflight + apply, preflight, apply, l.errors);
	load_clear(&l);
	curl_global_cleanup();
	return l.errors != 0;
}
