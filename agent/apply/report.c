/*
 * apply/report.c - what came of it: counts, and every refusal and failure with its file.
 *
 * Answers come in any order; what is shown is in the order of files and lines.
 */
#include "apply/apply_int.h"

void report_refusals(struct apply *a)
{
	for (size_t i = 0; i < a->len; i++) {
		const struct change *c = a->items[i].change;
		struct error err = ERROR_INIT;

		if (c->kind != CHANGE_REFUSE)
			continue;
		error_reason(&err, ERROR_REFUSED, "SharedObject", "%s", c->why);
		item_fail(&a->items[i], &err);
	}
}

static void list_problems(struct apply *a)
{
	struct problems *p = &a->outcome.problems;

	for (size_t i = 0; i < a->len; i++) {
		const struct item *it = &a->items[i];
		const struct desired_object *want = it->change->want;

		if (it->err)
			problems_add(p, want ? want->file : "", want ? want->line : 0, 0,
				     error_code(it->err), "%s", it->err->text);
	}
	problems_done(p);
	a->outcome.failed = a->failures;
}

/* The first failure in the plan's order; only then what ended the whole. */
static const struct error *first_error(const struct apply *a)
{
	for (size_t i = 0; i < a->len; i++)
		if (a->items[i].err)
			return a->items[i].err;
	return &a->end_err;
}

void report_done(struct apply *a, int64_t now)
{
	struct outcome *o = &a->outcome;

	o->took_ms = now - a->started;
	o->unchanged += plan_unchanged(a->plan);
	o->kept += plan_count_of(a->plan, CHANGE_KEEP);
	o->waiting = plan_count_of(a->plan, CHANGE_WAIT);
	o->err = *first_error(a);
	list_problems(a);
	o->health = HEALTH_UNKNOWN;
	if (a->o.await_health)
		o->health = desired_health(a->desired, a->live, o->why);
	desired_rest(a->desired);
}
