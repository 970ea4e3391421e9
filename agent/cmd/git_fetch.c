/* cmd/git_fetch.c - hidden: the child that the agent starts for every poll (git/fetch.c). */
#include "cmd/cmd.h"
#include "git/git.h"

int cmd_git_fetch(int argc, char **argv)
{
	return git_fetch_main(argc, argv) == 0 ? EXIT_DONE : EXIT_FAILED;
}
