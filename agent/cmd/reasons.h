/*
 * cmd/reasons.h - reason codes with what they mean and what to do, for `explain` and the docs.
 */
#ifndef CMD_REASONS_H
#define CMD_REASONS_H

#include "trust/trust.h"

extern const struct refusal_info reasons[];
extern const size_t reasons_count;

#endif
