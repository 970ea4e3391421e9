/*
 * desired_fake.h - what the tests of desired/ share: a tree of files in memory in place of a
 * signed commit, and the golden form of results and problems.
 */
#ifndef TESTS_UNIT_DESIRED_FAKE_H
#define TESTS_UNIT_DESIRED_FAKE_H

#include "test.h"

#include "base/digest.h"
#include "base/text.h"
#include "desired/desired_int.h"

#define PART_OF "applyset-test-v1"

/* ---- The tree ---- */

struct fake_file {
	char *path;
	unsigned mode;
	struct object_id id;
	struct buf bytes;
};

struct tree {
	VEC(struct fake_file) files;
	size_t reads;
	int holders;
};

static int fake_compare(const void *a, const void *b)
{
	return strcmp(((const struct fake_file *)a)->path, ((const struct fake_file *)b)->path);
}

static void tree_put(struct tree *v, const char *path, unsigned mode, const char *data,
		     size_t len)
{
	struct fake_file *f = NULL;
	unsigned char whole[DIGEST_LEN];

	for (size_t i = 0; i < v->files.len; i++)
		if (!strcmp(v->files.items[i].path, path))
			f = &v->files.items[i];
	if (!f) {
		f = vec_push(&v->files);
		f->path = mem_strdup(path);
		buf_init(&f->bytes);
	}
	f->mode = mode;
	buf_reset(&f->bytes);
	buf_add(&f->bytes, data, len);
	digest_sha256(data, len, whole);
	memcpy(f->id.raw, whole, sizeof f->id.raw);
	qsort(v->files.items, v->files.len, sizeof *f, fake_compare);
}

static inline void tree_add(struct tree *v, const char *path, const char *text)
{
	tree_put(v, path, 0100644, text, strlen(text));
}

static inline void tree_remove(struct tree *v, size_t i)
{
	free(v->files.items[i].path);
	buf_clear(&v->files.items[i].bytes);
	memmove(&v->files.items[i], &v->files.items[i + 1],
		(v->files.len - i - 1) * sizeof *v->files.items);
	v->files.len--;
}

static inline void tree_clear(struct tree *v)
{
	while (v->files.len)
		tree_remove(v, v->files.len - 1);
	vec_clear(&v->files);
	assert_int_equal(v->holders, 0);
}

/* "== path" starts a file of `text`; what follows up to the next is its content. */
static inline void tree_text(struct tree *v, const char *text)
{
	while (text_starts(text, "== ")) {
		const char *nl = strchr(text, '\n'), *end = strstr(nl, "\n== ");
		AUTO_FREE char *path = mem_strndup(text + 3, (size_t)(nl - text - 3));

		end = end ? end + 1 : text + strlen(text);
		tree_put(v, path, 0100644, nl + 1, (size_t)(end - nl - 1));
		text = end;
	}
}

/* ---- As a source ---- */

static int tree_read(void *arg, const struct object_id *id, struct buf *out, struct error *err)
{
	struct tree *odb = arg;

	odb->reads++;
	for (size_t i = 0; i < odb->files.len; i++) {
		const struct fake_file *f = &odb->files.items[i];
		if (memcmp(&f->id, id, sizeof *id))
			continue;
		if (f->bytes.len > GIT_BLOB_MAX)
			return error_reason(err, ERROR_INVALID, "FileTooLarge",
					    "%zu bytes, at most %zu", f->bytes.len,
					    (size_t)GIT_BLOB_MAX);
		buf_add(out, f->bytes.ptr, f->bytes.len);
		return 0;
	}
	return error_reason(err, ERROR_GONE, "ObjectMissing", "an object is missing");
}

static int tree_walk(void *arg, const char *path, bool recurse, tree_fn *fn, void *fn_arg,
		     struct error *err)
{
	const struct tree *odb = arg;
	size_t base = strlen(path), seen = 0;

