/*
 * desired/desired_int.h - what the files of desired/ share.
 *
 * reading: one pass over the files of a commit (or of a folder on disk, for `check`).
 *   reading_wants() -> bytes from wherever -> reading_file() -> rows and problems
 *   reading_finish() -> rows sorted by key, duplicates reported
 */
#ifndef DESIRED_DESIRED_INT_H
#define DESIRED_DESIRED_INT_H

#include "base/map.h"
#include "desired/desired.h"
#include "value/yaml.h"

#define ANNOTATION_ADOPT "modelsync.dev/adopt"
#define ANNOTATION_WAVE	 "modelsync.dev/sync-wave"

/* One file that was read. Files come in git's order, which is that of strcmp on whole paths. */
struct source_file {
	const char *path; /* in the repository */
	struct object_id blob;
	uint32_t size;	  /* bytes */
	uint32_t objects; /* 0: holds no Kubernetes object */
};

/* Where trees and bytes come from: a verified commit (verified.c). Tests bring their own. */
struct tree_source {
	int (*walk)(void *arg, const char *path, bool recurse, tree_fn *fn, void *fn_arg,
		    struct error *err); /* as odb_walk() */
	int (*read)(void *arg, const struct object_id *blob, struct buf *out,
		    struct error *err);
	void (*release)(void *arg); /* called once by desired_free() */
	void *arg;
};
/* desired_make() from any source; on success the source is taken over. */
int desired_make_from(const struct tree_source *source, const struct desired_spec *spec,
		      const struct kind_source *kinds, const struct desired *previous,
		      struct desired **out, struct problems *problems);

struct reading {
	const struct desired_spec *spec;
	const struct kind_source *kinds;
	bool no_cluster; /* `check`: what only an Application knows is no problem */
	struct problems *problems;
	struct arena *arena; /* strings of rows and files */
	struct map interned;
	struct buf scratch;
	VEC(struct desired_object) rows;
	VEC(struct source_file) files;
	size_t bytes, objects, skipped;
};

void reading_init(struct reading *r, const struct desired_spec *spec,
		  const struct kind_source *kinds, struct problems *problems);
void reading_clear(struct reading *r); /* the arena too, unless it was taken (NULL) */
const char *reading_intern(struct reading *r, const char *s);
/* Whether a file is to be read, by its name and git mode; reports what must not stand there. */
bool reading_wants(struct reading *r, const char *path, unsigned mode);
/* Count a file before it is read. -1: a cap of the whole commit is met; it is reported, stop.
 */
int reading_room(struct reading *r, const char *path, size_t size, size_t objects);
/* Add a file record; returns its index. */
uint32_t reading_add(struct reading *r, const char *path, const struct object_id *blob,
		     size_t size);
/* Parse and check the bytes of files[source]. -1: a cap of the whole commit is met. */
int reading_file(struct reading *r, uint32_t source, const char *data, size_t len);
/* Two rows with one key: reported at the later place. */
void reading_duplicate(struct reading *r, const struct desired_object *a,
		       const struct desired_object *b);
int row_compare(const void *a, const void *b); /* by key, then place */

/* ---- manifest.c: bytes of one file -> its objects ---- */

struct found {
	struct value *object;
	bool item; /* of a List */
};
struct manifest {
	struct arena *arena;
	VEC(struct found) objects; /* documents in order, Lists opened */
};
int manifest_parse(const char *path, const char *data, size_t len, struct manifest *out,
		   struct error *err);
void manifest_clear(struct manifest *m);
/* The bytes of the YAML document whose root node starts at `line`. */
void manifest_slice(const char *data, size_t len, uint32_t line, const char **at, size_t *size);

/* ---- object.c: one object -> row, or problems ---- */

/* Drops null members of `o`. 0: all of the row but hash, file, source, document is filled. */
int object_check(struct reading *r, const char *file, struct value *o,
		 struct desired_object *row);

/* The file read last: a body is asked for at least twice, and files may hold many objects. */
struct body_cache {
	bool used;
	uint32_t source;
	struct buf data;
	struct manifest whole; /* arena NULL: not parsed as a whole */
};

struct desired {
	struct arena *arena;
	struct tree_source source;
	const struct verified *verified; /* NULL: from elsewhere */
	struct desired_spec spec;
	struct kind_source kinds;
	struct desired_object *objects; /* sorted by key */
	struct source_file *files;
	size_t count, n_files, unknown, skipped;
	struct body_cache *cache; /* allocated by desired_make() */
};

/* ---- canonical.c ---- */

/* Make `o` what is applied, without the annotation: see desired_body(). */
void object_canonicalise(struct arena *a, struct value *o, const char *ns, const char *part_of);
void object_hash(const char *key, const struct value *canonical, struct buf *scratch,
		 unsigned char hash[DESIRED_HASH_LEN]);
void object_annotate(struct arena *a, struct value *o, const unsigned char *hash,
		     const char *key);

/* ---- names.c: syntax of names ---- */
bool name_is_label(const char *s);     /* RFC 1123 label */
bool name_is_subdomain(const char *s); /* RFC 1123 subdomain */
bool name_is_segment(const char *s);   /* safe as one part of a path */
bool name_is_kind(const char *s);
/* apiVersion -> group (copied to `group`) and version (in place); -1: not of that form. */
int api_version_split(const char *s, char group[256], const char **version);

#endif
