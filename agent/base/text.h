/*
 * base/text.h - small things about strings: UTF-8, prefixes, comparison, parsing of numbers.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length in bytes of the well-formed UTF-8 character at s (1 to 4), 0 when there is none.
 * Surrogates, overlong forms and values above U+10FFFF are refused. */
size_t text_utf8_rune(const char *s, size_t len, uint32_t *rune);
/* Offset of the first byte that is not well-formed UTF-8; len when all is. */
size_t text_utf8_bad(const char *s, size_t len);
/* True for control characters and for those that reorder or hide text (bidi, zero width). */
bool text_rune_unsafe(uint32_t rune);

bool text_eq(const char *a, const char *b); /* NULL equals only NULL */
bool text_starts(const char *s, const char *prefix);
bool text_ends(const char *s, const char *suffix);
bool text_is_hex(const char *s, size_t len);
/* Decimal digits only, no sign, no white space, at most `max`. 0 or -1. */
int text_u64(const char *s, size_t len, uint64_t max, uint64_t *out);
/* Go-style duration ("90s", "1h30m", "250ms") to milliseconds; at most ten years. 0 or -1. */
int text_duration_ms(const char *s, int64_t *ms);
/* "850ms", "12.3s", "4m05s" for people; `out` holds at least 24 bytes; returns out. */
char *text_duration(int64_t ms, char out[24]);

#endif
