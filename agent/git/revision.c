/*
 * Revisions: a commit of a repository with the objects behind it, the noun that trust/ takes.
 * Tags are followed here by reading their raw bytes, so the server's word for it doesn't count.
 */
#include <stdlib.h>
#include <string.h>

#include "git/git_int.h"

struct revision {
	char *url, *target;
	struct object_id commit, tag;
	bool has_tag;
	struct odb *odb;
};

struct revision *revision_new(const char *url, const char *target,
			      const struct object_id *commit, const struct object_id *tag,
			      struct odb *odb)
{
	struct revision *r = mem_alloc(sizeof *r);

	r->url = mem_strdup(url);
	r->target = mem_strdup(target);
	r->commit = *commit;
	r->has_tag = tag != NULL;
	if (tag)
		r->tag = *tag;
	r->odb = odb_ref(odb);
	return r;
}

void revision_free(struct revision *r)
{
	if (!r)
		return;
	odb_free(r->odb);
	free(r->url);
	free(r->target);
	free(r);
}

const char *revision_url(const struct revision *r)
{
	return r->url;
}

const char *revision_target(const struct revision *r)
{
	return r->target;
}

const struct object_id *revision_commit(const struct revision *r)
{
	return &r->commit;
}

const struct object_id *revision_tag(const struct revision *r)
{
	return r->has_tag ? &r->tag : NULL;
}

struct odb *revision_odb(const struct revision *r)
{
	return r->odb;
}

/* "object <id>\ntype <type>\n...": what the tag names, and whether that is a commit. */
static int tag_names(const struct buf *tag, struct object_id *id, bool *commit)
{
	char hex[OBJECT_ID_HEX] = "";
	const char *p = tag->ptr;

	if (tag->len < 60 || strncmp(p, "object ", 7) != 0)
		return -1;
	memcpy(hex, p + 7, OBJECT_ID_HEX - 1);
	p += 7 + OBJECT_ID_HEX - 1;
	if (object_id_parse(hex, id) < 0)
		return -1;
	*commit = strncmp(p, "\ntype commit\n", 13) == 0;
	return *commit || strncmp(p, "\ntype tag\n", 10) == 0 ? 0 : -1;
}

int revision_peel(struct odb *odb, const struct object_id *id, struct object_id *commit,
		  struct object_id *tag, bool *has_tag, struct error *err)
{
	struct object_id at = *id;
	char hex[OBJECT_ID_HEX];
	bool is_commit = false;

	for (int i = 0; i <= GIT_TAG_CHAIN; i++) {
		AUTO(buf) bytes = BUF_INIT;
		struct error why = ERROR_INIT;

		if (odb_read(odb, &at, OBJECT_TAG, GIT_TAG_MAX, &bytes, &why) < 0) {
			/* Not a tag: then it must be a commit, which whoever reads it will
			 * check. */
			if (!why.reason || strcmp(why.reason, "WrongObjectType") != 0) {
				if (err)
					*err = why;
				return -1;
			}
			*commit = at;
			*has_tag = i > 0;
			*tag = *id;
			return 0;
		}
		if (tag_names(&bytes, &at, &is_commit) < 0)
			return error_reason(err, ERROR_INVALID, "WrongObjectType",
					    "tag %s names no commit", object_id_hex(id, hex));
	}
	return error_reason(err, ERROR_INVALID, "WrongObjectType",
			    "tag %s is a chain of more than %d tags", object_id_hex(id, hex),
			    GIT_TAG_CHAIN);
}

static int open_failed(struct error *err, const char *dir, int rc)
{
	const git_error *e = git_error_last();

	if (rc == GIT_ENOTFOUND)
		return error_reason(err, ERROR_GONE, "NoRepository", "no git repository at %s",
				    dir);
	if (e && e->message && strstr(e->message, "objectformat"))
		return error_reason(
			err, ERROR_INVALID, "Sha256Repository",
			"%s is a SHA-256 repository; only SHA-1 ones are read by this "
			"version",
			dir);
	return git_library_error(err, ERROR_INVALID, "NoRepository", dir);
}

/* Without reading the object where the name alone says its id: libgit2 would parse it, and
 * refuse shapes that trust/ is to name. */
static int local_id(git_repository *repo, const char *spec, struct object_id *id)
{
	git_reference *ref = NULL, *direct = NULL;
	git_object *object = NULL;
	int rc;

	if (object_id_parse(spec, id) == 0)
		return 0;
	if (git_reference_dwim(&ref, repo, spec) == 0 &&
	    git_reference_resolve(&direct, ref) == 0)
		memcpy(id->raw, git_reference_target(direct)->id, OBJECT_ID_LEN);
	git_reference_free(ref);
	if (direct) {
		git_reference_free(direct);
		return 0;
	}
	rc = git_revparse_single(&object, repo, spec);
	if (rc == 0)
		memcpy(id->raw, git_object_id(object)->id, OBJECT_ID_LEN);
	git_object_free(object);
	return rc;
}

static int local_revision(git_repository *repo, const char *dir, const char *spec,
			  struct revision **out, struct error *err)
{
	struct object_id id, commit, tag;
	struct odb *odb = NULL;
	AUTO_FREE char *objects = mem_printf("%s/objects", git_repository_commondir(repo));
	bool has_tag;
	int rc;

	if (odb_open_local(objects, &odb, err) < 0)
		return -1;
	if (local_id(repo, spec, &id) < 0 || !odb_has(odb, &id)) {
		odb_free(odb);
		return error_reason(err, ERROR_GONE, "RefMissing", "%s: no commit \"%s\"", dir,
				    spec);
	}
	rc = revision_peel(odb, &id, &commit, &tag, &has_tag, err);
	if (rc == 0)
		*out = revision_new(dir, spec, &commit, has_tag ? &tag : NULL, odb);
	odb_free(odb);
	return rc;
}

int revision_local(const char *dir, const char *spec, struct revision **out, struct error *err)
{
	git_repository *repo = NULL;
	int rc;

	git_library_start();
	rc = git_repository_open_ext(&repo, dir, 0, NULL);
	if (rc < 0)
		return open_failed(err, dir, rc);
	rc = local_revision(repo, dir, spec, out, err);
	git_repository_free(repo);
	return rc;
}
