/*
 * Trees, from their raw bytes by a strict grammar of our own: listing the files of a folder,
 * and the paths that differ between two trees. Feeds desired/ (manifests) and trust/ (path
 * rules).
 */
#include <stdlib.h>

#include "git/git_int.h"

static bool is_tree(const struct raw_entry *e)
{
	return e->mode == 040000;
}

void raw_tree_clear(struct raw_tree *t)
{
	vec_clear(&t->entries);
	buf_clear(&t->bytes);
}

int raw_entry_cmp(const struct raw_entry *a, const struct raw_entry *b)
{
	size_t n = a->name_len < b->name_len ? a->name_len : b->name_len;
	int c = memcmp(a->name, b->name, n);
	unsigned char ca, cb;

	if (c)
		return c;
	ca = (unsigned char)(a->name_len > n ? a->name[n] : is_tree(a) ? '/' : 0);
	cb = (unsigned char)(b->name_len > n ? b->name[n] : is_tree(b) ? '/' : 0);
	return ca - cb;
}

static int bad_tree(struct error *err, const char *where, const char *name, const char *why)
{
	AUTO(buf) safe = BUF_INIT;

	buf_put_safe(&safe, name, strnlen(name, 80));
	return error_reason(err, ERROR_INVALID, "BadTree", "folder \"%s\", entry \"%s\": %s",
			    where, safe.ptr, why);
}

static bool dot_git(const char *name, size_t len)
{
	return (len == 4 && strncasecmp(name, ".git", 4) == 0) ||
	       (len == 5 && strncasecmp(name, "git~1", 5) == 0);
}

static const char *name_refused(const char *name, size_t len)
{
	if (len == 0)
		return "an empty name";
	if (memchr(name, '/', len) || memchr(name, '\\', len))
		return "a name may hold neither / nor \\";
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return "\".\" and \"..\" are no names";
	if (dot_git(name, len))
		return "git's own folder can't be content";
	return NULL;
}

static bool mode_parse(const char *s, size_t len, unsigned *mode)
{
	static const struct {
		const char *text;
		unsigned mode;
	} known[] = {
		{"100644", 0100644}, {"100755", 0100755}, {"40000", 040000},
		{"120000", 0120000}, {"160000", 0160000}, {"100664", 0100644},
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strlen(known[i].text) == len && memcmp(known[i].text, s, len) == 0) {
			*mode = known[i].mode;
			return true;
		}
	}
	return false;
}

