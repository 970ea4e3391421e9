/*
 * config/config.h - the agent's settings: one table of name, type, default, help.
 *
 * Sources, the later wins: default, configuration file (YAML map), environment
 * (MODELSYNC_LOG_LEVEL), flag (--log-level). --help, the reference in docs and the schema are
 * made from the table. An unknown name or a bad value is refused with where it stood, what was
 * seen and what is wanted; but an unknown MODELSYNC_... variable is only warned of, since
 * Kubernetes' service links share that prefix. An empty variable counts as not set.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct config {
	char *kubeconfig, *context;
	char *ns;     /* --namespace: the agent's own */
	char *listen; /* metrics and probes */
	char *cache_dir;
	char *log_level, *log_format;
	int64_t poll_interval_ms; /* default for Applications without spec.interval */
	int64_t git_timeout_ms, sync_timeout_ms;
	int64_t concurrency;
	bool allow_file_urls, allow_http_urls;
	char *default_trust_policy;
};

enum setting_type { SETTING_STRING, SETTING_DURATION, SETTING_INT, SETTING_BOOL };
struct setting {
	const char *name; /* "log-level"; environment MODELSYNC_LOG_LEVEL, file key logLevel */
	enum setting_type type;
	size_t offset;
	const char *fallback; /* as text */
	const char *help;
	bool reloadable;
	int64_t min, max;	  /* of durations (ms) and ints */
	const char *choices;	  /* of strings: "error|warn", or NULL */
	const char *fallback_env; /* variable that gives the default where it is set, or NULL */
};
extern const struct setting settings[];
extern const size_t settings_count;

void config_init(struct config *c); /* all defaults */
void config_clear(struct config *c);
/* Reads the file named by --config or MODELSYNC_CONFIG, then the environment, then argv. argv
 * is permuted (options first, operands in their order; "--" ends options); *rest gets the index
 * of the first operand. `c` holds config_init(). On failure it may hold some of the settings.
 * Reasons: UnknownSetting, BadSetting, BadConfigFile. */
int config_load(struct config *c, int argc, char **argv, int *rest, struct error *err);
/* `where` opens the message: "flag --log-level". Unchanged on failure. */
int config_set(struct config *c, const char *name, const char *value, const char *where,
	       struct error *err);
void config_help(struct buf *out);	/* the options part of --help */
void config_reference(struct buf *out); /* a Markdown table, for docs/reference/settings.md */

#endif
