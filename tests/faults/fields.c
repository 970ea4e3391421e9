/*
 * faults/fields.c - who owns which field: fieldsV1 trees, as the real server keeps them for
 * objects, lists of named objects, and lists that are one value.
 */
#include "faults_int.h"

#include "base/clock.h"
#include "base/text.h"

static bool is_named_list(const struct value *v)
{
	struct value *item;

	if (!v || v->type != VALUE_ARRAY || !value_len(v))
		return false;
	array_each (v, i, item) {
		if (!value_get_str(item, "name"))
			return false;
	}
	return true;
}

static bool is_leaf(const struct value *tree)
{
	return !value_len(tree) || (value_len(tree) == 1 && value_get(tree, "."));
}

static const char *item_key(struct arena *a, const struct value *item)
{
	const char *name = value_get_str(item, "name");
	AUTO(buf) b = BUF_INIT;

	buf_puts(&b, "k:{\"name\":");
	json_put_string(&b, name, strlen(name));
	buf_puts(&b, "}");
	return arena_strdup(a, b.ptr);
}

/* The value that a tree's key ("f:x", "k:{...}") stands for inside `v`, and its place. */
static struct value *at_key(const struct value *v, const char *key, size_t *index)
{
	struct arena *a;
	struct value *item, *found = NULL;

	if (text_starts(key, "f:"))
		return value_get(v, key + 2);
	a = arena_new();
	array_each (v, i, item) {
		if (value_get_str(item, "name") && !strcmp(item_key(a, item), key)) {
			found = item;
			if (index)
				*index = i;
		}
	}
	arena_free(a);
	return found;
}

static void remove_key(struct value *v, const char *key)
{
	size_t i = 0;

	if (text_starts(key, "f:")) {
		value_remove(v, key + 2);
	} else if (at_key(v, key, &i)) {
		memmove(&v->array.items[i], &v->array.items[i + 1],
			(v->array.len - i - 1) * sizeof *v->array.items);
		v->array.len--;
	}
}

static struct value *tree_of(struct arena *a, const struct value *v)
{
	struct value *tree = value_object(a), *item;
	struct member *m;

	object_each (v, i, m) {
		value_set(a, tree, arena_printf(a, "f:%s", m->key), tree_of(a, m->value));
	}
	if (is_named_list(v))
		array_each (v, i, item) {
			struct value *sub = tree_of(a, item);
			value_set(a, sub, ".", value_object(a));
			value_set(a, tree, item_key(a, item), sub);
		}
	return tree;
}

struct value *fs_fields(struct arena *a, const struct value *object, bool status_only)
{
	static const char *const system[] = {
		"f:name",	"f:namespace",	       "f:uid",
		"f:generation", "f:creationTimestamp", "f:managedFields",
		"f:selfLink",	"f:resourceVersion"};
	struct value *tree = tree_of(a, object), *meta = value_get(tree, "f:metadata");
	struct value *status = value_get(tree, "f:status");

	if (status_only) {
		tree = value_object(a);
		if (status)
			value_set(a, tree, "f:status", status);
		return tree;
	}
	value_remove(tree, "f:apiVersion");
	value_remove(tree, "f:kind");
	for (size_t i = 0; i < ARRAY_LEN(system); i++)
		value_remove(meta, system[i]);
	if (meta && !value_len(meta))
		value_remove(tree, "f:metadata");
	return tree;
}

/* ---- sets ---- */

static void add_tree(struct arena *a, struct value *to, const struct value *from)
{
	struct member *m;

	object_each (from, i, m) {
		struct value *known = value_get(to, m->key);
		if (known)
			add_tree(a, known, m->value);
		else
			value_set(a, to, m->key, value_copy(a, m->value));
	}
}

static void subtract_tree(struct value *from, const struct value *what)
{
	struct member *m;

	object_each (what, i, m) {
		struct value *known = value_get(from, m->key);
		if (!known || !strcmp(m->key, "."))
			continue;
		if (is_leaf(m->value) || is_leaf(known)) {
			value_remove(from, m->key);
			continue;
		}
		subtract_tree(known, m->value);
		if (is_leaf(known))
			value_remove(from, m->key);
	}
}

