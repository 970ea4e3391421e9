/* main.c - finds the subcommand. */
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "cmd/cmd.h"

static void usage(FILE *out)
{
	fputs("modelsync applies what signed Git commits say to a Kubernetes cluster, and "
	      "keeps it "
	      "so.\n\nUsage: modelsync COMMAND [ARGUMENTS]\n\nCommands:\n",
	      out);
	for (const struct subcommand *s = subcommands; s->name; s++)
		if (s->summary)
			fprintf(out, "  %-9s %s\n", s->name, s->summary);
	fputs("\n`modelsync COMMAND --help` tells more. Exit codes: 0 done, 1 it failed, 2 "
	      "wrong "
	      "use, 3 there are differences.\n",
	      out);
}

int main(int argc, char **argv)
{
	if (sodium_init() < 0) {
		fputs("modelsync: libsodium can't start (no source of randomness)\n", stderr);
		return EXIT_FAILED;
	}
	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		usage(stdout);
		return EXIT_DONE;
	}
	if (!strcmp(argv[1], "--version"))
		return cmd_version(1, argv + 1);
	for (const struct subcommand *s = subcommands; s->name; s++)
		if (!strcmp(argv[1], s->name))
			return s->run(argc - 1, argv + 1);
	fprintf(stderr, "modelsync: no command \"%s\"; `modelsync help` lists them\n", argv[1]);
	return EXIT_USAGE;
}
