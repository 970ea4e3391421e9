/* desired/problems.c - the list of what is wrong with a commit. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "desired/desired.h"

/* More than are shown, so that the ones shown are the first by place, whatever came first. */
#define COLLECT_MAX 2000

void problems_clear(struct problems *p)
{
	vec_clear(&p->list);
	arena_free(p->arena);
	p->arena = NULL;
}

void problems_add(struct problems *p, const char *file, uint32_t line, uint32_t column,
		  const char *reason, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	struct problem *row;
	va_list ap;

	if (p->list.len == COLLECT_MAX)
		return;
	if (!p->arena)
		p->arena = arena_new();
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	row = vec_push(&p->list);
	row->file = p->list.len > 1 && text_eq(file, row[-1].file)
			    ? row[-1].file
			    : arena_strdup(p->arena, file);
	row->line = line;
	row->column = column;
	row->reason = reason;
	row->text = arena_strndup(p->arena, text.ptr, text.len);
	buf_clear(&text);
}

static int compare(const void *a, const void *b)
{
	const struct problem *x = a, *y = b;
	int c = strcmp(x->file, y->file);

	if (!c)
		c = (x->line > y->line) - (x->line < y->line);
	if (!c)
		c = (x->column > y->column) - (x->column < y->column);
	if (!c)
		c = strcmp(x->reason, y->reason);
	return c ? c : strcmp(x->text, y->text);
}

void problems_done(struct problems *p)
{
	size_t all = p->list.len;

	if (all > 1)
		qsort(p->list.items, all, sizeof *p->list.items, compare);
	if (all <= PROBLEMS_MAX)
		return;
	p->list.len = PROBLEMS_MAX;
	problems_add(p, "", 0, 0, "TooManyProblems", "%s%zu more problems; mend these first",
		     all == COLLECT_MAX ? "at least " : "", all - PROBLEMS_MAX);
}
