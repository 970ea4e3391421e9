/*
 * cmd/reference.c - the hidden subcommand that writes docs/reference/: settings, subcommands
 * and reason codes, from the tables that the program itself uses. `make docs` runs it, `make
 * lint` compares.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/reasons.h"
#include "config/config.h"

static int settings_page(FILE *out)
{
	AUTO(buf) table = BUF_INIT;

	config_reference(&table);
	fprintf(out,
		"# Settings of `modelsync run`\n\n"
		"Made by `make docs` from the table in `agent/config/settings.c`. The later "
		"source "
		"wins: default,\nconfiguration file, environment, flag.\n\n%s",
		table.ptr);
	return EXIT_DONE;
}

static void put_reason(FILE *out, const struct refusal_info *i)
{
	fprintf(out, "| `%s` | %s | %s |\n", i->code, i->detail, i->advice);
}

static int reasons_page(FILE *out)
{
	fputs("# Reason codes\n\n"
	      "Made by `make docs` from the tables in `agent/trust/refusal.c` and "
	      "`agent/cmd/reasons.c`. They stand\nin conditions, events, commit statuses, logs "
	      "and "
	      "metrics, and never change their meaning.\n`modelsync explain CODE` prints "
	      "one.\n\n"
	      "## Why a commit is not trusted\n\n| code | what it means | what to do "
	      "|\n|---|---|---|\n",
	      out);
	for (int i = 1; i < REFUSAL_CODES; i++)
		put_reason(out, &refusal_table[i]);
	fputs("\n## Everything else\n\n| code | what it means | what to do |\n|---|---|---|\n",
	      out);
	for (size_t i = 0; i < reasons_count; i++)
		put_reason(out, &reasons[i]);
	return EXIT_DONE;
}

static int commands_page(FILE *out)
{
	fputs("# Commands\n\nMade by `make docs` from the table in `agent/cmd/table.c`. "
	      "`modelsync COMMAND --help` tells more.\n\n| command | what it does "
	      "|\n|---|---|\n",
	      out);
	for (const struct subcommand *s = subcommands; s->name; s++)
		if (s->summary)
			fprintf(out, "| `modelsync %s` | %s |\n", s->name, s->summary);
	fputs("\nExit codes: 0 done, 1 it failed, 2 wrong use, 3 there are differences.\n",
	      out);
	return EXIT_DONE;
}

int cmd_reference(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*write)(FILE *out);
	} pages[] = {{"settings", settings_page},
		     {"reasons", reasons_page},
		     {"commands", commands_page}};

	for (size_t i = 0; argc == 2 && i < ARRAY_LEN(pages); i++)
		if (!strcmp(argv[1], pages[i].name))
			return pages[i].write(stdout);
	fputs("usage: modelsync reference settings|reasons|commands\n", stderr);
	return EXIT_USAGE;
}