	for (size_t i = 0; i < odb->files.len; i++) {
		const struct fake_file *f = &odb->files.items[i];
		const char *rest = f->path + base + (base > 0);
		struct tree_entry e = {.path = rest, .mode = f->mode, .id = f->id};

		if (!strcmp(f->path, path)) { /* a file itself: its last part */
			e.path = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
			return fn(fn_arg, &e, err);
		}
		if (strncmp(f->path, path, base) || (base && f->path[base] != '/'))
			continue;
		seen++;
		if ((recurse || !strchr(rest, '/')) && fn(fn_arg, &e, err) < 0)
			return -1;
	}
	if (!seen && base)
		return error_reason(err, ERROR_GONE, "PathMissing",
				    "path \"%s\": not in this commit", path);
	return 0;
}

static void tree_release(void *arg)
{
	((struct tree *)arg)->holders--;
}

/* desired_make() of this tree. */
static inline int tree_make(struct tree *v, const struct desired_spec *spec,
			    const struct kind_source *kinds, const struct desired *previous,
			    struct desired **out, struct problems *problems)
{
	struct tree_source source = {
		.walk = tree_walk, .read = tree_read, .release = tree_release, .arg = v};
	int rc = desired_make_from(&source, spec, kinds, previous, out, problems);

	v->holders += !rc;
	return rc;
}

/* ---- Golden form ---- */

static inline struct desired_spec fake_spec(void)
{
	return (struct desired_spec){.app = "agent/shop",
				     .part_of = PART_OF,
				     .path = "",
				     .recurse = true,
				     .ns = "shop"};
}

static inline void put_problems(const struct problems *p, struct buf *out)
{
	for (size_t i = 0; i < p->list.len; i++) {
		const struct problem *x = &p->list.items[i];
		buf_printf(out, "%s:%u:%u: %s: %s\n", x->file, x->line, x->column, x->reason,
			   x->text);
	}
}

static inline void put_rows(const struct desired *d, struct buf *out)
{
	for (size_t i = 0; i < desired_count(d); i++) {
		const struct desired_object *o = desired_at(d, i);
		buf_printf(out, "%s %s %s:%u#%u", o->key, o->api_version, o->file, o->line,
			   o->document);
		if (o->wave)
			buf_printf(out, " wave %d", o->wave);
		buf_printf(out, "%s%s%s\n", o->adopt ? " adopt" : "", o->item ? " item" : "",
			   o->resource ? "" : " unknown");
	}
}

/* Everything that a result says, bodies and hashes too. */
static inline void put_all(const struct desired *d, struct buf *out)
{
	struct error err = ERROR_INIT;

	put_rows(d, out);
	buf_printf(out, "%zu unknown, %zu skipped\n", desired_unknown(d), desired_skipped(d));
	for (size_t i = 0; i < desired_count(d); i++) {
		const struct desired_object *o = desired_at(d, i);
		buf_printf(out, "%s|%s|%s|%d ", o->ns, o->name, o->kind, o->tier);
		buf_put_hex(out, o->hash, sizeof o->hash);
		buf_putc(out, ' ');
		if (desired_body(d, o, out, &err) < 0)
			fail_msg("%s: %s", o->key, err.text);
		buf_putc(out, '\n');
		assert_ptr_equal(desired_find(d, o->key), o);
	}
	desired_rest(d);
}

/* Rows of the tree, or its problems. */
static inline void make_text(struct tree *v, const struct desired_spec *spec,
			     const struct kind_source *kinds, struct buf *out)
{
	AUTO(problems) problems = {0};
	struct desired *d = NULL;

	if (tree_make(v, spec, kinds, NULL, &d, &problems) < 0) {
		assert_null(d);
		assert_true(problems.list.len > 0);
		put_problems(&problems, out);
		return;
	}
	assert_int_equal(problems.list.len, 0);
	put_rows(d, out);
	desired_free(d);
}

#endif
