/* base/log.c - see log.h. Values are cut at 2 KiB, a line is one write(2). */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

#define VALUE_MAX 2048

static enum log_level threshold = LOG_INFO;
static bool json;

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_ERROR:
		return "error";
	case LOG_WARN:
		return "warn";
	case LOG_INFO:
		return "info";
	case LOG_DEBUG:
		return "debug";
	}
	return "error";
}

int log_configure(const char *level, const char *format)
{
	static const enum log_level all[] = {LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG};
	enum log_level wanted = threshold;
	bool found = !level;

	for (size_t i = 0; level && i < sizeof all / sizeof *all; i++)
		if (!strcmp(level, level_name(all[i]))) {
			wanted = all[i];
			found = true;
		}
	if (!found || (format && strcmp(format, "text") && strcmp(format, "json")))
		return -1;
	threshold = wanted;
	if (format)
		json = !strcmp(format, "json");
	return 0;
}

bool log_enabled(enum log_level level)
{
	return level <= threshold;
}

static void put_quoted(struct buf *line, const char *value)
{
	size_t len = strnlen(value, VALUE_MAX);

	buf_putc(line, '"');
	for (size_t i = 0; i < len;) {
		uint32_t rune;
		size_t n = text_utf8_rune(value + i, len - i, &rune);

		if (!n)
			buf_putc(line, '?');
		else if (rune == '"' || rune == '\\')
			buf_printf(line, "\\%c", (int)rune);
		else if (rune == '\n')
			buf_puts(line, "\\n");
		else if (text_rune_unsafe(rune))
			buf_putc(line, '?');
		else
			buf_add(line, value + i, n);
		i += n ? n : 1;
	}
	buf_putc(line, '"');
}

static bool plain(const char *value)
{
	if (!*value)
		return false;
	for (; *value; value++)
		if (*value <= ' ' || *value == '"' || *value == '=' || *value == '\\' ||
		    *value >= 0x7f)
			return false;
	return true;
}

static void put_pair(struct buf *line, const char *key, const char *value)
{
	if (json) {
		buf_printf(line, "%s\"%s\":", line->len > 1 ? "," : "", key);
		put_quoted(line, value);
		return;
	}
	buf_printf(line, "%s%s=", line->len > 3 ? " " : "", key);
	if (plain(value) && strlen(value) < VALUE_MAX)
		buf_puts(line, value);
	else
		put_quoted(line, value);
}

void log_event(enum log_level level, const char *stage, const char *msg, ...)
{
	struct buf line = BUF_INIT;
	char when[CLOCK_TEXT_MAX];
	const char *key;
	va_list ap;

	if (!log_enabled(level))
		return;
	if (json)
		buf_putc(&line, '{');
	else
		buf_printf(&line, "<%d>", (int)level);
	put_pair(&line, "time", clock_micro(clock_now_ms(), when));
	put_pair(&line, "level", level_name(level));
	put_pair(&line, "stage", stage);
	va_start(ap, msg);
	while ((key = va_arg(ap, const char *))) {
		const char *value = va_arg(ap, const char *);
		if (value)
			put_pair(&line, key, value);
	}
	va_end(ap);
	put_pair(&line, "msg", msg);
	buf_puts(&line, json ? "}\n" : "\n");
	if (write(STDERR_FILENO, line.ptr, line.len) < 0) {
		/* nowhere left to say so */
	}
	buf_clear(&line);
}
