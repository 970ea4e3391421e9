/*
 * base/arena.h - memory of one result, freed as a whole.
 *
 * Everything allocated from an arena lives exactly as long as the arena. Not thread-safe.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a);		    /* NULL is fine */
void *arena_alloc(struct arena *a, size_t size);    /* zeroed, aligned for any type */
char *arena_strdup(struct arena *a, const char *s); /* NULL gives NULL */
char *arena_strndup(struct arena *a, const char *s, size_t len); /* adds a NUL */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
size_t arena_bytes(const struct arena *a); /* what it holds, for budgets and tests */

void arena_cleanup(struct arena **a);
#define AUTO_ARENA __attribute__((cleanup(arena_cleanup))) struct arena *

#endif
