/* base/random.c - see random.h. */
#include "base/random.h"

#include <sodium.h>

int64_t random_below(int64_t limit)
{
	return limit < 1 ? 0
			 : (int64_t)randombytes_uniform(
				   (uint32_t)(limit > UINT32_MAX ? UINT32_MAX : limit));
}

int64_t random_jitter(int64_t ms)
{
	return ms - ms / 5 + random_below(ms * 2 / 5 + 1);
}
