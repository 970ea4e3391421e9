/*
 * cmd/diff.c - what a sync would do now: the agent's own stages, run here in observe mode, up
 * to the API server's dry run; nothing is written.
 */
#include <string.h>

#include "base/text.h"
#include "cmd/application.h"
#include "sync/sync.h"

struct diff {
	struct cli *cli;
	struct arena *arena;
	struct value *doc; /* for -o json and yaml */
	bool told, different, failed, late;
	struct error err;
};

static const struct {
	enum change_kind kind;
	char mark;
	enum cli_color color;
} marks[] = {
	{CHANGE_CREATE, '+', COLOR_GOOD}, {CHANGE_UPDATE, '~', COLOR_WARN},
	{CHANGE_REPAIR, '!', COLOR_WARN}, {CHANGE_PRUNE, '-', COLOR_BAD},
	{CHANGE_WAIT, '?', COLOR_DIM},	  {CHANGE_REFUSE, 'x', COLOR_BAD},
	{CHANGE_KEEP, '=', COLOR_DIM},
};

static struct value *changes_value(struct diff *d, const struct plan *plan)
{
	struct value *list = value_array(d->arena);

	for (size_t i = 0; plan && i < plan_count(plan); i++) {
		const struct change *c = plan_at(plan, i);
		struct value *o = value_object(d->arena);
		char text[320];

		value_set_string(d->arena, o, "change", change_name(c->kind));
		value_set_string(d->arena, o, "object",
				 object_key_text(c->key, text, sizeof text));
		value_set_string(d->arena, o, "why", c->why);
		if (c->want)
			value_set_string(d->arena, o, "file", c->want->file);
		value_push(d->arena, list, o);
	}
	return list;
}

static struct value *problems_value(struct diff *d, const struct problems *p)
{
	struct value *list = value_array(d->arena);

	for (size_t i = 0; p && i < p->list.len; i++) {
		struct value *o = value_object(d->arena);
		value_set_string(d->arena, o, "file", p->list.items[i].file);
		value_set_int(d->arena, o, "line", p->list.items[i].line);
		value_set_string(d->arena, o, "reason", p->list.items[i].reason);
		value_set_string(d->arena, o, "text", p->list.items[i].text);
		value_push(d->arena, list, o);
	}
	return list;
}

static void print_plan(struct diff *d, const struct observed *o)
{
	printf("Commit %.12s", *o->commit ? o->commit : "-");
	if (*o->signer) {
		printf(" signed by ");
		cli_put(d->cli, stdout, COLOR_BOLD, o->signer);
	}
	putchar('\n');
	if (o->refusal->code != REFUSAL_NONE) {
		cli_put(d->cli, stdout, COLOR_BAD, refusal_table[o->refusal->code].code);
		printf(": ");
		cli_put(d->cli, stdout, COLOR_NONE, o->refusal->text);
		puts("\nWhat was trusted last stays the target:");
	}
	for (size_t i = 0; o->plan && i < plan_count(o->plan); i++) {
		const struct change *c = plan_at(o->plan, i);
		char text[320], line[720];

		for (size_t m = 0; m < ARRAY_LEN(marks); m++) {
			if (marks[m].kind != c->kind)
				continue;
			snprintf(line, sizeof line, "  %c %s", marks[m].mark,
				 object_key_text(c->key, text, sizeof text));
			cli_put(d->cli, stdout, marks[m].color, line);
			cli_put(d->cli, stdout, COLOR_DIM, "  ");
			cli_put(d->cli, stdout, COLOR_DIM, c->why);
			putchar('\n');
		}
	}
	for (size_t i = 0; o->problems && i < o->problems->list.len; i++) {
		const struct problem *p = &o->problems->list.items[i];
		char where[320] = "";
		if (*p->file)
			snprintf(where, sizeof where,
				 p->line ? "%.256s:%u: " : "%.256s: ", p->file, p->line);
		cli_put(d->cli, stdout, COLOR_BAD, "  refused: ");
		cli_put(d->cli, stdout, COLOR_NONE, where);
		cli_put(d->cli, stdout, COLOR_NONE, p->text);
		putchar('\n');
	}
	if (!o->plan)
		return;
	printf("%zu to create, %zu to update, %zu to repair, %zu to prune; %zu unchanged\n",
	       plan_count_of(o->plan, CHANGE_CREATE), plan_count_of(o->plan, CHANGE_UPDATE),
	       plan_count_of(o->plan, CHANGE_REPAIR), plan_count_of(o->plan, CHANGE_PRUNE),
	       plan_unchanged(o->plan));
}

