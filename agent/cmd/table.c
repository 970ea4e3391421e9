/* cmd/table.c - the table of subcommands; help is made from it. */
#include <stddef.h>

#include "cmd/cmd.h"

const struct subcommand subcommands[] = {
	{"run", cmd_run, "run the agent: poll, verify, apply, heal, report"},
	{"install", cmd_install, "install the CRDs and the agent into a cluster"},
	{"check", cmd_check, "check a folder of manifests, without a cluster"},
	{"verify", cmd_verify,
	 "verify the signatures of commits in a clone, without a cluster"},
	{"diff", cmd_diff, "show what a sync of an Application would do"},
	{"sync", cmd_sync, "ask the agent to sync an Application now, and wait for it"},
	{"wait", cmd_wait, "wait until Applications are synced and healthy"},
	{"status", cmd_status,
	 "show Applications: commit, signer, sync, health, what is wrong"},
	{"explain", cmd_explain, "explain a reason code"},
	{"version", cmd_version, "print the version and the libraries in use"},
	{"git-fetch", cmd_git_fetch, NULL},
	{"reference", cmd_reference, NULL},
	{NULL, NULL, NULL},
};
