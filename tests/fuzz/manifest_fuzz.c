/* manifest_fuzz.c - one manifest file: rows are sound, and each body reads back with its hash.
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "desired/desired_int.h"
#include "value/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void check_problems(const struct problems *p)
{
	for (size_t i = 0; i < p->list.len; i++) {
		const struct problem *x = &p->list.items[i];

		must(x->reason && *x->reason && *x->text);
		must(text_utf8_bad(x->text, strlen(x->text)) == strlen(x->text));
	}
}

/* A document that stands alone is cut out by its line, as desired_body() does. */
static void check_body(const struct desired_object *o, const char *data, size_t size)
{
	struct manifest one;
	struct error err = ERROR_INIT;
	unsigned char hash[DESIRED_HASH_LEN];
	struct buf json = BUF_INIT;
	const char *at;
	size_t len;

	manifest_slice(data, size, o->line, &at, &len);
	must(manifest_parse(o->file, at, len, &one, &err) == 0 && one.objects.len);
	struct value *v = one.objects.items[0].object, *again;
	object_canonicalise(one.arena, v, o->ns, "part");
	object_hash(o->key, v, &json, hash);
	must(!memcmp(hash, o->hash, sizeof hash));
	object_annotate(one.arena, v, o->hash, o->key);
	buf_reset(&json);
	value_json_write(v, &json);
	must(value_json_parse(one.arena, json.ptr, json.len, &value_limits_api, &again, &err) ==
	     0);
	must(value_equal(v, again));
	buf_clear(&json);
	manifest_clear(&one);
}

static void check_row(const struct desired_object *o, bool json, const char *data, size_t size)
{
	struct object_key k;

	must(object_key_parse(o->key, &k) == 0);
	must(!strcmp(k.kind, o->kind) && !strcmp(k.ns, o->ns) && !strcmp(k.name, o->name));
	must(name_is_segment(o->name) && (!*o->ns || name_is_label(o->ns)));
	if (!json && !o->item && !memchr(data, '%', size)) /* a directive may end a document */
		check_body(o, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool json = size && (data[0] == '{' || data[0] == '[');
	struct desired_spec spec = {.app = "agent/app", .part_of = "part", .ns = "shop"};
	struct problems problems = {0};
	struct reading r;

	if (size > 65536)
		return 0;
	reading_init(&r, &spec, &kind_source_builtin, &problems);
	reading_file(&r, reading_add(&r, json ? "a.json" : "a.yaml", NULL, size),
		     (const char *)data, size);
	for (size_t i = 0; i < r.rows.len; i++)
		check_row(&r.rows.items[i], json, (const char *)data, size);
	must(!r.skipped || (!r.rows.len && !problems.list.len));
	problems_done(&problems);
	check_problems(&problems);
	problems_clear(&problems);
	reading_clear(&r);
	return 0;
}
