/* desired/manifest.c - bytes of one file -> its objects: documents in order, Lists opened. */
#include "desired/desired_int.h"

#include <stdlib.h>

#include "base/text.h"
#include "value/json.h"

void manifest_clear(struct manifest *m)
{
	vec_clear(&m->objects);
	arena_free(m->arena);
	m->arena = NULL;
}

/* kubectl opens whatever calls itself a list: List, ConfigMapList, ... */
static struct value *items_of(const struct value *doc)
{
	const char *kind = value_get_str(doc, "kind");
	struct value *items = value_get(doc, "items");

	if (!kind || !text_ends(kind, "List") || !value_get_str(doc, "apiVersion"))
		return NULL;
	return items && items->type == VALUE_ARRAY ? items : NULL;
}

static void open_document(struct manifest *m, struct value *doc)
{
	struct value *items = items_of(doc), *item;

	if (!items) {
		*vec_push(&m->objects) = (struct found){.object = doc};
		return;
	}
	array_each (items, i, item)
		*vec_push(&m->objects) = (struct found){.object = item, .item = true};
}

int manifest_parse(const char *path, const char *data, size_t len, struct manifest *out,
		   struct error *err)
{
	struct value_docs docs = {0};
	struct value *root;
	int rc;

	*out = (struct manifest){.arena = arena_new()};
	if (text_ends(path, ".json")) {
		rc = value_json_parse(out->arena, data, len, &value_limits_manifest, &root,
				      err);
		if (!rc)
			open_document(out, root);
	} else {
		rc = value_yaml_parse(out->arena, data, len, &value_limits_manifest, &docs,
				      err);
		for (size_t i = 0; !rc && i < docs.list.len; i++)
			open_document(out, docs.list.items[i]);
		value_docs_clear(&docs);
	}
	if (rc < 0)
		manifest_clear(out);
	return rc;
}

/* Length of the line break at p: YAML 1.1 has CR, LF, CR LF, NEL, LS and PS. */
static size_t line_break(const char *p, const char *end)
{
	if (*p == '\n')
		return 1;
	if (*p == '\r')
		return end - p > 1 && p[1] == '\n' ? 2 : 1;
	if (end - p > 1 && !memcmp(p, "\xc2\x85", 2))
		return 2;
	return end - p > 2 && (!memcmp(p, "\xe2\x80\xa8", 3) || !memcmp(p, "\xe2\x80\xa9", 3))
		       ? 3
		       : 0;
}

static const char *next_line(const char *p, const char *end)
{
	size_t n = 0;

	while (p < end && !(n = line_break(p, end)))
		p++;
	return p + n;
}

/* "---" and "..." at the start of a line are always document markers: YAML forbids them there
 * inside any scalar. */
static bool is_marker(const char *p, const char *end)
{
	if (end - p < 3 || (memcmp(p, "---", 3) && memcmp(p, "...", 3)))
		return false;
	return end - p == 3 || p[3] == ' ' || p[3] == '\t' || line_break(p + 3, end);
}

void manifest_slice(const char *data, size_t len, uint32_t line, const char **at, size_t *size)
{
	const char *end = data + len, *start = data, *p;

	while (--line && start < end)
		start = next_line(start, end);
	for (p = next_line(start, end); p < end; p = next_line(p, end))
		if (is_marker(p, end))
			break;
	*at = start;
	*size = (size_t)(p - start);
}
