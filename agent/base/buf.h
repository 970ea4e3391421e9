/*
 * base/buf.h - a growing byte string.
 *
 * Invariants: .ptr is never NULL, and .ptr[.len] is NUL, so it is always a C string too
 * (bytes before .len may be NUL).
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/mem.h"

extern char buf_empty[];

struct buf {
	char *ptr;
	size_t len, cap; /* cap 0: ptr is buf_empty, not ours to free */
};

#define BUF_INIT                 \
	{                        \
		.ptr = buf_empty \
	}

void buf_init(struct buf *b);
void buf_clear(struct buf *b); /* frees; usable again as empty */
void buf_reset(struct buf *b); /* length 0, keeps the memory */
void buf_reserve(struct buf *b, size_t extra);
void buf_add(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap);
void buf_truncate(struct buf *b, size_t len);
char *buf_detach(struct buf *b); /* the caller frees; b is empty after */

/* Append with everything but printable ASCII and valid UTF-8 text dropped or escaped: for logs,
 * terminals and commit statuses. Control and bidirectional characters become '?'. */
void buf_put_safe(struct buf *b, const char *s, size_t len);

void buf_put_hex(struct buf *b, const unsigned char *data, size_t len);
void buf_put_base64(struct buf *b, const void *data,
		    size_t len); /* standard alphabet, padded */
/* Value of a digit of the standard alphabet, -1 for any other byte. */
int buf_base64_digit(char c);
/* Decode standard base64 (padding optional, white space skipped). -1 on any other byte. */
int buf_put_base64_decoded(struct buf *b, const char *s, size_t len);

#endif
