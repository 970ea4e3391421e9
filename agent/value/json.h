/*
 * value/json.h - strict JSON reader (RFC 8259) and writers.
 *
 * Refused with line and column: duplicate keys, trailing bytes, bad UTF-8, lone surrogates, NUL
 * (also as \u0000), a byte order mark, numbers that are not JSON numbers. Numbers stay text.
 */
#ifndef VALUE_JSON_H
#define VALUE_JSON_H

#include "value/value.h"

/* One JSON text. *out lives in `a`. Reasons: JsonInvalid, DuplicateKey, TooLarge, TooDeep,
 * TooManyNodes. The error's text has "line L, column C". */
int value_json_parse(struct arena *a, const char *data, size_t len,
		     const struct value_limits *limits, struct value **out, struct error *err);

/* Canonical: keys sorted by bytes, no white space, shortest escapes. The same tree gives the
 * same bytes on any machine; numbers are written as they were read. */
void value_json_write(const struct value *v, struct buf *out);
/* For people: two-space indent, order of keys kept. */
void value_json_pretty(const struct value *v, struct buf *out);
/* A JSON string literal with quotes. */
void json_put_string(struct buf *out, const char *s, size_t len);

#endif
