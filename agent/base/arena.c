/* base/arena.c - a list of blocks, each twice the size of the last up to 64 KiB. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_BLOCK 512
#define LAST_BLOCK  65536

struct block {
	struct block *next;
	size_t used, size;
	alignas(max_align_t) char data[];
};

struct arena {
	struct block *head;
	size_t next_size, total;
};

struct arena *arena_new(void)
{
	struct arena *a = mem_alloc(sizeof *a);

	a->next_size = FIRST_BLOCK;
	return a;
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	for (struct block *b = a->head, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(a);
}

static struct block *block_new(size_t size)
{
	struct block *b = mem_alloc(sizeof *b + size);

	b->size = size;
	return b;
}

static void *reserve(struct arena *a, size_t size, size_t align)
{
	struct block *b = a->head;

	if (b) {
		size_t at = (b->used + align - 1) & ~(align - 1);
		if (at <= b->size && size <= b->size - at) {
			b->used = at + size;
			return b->data + at;
		}
	}
	if (size > a->next_size / 2 && b) { /* a big one gets its own block, behind the head */
		struct block *own = block_new(size);
		own->used = size;
		own->next = b->next;
		b->next = own;
		a->total += size;
		return own->data;
	}
	size_t want = size > a->next_size ? size : a->next_size;
	b = block_new(want);
	b->next = a->head;
	b->used = size;
	a->head = b;
	a->total += want;
	if (a->next_size < LAST_BLOCK)
		a->next_size *= 2;
	return b->data;
}

void *arena_alloc(struct arena *a, size_t size)
{
	return reserve(a, size ? size : 1, alignof(max_align_t));
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *copy = reserve(a, len + 1, 1);

	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *out = reserve(a, (size_t)(n < 0 ? 0 : n) + 1, 1);
	vsnprintf(out, (size_t)(n < 0 ? 0 : n) + 1, fmt, again);
	va_end(again);
	return out;
}

size_t arena_bytes(const struct arena *a)
{
	return a->total;
}

void arena_cleanup(struct arena **a)
{
	arena_free(*a);
}
