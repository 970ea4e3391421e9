/*
 * cmd/cmd.h - the subcommands: one file each, one table of them.
 *
 * Exit codes: 0 done, 1 it failed, 2 wrong use, 3 there are differences.
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <stdbool.h>

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_DIFFERENT = 3 };

struct subcommand {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name */
	const char *summary;		   /* NULL: hidden from help */
};
extern const struct subcommand subcommands[]; /* ends with name NULL */

int cmd_run(int argc, char **argv);
int cmd_install(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_sync(int argc, char **argv);
int cmd_wait(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_reference(int argc, char **argv);
int cmd_git_fetch(int argc, char **argv);

#endif
