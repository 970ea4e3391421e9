/*
 * config/settings.c - the table, and setting one value from text.
 */
#include "config/config_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define VALUE_MAX 4096
#define SECOND	  1000LL
#define HOUR	  (3600 * SECOND)

#define FIELD(member) .offset = offsetof(struct config, member)

const struct setting settings[] = {
	{"kubeconfig", SETTING_STRING, FIELD(kubeconfig),
	 .help = "Kubeconfig file. Default: $KUBECONFIG, the pod's service account, "
		 "~/.kube/config, the first that is there."},
	{"context", SETTING_STRING, FIELD(context),
	 .help = "Context of the kubeconfig. Default: its current one."},
	{"namespace", SETTING_STRING, FIELD(ns), .fallback = "modelsync",
	 .help = "The agent's own namespace, where its state and TrustPolicies are."},
	{"listen", SETTING_STRING, FIELD(listen), .fallback = "127.0.0.1:8080",
	 .help = "Address of metrics and probes; \":8080\" is all addresses."},
	{"cache-dir", SETTING_STRING, FIELD(cache_dir), .fallback = "/var/lib/modelsync",
	 .fallback_env = "STATE_DIRECTORY",
	 .help = "Where Git repositories are kept; may be deleted at any time."},
	{"log-level", SETTING_STRING, FIELD(log_level), .fallback = "info",
	 .choices = "error|warn|info|debug",
	 .help = "The least important event that is logged."},
	{"log-format", SETTING_STRING, FIELD(log_format), .fallback = "text",
	 .choices = "text|json", .help = "text is logfmt with journald's priorities."},
	{"poll-interval", SETTING_DURATION, FIELD(poll_interval_ms), .fallback = "60s",
	 .min = SECOND, .max = 24 * HOUR,
	 .help = "How often Git is asked for news where spec.interval says nothing."},
	{"git-timeout", SETTING_DURATION, FIELD(git_timeout_ms), .fallback = "60s",
	 .min = SECOND, .max = HOUR, .help = "Longest time of one poll and fetch."},
	{"sync-timeout", SETTING_DURATION, FIELD(sync_timeout_ms), .fallback = "10m",
	 .min = SECOND, .max = 24 * HOUR,
	 .help = "Longest time of one sync, waiting for health included."},
	{"concurrency", SETTING_INT, FIELD(concurrency), .fallback = "32", .min = 1, .max = 256,
	 .help = "How many requests to the API server run at once."},
	{"allow-file-urls", SETTING_BOOL, FIELD(allow_file_urls), .fallback = "false",
	 .help = "Take repositories on this machine's disk, too."},
	{"allow-http-urls", SETTING_BOOL, FIELD(allow_http_urls), .fallback = "false",
	 .help = "Take http:// for repositories and forges, too: tokens travel in the clear."},
	{"default-trust-policy", SETTING_STRING, FIELD(default_trust_policy),
	 .fallback = "default", .help = "TrustPolicy of Applications that name none."},
};
const size_t settings_count = ARRAY_LEN(settings);

const struct setting *setting_find(const char *name)
{
	for (size_t i = 0; i < settings_count; i++)
		if (text_eq(settings[i].name, name))
			return &settings[i];
	return NULL;
}

/* Edits (insert, remove, replace) that make b of a; both are short. */
static size_t distance(const char *a, const char *b)
{
	size_t row[64], len = strlen(b);

	if (len >= ARRAY_LEN(row) || strlen(a) >= ARRAY_LEN(row))
		return ARRAY_LEN(row);
	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[len];
}

const char *setting_near(const char *name)
{
	const char *best = NULL;
	size_t least = 4;

	for (size_t i = 0; i < settings_count; i++) {
		size_t d = distance(name, settings[i].name);

		if (d < least) {
			least = d;
			best = settings[i].name;
		}
	}
	return best;
}

void setting_put_env(struct buf *out, const struct setting *s)
{
	buf_puts(out, "MODELSYNC_");
	for (const char *p = s->name; *p; p++)
		buf_putc(out, *p == '-' ? '_' : (char)(*p - 'a' + 'A'));
}

void setting_put_key(struct buf *out, const struct setting *s)
{
	for (const char *p = s->name; *p; p++)
		if (*p == '-')
			buf_putc(out, (char)(*++p - 'a' + 'A'));
		else
			buf_putc(out, *p);
}

const char *setting_type_name(enum setting_type type)
{
	switch (type) {
	case SETTING_STRING:
		return "TEXT";
	case SETTING_DURATION:
		return "DURATION";
	case SETTING_INT:
		return "NUMBER";
	case SETTING_BOOL:
		return "true|false";
	}
	return "";
}

