/*
 * apply/report.c - what came of it: counts, and every refusal and failure with its file.
 *
 * Answers come in any order; what is shown is in the order of files and lines.
 */
#include <stdlib.h>

#include "apply/apply_int.h"

#define MAX_PROBLEMS 100

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

static int by_place(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;
	const struct desired_object *v = x->change->want, *w = y->change->want;
	int c = strcmp(v ? v->file : "", w ? w->file : "");

	if (c)
		return c;
	if (v && w && v->line != w->line)
		return v->line < w->line ? -1 : 1;
	return x < y ? -1 : x > y; /* the plan's order */
}

static void put_problem(struct problems *p, const struct item *it)
{
	const struct desired_object *want = it->change->want;
	struct problem *problem = vec_push(&p->list);

	problem->file = want ? arena_strdup(p->arena, want->file) : "";
	problem->line = want ? want->line : 0;
	problem->reason = error_code(it->err);
	problem->text = arena_strdup(p->arena, it->err->text);
}

static void list_problems(struct apply *a)
{
	struct problems *p = &a->outcome.problems;
	VEC(struct item *) failed = {0};

	for (size_t i = 0; i < a->len; i++)
		if (a->items[i].err)
			*vec_push(&failed) = &a->items[i];
	a->outcome.failed = failed.len;
	if (failed.len)
		qsort(failed.items, failed.len, sizeof *failed.items, by_place);
	p->arena = failed.len ? arena_new() : NULL;
	for (size_t i = 0; i < failed.len && i < MAX_PROBLEMS; i++)
		put_problem(p, failed.items[i]);
	if (failed.len > MAX_PROBLEMS) {
		struct problem *more = vec_push(&p->list);
		more->file = "";
		more->reason = "TooManyProblems";
		more->text = arena_printf(p->arena, "and %zu more", failed.len - MAX_PROBLEMS);
	}
	vec_clear(&failed);
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
}
