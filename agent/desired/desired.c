/* desired/desired.c - a tree of files -> struct desired. Files whose blob is the same as in the
 * previous one are not read again: their rows are copied, and only new rows are sorted. */
#include "desired/desired_int.h"

#include <stdlib.h>

#include "base/text.h"

/* ---- Reuse of the previous result ---- */

enum reuse_state { REUSE_OPEN, REUSE_STALE, REUSE_TAKEN };

struct reuse {
	const struct desired *prev; /* or NULL */
	size_t at;		    /* files before it come before the walk */
	unsigned char *state;	    /* enum reuse_state, a file */
	uint32_t *to;		    /* its index in the new result */
};

static bool spec_equal(const struct desired_spec *a, const struct desired_spec *b)
{
	return text_eq(a->app, b->app) && text_eq(a->part_of, b->part_of) &&
	       text_eq(a->path, b->path) && a->recurse == b->recurse && text_eq(a->ns, b->ns);
}

/* What the server knows has changed: files with a kind whose answer differs are read again. */
static void reuse_check_kinds(struct reuse *u, const struct kind_source *kinds)
{
	const struct desired_object *last = NULL;
	const struct kube_kind *now = NULL;

	for (size_t i = 0; i < u->prev->count; i++) {
		const struct desired_object *o = &u->prev->objects[i];
		char group[256];
		const char *version;

		if (!last || last->kind != o->kind || last->api_version != o->api_version) {
			api_version_split(o->api_version, group, &version);
			now = kinds->find(kinds->arg, group, version, o->kind);
			last = o;
		}
		if (now != o->resource)
			u->state[o->source] = REUSE_STALE;
	}
}

static void reuse_init(struct reuse *u, const struct desired *prev,
		       const struct desired_spec *spec, const struct kind_source *kinds)
{
	*u = (struct reuse){0};
	if (!prev || !spec_equal(&prev->spec, spec) || prev->kinds.find != kinds->find ||
	    prev->kinds.arg != kinds->arg)
		return;
	u->prev = prev;
	u->state = mem_array(prev->n_files + 1, 1);
	u->to = mem_array(prev->n_files + 1, sizeof *u->to);
	if (prev->kinds.generation != kinds->generation)
		reuse_check_kinds(u, kinds);
}

static void reuse_clear(struct reuse *u)
{
	free(u->state);
	free(u->to);
}

/* The previous file of this path and content, or NULL. */
static const struct source_file *reuse_find(struct reuse *u, const char *path,
					    const struct object_id *blob)
{
	const struct desired *prev = u->prev;

	if (!prev)
		return NULL;
	while (u->at < prev->n_files && strcmp(prev->files[u->at].path, path) < 0)
		u->at++;
	if (u->at == prev->n_files || strcmp(prev->files[u->at].path, path) ||
	    memcmp(&prev->files[u->at].blob, blob, sizeof *blob) ||
	    u->state[u->at] == REUSE_STALE)
		return NULL;
	return &prev->files[u->at];
}

/* ---- Making ---- */

struct memo { /* rows come sorted by kind: most texts are the one before */
	const char *from, *to;
};

struct making {
	struct reading reading;
	struct reuse reuse;
	const struct tree_source *source;
	const char *base; /* spec.path made plain: "" is the root; no slash at its end */
	struct buf path, data;
	struct memo api_version, kind, ns;
	bool stopped; /* a cap was met and reported */
};

/* The path in the repository; one that is a file itself comes from the walk as its last part.
 */
static const char *join_path(struct making *m, const char *rest)
{
	const char *slash = strrchr(m->base, '/');

	buf_reset(&m->path);
	buf_puts(&m->path, m->base);
	if (text_eq(slash ? slash + 1 : m->base, rest))
		return m->path.ptr;
	if (*m->base)
		buf_putc(&m->path, '/');
	buf_puts(&m->path, rest);
	return m->path.ptr;
}

static int take_old(struct making *m, const char *path, const struct source_file *old)
{
	struct reading *r = &m->reading;
	uint32_t index;

	if (reading_room(r, path, old->size, old->objects) < 0)
		return -1;
	index = reading_add(r, path, &old->blob, old->size);
	r->files.items[index].objects = old->objects;
	r->skipped += !old->objects;
	m->reuse.state[m->reuse.at] = REUSE_TAKEN;
	m->reuse.to[m->reuse.at] = index;
	return 0;
}

static int read_new(struct making *m, const char *path, const struct object_id *blob)
{
	struct reading *r = &m->reading;
	struct error err = ERROR_INIT;

	buf_reset(&m->data);
	if (m->source->read(m->source->arg, blob, &m->data, &err) < 0) {
		problems_add(r->problems, path, 0, 0, error_code(&err), "%s", err.text);
		return 0;
	}
	if (reading_room(r, path, m->data.len, 0) < 0)
		return -1;
	return reading_file(r, reading_add(r, path, blob, m->data.len), m->data.ptr,
			    m->data.len);
}

