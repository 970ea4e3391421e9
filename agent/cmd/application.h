/*
 * cmd/application.h - Applications as commands see them: one row each, from their status.
 */
#ifndef CMD_APPLICATION_H
#define CMD_APPLICATION_H

#include "cmd/cli.h"

struct application_view { /* strings belong to the object */
	const char *ns, *name, *sync, *health, *health_message, *revision, *signer, *reason,
		*message;
	const char *phase, *requested, *operation_message;
	int64_t objects, generation, observed;
	bool ready; /* condition Ready is True, for the newest generation */
};
void application_view(const struct value *object, struct application_view *out);

/* GET one, or LIST all of a namespace. */
int application_get(struct cli *c, const char *operand, struct arena *a, struct value **out,
		    struct error *err);
int application_list(struct cli *c, struct arena *a, struct value **out, struct error *err);

/* Watch one until fn says so (return true) or the timeout; progress goes to standard error when
 * it is a terminal. *object is the last one seen. 0; -1: timeout or failure, *err tells. */
int application_watch(struct cli *c, const char *operand,
		      bool (*fn)(void *arg, const struct application_view *v), void *arg,
		      struct arena *a, struct value **object, struct error *err);

#endif
