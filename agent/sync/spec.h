/*
 * sync/spec.h - what an Application object says, read strictly.
 *
 * Every field and every syncOptions value is honoured or refused by name; none is ignored.
 */
#ifndef SYNC_SPEC_H
#define SYNC_SPEC_H

#include "base/mem.h"
#include "value/value.h"

struct app_spec {
	const char *repo_url, *target, *path;
	bool recurse;
	const char *dest_ns; /* or NULL */
	bool automated, prune, self_heal, allow_empty;
	int prune_limit; /* -1: default */
	int64_t retry_limit, retry_ms, retry_factor, retry_max_ms;
	int64_t interval_ms; /* 0: the agent's default */
	const char *policy;  /* trustPolicyRef.name, or NULL: the agent's default */
	bool suspend;
	int history_limit;
	/* commitStatus; provider NULL: none wanted */
	const char *status_provider, *status_url, *status_secret, *status_key, *status_context;
};

/* Strings live in `a`. -1: *err names the field, what was seen and what is wanted
 * (ERROR_INVALID "SpecInvalid" or "NotSupported"). */
int app_spec_read(struct arena *a, const struct value *application, struct app_spec *out,
		  struct error *err);

#endif
