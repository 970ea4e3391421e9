/* json_fuzz.c - what value_json_parse accepts, every writer gives back. */
#include <stdlib.h>
#include <string.h>

#include "value/json.h"
#include "value/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static struct value *parse_again(struct arena *a, const struct buf *text)
{
	struct error err = ERROR_INIT;
	struct value *v = NULL;

	must(value_json_parse(a, text->ptr, text->len, &value_limits_api, &v, &err) == 0);
	return v;
}

/* Canonical bytes are a fixed point, pretty ones hold the same tree, and so does YAML. */
static void check_writers(struct arena *a, const struct value *v)
{
	struct buf canonical = BUF_INIT, again = BUF_INIT, text = BUF_INIT;
	struct value_docs docs = {0};
	struct error err = ERROR_INIT;

	value_json_write(v, &canonical);
	struct value *copy = parse_again(a, &canonical);
	must(value_equal(v, copy));
	value_json_write(copy, &again);
	must(canonical.len == again.len && !memcmp(canonical.ptr, again.ptr, again.len));

	value_json_pretty(v, &text);
	must(value_equal(v, parse_again(a, &text)));

	buf_reset(&text);
	value_yaml_write(v, &text);
	must(value_yaml_parse(a, text.ptr, text.len, &value_limits_api, &docs, &err) == 0);
	if (v->type != VALUE_NULL) {
		must(docs.list.len == 1);
		must(value_equal(v, docs.list.items[0]));
	}
	value_docs_clear(&docs);
	buf_clear(&canonical);
	buf_clear(&again);
	buf_clear(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct value *v = NULL;
	struct error err = ERROR_INIT;

	if (value_json_parse(a, (const char *)data, size, &value_limits_manifest, &v, &err) ==
	    0) {
		must(v != NULL);
		check_writers(a, v);
		must(value_equal(v, value_copy(a, v)));
	} else {
		must(v == NULL && err.kind == ERROR_INVALID && err.reason && err.text[0]);
		must(!strncmp(err.text, "line ", 5));
	}
	arena_free(a);
	return 0;
}
