/*
 * value/yaml_int.h - how kubectl reads a scalar that is not quoted.
 */
#ifndef VALUE_YAML_INT_H
#define VALUE_YAML_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

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

#endif
