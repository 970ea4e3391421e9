/* base/error.c - see error.h. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Too long: end in "...", in front of a whole character. */
static void cut(char text[ERROR_TEXT_MAX])
{
	size_t at = ERROR_TEXT_MAX - 4;

	while (at && (text[at] & 0xc0) == 0x80)
		at--;
	strcpy(text + at, "...");
}

/* Formatted aside first, because arguments may point into err->text. */
static void put(struct error *err, const char *fmt, va_list ap)
{
	char text[ERROR_TEXT_MAX];

	if (vsnprintf(text, sizeof text, fmt, ap) >= (int)sizeof text)
		cut(text);
	strcpy(err->text, text);
}

int error_set(struct error *err, enum error_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	err->kind = kind;
	err->reason = NULL;
	va_start(ap, fmt);
	put(err, fmt, ap);
	va_end(ap);
	return -1;
}

int error_reason(struct error *err, enum error_kind kind, const char *reason, const char *fmt,
		 ...)
{
	va_list ap;

	if (!err)
		return -1;
	err->kind = kind;
	err->reason = reason;
	va_start(ap, fmt);
	put(err, fmt, ap);
	va_end(ap);
	return -1;
}

int error_wrap(struct error *err, const char *fmt, ...)
{
	char inner[ERROR_TEXT_MAX];
	va_list ap;

	if (!err)
		return -1;
	memcpy(inner, err->text, sizeof inner);
	va_start(ap, fmt);
	put(err, fmt, ap);
	va_end(ap);
	size_t len = strlen(err->text);
	int n = snprintf(err->text + len, sizeof err->text - len, ": %s", inner);
	if (n >= (int)(sizeof err->text - len))
		cut(err->text);
	return -1;
}

const char *error_code(const struct error *err)
{
	if (err->reason)
		return err->reason;
	switch (err->kind) {
	case ERROR_NONE:
		return "None";
	case ERROR_TRANSIENT:
		return "Transient";
	case ERROR_CONFLICT:
		return "Conflict";
	case ERROR_DENIED:
		return "Denied";
	case ERROR_INVALID:
		return "Invalid";
	case ERROR_REFUSED:
		return "Refused";
	case ERROR_GONE:
		return "Gone";
	case ERROR_BUG:
		return "Bug";
	}
	return "Bug";
}