/* A folder "x" after a file "x": they aren't neighbours in git's order, so look the file up. */
static bool has_twin(const struct raw_tree *t, const struct raw_entry *dir)
{
	struct raw_entry file = *dir;
	size_t lo = 0, hi = t->entries.len;

	file.mode = 0100644;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = raw_entry_cmp(&t->entries.items[mid], &file);

		if (c == 0)
			return true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

int raw_tree_parse(struct raw_tree *t, const char *where, struct error *err)
{
	const char *p = t->bytes.ptr, *end = p + t->bytes.len;
	const char *why;

	while (p < end) {
		const char *space = memchr(p, ' ', (size_t)(end - p));
		const char *nul = space ? memchr(space, 0, (size_t)(end - space)) : NULL;
		struct raw_entry e;

		if (!nul || end - nul - 1 < OBJECT_ID_LEN)
			return bad_tree(err, where, "", "the tree object is cut short");
		e.name = space + 1;
		e.name_len = (size_t)(nul - e.name);
		e.id = (const unsigned char *)nul + 1;
		if (!mode_parse(p, (size_t)(space - p), &e.mode))
			return bad_tree(err, where, e.name, "its mode is none that git writes");
		why = name_refused(e.name, e.name_len);
		if (!why && t->entries.len &&
		    raw_entry_cmp(&t->entries.items[t->entries.len - 1], &e) >= 0)
			why = "the tree is out of order";
		if (!why && is_tree(&e) && has_twin(t, &e))
			why = "the name is there twice";
		if (why)
			return bad_tree(err, where, e.name, why);
		*vec_push(&t->entries) = e;
		p = nul + 1 + OBJECT_ID_LEN;
	}
	return 0;
}

int raw_tree_read(struct odb *odb, const unsigned char *id, const char *where,
		  struct raw_tree *t, struct error *err)
{
	struct object_id oid;

	t->bytes = (struct buf)BUF_INIT;
	if (!id)
		return 0;
	memcpy(oid.raw, id, OBJECT_ID_LEN);
	if (odb_read(odb, &oid, OBJECT_TREE, GIT_TREE_BYTES, &t->bytes, err) < 0)
		return -1;
	return raw_tree_parse(t, where, err);
}

/* ---- Walking ---- */

struct walk {
	struct odb *odb;
	tree_fn *fn;
	void *arg;
	struct error *err;
	bool recurse;
	size_t entries; /* folders count too, or a tower of empty ones would be free */
	struct buf path;
};

static int walk_emit(struct walk *w, unsigned mode, const unsigned char *id)
{
	struct tree_entry e = {.path = w->path.ptr, .mode = mode};

	memcpy(e.id.raw, id, OBJECT_ID_LEN);
	return w->fn(w->arg, &e, w->err);
}

/* Put the name behind the path so far, within the caps. *mark is where to cut it again. */
static int walk_enter(struct walk *w, const struct raw_entry *e, int depth, size_t *mark)
{
	*mark = w->path.len;
	if (++w->entries > GIT_TREE_FILES)
		return error_reason(w->err, ERROR_INVALID, "TooManyFiles",
				    "more than %d files and folders", GIT_TREE_FILES);
	if (depth > GIT_TREE_DEPTH)
		return error_reason(w->err, ERROR_INVALID, "TreeTooDeep",
				    "folders nested deeper than %d", GIT_TREE_DEPTH);
	if (w->path.len + 1 + e->name_len > GIT_TREE_PATH)
		return error_reason(w->err, ERROR_INVALID, "PathTooLong",
				    "a path longer than %d bytes: %.60s...", GIT_TREE_PATH,
				    w->path.ptr);
	if (w->path.len)
		buf_putc(&w->path, '/');
	buf_add(&w->path, e->name, e->name_len);
	return 0;
}

static int walk_tree(struct walk *w, const unsigned char *id, int depth)
{
	struct raw_tree t = {0};
	int rc = raw_tree_read(w->odb, id, w->path.ptr, &t, w->err);

	for (size_t i = 0; rc == 0 && i < t.entries.len; i++) {
		const struct raw_entry *e = &t.entries.items[i];
		size_t mark;

		rc = walk_enter(w, e, depth, &mark);
		if (rc == 0 && !is_tree(e))
			rc = walk_emit(w, e->mode, e->id);
		else if (rc == 0 && w->recurse)
			rc = walk_tree(w, e->id, depth + 1);
		buf_truncate(&w->path, mark);
	}
	raw_tree_clear(&t);
	return rc;
}

static int path_missing(struct error *err, const char *path, const char *why)
{
	AUTO(buf) safe = BUF_INIT;

	buf_put_safe(&safe, path, strnlen(path, 200));
	return error_reason(err, ERROR_GONE, "PathMissing", "path \"%s\": %s", safe.ptr, why);
}

/* Follow one part of the path. *id is replaced by what it names. */
static int descend(struct odb *odb, const char *path, const char *part, size_t len,
		   struct object_id *id, unsigned *mode, struct error *err)
{
	struct raw_tree t = {0};
	int rc;

	if (*mode != 040000)
		return path_missing(err, path, "a part of it is a file, not a folder");
	rc = raw_tree_read(odb, id->raw, path, &t, err);
	for (size_t i = 0; rc == 0 && i < t.entries.len; i++) {
		const struct raw_entry *e = &t.entries.items[i];

		if (e->name_len == len && memcmp(e->name, part, len) == 0) {
			memcpy(id->raw, e->id, OBJECT_ID_LEN);
			*mode = e->mode;
			raw_tree_clear(&t);
			return 0;
		}
	}
	raw_tree_clear(&t);
	return rc < 0 ? -1 : path_missing(err, path, "not in this commit");
}

/* `path` from the root; *base is left at its last part. */
static int resolve(struct odb *odb, const char *path, struct object_id *id, unsigned *mode,
		   const char **base, struct error *err)
{
	int depth = 0;

	if (path[0] == '/')
		return path_missing(err, path, "write it relative to the repository's root");
	for (const char *p = path; *p;) {
		size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			return path_missing(err, path, "\"..\" leads out of the repository");
		if (++depth > GIT_TREE_DEPTH || strlen(path) > GIT_TREE_PATH)
			return path_missing(err, path, "too long or too deep");
		if (len > 0 && !(len == 1 && p[0] == '.')) {
			if (descend(odb, path, p, len, id, mode, err) < 0)
				return -1;
			*base = p;
		}
		p += len;
		if (*p == '/')
			p++;
	}
	return 0;
}

int odb_walk(struct odb *odb, const struct object_id *tree, const char *path, bool recurse,
	     tree_fn *fn, void *arg, struct error *err)
{
	struct walk w = {.odb = odb, .fn = fn, .arg = arg, .err = err, .recurse = recurse};
	struct object_id id = *tree;
	const char *base = "";
	unsigned mode = 040000;
	int rc;

	buf_init(&w.path);
	if (resolve(odb, path, &id, &mode, &base, err) < 0)
		return -1;
	if (mode == 040000) {
		rc = walk_tree(&w, id.raw, 1);
	} else {
		buf_add(&w.path, base, strcspn(base, "/"));
		rc = walk_emit(&w, mode, id.raw);
	}
	buf_clear(&w.path);
	return rc;
}

/* ---- Differences ---- */

static int diff_trees(struct walk *w, const unsigned char *old_id, const unsigned char *new_id,
		      int depth);

/* A side without the entry is NULL (both: no difference). Folders are gone into; a file that is
 * no more has mode 0 and its old id. */
static int diff_entry(struct walk *w, const struct raw_entry *o, const struct raw_entry *n,
		      int depth)
{
	const struct raw_entry *e = n ? n : o;
	size_t mark;
	int rc;

	if (!e || (o && n && o->mode == n->mode && !memcmp(o->id, n->id, OBJECT_ID_LEN)))
		return 0;
	rc = walk_enter(w, e, depth, &mark);
	if (rc == 0 && is_tree(e))
		rc = diff_trees(w, o ? o->id : NULL, n ? n->id : NULL, depth + 1);
	else if (rc == 0)
		rc = walk_emit(w, n ? n->mode : 0, e->id);
	buf_truncate(&w->path, mark);
	return rc;
}

static int diff_trees(struct walk *w, const unsigned char *old_id, const unsigned char *new_id,
		      int depth)
{
	struct raw_tree o = {0}, n = {.bytes = BUF_INIT};
	int rc = raw_tree_read(w->odb, old_id, w->path.ptr, &o, w->err);

	if (rc == 0)
		rc = raw_tree_read(w->odb, new_id, w->path.ptr, &n, w->err);
	for (size_t i = 0, j = 0; rc == 0 && (i < o.entries.len || j < n.entries.len);) {
		const struct raw_entry *a = i < o.entries.len ? &o.entries.items[i] : NULL;
		const struct raw_entry *b = j < n.entries.len ? &n.entries.items[j] : NULL;
		int c = !a ? 1 : !b ? -1 : raw_entry_cmp(a, b);

		rc = diff_entry(w, c <= 0 ? a : NULL, c >= 0 ? b : NULL, depth);
		i += c <= 0;
		j += c >= 0;
	}
	raw_tree_clear(&o);
	raw_tree_clear(&n);
	return rc;
}

int odb_diff(struct odb *odb, const struct object_id *old_tree,
	     const struct object_id *new_tree, tree_fn *fn, void *arg, struct error *err)
{
	struct walk w = {.odb = odb, .fn = fn, .arg = arg, .err = err, .recurse = true};
	int rc;

	if (old_tree && new_tree && object_id_eq(old_tree, new_tree))
		return 0;
	buf_init(&w.path);
	rc = diff_trees(&w, old_tree ? old_tree->raw : NULL, new_tree ? new_tree->raw : NULL,
			1);
	buf_clear(&w.path);
	return rc;
}
