/* base/random.h - randomness for jitter and names; keys come from libsodium directly. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

int64_t random_below(int64_t limit); /* 0 .. limit-1; 0 when limit < 1 */
int64_t random_jitter(int64_t ms);   /* ms, give or take a fifth */

#endif
