/* desired/reading.c - one pass over the files of a commit: which are read, rows and problems.
 */
#include "desired/desired_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

#define LFS_POINTER "version https://git-lfs.github.com/spec/"

void reading_init(struct reading *r, const struct desired_spec *spec,
		  const struct kind_source *kinds, struct problems *problems)
{
	*r = (struct reading){.spec = spec,
			      .kinds = kinds,
			      .problems = problems,
			      .arena = arena_new(),
			      .scratch = BUF_INIT};
}

void reading_clear(struct reading *r)
{
	map_clear(&r->interned);
	buf_clear(&r->scratch);
	vec_clear(&r->rows);
	vec_clear(&r->files);
	arena_free(r->arena);
}

const char *reading_intern(struct reading *r, const char *s)
{
	char *kept = map_get(&r->interned, s);

	if (!kept) {
		kept = arena_strdup(r->arena, s);
		map_put(&r->interned, s, kept);
	}
	return kept;
}

/* ---- Which files ---- */

static const struct {
	const char *name, *reason, *text;
} tools[] = {
	{"kustomization.yaml", "KustomizeNotSupported", "kustomize build"},
	{"kustomization.yml", "KustomizeNotSupported", "kustomize build"},
	{"Kustomization", "KustomizeNotSupported", "kustomize build"},
	{"Chart.yaml", "HelmNotSupported", "helm template"},
};

bool reading_wants(struct reading *r, const char *path, unsigned mode)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < ARRAY_LEN(tools); i++)
		if (!strcmp(tools[i].name, name)) {
			problems_add(
				r->problems, path, 0, 0, tools[i].reason,
				"this version reads plain manifests only; commit the output of "
				"`%s` instead",
				tools[i].text);
			return false;
		}
	if (!text_ends(name, ".yaml") && !text_ends(name, ".yml") && !text_ends(name, ".json"))
		return false;
	if ((mode & 0170000) == 0100000)
		return true;
	if ((mode & 0170000) == 0120000)
		problems_add(r->problems, path, 0, 0, "Symlink",
			     "this is a symbolic link, which is not followed; put the file "
			     "itself here");
	else
		problems_add(r->problems, path, 0, 0, "Submodule",
			     "this is a submodule or no file, which is not read; put the file "
			     "itself "
			     "here");
	return false;
}

int reading_room(struct reading *r, const char *path, size_t size, size_t objects)
{
	if (size > DESIRED_MAX_BYTES - r->bytes) {
		problems_add(
			r->problems, path, 0, 0, "TooLarge",
			"the manifests up to this file have %zu bytes, at most %d; split the "
			"Application",
			r->bytes + size, DESIRED_MAX_BYTES);
		return -1;
	}
	if (objects > DESIRED_MAX_OBJECTS - r->objects) {
		problems_add(r->problems, path, 0, 0, "TooManyObjects",
			     "the files up to this one hold %zu objects, at most %d; split the "
			     "Application",
			     r->objects + objects, DESIRED_MAX_OBJECTS);
		return -1;
	}
	r->bytes += size;
	r->objects += objects;
	return 0;
}

uint32_t reading_add(struct reading *r, const char *path, const struct object_id *blob,
		     size_t size)
{
	struct source_file *f = vec_push(&r->files);

	f->path = arena_strdup(r->arena, path);
	f->size = (uint32_t)size;
	if (blob)
		f->blob = *blob;
	return (uint32_t)(r->files.len - 1);
}

/* ---- What stands in them ---- */

/* Readers put the place before their text; problems have it in fields of their own. */
static void parse_problem(struct reading *r, const char *path, const struct error *err)
{
	uint32_t line = 0, column = 0;
	const char *text = err->text, *rest;

	if (sscanf(text, "line %u, column %u", &line, &column) != 2)
		line = column = 0;
	else if ((rest = strstr(text, ": ")))
		text = rest + 2;
	problems_add(r->problems, path, line, column, error_code(err), "%s", text);
}

/* A file none of whose documents looks like a Kubernetes object is somebody else's: skipped. */
static bool holds_objects(const struct manifest *m)
{
	for (size_t i = 0; i < m->objects.len; i++)
		if (m->objects.items[i].item ||
		    value_get(m->objects.items[i].object, "apiVersion") ||
		    value_get(m->objects.items[i].object, "kind"))
			return true;
	return false;
}

static void add_row(struct reading *r, uint32_t source, size_t document, const struct found *f,
		    struct arena *scratch)
{
	const struct source_file *file = &r->files.items[source];
	struct desired_object row = {.file = file->path,
				     .source = source,
				     .document = (uint32_t)document,
				     .item = f->item};

	if (object_check(r, file->path, f->object, &row) < 0)
		return;
	object_canonicalise(scratch, f->object, row.ns, r->spec->part_of);
	object_hash(row.key, f->object, &r->scratch, row.hash);
	*vec_push(&r->rows) = row;
}

int reading_file(struct reading *r, uint32_t source, const char *data, size_t len)
{
	struct source_file *file = &r->files.items[source];
	struct manifest m;
	struct error err = ERROR_INIT;

	if (len >= strlen(LFS_POINTER) && !memcmp(data, LFS_POINTER, strlen(LFS_POINTER))) {
		problems_add(r->problems, file->path, 1, 0, "LfsPointer",
			     "this is a pointer of Git LFS, not the manifest; manifests must "
			     "be plain "
			     "files in Git");
		return 0;
	}
	if (manifest_parse(file->path, data, len, &m, &err) < 0) {
		parse_problem(r, file->path, &err);
		return 0;
	}
	if (!holds_objects(&m)) {
		r->skipped++;
		manifest_clear(&m);
		return 0;
	}
	int rc = reading_room(r, file->path, 0, m.objects.len);
	file->objects = (uint32_t)m.objects.len;
	for (size_t i = 0; !rc && i < m.objects.len; i++)
		add_row(r, source, i, &m.objects.items[i], m.arena);
	manifest_clear(&m);
	return rc;
}

/* ---- Order and duplicates ---- */

static int place_compare(const struct desired_object *x, const struct desired_object *y)
{
	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return (x->document > y->document) - (x->document < y->document);
}

int row_compare(const void *a, const void *b)
{
	const struct desired_object *x = a, *y = b;
	int c = strcmp(x->key, y->key);

	return c ? c : place_compare(x, y);
}

void reading_duplicate(struct reading *r, const struct desired_object *a,
		       const struct desired_object *b)
{
	const struct desired_object *first = place_compare(a, b) < 0 ? a : b;
	const struct desired_object *second = first == a ? b : a;
	char text[700];

	problems_add(r->problems, second->file, second->line, 0, "DuplicateObject",
		     "%s stands here and in %s:%u (document %u there); keep one",
		     object_key_text(second->key, text, sizeof text), first->file, first->line,
		     first->document + 1);
}
