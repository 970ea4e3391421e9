/* cmd/explain.c - what a reason code means and what to do about it. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "cmd/cmd.h"
#include "trust/trust.h"

/* Codes outside trust/; theirs stand in refusal_table. */
static const struct refusal_info others[] = {
	{"YamlInvalid", "Mend the file at the line named.",
	 "A manifest can't be read as YAML or JSON. Nothing of the commit is applied; what was "
	 "applied before stays and is healed."},
	{"DuplicateKey", "Remove one of the two.",
	 "A key stands twice in one map. Readers disagree about which of them counts, so it is "
	 "refused."},
	{"DuplicateObject", "Keep one of the two objects.",
	 "Two manifests of the commit describe the same object."},
	{"NotAnObject", "Give the document apiVersion, kind and metadata.name.",
	 "A document has some marks of a Kubernetes object but not all."},
	{"RemovedApi", "Write the replacement that the message names.",
	 "Kubernetes has removed this version of the API."},
	{"KindUnknown", "Install the CRD, or correct apiVersion and kind.",
	 "The API server doesn't serve this kind. The object waits and does not hold up the "
	 "rest; "
	 "it is applied once the kind appears."},
	{"NamespaceMissing", "Create the namespace, in the same commit for example.",
	 "An object's namespace does not exist in the cluster, or no namespace is named "
	 "anywhere."},
	{"Rejected", "Mend the field that the message names.",
	 "The API server refused an object in the dry run. Nothing of the commit was written."},
	{"FieldConflict", "Decide who owns the field.",
	 "Another field manager owns a field that Git sets."},
	{"ForeignOwner",
	 "Set the annotation modelsync.dev/adopt: \"true\" in Git to take it over.",
	 "An object of this name exists and does not carry our label, so somebody else made "
	 "it. It "
	 "is not touched, since pruning it later would delete what we did not create."},
	{"SharedObject", "Let only one of the two Applications have the object.",
	 "Two Applications want the same object."},
	{"EmptySource", "Set syncPolicy.automated.allowEmpty, if it is meant.",
	 "The source holds no object any more; pruning would remove everything."},
	{"PruneLimit", "Raise spec.pruneLimit, or prune in smaller steps.",
	 "The commit would prune more objects than the limit allows (by default more than half "
	 "of at least ten)."},
	{"PathMissing", "Correct spec.source.path.",
	 "The folder does not exist in the commit. A missing folder is not an empty one: "
	 "nothing "
	 "is pruned."},
	{"SpecInvalid", "Correct the field that the message names.",
	 "The Application's spec can't be understood."},
	{"NotSupported", "Remove the field or value that the message names.",
	 "The Application asks for something that this version does not do. It is refused "
	 "rather "
	 "than ignored."},
	{"StateInvalid",
	 "Restore the SyncState, or delete it to start over from the first trust.",
	 "What the agent remembers of the Application can't be read. Nothing is decided from "
	 "half a "
	 "memory: nothing is applied, healed or pruned."},
	{"FetchFailed", "See whether the Git server is up and the URL right.",
	 "The repository could not be read. What was applied stays and is healed; status says "
	 "since when it is stale."},
	{"FetchTimeout", "See whether the Git server answers.",
	 "The repository did not answer within the Git timeout."},
	{"GitAuth",
	 "Correct the repository's Secret (label modelsync.dev/secret-type: repository).",
	 "The Git server refused the credentials, or there are none."},
	{"HostKeyMismatch",
	 "Compare the key with the server's operator, then correct knownHosts.",
	 "The SSH server shows another key than the pinned one."},
	{"FightingController", "Find the other writer in the object's managedFields.",
	 "An object had to be repaired again and again: another controller writes the same "
	 "fields."},
	{"Unreachable", "See whether the API server is up.", "The API server did not answer."},
	{"Forbidden", "Grant the agent's ServiceAccount the right that the message names.",
	 "The API server refused the request for lack of rights."},
	{"Timeout", "See what the message says was awaited.",
	 "The sync did not end within its deadline. It is tried again."},
};

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
		for (size_t i = 0; i < ARRAY_LEN(others); i++)
			if (!strcasecmp(others[i].code, argv[1]))
				return explain(&others[i]);
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
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		printf("%-22s %s\n", others[i].code, others[i].advice);
	return EXIT_DONE;
}
