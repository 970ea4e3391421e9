/*
 * base/log.h - one line an event, on standard error: logfmt with journald's priority prefix,
 * or JSON. Untrusted text is escaped here, so callers pass it as it is. Secrets are never
 * passed at all.
 *
 *   log_info("sync", "synced", "app", name, "commit", id, LOG_END)
 *   <6>time=... level=info stage=sync app=team/web commit=3f2a... msg="synced"
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR = 3, LOG_WARN = 4, LOG_INFO = 6, LOG_DEBUG = 7 };
#define LOG_END ((const char *)0)

/* level: "error", "warn", "info", "debug"; format: "text", "json". -1 when unknown. */
int log_configure(const char *level, const char *format);
bool log_enabled(enum log_level level);

/* stage: the folder that speaks; msg: fixed text; then pairs of key and value (a NULL value
 * leaves the pair out), closed by LOG_END. */
void log_event(enum log_level level, const char *stage, const char *msg, ...)
	__attribute__((sentinel));

#define log_error(...) log_event(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_event(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_event(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                     \
	do {                                               \
		if (log_enabled(LOG_DEBUG))                \
			log_event(LOG_DEBUG, __VA_ARGS__); \
	} while (0)

#endif
