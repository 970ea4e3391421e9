/* cmd/cli.c - see cli.h. */
#include "cmd/cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "value/json.h"
#include "value/yaml.h"

#define FLAGS_MAX   24
#define PATIENCE_MS 5000 /* of a person, with a server that does not answer */
#define COMMON	    7

static const struct cli_flag common[COMMON] = {
	{"kubeconfig", true, NULL, NULL, "FILE  as kubectl reads it"},
	{"context", true, NULL, NULL, "NAME  context of the kubeconfig"},
	{"namespace", true, NULL, NULL, "NS  the agent's namespace (default: modelsync)"},
	{"output", true, NULL, NULL, "FORMAT  table, wide, json or yaml"},
	{"timeout", true, NULL, NULL, "DURATION  give up after this long (default: 5m)"},
	{"log-level", true, NULL, NULL, "LEVEL  error, warn, info or debug (default: error)"},
	{"help", false, NULL, NULL, "  this text"},
};

static void help_flag(const struct cli_flag *f)
{
	const char *gap = strstr(f->help, "  ");
	char left[48];

	snprintf(left, sizeof left, "--%s%s%.*s", f->name, f->has_value ? " " : "",
		 f->has_value && gap ? (int)(gap - f->help) : 0, f->help);
	printf("  %-24s %s\n", left, gap ? gap + 2 : f->help);
}

static int help(const struct cli_flag *flags, const char *usage, const char *about)
{
	printf("Usage: modelsync %s\n\n%s\n\nFlags:\n", usage, about);
	for (; flags && flags->name; flags++)
		help_flag(flags);
	for (int i = 0; i < COMMON; i++)
		help_flag(&common[i]);
	return EXIT_DONE;
}

static int bad_value(const struct cli *c, const char *flag, const char *seen,
		     const char *wanted)
{
	fprintf(stderr, "modelsync %s: %s: seen \"%s\", wanted %s\n", c->command, flag, seen,
		wanted);
	return EXIT_USAGE;
}

static int set_common(struct cli *c, int which, const char *value)
{
	static const char *const outputs[] = {"table", "wide", "json", "yaml"};

	switch (which) {
	case 0:
		c->kubeconfig = value;
		return -1;
	case 1:
		c->context = value;
		return -1;
	case 2:
		c->ns = value;
		return -1;
	case 3:
		for (size_t i = 0; i < ARRAY_LEN(outputs); i++)
			if (!strcmp(value, outputs[i])) {
				c->output = (enum cli_output)i;
				return -1;
			}
		return bad_value(c, "--output", value, "table, wide, json or yaml");
	case 4:
		if (text_duration_ms(value, &c->timeout_ms) || c->timeout_ms < 1)
			return bad_value(c, "--timeout", value, "a duration such as 30s or 5m");
		return -1;
	case 5:
		if (log_configure(value, NULL))
			return bad_value(c, "--log-level", value, "error, warn, info or debug");
		return -1;
	}
	return -1;
}

int cli_flags(struct cli *c, int argc, char **argv, const struct cli_flag *flags,
	      const char *usage, const char *about, int *operands)
{
	struct option longs[FLAGS_MAX + 1] = {{0}};
	int n = 0, opt, index = 0, code;

	memset(c, 0, sizeof *c);
	c->command = argv[0];
	c->ns = "modelsync";
	c->timeout_ms = 300000;
	c->color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	log_configure("error", NULL);
	for (int i = 0; i < COMMON; i++)
		longs[n++] =
			(struct option){common[i].name, common[i].has_value, NULL, 1000 + i};
	for (int i = 0; flags && flags[i].name && n < FLAGS_MAX; i++)
		longs[n++] = (struct option){flags[i].name, flags[i].has_value, NULL, 2000 + i};
	optind = 1;
	while ((opt = getopt_long(argc, argv, "n:o:h", longs, &index)) != -1) {
		if (opt == 'n')
			opt = 1002;
		else if (opt == 'o')
			opt = 1003;
		if (opt == 'h' || opt == 1006) {
			help(flags, usage, about);
			return EXIT_DONE;
		}
		if (opt == '?') {
			fprintf(stderr, "Usage: modelsync %s; --help tells more\n", usage);
			return EXIT_USAGE;
		}
		if (opt >= 2000) {
			const struct cli_flag *f = &flags[opt - 2000];
			if (f->has_value)
				*f->value = optarg;
			else
				*f->set = true;
		} else if ((code = set_common(c, opt - 1000, optarg)) >= 0) {
			return code;
		}
	}
	*operands = optind;
	return -1;
}

struct wait {
	struct cli *cli;
	bool done;
	struct error err;
	struct arena *arena;
	struct value **object;
};

static void on_discovered(void *arg, const struct error *err, bool changed)
{
	struct wait *w = arg;

	(void)changed;
	if (err)
		w->err = *err;
	w->done = true;
	loop_stop(w->cli->loop);
}

