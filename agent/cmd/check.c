/* cmd/check.c - `modelsync check`: reads manifests as the agent would, with no cluster and no
 * commit; what a pre-commit hook and CI call. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cmd/cmd.h"
#include "desired/desired.h"
#include "value/json.h"

#define USAGE "check PATH... [--namespace NS] [-o text|json]"

static const char help[] =
	"Usage: modelsync " USAGE "\n\n"
	"Reads the manifests (.yaml, .yml, .json) of each folder and all below it, or of each\n"
	"file, as the agent does, and reports all that it would refuse: YAML and JSON, fields\n"
	"and names, duplicates, removed APIs, kinds and options that are not supported. Needs "
	"no\n"
	"cluster: objects of kinds that Kubernetes does not have itself are only counted.\n"
	"Every PATH is checked as the source of one Application.\n\n"
	"Flags:\n"
	"  --namespace NS           the Application's destination.namespace; without it, "
	"objects\n"
	"                           that name no namespace are fine\n"
	"  --output FORMAT          text (file:line:column: reason: text) or json\n"
	"  --help                   this text\n\n"
	"Exit codes: 0 fine, 1 problems, 2 wrong use.\n";

struct options {
	const char *ns;
	bool json;
	struct buf out;
	size_t problems;
	struct manifests_count all;
};

static int wrong_use(const char *text, const char *seen)
{
	fprintf(stderr,
		"modelsync check: %s%s\nUsage: modelsync " USAGE "; --help tells more\n", text,
		seen);
	return EXIT_USAGE;
}

/* -1 to go on, or an exit code. */
static int read_flags(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {{"namespace", required_argument, NULL, 'n'},
					      {"output", required_argument, NULL, 'o'},
					      {"help", no_argument, NULL, 'h'},
					      {0}};
	int opt;

	optind = 1;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "n:o:h", longs, NULL)) != -1) {
		switch (opt) {
		case 'n':
			o->ns = optarg;
			break;
		case 'o':
			o->json = text_eq(optarg, "json");
			if (!o->json && !text_eq(optarg, "text"))
				return wrong_use("--output: wanted text or json, seen ",
						 optarg);
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_DONE;
		default:
			return wrong_use("unknown flag, or one without its value: ",
					 argv[optind - 1]);
		}
	}
	if (optind == argc)
		return wrong_use("wanted a PATH", "");
	return -1;
}

static void put_text(struct buf *out, const struct problem *p)
{
	if (*p->file) {
		buf_put_safe(out, p->file, strlen(p->file));
		if (p->line)
			buf_printf(out, ":%u", p->line);
		if (p->line && p->column)
			buf_printf(out, ":%u", p->column);
		buf_puts(out, ": ");
	}
	buf_printf(out, "%s: ", p->reason);
	buf_put_safe(out, p->text, strlen(p->text));
	buf_putc(out, '\n');
}

static void put_json(struct buf *out, const struct problem *p, bool first)
{
	buf_puts(out, first ? "\n    {\"file\": " : ",\n    {\"file\": ");
	json_put_string(out, p->file, strlen(p->file));
	buf_printf(out,
		   ", \"line\": %u, \"column\": %u, \"reason\": \"%s\", \"text\": ", p->line,
		   p->column, p->reason);
	json_put_string(out, p->text, strlen(p->text));
	buf_putc(out, '}');
}

static void add_kinds(struct manifests_count *all, const char *kinds)
{
	size_t used = strlen(all->unknown_kinds);

	if (*kinds && used + strlen(kinds) + 3 < sizeof all->unknown_kinds)
		snprintf(all->unknown_kinds + used, sizeof all->unknown_kinds - used, "%s%s",
			 used ? ", " : "", kinds);
}

static void check_path(struct options *o, const char *path)
{
	struct desired_spec spec = {.part_of = "check", .recurse = true, .ns = o->ns};
	struct manifests_count count = {0};
	AUTO(problems) found = {0};

	manifests_check(path, &spec, NULL, &count, &found);
	for (size_t i = 0; i < found.list.len; i++) {
		if (o->json)
			put_json(&o->out, &found.list.items[i], !o->problems);
		else
			put_text(&o->out, &found.list.items[i]);
		o->problems++;
	}
	o->all.files += count.files;
	o->all.objects += count.objects;
	o->all.skipped += count.skipped;
	o->all.unknown += count.unknown;
	add_kinds(&o->all, count.unknown_kinds);
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void summary(struct options *o)
{
	const struct manifests_count *all = &o->all;

	if (o->json) {
		printf("{\n  \"files\": %zu,\n  \"objects\": %zu,\n  \"skipped\": %zu,\n  "
		       "\"unknown\": "
		       "%zu,\n  \"unknownKinds\": \"%s\",\n  \"problems\": [%s%s]\n}\n",
		       all->files, all->objects, all->skipped, all->unknown, all->unknown_kinds,
		       o->out.ptr, o->problems ? "\n  " : "");
		return;
	}
	fputs(o->out.ptr, stdout);
	if (all->unknown)
		printf("note: %zu object%s of kinds that only a cluster can know: %s\n",
		       all->unknown, plural(all->unknown), all->unknown_kinds);
	if (all->skipped)
		printf("note: %zu file%s without a Kubernetes object skipped\n", all->skipped,
		       plural(all->skipped));
	if (o->problems)
		printf("%zu problem%s in %zu file%s\n", o->problems, plural(o->problems),
		       all->files, plural(all->files));
	else
		printf("%zu object%s in %zu file%s: fine\n", all->objects, plural(all->objects),
		       all->files, plural(all->files));
}

int cmd_check(int argc, char **argv)
{
	struct options o = {.out = BUF_INIT};
	int code = read_flags(argc, argv, &o);

	if (code >= 0)
		return code;
	for (int i = optind; i < argc; i++)
		check_path(&o, argv[i]);
	summary(&o);
	buf_clear(&o.out);
	return o.problems ? EXIT_FAILED : EXIT_DONE;
}
