/*
 * base/error.h - an error is a value: what to do about it, a stable reason code, one sentence.
 *
 * Raised in one line, wrapped on the way up ("outer: inner"), logged once at the top. A state
 * machine stores it by assignment; nobody frees it. Functions that can fail return int, 0 or
 * -1, take `struct error *` last, and leave their other outputs untouched on failure.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

/* What the caller should do, not what happened. */
enum error_kind {
	ERROR_NONE,
	ERROR_TRANSIENT, /* try again later: network, 429, 5xx */
	ERROR_CONFLICT,	 /* somebody else's write came first: read again, or report */
	ERROR_DENIED,	 /* credentials or rights are missing: needs a person, try slowly */
	ERROR_INVALID,	 /* the input is wrong: trying again is pointless until it changes */
	ERROR_REFUSED, /* the input is well-formed and not allowed: policy, guard, signature */
	ERROR_GONE,    /* it does not exist (any more) */
	ERROR_BUG,     /* an invariant of ours does not hold */
};

#define ERROR_TEXT_MAX 480

struct error {
	enum error_kind kind;
	const char *reason; /* CamelCase code in static storage, or NULL; see docs/reference */
	char text[ERROR_TEXT_MAX];
};

#define ERROR_INIT                 \
	{                          \
		.kind = ERROR_NONE \
	}

/* Fill `err` (may be NULL) and return -1. A text that is too long is cut and ends in "...". */
int error_set(struct error *err, enum error_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with a stable reason code, a string literal. */
int error_reason(struct error *err, enum error_kind kind, const char *reason, const char *fmt,
		 ...) __attribute__((format(printf, 4, 5)));

/* Put "context: " before the text; kind and reason stay. Returns -1. */
int error_wrap(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The reason code, or one derived from the kind ("Transient", "Invalid", ...) where none was
 * set. */
const char *error_code(const struct error *err);

#endif