int cli_connect(struct cli *c)
{
	struct kube_config_options o = {.kubeconfig = c->kubeconfig, .context = c->context};
	struct wait w = {.cli = c};
	struct kube_config *config = NULL;
	struct error err = ERROR_INIT;

	if (loop_new(&c->loop, &err) || kube_config_load(&o, &config, &err) ||
	    kube_new(c->loop, config, &c->kube, &err)) {
		cli_error(c, &err);
		return -1;
	}
	kube_set_deadline(c->kube, c->timeout_ms < PATIENCE_MS ? c->timeout_ms : PATIENCE_MS);
	kube_discover(c->kube, on_discovered, &w);
	while (!w.done)
		loop_run(c->loop);
	if (w.err.kind != ERROR_NONE) {
		cli_error(c, &w.err);
		return -1;
	}
	kube_set_deadline(c->kube, 0);
	return 0;
}

void cli_close(struct cli *c)
{
	kube_free(c->kube);
	loop_free(c->loop);
	c->kube = NULL;
	c->loop = NULL;
}

static void on_reply(void *arg, struct kube_reply *r)
{
	struct wait *w = arg;

	w->err = r->err;
	if (r->object && w->object)
		*w->object = value_copy(w->arena, r->object);
	w->done = true;
	loop_stop(w->cli->loop);
}

int cli_send(struct cli *c, const struct kube_request *r, struct arena *arena,
	     struct value **object, struct error *err)
{
	struct wait w = {.cli = c, .arena = arena, .object = object};

	kube_send(c->kube, r, on_reply, &w);
	while (!w.done)
		loop_run(c->loop);
	if (w.err.kind == ERROR_NONE)
		return 0;
	*err = w.err;
	return -1;
}

void cli_name(const struct cli *c, const char *operand, struct buf *ns, struct buf *name)
{
	const char *slash = strchr(operand, '/');

	if (slash)
		buf_add(ns, operand, (size_t)(slash - operand));
	else
		buf_puts(ns, c->ns);
	buf_puts(name, slash ? slash + 1 : operand);
}

int cli_error(const struct cli *c, const struct error *err)
{
	AUTO(buf) text = BUF_INIT;

	buf_put_safe(&text, err->text, strlen(err->text));
	fprintf(stderr, "modelsync %s: %s (%s)\n", c->command, text.ptr, error_code(err));
	return EXIT_FAILED;
}

/* ---- Output ---- */

static const char *const escapes[] = {
	[COLOR_NONE] = "",	   [COLOR_GOOD] = "\033[32m", [COLOR_BAD] = "\033[31m",
	[COLOR_WARN] = "\033[33m", [COLOR_DIM] = "\033[2m",   [COLOR_BOLD] = "\033[1m",
};

void cli_put(const struct cli *c, FILE *out, enum cli_color color, const char *text)
{
	AUTO(buf) safe = BUF_INIT;

	buf_put_safe(&safe, text, strlen(text));
	if (c->color && color != COLOR_NONE)
		fprintf(out, "%s%s\033[0m", escapes[color], safe.ptr);
	else
		fputs(safe.ptr, out);
}

struct cell {
	char *text;
	size_t width;
	enum cli_color color;
};

struct cli_table {
	const struct cli *cli;
	size_t columns;
	VEC(struct cell) cells;
};

void cli_cell(struct cli_table *t, enum cli_color color, const char *text)
{
	struct cell *cell = vec_push(&t->cells);
	struct buf safe = BUF_INIT;

	buf_put_safe(&safe, text, strlen(text));
	for (size_t i = 0; i < safe.len; i++)
		cell->width += ((unsigned char)safe.ptr[i] & 0xc0) != 0x80;
	cell->text = buf_detach(&safe);
	cell->color = color;
}

struct cli_table *cli_table_new(const struct cli *c, const char *const *headers)
{
	struct cli_table *t = mem_alloc(sizeof *t);

	t->cli = c;
	while (headers[t->columns])
		cli_cell(t, COLOR_BOLD, headers[t->columns++]);
	return t;
}

void cli_table_print(struct cli_table *t, FILE *out)
{
	size_t *widths = mem_array(t->columns, sizeof *widths);

	for (size_t i = 0; i < t->cells.len; i++)
		if (t->cells.items[i].width > widths[i % t->columns])
			widths[i % t->columns] = t->cells.items[i].width;
	for (size_t i = 0; i < t->cells.len; i++) {
		struct cell *cell = &t->cells.items[i];
		bool last = (i + 1) % t->columns == 0;

		if (t->cli->color && cell->color != COLOR_NONE)
			fprintf(out, "%s%s\033[0m", escapes[cell->color], cell->text);
		else
			fputs(cell->text, out);
		if (last)
			fputc('\n', out);
		else
			fprintf(out, "%*s", (int)(widths[i % t->columns] - cell->width + 2),
				"");
		free(cell->text);
	}
	vec_clear(&t->cells);
	free(widths);
	free(t);
}

void cli_print_value(const struct cli *c, const struct value *v)
{
	AUTO(buf) out = BUF_INIT;

	if (c->output == CLI_YAML) {
		value_yaml_write(v, &out);
	} else {
		value_json_pretty(v, &out);
		buf_putc(&out, '\n');
	}
	fwrite(out.ptr, 1, out.len, stdout);
}
