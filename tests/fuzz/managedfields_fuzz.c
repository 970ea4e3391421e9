/* managedfields_fuzz.c - metadata of any shape gives a row, and the same facts again when its
 * keys stand in another order. */
#include <stdlib.h>
#include <string.h>

#include "live/live_int.h"
#include "value/json.h"

#define KEY "ConfigMap|default|a"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static struct value *parse(struct arena *a, const char *data, size_t size)
{
	struct error err = ERROR_INIT;
	struct value *v = NULL;

	return value_json_parse(a, data, size, &value_limits_manifest, &v, &err) == 0 ? v
										      : NULL;
}

static struct row *read_row(struct rows *rows, const char *key, const struct value *v)
{
	struct buf scratch = BUF_INIT;
	struct row *row = rows_add(rows, key, "default", "a");

	row_read(row, v, &scratch);
	buf_clear(&scratch);
	must(strlen(row->uid) < ROW_UID_MAX);
	must(row->o.own == live_own_digest(v, MANAGER));
	return row;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct value *v = parse(a, (const char *)data, size), *again;
	struct buf canonical = BUF_INIT;
	struct rows rows = {0};
	struct row *x, *y;

	if (v) {
		value_json_write(v, &canonical);
		again = parse(a, canonical.ptr, canonical.len);
		must(again != NULL);
		x = read_row(&rows, KEY, v);
		y = read_row(&rows, "ConfigMap|other|a", again);
		must(x->o.own == y->o.own && x->o.version == y->o.version);
		must(x->o.deleting == y->o.deleting && !strcmp(x->uid, y->uid));
		must(x->o.foreign_owner == y->o.foreign_owner);
		must(!x->o.has_hash || !y->o.has_hash); /* one annotation names one key */
	}
	rows_clear(&rows);
	buf_clear(&canonical);
	arena_free(a);
	return 0;
}
