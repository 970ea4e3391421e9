/*
 * apply/pace.c - how many requests are in flight: as TCP does it.
 *
 * One more with every answer until the server first says that it is busy, then one more with
 * every full window; halved when it is busy, once for all requests that were sent together.
 */
#include "apply/apply_int.h"

#define PACE_START 8
#define PACE_MAX   32

void pace_init(struct pace *p, int max)
{
	*p = (struct pace){.max = max > 0 ? max : PACE_MAX};
	p->window = p->max < PACE_START ? p->max : PACE_START;
}

bool pace_free(const struct pace *p)
{
	return p->in_flight < p->window;
}

uint64_t pace_sent(struct pace *p)
{
	p->in_flight++;
	return p->round;
}

void pace_answered(struct pace *p, uint64_t round, bool busy)
{
	p->in_flight--;
	if (busy && round == p->round) {
		p->window = p->window > 1 ? p->window / 2 : 1;
		p->round++;
		p->credit = 0;
		return;
	}
	if (busy || p->window >= p->max || (p->round && ++p->credit < p->window))
		return;
	p->window++;
	p->credit = 0;
}
