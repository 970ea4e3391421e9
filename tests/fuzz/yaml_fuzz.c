/* yaml_fuzz.c - what value_yaml_parse accepts reads back from canonical JSON and from YAML. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "value/json.h"
#include "value/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void check_tree(struct arena *a, const struct value *v)
{
	struct buf canonical = BUF_INIT, again = BUF_INIT, text = BUF_INIT;
	struct value_docs docs = {0};
	struct error err = ERROR_INIT;
	struct value *copy = NULL;

	value_json_write(v, &canonical);
	must(text_utf8_bad(canonical.ptr, canonical.len) == canonical.len);
	must(value_json_parse(a, canonical.ptr, canonical.len, &value_limits_api, &copy,
			      &err) == 0);
	must(value_equal(v, copy));
	value_json_write(copy, &again);
	must(canonical.len == again.len && !memcmp(canonical.ptr, again.ptr, again.len));

	value_yaml_write(v, &text);
	must(value_yaml_parse(a, text.ptr, text.len, &value_limits_api, &docs, &err) == 0);
	must(docs.list.len == 1);
	must(value_equal(v, docs.list.items[0]));
	value_docs_clear(&docs);
	buf_clear(&canonical);
	buf_clear(&again);
	buf_clear(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct value_limits limits = value_limits_manifest;
	struct arena *a = arena_new();
	struct value_docs docs = {0};
	struct error err = ERROR_INIT;

	limits.nodes = 10000; /* an alias bomb is one all the same, and the writers stay fast */
	if (value_yaml_parse(a, (const char *)data, size, &limits, &docs, &err) == 0) {
		for (size_t i = 0; i < docs.list.len; i++)
			check_tree(a, docs.list.items[i]);
	} else {
		must(docs.list.len == 0 && err.kind == ERROR_INVALID && err.reason);
		must(!strncmp(err.text, "line ", 5));
		must(text_utf8_bad(err.text, strlen(err.text)) == strlen(err.text));
	}
	value_docs_clear(&docs);
	arena_free(a);
	return 0;
}
