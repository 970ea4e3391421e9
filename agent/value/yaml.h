/*
 * value/yaml.h - reads YAML as kubectl does, and writes it for people.
 *
 * Events come from libyaml; depth is capped on events (libyaml is quadratic in nesting).
 * Scalars resolve as sigs.k8s.io/yaml (yaml.v2 rules, then JSON): true/false/yes/no/on/off in
 * their usual spellings are booleans, 0o17, 017, 0x1f and 1_000 are integers, 1e3 is a number;
 * quoted scalars are strings. Numbers come out as JSON number text, exactly.
 * Refused with line and column: duplicate keys, keys that are no scalars, tags other than the
 * core ones, NUL, bad UTF-8, UTF-16, a byte order mark, .inf and .nan, an alias inside itself.
 * Aliases and merge keys (<<) are expanded and count against the node cap each time.
 */
#ifndef VALUE_YAML_H
#define VALUE_YAML_H

#include "base/mem.h"
#include "value/value.h"

struct value_docs {
	VEC(struct value *) list; /* one tree a document; empty documents are left out */
};
void value_docs_clear(struct value_docs *docs); /* the trees belong to the arena */

/* All documents of one file (JSON is YAML too; a file that starts with '{' or '[' should go to
 * value_json_parse, which is stricter about keys). Reasons: YamlInvalid, DuplicateKey,
 * TooLarge, TooDeep, TooManyNodes, UnsupportedTag. */
int value_yaml_parse(struct arena *a, const char *data, size_t len,
		     const struct value_limits *limits, struct value_docs *out,
		     struct error *err);

/* YAML that reads back as the same tree; keys in their order. For -o yaml and diffs. */
void value_yaml_write(const struct value *v, struct buf *out);

#endif
