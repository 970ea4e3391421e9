/* cmd/git_fetch.c - the hidden subcommand: body of the child that does Git's network work. */
#include "cmd/cmd.h"
#include "git/git.h"

int cmd_git_fetch(int argc, char **argv)
{
	return git_fetch_main(argc, argv);
}
