/* cmd/explain.c - what a reason code means and what to do about it. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/reasons.h"

static int explain(const struct refusal_info *i)
{
	printf("%s\n  %s\n  What to do: %s\n", i->code, i->detail, i->advice);
	return EXIT_DONE;
}

int cmd_explain(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--help") && strcmp(argv[1], "-h")) {
		for (int i = 1; i < REFUSAL_CODES; i++)
			if (!strcasecmp(refusal_table[i].code, argv[1]))
				return explain(&refusal_table[i]);
		for (size_t i = 0; i < reasons_count; i++)
			if (!strcasecmp(reasons[i].code, argv[1]))
				return explain(&reasons[i]);
		fprintf(stderr,
			"modelsync explain: no code \"%s\"; without a code all are listed\n",
			argv[1]);
		return EXIT_USAGE;
	}
	if (argc > 1)
		puts("Usage: modelsync explain [CODE]\n\nExplains a reason code; without one, "
		     "lists all.\n");
	for (int i = 1; i < REFUSAL_CODES; i++)
		printf("%-22s %s\n", refusal_table[i].code, refusal_table[i].advice);
	for (size_t i = 0; i < reasons_count; i++)
		printf("%-22s %s\n", reasons[i].code, reasons[i].advice);
	return EXIT_DONE;
}
