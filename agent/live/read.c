/*
 * live/read.c - one object as the API server shows it -> the facts of its row. Pure.
 *
 * Everything here was written by others and may have any shape: what is not as expected counts
 * as absent.
 */
#include <stdio.h>

#include "base/digest.h"
#include "base/text.h"
#include "live/live_int.h"
#include "value/json.h"

/* fieldsV1 of what `manager` applied, or NULL. Entries of subresources are not ours to keep. */
static const struct value *own_fields(const struct value *object, const char *manager)
{
	const struct value *list = value_at(object, "metadata", "managedFields", NULL);
	const struct value *entry;

	array_each (list, i, entry) {
		const char *subresource = value_get_str(entry, "subresource");

		if (subresource && *subresource)
			continue;
		if (text_eq(value_get_str(entry, "manager"), manager) &&
		    text_eq(value_get_str(entry, "operation"), "Apply"))
			return value_get(entry, "fieldsV1");
	}
	return NULL;
}

static uint64_t digest_fields(const struct value *fields, struct buf *scratch)
{
	if (!fields)
		return 0;
	buf_reset(scratch);
	value_json_write(fields, scratch);
	return digest_u64(scratch->ptr, scratch->len);
}

uint64_t live_own_digest(const struct value *object, const char *manager)
{
	AUTO(buf) scratch = BUF_INIT;

	return digest_fields(own_fields(object, manager), &scratch);
}

uint64_t live_version(const struct value *object)
{
	const char *text = value_get_str(value_get(object, "metadata"), "resourceVersion");
	uint64_t version;

	if (!text || text_u64(text, strlen(text), UINT64_MAX, &version) < 0)
		return 0;
	return version;
}

/* A controller that the owner reference names, unless our own apply set that reference. */
static bool foreign_owner(const struct value *meta, const struct value *fields)
{
	const struct value *refs = value_get(meta, "ownerReferences"), *ref;
	const struct value *ours = value_at(fields, "f:metadata", "f:ownerReferences", NULL);
	char path[128];

	array_each (refs, i, ref) {
		const char *uid = value_get_str(ref, "uid");

		if (!value_get_bool(ref, "controller", false))
			continue;
		snprintf(path, sizeof path, "k:{\"uid\":\"%s\"}", uid ? uid : "");
		if (!value_get(ours, path))
			return true;
	}
	return false;
}

void row_read(struct row *row, const struct value *object, struct buf *scratch)
{
	const struct value *meta = value_get(object, "metadata");
	const struct value *fields = own_fields(object, MANAGER);
	const char *uid = value_get_str(meta, "uid");
	const char *applied = value_get_str(value_get(meta, "annotations"), ANNOTATION_APPLIED);
	const char *key = NULL;
	struct live_object *o = &row->o;

	snprintf(row->uid, sizeof row->uid, "%s", uid ? uid : "");
	o->version = live_version(object);
	o->own = digest_fields(fields, scratch);
	o->deleting = value_get_str(meta, "deletionTimestamp") != NULL;
	o->foreign_owner = foreign_owner(meta, fields);
	o->has_hash =
		applied && applied_parse(applied, o->hash, &key) == 0 && text_eq(key, o->key);
	if (!o->has_hash)
		memset(o->hash, 0,
		       sizeof o->hash); /* a copied annotation says nothing about us */
}
