/*
 * git/git.h - polls a repository and reads objects by id.
 *
 * In:  a URL, credentials, the refs that Applications want.
 * Out: a revision: this repository, this ref, this commit, and its objects readable by id.
 *
 * All network work and pack parsing happens in a re-executed child (`modelsync git-fetch`) with
 * a deadline, rlimits, Landlock and no Kubernetes token. It hands over packs and the heads it
 * saw, nothing else: the agent opens the bare object database, so no config, graft or shallow
 * file of the cache counts. The cache may be deleted at any time.
 */
#ifndef GIT_GIT_H
#define GIT_GIT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/loop.h"

/* SHA-1 object id. SHA-256 repositories are refused by name. */
#define OBJECT_ID_LEN 20
#define OBJECT_ID_HEX 41
struct object_id {
	unsigned char raw[OBJECT_ID_LEN];
};
int object_id_parse(const char *hex, struct object_id *out); /* exactly 40 lower-case digits */
char *object_id_hex(const struct object_id *id, char out[OBJECT_ID_HEX]); /* returns out */
bool object_id_eq(const struct object_id *a, const struct object_id *b);

/* Caps, each with a reason code of its own; checked before anything of that size is stored. */
#define GIT_COMMIT_MAX (64 * 1024)	 /* CommitTooLarge */
#define GIT_BLOB_MAX   (3 * 1024 * 1024) /* FileTooLarge */
#define GIT_TREE_DEPTH 32		 /* TreeTooDeep */
#define GIT_TREE_PATH  1024		 /* PathTooLong */
#define GIT_TREE_FILES 50000		 /* TooManyFiles */
#define GIT_OBJECT_MAX \
	(96LL * 1024 * 1024)		   /* any object of a pack, also unread: PackTooLarge */
#define GIT_PACK_MAX (512LL * 1024 * 1024) /* PackTooLarge */

/* ---- Object database: read-only, by id. Closed when the last holder lets go. ---- */

struct odb;
int odb_open(const char *objects_dir, struct odb **out, struct error *err);
struct odb *odb_ref(struct odb *odb);
void odb_free(struct odb *odb);
/* Give memory maps and caches back; the next read opens again. */
void odb_rest(struct odb *odb);

enum object_type { OBJECT_COMMIT, OBJECT_TREE, OBJECT_BLOB, OBJECT_TAG };
bool odb_has(struct odb *odb, const struct object_id *id);
/* The exact bytes of an object of that type; at most `max` (checked from its header first).
 * The content is hashed again and must give `id`. Reasons: ObjectMissing, ObjectCorrupt,
 * WrongObjectType, and the cap's. */
int odb_read(struct odb *odb, const struct object_id *id, enum object_type type, size_t max,
	     struct buf *out, struct error *err);

struct tree_entry {
	const char *path; /* relative to the walked folder, '/' between parts */
	unsigned mode;	  /* 0100644, 0100755, 0120000 symlink, 0160000 submodule */
	struct object_id id;
};
/* All files under `path` ("" or "." is the root) of `tree`, in git's order, depth first when
 * `recurse`. fn returns -1 (with *err set) to stop. Names with "..", ".", ".git", '\0' or '\\',
 * and trees out of order, are refused (BadTree). A missing folder is PathMissing; a path that
 * is a file gives that one file. */
typedef int tree_fn(void *arg, const struct tree_entry *e, struct error *err);
int odb_walk(struct odb *odb, const struct object_id *tree, const char *path, bool recurse,
	     tree_fn *fn, void *arg, struct error *err);
/* Paths that differ between two trees (either may be NULL: empty), renames as delete and add.
 * A path that is no more has mode 0 and its old id. */
int odb_diff(struct odb *odb, const struct object_id *old_tree,
	     const struct object_id *new_tree, tree_fn *fn, void *arg, struct error *err);

/* ---- Revision: what a source points at right now ---- */

struct revision;				    /* opaque, immutable */
const char *revision_url(const struct revision *r); /* without credentials */
const char *
revision_target(const struct revision *r); /* as asked for: "main", "v1.2", id, HEAD */
const struct object_id *revision_commit(const struct revision *r); /* tags are peeled */
/* The annotated tag it went through, or NULL. */
const struct object_id *revision_tag(const struct revision *r);
struct odb *revision_odb(const struct revision *r); /* borrowed */
void revision_free(struct revision *r);

/* A revision of a clone on this disk, for the command line: `spec` as git rev-parse takes it.
 */
int revision_local(const char *dir, const char *spec, struct revision **out, struct error *err);

/* ---- Repository: polled by the agent, one a URL however many Applications share it ---- */

struct repo_options {
	const char *url;
	const char *cache_dir; /* a folder of ours; the repository gets one below it */
	const char *username, *password;	   /* HTTPS, or NULL */
	const char *ssh_private_key, *known_hosts; /* text; SSH needs both */
	const char *ca_data;			   /* PEM for HTTPS, or NULL: the system's */
	bool allow_file, allow_http;		   /* switched on by flags of the agent only */
	int64_t deadline_ms;			   /* of one poll; 0: 60 s */
	const char *self; /* path of the modelsync program; NULL: /proc/self/exe */
};

struct repo;
/* Told after every poll: NULL, or why it failed (ERROR_TRANSIENT "FetchFailed", "FetchTimeout",
 * ERROR_DENIED "GitAuth", "HostKeyMismatch", ERROR_INVALID "UrlRefused", "PackTooLarge"). */
typedef void repo_on_poll(void *arg, struct repo *repo, const struct error *err);

int repo_new(struct loop *loop, const struct repo_options *o, repo_on_poll *fn, void *arg,
	     struct repo **out, struct error *err);
void repo_free(struct repo *repo);
/* Say which refs matter ("HEAD", branch, tag, full id); kept as a count. */
void repo_want(struct repo *repo, const char *target);
void repo_unwant(struct repo *repo, const char *target);
/* List the remote's refs and fetch what is wanted and missing. One at a time: while one runs,
 * another request makes one more run after it. */
void repo_poll(struct repo *repo);
bool repo_polling(const struct repo *repo);
/* From the last good poll. Reasons: RefMissing (ERROR_GONE), NotPolled (ERROR_TRANSIENT). */
int repo_revision(struct repo *repo, const char *target, struct revision **out,
		  struct error *err);
/* A revision for a commit that was fetched before, for healing what was last applied. */
int repo_revision_at(struct repo *repo, const struct object_id *commit, struct revision **out,
		     struct error *err);
int64_t
repo_last_contact_ms(const struct repo *repo); /* wall clock of the last good poll, 0: never */

/* Body of the hidden subcommand git-fetch: reads its orders from stdin, answers on stdout. */
int git_fetch_main(int argc, char **argv);

#endif