/* Paths of `tree` (of `after`) whose value is another one in `before`. */
static struct value *changed_paths(struct arena *a, const struct value *tree,
				   const struct value *before, const struct value *after)
{
	struct value *out = value_object(a);
	struct member *m;

	object_each (tree, i, m) {
		if (!strcmp(m->key, "."))
			continue;
		struct value *b = at_key(before, m->key, NULL),
			     *n = at_key(after, m->key, NULL);
		if (b && n && value_equal(b, n))
			continue;
		struct value *sub = is_leaf(m->value) || !b || b->type != n->type
					    ? value_copy(a, m->value)
					    : changed_paths(a, m->value, b, n);
		value_set(a, out, m->key, sub);
	}
	return out;
}

/* ---- entries ---- */

static struct value *managed(struct arena *a, struct value *object)
{
	struct value *meta = value_object_at(a, object, "metadata");
	struct value *list = value_get(meta, "managedFields");

	if (!list || list->type != VALUE_ARRAY) {
		list = value_array(a);
		value_set(a, meta, "managedFields", list);
	}
	return list;
}

static struct value *find_entry(const struct value *list, const char *manager,
				const char *operation, const char *subresource)
{
	struct value *e;

	array_each (list, i, e) {
		const char *sub = value_get_str(e, "subresource");
		if (text_eq(value_get_str(e, "manager"), manager) &&
		    text_eq(value_get_str(e, "operation"), operation) &&
		    text_eq(sub ? sub : "", subresource ? subresource : ""))
			return e;
	}
	return NULL;
}

static struct value *make_entry(struct arena *a, struct value *list, const struct value *object,
				const char *manager, const char *operation,
				const char *subresource)
{
	struct value *e = find_entry(list, manager, operation, subresource);

	if (e)
		return e;
	e = value_object(a);
	value_set_string(a, e, "manager", manager);
	value_set_string(a, e, "operation", operation);
	value_set_string(a, e, "apiVersion", value_get_str(object, "apiVersion"));
	value_set_string(a, e, "fieldsType", "FieldsV1");
	value_set(a, e, "fieldsV1", value_object(a));
	if (subresource)
		value_set_string(a, e, "subresource", subresource);
	value_push(a, list, e);
	return e;
}

static void stamp(struct arena *a, struct value *entry)
{
	char now[CLOCK_TEXT_MAX];

	value_set_string(a, entry, "time", clock_rfc3339(clock_now_ms(), now));
}

static void drop_empty(struct value *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->array.len; i++)
		if (value_len(value_get(list->array.items[i], "fieldsV1")))
			list->array.items[n++] = list->array.items[i];
	list->array.len = n;
}

void fs_own_changes(struct arena *a, const struct value *before, struct value *after,
		    const char *manager, const char *subresource)
{
	struct value *list = managed(a, after), *e;
	bool status_only = subresource && !strcmp(subresource, "status");
	struct value *tree = fs_fields(a, after, status_only);
	struct value *changed = changed_paths(a, tree, before, after);
	struct value *gone = before ? fs_fields(a, before, status_only) : value_object(a);

	gone = changed_paths(a, gone, after, before); /* what went is "changed" the other way */
	array_each (list, i, e) {
		subtract_tree(value_get(e, "fieldsV1"), changed);
		subtract_tree(value_get(e, "fieldsV1"), gone);
	}
	if (value_len(changed)) {
		e = make_entry(a, list, after, manager, "Update", subresource);
		add_tree(a, value_get(e, "fieldsV1"), changed);
		stamp(a, e);
	}
	drop_empty(list);
}

/* ---- server-side apply ---- */

static void put_path_part(struct buf *path, const char *key)
{
	if (text_starts(key, "f:"))
		buf_printf(path, ".%s", key + 2);
	else
		buf_printf(path, "[%s]", key + 2);
}

