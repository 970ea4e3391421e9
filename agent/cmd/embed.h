/*
 * cmd/embed.h - files of manifests-schema/ inside the program, for `modelsync install`.
 *
 * The CRDs first, install.yaml last: the order in which they are applied. install.yaml has
 * __NAMESPACE__ and __IMAGE__ in it; whoever replaces them checks both first (a DNS label; no
 * white space, quotes or '#'), since the text is YAML.
 */
#ifndef CMD_EMBED_H
#define CMD_EMBED_H

#include <stddef.h>

struct embedded {
	const char *name;	/* "applications.yaml" */
	const char *text, *end; /* *end is NUL */
};

extern const struct embedded embedded_files[];
extern const size_t embedded_count;

#endif
