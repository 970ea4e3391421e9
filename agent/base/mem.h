/*
 * base/mem.h - allocation that aborts, and typed growable arrays.
 *
 * Out of memory aborts the process (it restarts and goes on); every size that comes from
 * outside is bounded by its reader before it gets here.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <string.h>

void *mem_alloc(size_t size);		    /* zeroed */
void *mem_array(size_t count, size_t size); /* zeroed; the product is checked */
void *mem_realloc(void *ptr, size_t size);
char *mem_strdup(const char *s); /* NULL gives NULL */
char *mem_strndup(const char *s, size_t len);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Cleanup for locals: AUTO_FREE char *s = ...; for a type T with T_clear(): AUTO(buf) b =
 * BUF_INIT; */
void mem_free_indirect(void *pp);
#define AUTO_FREE __attribute__((cleanup(mem_free_indirect)))
#define AUTO(T)	  __attribute__((cleanup(T##_clear))) struct T

/* Hand a pointer over: the variable becomes NULL. */
#define steal(p)                                   \
	({                                         \
		__typeof__(*(p)) steal_tmp = *(p); \
		*(p) = NULL;                       \
		steal_tmp;                         \
	})

/* struct { VEC(struct thing) things; }: .items, .len, .cap; zero-initialised is empty. */
#define VEC(T)                   \
	struct {                 \
		T *items;        \
		size_t len, cap; \
	}

/* A pointer to one more zeroed item at the end; valid until the next push. */
#define vec_push(v)                                                                       \
	({                                                                                \
		if ((v)->len == (v)->cap)                                                 \
			(v)->items = vec_grow((v)->items, &(v)->cap, sizeof *(v)->items); \
		memset(&(v)->items[(v)->len], 0, sizeof *(v)->items);                     \
		&(v)->items[(v)->len++];                                                  \
	})
#define vec_clear(v)                     \
	do {                             \
		free((v)->items);        \
		(v)->items = NULL;       \
		(v)->len = (v)->cap = 0; \
	} while (0)
void *vec_grow(void *items, size_t *cap, size_t item_size);

#define ARRAY_LEN(a) (sizeof(a) / sizeof(a)[0])

#endif
