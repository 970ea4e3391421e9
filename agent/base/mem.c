/* base/mem.c - see mem.h. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void *check(void *ptr)
{
	if (!ptr) {
		fputs("<0>msg=\"out of memory\"\n", stderr);
		abort();
	}
	return ptr;
}

void *mem_alloc(size_t size)
{
	return check(calloc(1, size ? size : 1));
}

void *mem_array(size_t count, size_t size)
{
	return check(calloc(count ? count : 1, size ? size : 1));
}

void *mem_realloc(void *ptr, size_t size)
{
	return check(realloc(ptr, size ? size : 1));
}

char *mem_strdup(const char *s)
{
	return s ? check(strdup(s)) : NULL;
}

char *mem_strndup(const char *s, size_t len)
{
	char *copy = mem_alloc(len + 1);

	memcpy(copy, s, len);
	return copy;
}

char *mem_printf(const char *fmt, ...)
{
	char *out = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&out, fmt, ap);
	va_end(ap);
	return check(n < 0 ? NULL : out);
}

void mem_free_indirect(void *pp)
{
	free(*(void **)pp);
}

void *vec_grow(void *items, size_t *cap, size_t item_size)
{
	size_t want = *cap ? *cap + *cap / 2 + 1 : 4;

	if (want > ((size_t)-1) / 2 / item_size)
		check(NULL);
	*cap = want;
	return mem_realloc(items, want * item_size);
}