static int on_file(void *arg, const struct tree_entry *e, struct error *err)
{
	struct making *m = arg;
	const char *path = join_path(m, e->path);
	const struct source_file *old;

	if (!reading_wants(&m->reading, path, e->mode))
		return 0;
	old = reuse_find(&m->reuse, path, &e->id);
	if ((old ? take_old(m, path, old) : read_new(m, path, &e->id)) < 0) {
		m->stopped = true;
		return error_set(err, ERROR_INVALID, "stopped");
	}
	return 0;
}

static const char *share(struct making *m, struct memo *memo, const char *s)
{
	if (memo->from != s)
		*memo = (struct memo){s, reading_intern(&m->reading, s)};
	return memo->to;
}

/* A row of the previous result, copied: strings to the new arena, file index to the new list.
 */
static void copy_row(struct making *m, const struct desired_object *old,
		     struct desired_object *to)
{
	struct reading *r = &m->reading;
	size_t len = strlen(old->key);

	*to = *old;
	to->key = arena_strndup(r->arena, old->key, len);
	to->name = to->key + (old->name - old->key);
	to->source = m->reuse.to[old->source];
	to->file = r->files.items[to->source].path;
	to->api_version = share(m, &m->api_version, old->api_version);
	to->kind = share(m, &m->kind, old->kind);
	to->ns = share(m, &m->ns, old->ns);
}

static size_t count_taken(const struct reuse *u)
{
	size_t n = 0;

	for (size_t i = 0; u->prev && i < u->prev->n_files; i++)
		if (u->state[i] == REUSE_TAKEN)
			n += u->prev->files[i].objects;
	return n;
}

/* Both lists are sorted by key: merge them. */
static void merge_rows(struct making *m, struct desired *d)
{
	struct reading *r = &m->reading;
	const struct desired *prev = m->reuse.prev;
	size_t i = 0, j = 0, n_old = prev ? prev->count : 0;

	if (r->rows.len)
		qsort(r->rows.items, r->rows.len, sizeof *r->rows.items, row_compare);
	d->objects = mem_array(r->rows.len + count_taken(&m->reuse) + 1, sizeof *d->objects);
	for (;;) {
		struct desired_object *to = &d->objects[d->count];

		while (i < n_old && m->reuse.state[prev->objects[i].source] != REUSE_TAKEN)
			i++;
		if (i < n_old && (j == r->rows.len ||
				  strcmp(prev->objects[i].key, r->rows.items[j].key) <= 0))
			copy_row(m, &prev->objects[i++], to);
		else if (j < r->rows.len)
			*to = r->rows.items[j++];
		else
			break;
		d->count++;
		d->unknown += !to->resource;
		if (d->count > 1 && !strcmp(to->key, to[-1].key))
			reading_duplicate(r, &to[-1], to);
	}
}

static void desired_take(struct making *m, const struct desired_spec *spec,
			 const struct kind_source *kinds, struct desired *d)
{
	struct reading *r = &m->reading;

	d->arena = steal(&r->arena);
	d->source = *m->source;
	d->kinds = *kinds;
	d->spec = (struct desired_spec){.app = arena_strdup(d->arena, spec->app),
					.part_of = arena_strdup(d->arena, spec->part_of),
					.path = arena_strdup(d->arena, spec->path),
					.recurse = spec->recurse,
					.ns = arena_strdup(d->arena, spec->ns)};
	d->n_files = r->files.len;
	d->files = mem_realloc(steal(&r->files.items), (d->n_files + 1) * sizeof *d->files);
	d->skipped = r->skipped;
	d->cache = mem_alloc(sizeof *d->cache);
	buf_init(&d->cache->data);
}

static char *plain_path(const char *path)
{
	size_t len;

	while (path && text_starts(path, "./"))
		path += 2;
	if (!path || text_eq(path, "."))
		path = "";
	for (len = strlen(path); len > 1 && path[len - 1] == '/';)
		len--;
	return mem_strndup(path, len);
}

int desired_make_from(const struct tree_source *source, const struct desired_spec *spec,
		      const struct kind_source *kinds, const struct desired *previous,
		      struct desired **out, struct problems *problems)
{
	AUTO_FREE char *base = plain_path(spec->path);
	struct making m = {.source = source, .base = base, .path = BUF_INIT, .data = BUF_INIT};
	struct desired *d = mem_alloc(sizeof *d);
	struct error err = ERROR_INIT;
	size_t before = problems->list.len;
	int rc = -1;

	reading_init(&m.reading, spec, kinds, problems);
	reuse_init(&m.reuse, previous, spec, kinds);
	if (source->walk(source->arg, m.base, spec->recurse, on_file, &m, &err) < 0 &&
	    !m.stopped)
		problems_add(problems, m.base, 0, 0, error_code(&err), "%s", err.text);
	if (!m.stopped)
		merge_rows(&m, d);
	if (problems->list.len == before) {
		desired_take(&m, spec, kinds, d);
		*out = steal(&d);
		rc = 0;
	}
	problems_done(problems);
	desired_free(d);
	reuse_clear(&m.reuse);
	reading_clear(&m.reading);
	buf_clear(&m.path);
	buf_clear(&m.data);
	return rc;
}

void desired_free(struct desired *d)
{
	if (!d)
		return;
	desired_rest(d);
	free(d->cache);
	free(d->objects);
	free(d->files);
	arena_free(d->arena);
	if (d->source.release)
		d->source.release(d->source.arg);
	free(d);
}
