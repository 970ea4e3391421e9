/* desired/verified.c - desired_make(): the only way for a commit into a plan is through trust/.
 */
#include "desired/desired_int.h"

static int walk(void *arg, const char *path, bool recurse, tree_fn *fn, void *fn_arg,
		struct error *err)
{
	struct verified *v = arg;

	return odb_walk(verified_odb(v), verified_tree(v), path, recurse, fn, fn_arg, err);
}

static int read_blob(void *arg, const struct object_id *blob, struct buf *out,
		     struct error *err)
{
	return odb_read(verified_odb(arg), blob, OBJECT_BLOB, GIT_BLOB_MAX, out, err);
}

static void release(void *arg)
{
	verified_free(arg);
}

int desired_make(struct verified *v, const struct desired_spec *spec,
		 const struct kind_source *kinds, const struct desired *previous,
		 struct desired **out, struct problems *problems)
{
	struct tree_source source = {
		.walk = walk, .read = read_blob, .release = release, .arg = v};

	if (desired_make_from(&source, spec, kinds, previous, out, problems) < 0)
		return -1;
	(*out)->verified = verified_ref(v);
	return 0;
}
