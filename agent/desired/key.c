/* desired/key.c - the identity of an object as text, and the annotation that carries it. */
#include <stdio.h>

#include "base/text.h"
#include "desired/desired.h"

void object_key_put(struct buf *out, const char *group, const char *kind, const char *ns,
		    const char *name)
{
	buf_puts(out, kind);
	if (group && *group) {
		buf_putc(out, '.');
		buf_puts(out, group);
	}
	buf_putc(out, '|');
	buf_puts(out, ns ? ns : "");
	buf_putc(out, '|');
	buf_puts(out, name);
}

int object_key_parse(const char *key, struct object_key *out)
{
	size_t len = strlen(key);
	char *ns, *name, *dot;

	if (len >= sizeof out->text)
		return -1;
	memcpy(out->text, key, len + 1);
	ns = strchr(out->text, '|');
	name = ns ? strchr(ns + 1, '|') : NULL;
	if (!name || ns == out->text || !name[1])
		return -1;
	*ns++ = '\0';
	*name++ = '\0';
	dot = strchr(out->text, '.');
	if (dot)
		*dot++ = '\0';
	out->kind = out->text;
	out->group = dot ? dot : "";
	out->ns = ns;
	out->name = name;
	return 0;
}

char *object_key_text(const char *key, char *out, size_t size)
{
	struct object_key k;

	if (object_key_parse(key, &k) < 0)
		snprintf(out, size, "%s", key);
	else
		snprintf(out, size, "%s %s%s%s", k.kind, k.ns, *k.ns ? "/" : "", k.name);
	return out;
}

void applied_format(const unsigned char hash[DESIRED_HASH_LEN], const char *key,
		    struct buf *out)
{
	buf_put_hex(out, hash, DESIRED_HASH_LEN);
	buf_putc(out, ' ');
	buf_puts(out, key);
}

static int hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

int applied_parse(const char *text, unsigned char hash[DESIRED_HASH_LEN], const char **key)
{
	const size_t hex = 2 * (size_t)DESIRED_HASH_LEN;

	if (strnlen(text, hex + 2) < hex + 2 || text[hex] != ' ' || !text_is_hex(text, hex))
		return -1;
	for (size_t i = 0; i < DESIRED_HASH_LEN; i++)
		hash[i] = (unsigned char)(hex_digit(text[2 * i]) << 4 |
					  hex_digit(text[2 * i + 1]));
	*key = text + hex + 1;
	return 0;
}
