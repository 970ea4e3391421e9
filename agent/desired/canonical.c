/* desired/canonical.c - an object as it is applied: what the server owns left out, ours put in.
 */
#include "desired/desired_int.h"

#include "base/digest.h"
#include "base/text.h"
#include "value/json.h"

static const char *const server_fields[] = {"creationTimestamp", "uid",
					    "resourceVersion",	 "generation",
					    "managedFields",	 "selfLink"};

/* stringData is write-only at the server: only `f:stringData` would be owned, and drift of data
 * would not be seen. So do what the server does: each of its keys wins over data. */
static void fold_string_data(struct arena *a, struct value *secret)
{
	struct value *from = value_get(secret, "stringData"), *to;
	struct buf text = BUF_INIT;
	struct member *m;

	if (!from)
		return;
	to = value_object_at(a, secret, "data");
	object_each (from, i, m) {
		buf_reset(&text);
		buf_put_base64(&text, m->value->text.ptr, m->value->text.len);
		value_set(a, to, m->key, value_stringn(a, text.ptr, text.len));
	}
	value_remove(secret, "stringData");
	buf_clear(&text);
}

void object_canonicalise(struct arena *a, struct value *o, const char *ns, const char *part_of)
{
	struct value *metadata = value_object_at(a, o, "metadata");
	struct value *annotations = value_get(metadata, "annotations");

	value_drop_nulls(o);
	value_remove(o, "status");
	for (size_t i = 0; i < ARRAY_LEN(server_fields); i++)
		value_remove(metadata, server_fields[i]);
	if (text_eq(value_get_str(o, "apiVersion"), "v1") &&
	    text_eq(value_get_str(o, "kind"), "Secret"))
		fold_string_data(a, o);
	if (ns && *ns)
		value_set_string(a, metadata, "namespace", ns);
	else
		value_remove(metadata, "namespace");
	value_set_string(a, value_object_at(a, metadata, "labels"), LABEL_PART_OF, part_of);
	if (annotations)
		value_remove(annotations, ANNOTATION_APPLIED);
	if (!value_len(annotations))
		value_remove(metadata, "annotations");
}

void object_hash(const char *key, const struct value *canonical, struct buf *scratch,
		 unsigned char hash[DESIRED_HASH_LEN])
{
	unsigned char whole[DIGEST_LEN];

	buf_reset(scratch);
	buf_puts(scratch, key);
	buf_putc(scratch, '\n');
	value_json_write(canonical, scratch);
	digest_sha256(scratch->ptr, scratch->len, whole);
	memcpy(hash, whole, DESIRED_HASH_LEN);
}

void object_annotate(struct arena *a, struct value *o, const unsigned char *hash,
		     const char *key)
{
	struct value *metadata = value_object_at(a, o, "metadata");
	struct buf text = BUF_INIT;

	applied_format(hash, key, &text);
	value_set_string(a, value_object_at(a, metadata, "annotations"), ANNOTATION_APPLIED,
			 text.ptr);
	buf_clear(&text);
}
