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
	if (d->source.read(d->source.arg, &f->blob, &c->data, err) < 0) {
		buf_clear(&c->data);
		return error_wrap(err, "%s", f->path);
	}
	c->source = o->source;
	c->used = true;
	return 0;
}

/* `v` as it is applied, if it is what the row was made of. */
static bool restore(const struct desired *d, const struct desired_object *o, struct arena *a,
		    struct value *v, struct buf *out)
{
	unsigned char hash[DESIRED_HASH_LEN];
	AUTO(buf) scratch = BUF_INIT;

	if (!v || v->type != VALUE_OBJECT)
		return false;
	object_canonicalise(a, v, o->ns, d->spec.part_of);
	object_hash(o->key, v, &scratch, hash);
	if (memcmp(hash, o->hash, sizeof hash))
		return false;
	object_annotate(a, v, o->hash, o->key);
	value_json_write(v, out);
	return true;
}

/* A document of its own is cut out and parsed alone, so that a file of a thousand objects is
 * not parsed a thousand times. False for the few that need the whole file (its end is a
 * directive). */
static bool body_from_slice(const struct desired *d, const struct desired_object *o,
			    struct buf *out)
{
	struct manifest one;
	const char *at;
	size_t size;
	bool done;

	if (o->item || text_ends(o->file, ".json"))
		return false;
	manifest_slice(d->cache->data.ptr, d->cache->data.len, o->line, &at, &size);
	if (manifest_parse(o->file, at, size, &one, NULL) < 0)
		return false;
	done = restore(d, o, one.arena, one.objects.len ? one.objects.items[0].object : NULL,
		       out);
	manifest_clear(&one);
	return done;
}

/* Parsed once, kept until another file is asked for. */
static int body_from_whole(const struct desired *d, const struct desired_object *o,
			   struct buf *out, struct error *err)
{
	struct body_cache *c = d->cache;
	AUTO_ARENA a = arena_new();
	struct value *v = NULL;

	if (!c->whole.arena &&
	    manifest_parse(o->file, c->data.ptr, c->data.len, &c->whole, err) < 0)
		return error_wrap(err, "%s", o->file);
	if (o->document < c->whole.objects.len)
		v = value_copy(a, c->whole.objects.items[o->document].object);
	if (!restore(d, o, a, v, out))
		return error_set(err, ERROR_BUG,
				 "%s:%u: document %u did not read back as it was read", o->file,
				 o->line, o->document + 1);
	return 0;
}

int desired_body(const struct desired *d, const struct desired_object *o, struct buf *out,
		 struct error *err)
{
	if (load(d, o, err) < 0)
		return -1;
	return body_from_slice(d, o, out) ? 0 : body_from_whole(d, o, out, err);
}
