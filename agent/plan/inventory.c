/* plan/inventory.c - see inventory.h. An entry is one block: the struct, then its key. */
#include "plan/inventory.h"

#include <stdlib.h>

#include "base/text.h"

void inventory_clear(struct inventory *inv)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_next(&inv->entries, &i));)
		free(e->value);
	map_clear(&inv->entries);
}

struct inventory_entry *inventory_get(const struct inventory *inv, const char *key)
{
	return map_get(&inv->entries, key);
}

struct inventory_entry *inventory_add(struct inventory *inv, const char *key)
{
	struct inventory_entry *e = inventory_get(inv, key);
	size_t size = strlen(key) + 1;

	if (e)
		return e;
	e = mem_alloc(sizeof *e + size);
	e->key = memcpy(e + 1, key, size);
	map_put(&inv->entries, key, e);
	return e;
}

void inventory_remove(struct inventory *inv, const char *key)
{
	free(map_remove(&inv->entries, key));
}

size_t inventory_count(const struct inventory *inv)
{
	return inv->entries.len;
}

/* ---- Stored form ---- */

void inventory_entry_format(const struct inventory_entry *e, struct buf *out)
{
	static const unsigned char nothing[DESIRED_HASH_LEN];

	buf_puts(out, *e->uid ? e->uid : "-");
	buf_putc(out, ' ');
	if (memcmp(e->hash, nothing, sizeof nothing))
		buf_put_hex(out, e->hash, sizeof e->hash);
	else
		buf_putc(out, '-');
	if (e->own)
		buf_printf(out, " %016llx", (unsigned long long)e->own);
	else
		buf_puts(out, " -");
}

static int parse_hex(const char *s, size_t len, unsigned char *out, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	if (len == 1 && *s == '-') {
		memset(out, 0, size);
		return 0;
	}
	if (len != 2 * size || !text_is_hex(s, len))
		return -1;
	for (size_t i = 0; i < size; i++)
		out[i] = (unsigned char)((strchr(digits, s[2 * i]) - digits) << 4 |
					 (strchr(digits, s[2 * i + 1]) - digits));
	return 0;
}

int inventory_entry_parse(const char *text, struct inventory_entry *e)
{
	unsigned char hash[DESIRED_HASH_LEN], own[8];
	size_t uid = strcspn(text, " "), mid;
	const char *p = text + uid + (text[uid] == ' ');

	if (!uid || uid >= sizeof e->uid)
		return -1;
	mid = strcspn(p, " ");
	if (!p[mid] || parse_hex(p, mid, hash, sizeof hash) < 0 ||
	    parse_hex(p + mid + 1, strlen(p + mid + 1), own, sizeof own) < 0)
		return -1;
	memset(e->uid, 0, sizeof e->uid);
	if (uid != 1 || *text != '-')
		memcpy(e->uid, text, uid);
	memcpy(e->hash, hash, sizeof hash);
	e->own = 0;
	for (size_t i = 0; i < sizeof own; i++)
		e->own = e->own << 8 | own[i];
	return 0;
}
