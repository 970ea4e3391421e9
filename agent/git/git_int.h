/*
 * git/git_int.h - what the files of git/ share: the object database's handle, raw trees, URLs,
 * and the orders and answers that pass between repo.c (agent) and fetch.c (child).
 */
#ifndef GIT_GIT_INT_H
#define GIT_GIT_INT_H

#include <git2.h>

#include "base/mem.h"
#include "git/git.h"

#define GIT_TREE_BYTES (16 * 1024 * 1024) /* TreeTooLarge: one tree object */
#define GIT_TAG_MAX    (64 * 1024)	  /* TagTooLarge */
#define GIT_TAG_CHAIN  5		  /* tags of tags */
#define GIT_REFS_MAX   20000
#define GIT_REFS_BYTES (2 * 1024 * 1024)
#define GIT_PACKS_MANY 40 /* above it the child writes them anew as one */

/* Start libgit2 once a process, without the user's or the system's git configuration. */
void git_library_start(void);
/* "what: libgit2's last message", made safe to show. */
int git_library_error(struct error *err, enum error_kind kind, const char *reason,
		      const char *what);

/* Like odb_open(), and follows objects/info/alternates: for clones of the user's own. */
int odb_open_local(const char *objects_dir, struct odb **out, struct error *err);

/* ---- Raw trees (tree.c) ---- */

struct raw_entry {
	const char *name; /* in the tree's bytes, NUL-terminated as git stores it */
	size_t name_len;
	unsigned mode;
	const unsigned char *id;
};
struct raw_tree {
	struct buf bytes;
	VEC(struct raw_entry) entries;
};
void raw_tree_clear(struct raw_tree *t);
/* Read and check one tree; `id` NULL is the empty one. `where` names it in messages. */
int raw_tree_read(struct odb *odb, const unsigned char *id, const char *where,
		  struct raw_tree *t, struct error *err);
/* Split t->bytes, which must be filled already. Reason: BadTree. */
int raw_tree_parse(struct raw_tree *t, const char *where, struct error *err);
/* git's order: byte-wise, a folder as if its name ended in '/'. */
int raw_entry_cmp(const struct raw_entry *a, const struct raw_entry *b);

/* ---- Revisions (revision.c) ---- */

struct revision *revision_new(const char *url, const char *target,
			      const struct object_id *commit, const struct object_id *tag,
			      struct odb *odb);
/* Follow annotated tags to a commit. `tag` is the outermost one; *has_tag tells whether any. */
int revision_peel(struct odb *odb, const struct object_id *id, struct object_id *commit,
		  struct object_id *tag, bool *has_tag, struct error *err);

/* ---- URLs (url.c) ---- */

enum url_scheme { URL_HTTPS, URL_HTTP, URL_SSH, URL_FILE };
struct git_url {
	enum url_scheme scheme;
	char *host, *user; /* or NULL */
	int port;	   /* 0: the scheme's */
	char *path;	   /* of a file URL: on this disk */
	char *text;	   /* for libgit2 and for people: never holds a password */
};
/* Reason: UrlRefused, with what to write instead; the text never shows a password. */
int git_url_parse(const char *url, bool allow_file, bool allow_http, struct git_url *out,
		  struct error *err);
void git_url_clear(struct git_url *u);

/* ---- known_hosts (known_hosts.c) ---- */

enum host_key { HOST_KEY_MATCHES, HOST_KEY_DIFFERS, HOST_KEY_UNKNOWN, HOST_KEY_REVOKED };
/* Is `key` (the raw public key blob) pinned for host and port (0: 22) in that text? */
enum host_key known_hosts_check(const char *text, const char *host, int port,
				const unsigned char *key, size_t key_len);

/* ---- The child (fetch.c) and its fence (sandbox.c) ---- */

struct fetch_orders {
	struct cJSON *json; /* what the strings below are borrowed from */
	struct git_url url;
	const char *cache; /* a folder of this repository alone */
	const char *username, *password, *ssh_key, *known_hosts, *ca; /* "" when not given */
	bool allow_file, allow_http;
	long long pack_max, deadline_ms;
	const struct cJSON *want; /* array of targets */
};

/* One connection: what libgit2's callbacks need, and what they saw go wrong. */
struct remote {
	const struct fetch_orders *orders;
	git_remote *git;
	int logins;			   /* credentials are given once only */
	struct error seen;		   /* said by a callback, better than libgit2's words */
	unsigned long long bytes, objects; /* received */
	bool cache_fault; /* it failed on what lies in the cache, not on the remote */
};
int remote_connect(struct remote *r, git_repository *repo, struct error *err);
/* Fetch these refspecs. */
int remote_fetch(struct remote *r, git_strarray *refspecs, struct error *err);
void remote_close(struct remote *r);

struct fence {
	const char *writable; /* the cache folder */
	const char *readable; /* one more that may be read, or NULL */
	long long file_max;   /* bytes of one file */
	long long cpu_ms;
};
/* From here on this process can write only there. *landlock: ABI in use, 0 when the kernel has
 * none. Fails when a fence that exists can't be put up. */
int fence_raise(const struct fence *f, int *landlock, struct error *err);

/* Write the packs of a cache as one, when there are many. Killed half-way, nothing is lost. */
int cache_repack(git_repository *repo, struct error *err);
size_t cache_packs(git_repository *repo);
/* Objects of packs younger than `since_s` that are larger than GIT_OBJECT_MAX: their packs are
 * deleted, and the fetch is PackTooLarge. What passes here bounds what reading any object, or
 * the base of its delta, can cost. */
int cache_check_sizes(git_repository *repo, int64_t since_s, struct error *err);
/* Remove what a killed fetch left half-written. */
void cache_sweep(const char *repo_dir);

/* The refs that a target may name, best first: "refs/heads/main" before "refs/tags/main"; none
 * for a full id. `out` has room for two; returns how many. */
size_t target_refs(const char *target, char *out[2]);
bool target_is_id(const char *target, struct object_id *id);

#endif
