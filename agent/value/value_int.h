/*
 * value/value_int.h - helpers shared by the files of value/.
 */
#ifndef VALUE_VALUE_INT_H
#define VALUE_VALUE_INT_H

#include "value/value.h"

/* A deep copy in the same arena, which shares texts and keys with `v` (they never change). */
struct value *value_clone(struct arena *a, const struct value *v);

/* The members sorted by the bytes of their keys, freed by the caller; NULL when they are in
 * that order already (or there are none). */
const struct member **value_sorted(const struct value *object);

/* The end of the JSON number that starts at p, or NULL when none does. */
const char *json_number_end(const char *p, const char *end);

#endif
