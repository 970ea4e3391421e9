/*
 * value/yaml_int.h - parts of the YAML reader: bytes and syntax errors (yaml_text.c), and how
 * kubectl reads a scalar that is not quoted (yaml_scalar.c).
 */
#ifndef VALUE_YAML_INT_H
#define VALUE_YAML_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/error.h"

enum scalar {
	SCALAR_STRING,
	SCALAR_NULL,
	SCALAR_BOOL,
	SCALAR_INT,
	SCALAR_FLOAT,
	SCALAR_NO_NUMBER, /* .inf or .nan: a float that JSON can't hold */
};

/* `truth` is set for SCALAR_BOOL; `number` (whatever it held is dropped) becomes JSON number
 * text for SCALAR_INT and SCALAR_FLOAT. */
enum scalar scalar_resolve(const char *s, size_t len, bool *truth, struct buf *number);

/* A float as the key of a map: kubectl shows it as a 32-bit float, shortest form. -1: too big.
 */
int scalar_float_key(const char *number, struct buf *out);

/* Refuses what libyaml would take, or take long over: UTF-16, a byte order mark, NUL, bad
 * UTF-8, thousands of directives. */
int yaml_check_bytes(const char *data, size_t len, struct error *err);
/* What the parser complains about, as an error. Returns -1. */
int yaml_syntax_error(const yaml_parser_t *p, const char *data, size_t len, struct error *err);

#endif
