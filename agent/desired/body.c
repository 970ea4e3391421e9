/* desired/body.c - reading a struct desired: its rows, and a body again from its blob. */
#include "desired/desired_int.h"

#include <stdlib.h>

#include "base/text.h"
#include "value/json.h"

size_t desired_count(const struct desired *d)
{
	return d->count;
}

const struct desired_object *desired_at(const struct desired *d, size_t i)
{
	return &d->objects[i];
}

static int by_key(const void *key, const void *row)
{
	return strcmp(key, ((const struct desired_object *)row)->key);
}

const struct desired_object *desired_find(const struct desired *d, const char *key)
{
	return bsearch(key, d->objects, d->count, sizeof *d->objects, by_key);
}

size_t desired_unknown(const struct desired *d)
{
	return d->unknown;
}

size_t desired_skipped(const struct desired *d)
{
	return d->skipped;
}

const struct verified *desired_verified(const struct desired *d)
{
	return d->verified;
}

size_t desired_bytes(const struct desired *d)
{
	return sizeof *d + arena_bytes(d->arena) + d->count * sizeof *d->objects +
	       d->n_files * sizeof *d->files;
}

/* ---- Bodies ---- */

void desired_rest(const struct desired *d)
{
	if (!d->cache)
		return;
	manifest_clear(&d->cache->whole);
	buf_clear(&d->cache->data);
	d->cache->used = false;
}

static int load(const struct desired *d, const struct desired_object *o, struct error *err)
{
	struct body_cache *c = d->cache;
	const struct source_file *f = &d->files[o->source];

	if (c->used && c->source == o->source)
		return 0;
	desired_rest(d);
	if (odb_read(verified_odb(d->verified), &f->blob, OBJECT_BLOB, GIT_BLOB_MAX, &c->data,
		     err) < 0) {
		buf_clear(&c->data);
		return error_wrap(err, "%s", f->path);
	}
	c->source = o->source;
	c->used = true;
	return 0;
}

/* The tree of one object, in `a`. A document of its own is cut out and parsed alone, so that a
 * file of a thousand objects is not parsed a thousand times; a List or a JSON file is parsed
 * once and kept until another file is asked for. */
static int load_object(const struct desired *d, const struct desired_object *o, struct arena *a,
		       struct value **out, struct error *err)
{
	struct body_cache *c = d->cache;
	struct manifest one;
	const char *at;
	size_t size;

	if (o->item || text_ends(o->file, ".json")) {
		if (!c->whole.arena &&
		    manifest_parse(o->file, c->data.ptr, c->data.len, &c->whole, err) < 0)
			return -1;
		if (o->document < c->whole.objects.len)
			*out = value_copy(a, c->whole.objects.items[o->document].object);
		return 0;
	}
	manifest_slice(c->data.ptr, c->data.len, o->line, &at, &size);
	if (manifest_parse(o->file, at, size, &one, err) < 0)
		return -1;
	if (one.objects.len)
		*out = value_copy(a, one.objects.items[0].object);
	manifest_clear(&one);
	return 0;
}

int desired_body(const struct desired *d, const struct desired_object *o, struct buf *out,
		 struct error *err)
{
	unsigned char hash[DESIRED_HASH_LEN];
	AUTO_ARENA a = arena_new();
	struct value *v = NULL;
	struct buf scratch = BUF_INIT;
	int rc;

	if (load(d, o, err) < 0)
		return -1;
	if (load_object(d, o, a, &v, err) < 0)
		return error_wrap(err, "%s", o->file);
	if (v && v->type == VALUE_OBJECT) {
		object_canonicalise(a, v, o->ns, d->spec.part_of);
		object_hash(o->key, v, &scratch, hash);
	}
	if (!v || v->type != VALUE_OBJECT || memcmp(hash, o->hash, sizeof hash)) {
		rc = error_set(err, ERROR_BUG,
			       "%s:%u: document %u did not read back as it was read", o->file,
			       o->line, o->document + 1);
	} else {
		object_annotate(a, v, o->hash, o->key);
		value_json_write(v, out);
		rc = 0;
	}
	buf_clear(&scratch);
	return rc;
}