static void on_observed(void *arg, const struct observed *o)
{
	struct diff *d = arg;
	struct arena *a = d->arena;

	if (d->told)
		return;
	d->told = true;
	d->err = o->err;
	d->failed = o->err.kind != ERROR_NONE || o->refusal->code != REFUSAL_NONE;
	d->different = o->plan && !plan_empty(o->plan);
	if (d->cli->output == CLI_JSON || d->cli->output == CLI_YAML) {
		d->doc = value_object(a);
		value_set_string(a, d->doc, "application", o->app);
		value_set_string(a, d->doc, "commit", o->commit);
		value_set_string(a, d->doc, "signer", o->signer);
		value_set_string(a, d->doc, "refusal",
				 o->refusal->code ? refusal_table[o->refusal->code].code : "");
		value_set_string(a, d->doc, "error",
				 o->err.kind != ERROR_NONE ? o->err.text : "");
		value_set(a, d->doc, "changes", changes_value(d, o->plan));
		value_set(a, d->doc, "problems", problems_value(d, o->problems));
		value_set_int(a, d->doc, "unchanged",
			      o->plan ? (int64_t)plan_unchanged(o->plan) : 0);
		cli_print_value(d->cli, d->doc);
	} else {
		print_plan(d, o);
	}
	loop_stop(d->cli->loop);
}

static void on_timeout(void *arg)
{
	struct diff *d = arg;

	d->late = true;
	loop_stop(d->cli->loop);
}

static int observe(struct diff *d, const char *app, const struct agent_options *o)
{
	struct agent *agent = NULL;
	struct timer timer = {0};
	struct error err = ERROR_INIT;
	AUTO(buf) why = BUF_INIT;
	int code;

	if (agent_new(d->cli->kube, o, &agent, &err))
		return cli_error(d->cli, &err);
	timer_init(&timer, d->cli->loop, on_timeout, d);
	timer_set(&timer, d->cli->timeout_ms);
	while (!d->told && !d->late)
		loop_run(d->cli->loop);
	timer_clear(&timer);
	if (!d->told) {
		agent_ready(agent, &why);
		error_reason(&err, ERROR_TRANSIENT, "Timeout",
			     "application %s: no plan in time: %s", app,
			     why.len ? why.ptr
				     : "the repository or the cluster did not answer");
		code = cli_error(d->cli, &err);
	} else if (d->failed) {
		code = d->err.kind != ERROR_NONE ? cli_error(d->cli, &d->err) : EXIT_FAILED;
	} else {
		code = d->different ? EXIT_DIFFERENT : EXIT_DONE;
	}
	agent_free(agent);
	return code;
}

int cmd_diff(int argc, char **argv)
{
	static const char about[] =
		"Polls, verifies, reads and plans as the agent does, asks the API server by "
		"dry run, "
		"and shows what\na sync would do. Nothing is written. It needs the rights to "
		"read "
		"what the agent reads, credentials\nof the repository included.\n"
		"Exit code 0: no differences, 3: there are, 1: the commit can't be applied.";
	const char *cache = "/tmp/modelsync-diff", *policy = "default";
	bool file = false, http = false;
	const struct cli_flag flags[] = {
		{"cache-dir", true, &cache, NULL,
		 "DIR  Git cache (default: /tmp/modelsync-diff)"},
		{"default-trust-policy", true, &policy, NULL, "NAME  as the agent has it"},
		{"allow-file-urls", false, NULL, &file, "  as the agent has it"},
		{"allow-http-urls", false, NULL, &http, "  as the agent has it"},
		{NULL, false, NULL, NULL, NULL}};
	struct cli c;
	struct error err = ERROR_INIT;
	struct diff d = {.cli = &c, .arena = arena_new()};
	struct value *object = NULL;
	AUTO(buf) key = BUF_INIT;
	AUTO(buf) ns = BUF_INIT;
	AUTO(buf) name = BUF_INIT;
	int at, code = cli_flags(&c, argc, argv, flags, "diff [NAMESPACE/]APP", about, &at);

	if (code < 0 && at + 1 != argc) {
		fprintf(stderr,
			"modelsync diff: one Application is wanted; --help tells more\n");
		code = EXIT_USAGE;
	}
	if (code < 0 && cli_connect(&c))
		code = EXIT_FAILED;
	if (code < 0 && application_get(&c, argv[at], d.arena, &object, &err))
		code = cli_error(&c, &err);
	if (code < 0) {
		cli_name(&c, argv[at], &ns, &name);
		buf_printf(&key, "%s/%s", ns.ptr, name.ptr);
		struct agent_options o = {.ns = ns.ptr,
					  .cache_dir = cache,
					  .default_policy = policy,
					  .poll_interval_ms = 3600000,
					  .git_timeout_ms = 60000,
					  .sync_timeout_ms = c.timeout_ms,
					  .concurrency = 16,
					  .allow_file_urls = file,
					  .allow_http_urls = http,
					  .only_app = key.ptr,
					  .observe = true,
					  .observed = on_observed,
					  .arg = &d};
		code = observe(&d, key.ptr, &o);
	}
	arena_free(d.arena);
	cli_close(&c);
	return code;
}