static void *field(struct config *c, const struct setting *s)
{
	return (char *)c + s->offset;
}

static bool is_choice(const char *choices, const char *value)
{
	size_t len = strlen(value), n;

	for (; *choices; choices += n + (choices[n] == '|')) {
		n = strcspn(choices, "|");
		if (n == len && strncmp(choices, value, n) == 0)
			return true;
	}
	return false;
}

/* "WHERE: 'VALUE' is not WHAT", with the value made safe and short. */
static int bad(const char *where, const char *value, const char *what, struct error *err)
{
	AUTO(buf) shown = BUF_INIT;

	buf_put_safe(&shown, value, strnlen(value, 80));
	return error_reason(err, ERROR_INVALID, "BadSetting", "%s: '%s' is not %s", where,
			    shown.ptr, what);
}

static int set_string(char **to, const struct setting *s, const char *value, const char *where,
		      struct error *err)
{
	AUTO_FREE char *wanted = NULL;

	if (strlen(value) > VALUE_MAX)
		return bad(where, value, "a text of at most 4096 bytes", err);
	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return bad(where, value, "a text without control characters", err);
	if (s->choices && !is_choice(s->choices, value)) {
		wanted = mem_printf("one of %s", s->choices);
		return bad(where, value, wanted, err);
	}
	free(*to);
	*to = mem_strdup(value);
	return 0;
}

static int set_number(int64_t *to, const struct setting *s, const char *value,
		      const char *where, struct error *err)
{
	bool duration = s->type == SETTING_DURATION;
	AUTO_FREE char *wanted = NULL;
	char low[24], high[24];
	uint64_t n = 0;
	int64_t ms = 0;
	int rc;

	if (duration)
		rc = text_duration_ms(value, &ms);
	else if ((rc = text_u64(value, strlen(value), INT64_MAX, &n)) == 0)
		ms = (int64_t)n;
	if (rc == 0 && ms >= s->min && ms <= s->max) {
		*to = ms;
		return 0;
	}
	if (duration)
		wanted = mem_printf("a duration from %s to %s, such as 90s or 1h30m",
				    text_duration(s->min, low), text_duration(s->max, high));
	else
		wanted = mem_printf("a number from %" PRId64 " to %" PRId64, s->min, s->max);
	return bad(where, value, wanted, err);
}

static int set_bool(bool *to, const char *value, const char *where, struct error *err)
{
	if (!text_eq(value, "true") && !text_eq(value, "false"))
		return bad(where, value, "true or false", err);
	*to = *value == 't';
	return 0;
}

int config_set(struct config *c, const char *name, const char *value, const char *where,
	       struct error *err)
{
	const struct setting *s = setting_find(name);
	const char *near;

	if (!s) {
		AUTO(buf) shown = BUF_INIT;

		near = setting_near(name);
		buf_put_safe(&shown, name, strnlen(name, 80));
		return error_reason(err, ERROR_INVALID, "UnknownSetting",
				    "%s: '%s' is not known%s%s%s", where, shown.ptr,
				    near ? "; is it '" : "", near ? near : "",
				    near ? "'?" : "");
	}
	switch (s->type) {
	case SETTING_STRING:
		return set_string(field(c, s), s, value, where, err);
	case SETTING_DURATION:
	case SETTING_INT:
		return set_number(field(c, s), s, value, where, err);
	case SETTING_BOOL:
		return set_bool(field(c, s), value, where, err);
	}
	return error_set(err, ERROR_BUG, "setting %s has no type", name);
}

void config_init(struct config *c)
{
	struct error err = ERROR_INIT;

	*c = (struct config){0};
	for (size_t i = 0; i < settings_count; i++) {
		const struct setting *s = &settings[i];
		const char *env = s->fallback_env ? getenv(s->fallback_env) : NULL;
		/* systemd lists several folders with colons: the first is ours */
		AUTO_FREE char *first = env ? mem_strndup(env, strcspn(env, ":")) : NULL;

		if (first && *first &&
		    config_set(c, s->name, first, s->fallback_env, NULL) == 0)
			continue;
		if (s->fallback && config_set(c, s->name, s->fallback, "default", &err) < 0)
			abort(); /* the table is wrong; a unit test reads it */
	}
}

void config_clear(struct config *c)
{
	for (size_t i = 0; i < settings_count; i++)
		if (settings[i].type == SETTING_STRING)
			free(*(char **)field(c, &settings[i]));
	*c = (struct config){0};
}
