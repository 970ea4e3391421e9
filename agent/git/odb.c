/*
 * The object database: opened bare, read by id, every content hashed again. What trust/ and
 * desired/ see of a repository comes through here and through tree.c, never from a checkout.
 */
#include <errno.h>
#include <git2/odb_backend.h>
#include <git2/sys/odb_backend.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "git/git_int.h"

struct odb {
	char *dir;
	git_odb *db; /* NULL while at rest */
	bool alternates;
	unsigned holders;
};

static const struct {
	git_object_t type;
	const char *name, *too_large;
} types[] = {
	[OBJECT_COMMIT] = {GIT_OBJECT_COMMIT, "commit", "CommitTooLarge"},
	[OBJECT_TREE] = {GIT_OBJECT_TREE, "tree", "TreeTooLarge"},
	[OBJECT_BLOB] = {GIT_OBJECT_BLOB, "file", "FileTooLarge"},
	[OBJECT_TAG] = {GIT_OBJECT_TAG, "tag", "TagTooLarge"},
};

static int odb_make(const char *dir, bool alternates, struct odb **out, struct error *err)
{
	struct stat st;
	struct odb *odb;

	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
		return error_reason(err, ERROR_GONE, "ObjectMissing",
				    "no object database at %s", dir);
	git_library_start();
	odb = mem_alloc(sizeof *odb);
	odb->dir = mem_strdup(dir);
	odb->alternates = alternates;
	odb->holders = 1;
	*out = odb;
	return 0;
}

int odb_open(const char *objects_dir, struct odb **out, struct error *err)
{
	return odb_make(objects_dir, false, out, err);
}

int odb_open_local(const char *objects_dir, struct odb **out, struct error *err)
{
	return odb_make(objects_dir, true, out, err);
}

struct odb *odb_ref(struct odb *odb)
{
	odb->holders++;
	return odb;
}

void odb_free(struct odb *odb)
{
	if (!odb || --odb->holders)
		return;
	odb_rest(odb);
	free(odb->dir);
	free(odb);
}

void odb_rest(struct odb *odb)
{
	git_odb_free(odb->db);
	odb->db = NULL;
}

/* A clone as git sees it; in a pre-receive hook with what is being pushed. */
static int open_local(struct odb *odb, git_odb **db)
{
	const char *quarantine = getenv("GIT_QUARANTINE_PATH");
	int rc = git_odb_open(db, odb->dir);

	if (rc == 0 && quarantine && *quarantine)
		rc = git_odb_add_disk_alternate(*db, quarantine);
	return rc;
}

/* Packs and loose objects of this folder and nothing else: git_odb_open() would follow an
 * alternates file, which the cache has no business to have. */
static int open_bare(struct odb *odb, git_odb **db)
{
	git_odb_backend *pack = NULL, *loose = NULL;

	if (git_odb_new(db) < 0)
		return -1;
	if (git_odb_backend_pack(&pack, odb->dir) < 0 ||
	    git_odb_add_backend(*db, pack, 2) < 0 ||
	    git_odb_backend_loose(&loose, odb->dir, -1, 0, 0, 0) < 0 ||
	    git_odb_add_backend(*db, loose, 1) < 0) {
		git_odb_free(*db);
		*db = NULL;
		return -1;
	}
	return 0;
}

static int wake(struct odb *odb, struct error *err)
{
	int rc;

	if (odb->db)
		return 0;
	rc = odb->alternates ? open_local(odb, &odb->db) : open_bare(odb, &odb->db);
	if (rc < 0) {
		odb->db = NULL;
		return git_library_error(err, ERROR_TRANSIENT, "ObjectMissing",
					 "opening the object database");
	}
	return 0;
}

bool odb_has(struct odb *odb, const struct object_id *id)
{
	git_oid oid;

	if (wake(odb, NULL) < 0)
		return false;
	git_oid_fromraw(&oid, id->raw);
	return git_odb_exists(odb->db, &oid) == 1;
}

static int read_failed(int rc, const struct object_id *id, enum object_type type,
		       struct error *err)
{
	char hex[OBJECT_ID_HEX], what[96];

	object_id_hex(id, hex);
	if (rc == GIT_ENOTFOUND)
		return error_reason(err, ERROR_GONE, "ObjectMissing",
				    "%s %s is not in the repository", types[type].name, hex);
	snprintf(what, sizeof what, "%s %s can't be read", types[type].name, hex);
	return git_library_error(err, ERROR_INVALID, "ObjectCorrupt", what);
}

/* Type and size are looked at before anything of that size is allocated. */
static int check_header(struct odb *odb, const git_oid *oid, const struct object_id *id,
			enum object_type type, size_t max, struct error *err)
{
	char hex[OBJECT_ID_HEX];
	git_object_t found;
	size_t len;
	int rc = git_odb_read_header(&len, &found, odb->db, oid);

	if (rc < 0)
		return read_failed(rc, id, type, err);
	if (found != types[type].type)
		return error_reason(err, ERROR_INVALID, "WrongObjectType",
				    "%s is a %s, wanted a %s", object_id_hex(id, hex),
				    git_object_type2string(found), types[type].name);
	if (len > max)
		return error_reason(err, ERROR_INVALID, types[type].too_large,
				    "%s %s has %zu bytes, at most %zu are allowed",
				    types[type].name, object_id_hex(id, hex), len, max);
	return 0;
}

int odb_read(struct odb *odb, const struct object_id *id, enum object_type type, size_t max,
	     struct buf *out, struct error *err)
{
	git_odb_object *object = NULL;
	git_oid oid, hashed;
	char hex[OBJECT_ID_HEX];
	int rc;

	if (wake(odb, err) < 0)
		return -1;
	git_oid_fromraw(&oid, id->raw);
	if (check_header(odb, &oid, id, type, max, err) < 0)
		return -1;
	rc = git_odb_read(&object, odb->db, &oid);
	if (rc < 0)
		return read_failed(rc, id, type, err);
	rc = git_odb_hash(&hashed, git_odb_object_data(object), git_odb_object_size(object),
			  git_odb_object_type(object));
	if (rc == 0 && git_odb_object_size(object) <= max && git_oid_equal(&oid, &hashed) &&
	    git_odb_object_type(object) == types[type].type)
		buf_add(out, git_odb_object_data(object), git_odb_object_size(object));
	else
		rc = error_reason(err, ERROR_INVALID, "ObjectCorrupt",
				  "the content of %s %s does not give its id", types[type].name,
				  object_id_hex(id, hex));
	git_odb_object_free(object);
	return rc;
}
