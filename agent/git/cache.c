/*
 * The Git cache on disk, in the child's hands: sweeping what a killed fetch left, and writing
 * many packs anew as one. The agent only ever reads it, and it may be deleted at any time.
 */
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include <git2/odb_backend.h>
#include <git2/sys/odb_backend.h>

#include "git/git_int.h"

static char *pack_dir(git_repository *repo)
{
	return mem_printf("%s/objects/pack", git_repository_path(repo));
}

/* Call fn for each file of a folder whose name begins and ends so. */
static void each_file(const char *dir, const char *begin, const char *end,
		      void (*fn)(void *arg, const char *path), void *arg)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d))) {
		AUTO_FREE char *path = NULL;

		if (!text_starts(e->d_name, begin) || !text_ends(e->d_name, end))
			continue;
		path = mem_printf("%s/%s", dir, e->d_name);
		fn(arg, path);
	}
	closedir(d);
}

static void remove_file(void *arg, const char *path)
{
	unlink(path);
}

/* Fetches take turns under the cache's lock, so whatever is half-written now has no writer. */
void cache_sweep(const char *repo_dir)
{
	AUTO_FREE char *packs = mem_printf("%s/objects/pack", repo_dir);

	each_file(packs, "pack_git2_", "", remove_file, NULL);
	each_file(packs, "pack-", ".lock", remove_file, NULL);
	each_file(repo_dir, "", ".lock", remove_file, NULL);
}

static void count_file(void *arg, const char *path)
{
	++*(size_t *)arg;
}

size_t cache_packs(git_repository *repo)
{
	AUTO_FREE char *dir = pack_dir(repo);
	size_t n = 0;

	each_file(dir, "pack-", ".pack", count_file, &n);
	return n;
}

static int insert_object(const git_oid *id, void *arg)
{
	return git_packbuilder_insert(arg, id, NULL);
}

/* Every object there is, reachable or not: what was applied last may be reachable no more. */
static int build_pack(git_repository *repo, const char *dir, char **name)
{
	git_packbuilder *pb = NULL;
	git_odb *odb = NULL;
	int rc = git_packbuilder_new(&pb, repo);

	if (rc == 0)
		git_packbuilder_set_threads(pb, 1);
	if (rc == 0)
		rc = git_repository_odb(&odb, repo);
	if (rc == 0)
		rc = git_odb_foreach(odb, insert_object, pb);
	if (rc == 0)
		rc = git_packbuilder_write(pb, dir, 0444, NULL, NULL);
	if (rc == 0)
		*name = mem_printf("%s/pack-%s.", dir, git_packbuilder_name(pb));
	git_odb_free(odb);
	git_packbuilder_free(pb);
	return rc;
}

struct old_packs {
	VEC(char *) paths;
};

static void keep_path(void *arg, const char *path)
{
	struct old_packs *old = arg;

	*vec_push(&old->paths) = mem_strdup(path);
}

struct sizes {
	git_odb *odb;
	size_t largest;
};

static int look_at_size(const git_oid *id, void *arg)
{
	struct sizes *s = arg;
	git_object_t type;
	size_t len;

	/* From the object's own header: nothing is unpacked. */
	if (git_odb_read_header(&len, &type, s->odb, id) < 0)
		return -1;
	if (len > s->largest)
		s->largest = len;
	return 0;
}

static int largest_object(const char *idx, size_t *largest)
{
	struct sizes s = {0};
	git_odb_backend *pack = NULL;
	int rc = git_odb_new(&s.odb);

	if (rc == 0)
		rc = git_odb_backend_one_pack(&pack, idx);
	if (rc == 0)
		rc = git_odb_add_backend(s.odb, pack, 1);
	if (rc == 0)
		rc = git_odb_foreach(s.odb, look_at_size, &s);
	git_odb_free(s.odb);
	*largest = s.largest;
	return rc;
}

int cache_check_sizes(git_repository *repo, int64_t since_s, struct error *err)
{
	AUTO_FREE char *dir = pack_dir(repo);
	struct old_packs all = {0};
	int rc = 0;

	each_file(dir, "pack-", ".idx", keep_path, &all);
	for (size_t i = 0; i < all.paths.len; i++) {
		char *idx = all.paths.items[i];
		size_t largest = 0, stem = strlen(idx) - strlen(".idx");
		struct stat st;

		if (rc == 0 && stat(idx, &st) == 0 && st.st_mtime >= since_s &&
		    (largest_object(idx, &largest) < 0 || largest > (size_t)GIT_OBJECT_MAX)) {
			AUTO_FREE char *pack = mem_printf("%.*s.pack", (int)stem, idx);

			unlink(idx);
			unlink(pack);
			rc = error_reason(
				err, ERROR_INVALID, "PackTooLarge",
				"an object of %zu bytes was sent, at most %lld are taken",
				largest, GIT_OBJECT_MAX);
		}
		free(idx);
	}
	vec_clear(&all.paths);
	return rc;
}

int cache_repack(git_repository *repo, struct error *err)
{
	AUTO_FREE char *dir = pack_dir(repo);
	AUTO_FREE char *name = NULL;
	struct old_packs old = {0};
	int rc;

	/* An index without its pack is never looked at, so the .idx goes first. */
	each_file(dir, "pack-", ".idx", keep_path, &old);
	each_file(dir, "pack-", ".pack", keep_path, &old);
	rc = build_pack(repo, dir, &name);
	for (size_t i = 0; i < old.paths.len; i++) {
		if (rc == 0 && !text_starts(old.paths.items[i], name))
			unlink(old.paths.items[i]);
		free(old.paths.items[i]);
	}
	vec_clear(&old.paths);
	return rc < 0 ? git_library_error(err, ERROR_TRANSIENT, "FetchFailed",
					  "repacking the cache")
		      : 0;
}
