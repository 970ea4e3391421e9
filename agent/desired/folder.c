/* desired/folder.c - for `check`: the same reading, from a folder on disk. Links are not
 * followed, so that it sees what Git would hold. */
#include "desired/desired_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

struct folder {
	struct reading reading;
	struct buf data;
	bool recurse;
	size_t files;
};

struct entry {
	char *name; /* folders end in '/', as git sorts them */
	unsigned mode;
};
struct entries {
	VEC(struct entry) list;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void entries_clear(struct entries *e)
{
	for (size_t i = 0; i < e->list.len; i++)
		free(e->list.items[i].name);
	vec_clear(&e->list);
}

static void list_folder(DIR *dir, struct entries *out)
{
	struct dirent *e;
	struct stat st;

	while ((e = readdir(dir))) {
		if (text_eq(e->d_name, ".") || text_eq(e->d_name, "..") ||
		    text_eq(e->d_name, ".git") ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		*vec_push(&out->list) = (struct entry){
			mem_printf("%s%s", e->d_name, S_ISDIR(st.st_mode) ? "/" : ""),
			st.st_mode};
	}
	if (out->list.len > 1)
		qsort(out->list.items, out->list.len, sizeof *out->list.items, by_name);
}

static int unreadable(struct folder *f, const char *path)
{
	problems_add(f->reading.problems, path, 0, 0, "Unreadable", "can't be read: %s",
		     strerror(errno));
	return 0;
}

static int read_bytes(int fd, struct buf *out)
{
	char chunk[16384];
	ssize_t n;

	buf_reset(out);
	while ((n = read(fd, chunk, sizeof chunk)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		buf_add(out, chunk, (size_t)n);
		if (out->len > GIT_BLOB_MAX)
			return 0;
	}
	return 0;
}

/* -1: a cap of the whole is met and reported. */
static int check_file(struct folder *f, int dir, const char *name, const char *path, int flags)
{
	struct reading *r = &f->reading;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);

	if (fd < 0 || read_bytes(fd, &f->data) < 0) {
		unreadable(f, path);
		if (fd >= 0)
			close(fd);
		return 0;
	}
	close(fd);
	f->files++;
	if (f->data.len > GIT_BLOB_MAX) {
		problems_add(r->problems, path, 0, 0, "FileTooLarge", "more than %d bytes",
			     GIT_BLOB_MAX);
		return 0;
	}
	if (reading_room(r, path, f->data.len, 0) < 0)
		return -1;
	return reading_file(r, reading_add(r, path, NULL, f->data.len), f->data.ptr,
			    f->data.len);
}

static int too_many(struct folder *f, const char *path, const char *reason, const char *what,
		    int most)
{
	problems_add(f->reading.problems, path, 0, 0, reason, "more than %d %s", most, what);
	return -1;
}

static int check_folder(struct folder *f, DIR *dir, const char *path, int depth);

static int check_entry(struct folder *f, DIR *dir, const char *path, const struct entry *e,
		       int depth)
{
	bool folder = S_ISDIR(e->mode);
	size_t len = strlen(e->name) - folder;
	AUTO_FREE char *name = mem_strndup(e->name, len);
	AUTO_FREE char *full = mem_printf("%s%s%s", path, *path ? "/" : "", name);
	DIR *below;
	int fd;

	if (strlen(full) > GIT_TREE_PATH)
		return too_many(f, full, "PathTooLong", "bytes in a path", GIT_TREE_PATH);
	if (!folder) {
		if (!reading_wants(&f->reading, full, e->mode))
			return 0;
		if (f->files == GIT_TREE_FILES)
			return too_many(f, full, "TooManyFiles", "files", GIT_TREE_FILES);
		return check_file(f, dirfd(dir), name, full, O_NOFOLLOW);
	}
	if (!f->recurse)
		return 0;
	if (depth == GIT_TREE_DEPTH)
		return too_many(f, full, "TreeTooDeep", "folders inside each other",
				GIT_TREE_DEPTH);
	fd = openat(dirfd(dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	below = fd < 0 ? NULL : fdopendir(fd);
	if (!below)
		return unreadable(f, full);
	return check_folder(f, below, full, depth + 1);
}

/* Closes `dir`. */
static int check_folder(struct folder *f, DIR *dir, const char *path, int depth)
{
	struct entries entries = {0};
	int rc = 0;

	list_folder(dir, &entries);
	for (size_t i = 0; !rc && i < entries.list.len; i++)
		rc = check_entry(f, dir, path, &entries.list.items[i], depth);
	entries_clear(&entries);
	closedir(dir);
	return rc;
}

static void note_unknown(const struct desired_object *o, struct manifests_count *count)
{
	char group[256] = "", text[400];
	const char *version;
	size_t used = strlen(count->unknown_kinds);

	api_version_split(o->api_version, group, &version);
	snprintf(text, sizeof text, "%s%s%s", o->kind, *group ? "." : "", group);
	count->unknown++;
	if (strstr(count->unknown_kinds, text))
		return;
	if (used + strlen(text) + 8 < sizeof count->unknown_kinds)
		snprintf(count->unknown_kinds + used, sizeof count->unknown_kinds - used,
			 "%s%s", used ? ", " : "", text);
	else if (used && !text_ends(count->unknown_kinds, "..."))
		strcpy(count->unknown_kinds + used, ", ...");
}

static void finish(struct folder *f, struct manifests_count *count)
{
	struct reading *r = &f->reading;

	if (r->rows.len)
		qsort(r->rows.items, r->rows.len, sizeof *r->rows.items, row_compare);
	*count = (struct manifests_count){
		.files = f->files, .objects = r->rows.len, .skipped = r->skipped};
	for (size_t i = 0; i < r->rows.len; i++) {
		if (i && !strcmp(r->rows.items[i].key, r->rows.items[i - 1].key))
			reading_duplicate(r, &r->rows.items[i - 1], &r->rows.items[i]);
		if (!r->rows.items[i].resource)
			note_unknown(&r->rows.items[i], count);
	}
}

int manifests_check(const char *path, const struct desired_spec *spec,
		    const struct kind_source *kinds, struct manifests_count *count,
		    struct problems *problems)
{
	struct folder f = {.data = BUF_INIT, .recurse = spec->recurse};
	size_t before = problems->list.len;
	AUTO_FREE char *plain = mem_strdup(path);
	struct stat st;
	DIR *dir;
	bool fine;

	for (size_t n = strlen(plain); n > 1 && plain[n - 1] == '/'; n--)
		plain[n - 1] = '\0';
	reading_init(&f.reading, spec, kinds ? kinds : &kind_source_builtin, problems);
	f.reading.no_cluster = !spec->ns;
	if (stat(plain, &st) < 0 || (S_ISDIR(st.st_mode) && !(dir = opendir(plain))))
		unreadable(&f, path);
	else if (S_ISDIR(st.st_mode))
		check_folder(&f, dir, text_eq(plain, ".") ? "" : plain, 0);
	else if (reading_wants(&f.reading, plain, st.st_mode))
		check_file(&f, AT_FDCWD, plain, plain, 0);
	else if (problems->list.len == before)
		problems_add(problems, plain, 0, 0, "NotAManifest",
			     "wanted a folder, or a file that ends in .yaml, .yml or .json");
	finish(&f, count);
	fine = problems->list.len == before;
	problems_done(problems);
	buf_clear(&f.data);
	reading_clear(&f.reading);
	return fine ? 0 : -1;
}