/* Conflicts of wanted fields with what `theirs` owns; taken away from it when forced. */
static int conflicts(const struct value *wanted, const struct value *config,
		     const struct value *live, struct value *theirs, bool force,
		     const char *manager, struct buf *path, struct fs_answer *ans)
{
	struct member *m;
	int n = 0;

	object_each (wanted, i, m) {
		struct value *owned = value_get(theirs, m->key);
		struct value *c = at_key(config, m->key, NULL), *l = at_key(live, m->key, NULL);
		size_t len = path->len;

		if (!strcmp(m->key, ".") || !owned || (c && l && value_equal(c, l)))
			continue;
		put_path_part(path, m->key);
		if (!is_leaf(m->value) && !is_leaf(owned)) {
			n += conflicts(m->value, c, l, owned, force, manager, path, ans);
		} else if (force) {
			value_remove(theirs, m->key);
		} else {
			n++;
			fs_cause(ans, "FieldManagerConflict",
				 arena_printf(ans->arena, "conflict with \"%s\"", manager),
				 path->ptr);
		}
		buf_truncate(path, len);
	}
	return n;
}

static void merge_into(struct arena *a, struct value *live, const struct value *config)
{
	struct member *m;

	object_each (config, i, m) {
		struct value *known = value_get(live, m->key), *item;

		if (known && known->type == VALUE_OBJECT && m->value->type == VALUE_OBJECT) {
			merge_into(a, known, m->value);
		} else if (is_named_list(known) && is_named_list(m->value)) {
			array_each (m->value, j, item) {
				struct value *old = at_key(known, item_key(a, item), NULL);
				if (old)
					merge_into(a, old, item);
				else
					value_push(a, known, value_copy(a, item));
			}
		} else {
			value_set(a, live, m->key, value_copy(a, m->value));
		}
	}
}

/* Remove what was ours, is not wanted any more, and nobody else owns. */
static void prune(struct value *live, const struct value *was, const struct value *wanted,
		  const struct value *others)
{
	struct member *m;

	object_each (was, i, m) {
		const struct value *w = value_get(wanted, m->key),
				   *o = value_get(others, m->key);
		struct value *l = at_key(live, m->key, NULL);

		if (!l || !strcmp(m->key, "."))
			continue;
		if (!is_leaf(m->value))
			prune(l, m->value, w, o);
		if (!w && !o &&
		    (is_leaf(m->value) || !value_len(l) || text_starts(m->key, "k:")))
			remove_key(live, m->key);
	}
}

bool fs_apply(struct arena *a, struct value *live, const struct value *config,
	      const char *manager, const char *subresource, bool force, struct fs_answer *ans)
{
	bool status_only = subresource && !strcmp(subresource, "status");
	struct value *wanted = fs_fields(a, config, status_only), *list = managed(a, live), *e;
	struct value *mine = find_entry(list, manager, "Apply", subresource);
	struct value *others = value_object(a), *keep = list;
	AUTO(buf) path = BUF_INIT;
	int n = 0;

	array_each (list, i, e) {
		if (e == mine)
			continue;
		n += conflicts(wanted, config, live, value_get(e, "fieldsV1"), force,
			       value_get_str(e, "manager"), &path, ans);
		add_tree(a, others, value_get(e, "fieldsV1"));
	}
	if (n)
		return false;
	if (status_only) {
		struct value *only = value_object(a);
		if (value_get(config, "status"))
			value_set(a, only, "status", value_get(config, "status"));
		merge_into(a, live, only);
	} else {
		merge_into(a, live, config);
	}
	value_set(a, value_object_at(a, live, "metadata"), "managedFields", keep);
	if (mine)
		prune(live, value_get(mine, "fieldsV1"), wanted, others);
	if (!mine || !value_equal(value_get(mine, "fieldsV1"), wanted)) {
		mine = make_entry(a, list, live, manager, "Apply", subresource);
		value_set(a, mine, "fieldsV1", wanted);
		stamp(a, mine);
	}
	drop_empty(list);
	return true;
}
