/*
 * What a targetRevision means: "HEAD", a branch, a tag, a full ref name, or a full id. Agent
 * and child must agree on it, so it stands here once.
 */
#include "base/text.h"
#include "git/git_int.h"

bool target_is_id(const char *target, struct object_id *id)
{
	return object_id_parse(target, id) == 0;
}

size_t target_refs(const char *target, char *out[2])
{
	struct object_id id;

	if (target_is_id(target, &id) || !*target)
		return 0;
	if (text_eq(target, "HEAD") || text_starts(target, "refs/")) {
		out[0] = mem_strdup(target);
		return 1;
	}
	out[0] = mem_printf("refs/heads/%s", target);
	out[1] = mem_printf("refs/tags/%s", target);
	return 2;
}
