/* Ids, the object database, raw trees, walks and differences, on real and on hostile objects.
 */
#include "test.h"

#include "git/git_int.h"
#include "support/git_fixture.h"

static int make(void **state)
{
	*state = mem_alloc(sizeof(struct fixture));
	fixture_make(*state);
	return 0;
}

static int clear(void **state)
{
	fixture_clear(*state);
	free(*state);
	return 0;
}

static struct odb *open_objects(struct fixture *f)
{
	AUTO_FREE char *dir = mem_printf("%s/.git/objects", f->work);
	struct odb *odb;

	assert_int_equal(odb_open(dir, &odb, NULL), 0);
	return odb;
}

static void test_object_id__forty_lower_case_digits(void **state)
{
	static const char *const bad[] = {
		"",
		"4b825dc642cb6eb9a060e54bf8d69288fbee490",
		"4b825dc642cb6eb9a060e54bf8d69288fbee49040",
		"4B825DC642CB6EB9A060E54BF8D69288FBEE4904",
		"4b825dc642cb6eb9a060e54bf8d69288fbee490g",
	};
	struct object_id id;
	char hex[OBJECT_ID_HEX];

	assert_int_equal(object_id_parse("4b825dc642cb6eb9a060e54bf8d69288fbee4904", &id), 0);
	assert_string_equal(object_id_hex(&id, hex),
			    "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_row(object_id_parse(bad[i], &id) < 0, bad[i]);
}

static void test_odb__reads_exact_bytes_within_the_cap(void **state)
{
	struct fixture *f = *state;
	struct odb *odb;
	struct object_id id, commit = fixture_commit(f, "a"), none = {{9}};
	AUTO(buf) out = BUF_INIT;
	struct error err = ERROR_INIT;

	fixture_sh(f, "printf 'a\\0b' > z && git add z && git commit -q -m z");
	id = fixture_id(f, "HEAD:z");
	odb = open_objects(f);
	for (int packed = 0; packed < 2; packed++) {
		buf_reset(&out);
		assert_int_equal(odb_read(odb, &id, OBJECT_BLOB, 3, &out, &err), 0);
		assert_int_equal(out.len, 3);
		assert_memory_equal(out.ptr, "a\0b", 3);
		assert_int_equal(odb_read(odb, &id, OBJECT_BLOB, 2, &out, &err), -1);
		assert_string_equal(error_code(&err), "FileTooLarge");
		assert_int_equal(odb_read(odb, &commit, OBJECT_COMMIT, 9, &out, &err), -1);
		assert_string_equal(error_code(&err), "CommitTooLarge");
		assert_int_equal(odb_read(odb, &id, OBJECT_TREE, 99, &out, &err), -1);
		assert_string_equal(error_code(&err), "WrongObjectType");
		assert_int_equal(odb_read(odb, &none, OBJECT_BLOB, 9, &out, &err), -1);
		assert_string_equal(error_code(&err), "ObjectMissing");
		assert_int_equal(err.kind, ERROR_GONE);
		assert_int_equal(out.len, 3);
		assert_true(odb_has(odb, &id));
		assert_false(odb_has(odb, &none));
		/* while it is open, everything moves into a pack */
		fixture_sh(f, "git repack -q -a -d");
		if (packed)
			odb_rest(odb);
	}
	odb_free(odb_ref(odb));
	odb_free(odb);
	assert_int_equal(odb_open("/nonexistent", &odb, &err), -1);
}

static void test_odb__content_that_does_not_give_its_id_is_refused(void **state)
{
	struct fixture *f = *state;
	struct object_id a, b;
	struct odb *odb;
	char ha[OBJECT_ID_HEX], hb[OBJECT_ID_HEX];
	AUTO(buf) out = BUF_INIT;
	struct error err = ERROR_INIT;

	fixture_sh(f, "echo one > a && echo two > b && git add a b && git commit -q -m x");
	a = fixture_id(f, "HEAD:a");
	b = fixture_id(f, "HEAD:b");
	object_id_hex(&a, ha);
	object_id_hex(&b, hb);
	fixture_sh(f, "cp -f .git/objects/%.2s/%s .git/objects/%.2s/%s", ha, ha + 2, hb,
		   hb + 2);
	odb = open_objects(f);
	assert_int_equal(odb_read(odb, &b, OBJECT_BLOB, 99, &out, &err), -1);
	assert_string_equal(error_code(&err), "ObjectCorrupt");
	/* by our own check alone, too */
	git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
	err = (struct error)ERROR_INIT;
	assert_int_equal(odb_read(odb, &b, OBJECT_BLOB, 99, &out, &err), -1);
	assert_string_equal(error_code(&err), "ObjectCorrupt");
	git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1);
	fixture_sh(f, "chmod u+w .git/objects/%.2s/%s && echo x > .git/objects/%.2s/%s", ha,
		   ha + 2, ha, ha + 2);
	odb_rest(odb);
	assert_int_equal(odb_read(odb, &a, OBJECT_BLOB, 99, &out, &err), -1);
	assert_int_equal(out.len, 0);
	odb_free(odb);
}

static void test_odb__alternates_of_the_cache_do_not_count(void **state)
{
	struct fixture *f = *state;
	struct object_id id = fixture_commit(f, "a");
	AUTO_FREE char *dir = mem_printf("%s/other.git/objects", f->dir);
	struct odb *bare, *local;

	fixture_sh(f,
		   "git init -q --bare ../other.git && "
		   "echo %s/.git/objects > ../other.git/objects/info/alternates",
		   f->work);
	assert_int_equal(odb_open(dir, &bare, NULL), 0);
	assert_int_equal(odb_open_local(dir, &local, NULL), 0);
	assert_false(odb_has(bare, &id));
	assert_true(odb_has(local, &id));
	odb_free(bare);
	odb_free(local);
}

/* ---- Raw trees ---- */

#define ID "01234567890123456789"

static void test_raw_tree__strict_grammar(void **state)
{
	static const struct {
		const char *name, *bytes;
		size_t len;
		const char *why; /* NULL: good */
	} rows[] = {
#define ROW(n, b, w) {n, b, sizeof(b) - 1, w}
		ROW("empty", "", NULL),
		ROW("kinds",
		    "100644 a\0" ID "100755 b\0" ID "40000 c\0" ID "120000 d\0" ID
		    "160000 e\0" ID,
		    NULL),
		ROW("file before folder of longer name", "100644 a.b\0" ID "40000 a\0" ID,
		    NULL),
		ROW("control characters", "100644 a\nb\0" ID, NULL),
		ROW("cut id",
		    "100644 a\0"
		    "0123456789",
		    "cut short"),
		ROW("no NUL", "100644 a", "cut short"),
		ROW("no space", "100644", "cut short"),
		ROW("padded mode", "040000 a\0" ID, "mode"),
		ROW("device", "60000 a\0" ID, "mode"),
		ROW("no name", "100644 \0" ID, "empty name"),
		ROW("slash", "100644 a/b\0" ID, "neither /"),
		ROW("backslash", "100644 a\\b\0" ID, "neither /"),
		ROW("dot", "100644 .\0" ID, "no names"),
		ROW("dot dot", "40000 ..\0" ID, "no names"),
		ROW(".git", "40000 .git\0" ID, "own folder"),
		ROW(".GiT", "40000 .GiT\0" ID, "own folder"),
		ROW("git~1", "40000 GIT~1\0" ID, "own folder"),
		ROW("twice", "100644 a\0" ID "100644 a\0" ID, "out of order"),
		ROW("out of order", "100644 b\0" ID "100644 a\0" ID, "out of order"),
		ROW("folder sorted as a file", "40000 a\0" ID "100644 a.b\0" ID,
		    "out of order"),
		ROW("file and folder, neighbours", "100644 a\0" ID "40000 a\0" ID, "twice"),
		ROW("file and folder, apart", "100644 a\0" ID "100644 a.b\0" ID "40000 a\0" ID,
		    "twice"),
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct raw_tree t = {.bytes = BUF_INIT};
		struct error err = ERROR_INIT;
		int rc;

		buf_add(&t.bytes, rows[i].bytes, rows[i].len);
		rc = raw_tree_parse(&t, "x", &err);
		assert_row((rc < 0) == (rows[i].why != NULL), rows[i].name);
		if (rc < 0) {
			assert_string_equal(error_code(&err), "BadTree");
			if (!strstr(err.text, rows[i].why))
				fail_msg("%s: seen \"%s\"", rows[i].name, err.text);
		}
		raw_tree_clear(&t);
	}
}

static int list(void *arg, const struct tree_entry *e, struct error *err)
{
	buf_printf(arg, "%o %s\n", e->mode, e->path);
	return 0;
}

static int stop_at_second(void *arg, const struct tree_entry *e, struct error *err)
{
	if (++*(int *)arg == 2)
		return error_set(err, ERROR_INVALID, "enough");
	return 0;
}

static void test_walk__lists_as_git_does(void **state)
{
	struct fixture *f = *state;
	struct object_id tree;
	struct odb *odb;
	AUTO_FREE char *wanted = NULL;
	AUTO(buf) seen = BUF_INIT;
	struct error err = ERROR_INIT;
	int calls = 0;

	fixture_sh(f, "mkdir -p x/y x.d && touch a x/f x/y/g x/y.z x.d/h x-1 && chmod +x a && "
		      "ln -s a link && git add . && git commit -q -m x");
	tree = fixture_id(f, "HEAD^{tree}");
	odb = open_objects(f);
	wanted = fixture_out(f, "git ls-tree -r HEAD --format='%%(objectmode) %%(path)'");
	assert_int_equal(odb_walk(odb, &tree, "", true, list, &seen, &err), 0);
	buf_truncate(&seen, seen.len - 1);
	assert_string_equal(seen.ptr, wanted);

	static const struct {
		const char *path;
		bool recurse;
		const char *wanted, *reason;
	} rows[] = {
		{".", false, "100755 a\n120000 link\n100644 x-1\n", NULL},
		{"x", false, "100644 f\n100644 y.z\n", NULL},
		{"./x//", true, "100644 f\n100644 y.z\n100644 y/g\n", NULL},
		{"x/y/g", true, "100644 g\n", NULL},
		{"none", true, "", "PathMissing"},
		{"x/none", true, "", "PathMissing"},
		{"a/b", true, "", "PathMissing"},
		{"../x", true, "", "PathMissing"},
		{"x/../x", true, "", "PathMissing"},
		{"/x", true, "", "PathMissing"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_reset(&seen);
		int rc = odb_walk(odb, &tree, rows[i].path, rows[i].recurse, list, &seen, &err);

		assert_row((rc < 0) == (rows[i].reason != NULL), rows[i].path);
		assert_row_text(seen.ptr, rows[i].wanted, rows[i].path);
		if (rc < 0)
			assert_row_text(error_code(&err), rows[i].reason, rows[i].path);
	}
	assert_int_equal(odb_walk(odb, &tree, "", true, stop_at_second, &calls, &err), -1);
	assert_int_equal(calls, 2);
	assert_string_equal(err.text, "enough");
	odb_free(odb);
}

/* A tree of one folder in another, `depth` of them, around a file. */
static struct object_id nest(struct fixture *f, int depth, const char *name)
{
	struct object_id id;
	AUTO_FREE char *blob = fixture_out(f, "echo x | git hash-object -w --stdin");
	AUTO(buf) raw = BUF_INIT;

	assert_int_equal(object_id_parse(blob, &id), 0);
	buf_add(&raw, "100644 f\0", 9);
	buf_add(&raw, id.raw, OBJECT_ID_LEN);
	id = fixture_write(f, "tree", &raw);
	for (int i = 1; i < depth; i++) {
		buf_reset(&raw);
		buf_printf(&raw, "40000 %s", name);
		buf_putc(&raw, '\0');
		buf_add(&raw, id.raw, OBJECT_ID_LEN);
		id = fixture_write(f, "tree", &raw);
	}
	return id;
}

/* A folder with `n` entries that are all the same, wide times deep. */
static struct object_id wide(struct fixture *f, int n, const struct object_id *of,
			     const char *mode)
{
	AUTO(buf) raw = BUF_INIT;

	for (int i = 0; i < n; i++) {
		buf_printf(&raw, "%s f%06d", mode, i);
		buf_putc(&raw, '\0');
		buf_add(&raw, of->raw, OBJECT_ID_LEN);
	}
	return fixture_write(f, "tree", &raw);
}

static void assert_walk(struct odb *odb, const struct object_id *tree, const char *reason)
{
	AUTO(buf) seen = BUF_INIT;
	struct error err = ERROR_INIT;
	int rc = odb_walk(odb, tree, "", true, list, &seen, &err);

	assert_string_equal(rc < 0 ? error_code(&err) : "", reason);
	err = (struct error)ERROR_INIT;
	rc = odb_diff(odb, NULL, tree, list, &seen, &err);
	assert_string_equal(rc < 0 ? error_code(&err) : "", reason);
}

static void test_walk__caps_one_below_and_one_above(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *long_name = test_repeat("n", GIT_TREE_PATH - 2);
	AUTO_FREE char *longer_name = test_repeat("n", GIT_TREE_PATH - 1);
	struct object_id id, empty;
	struct odb *odb;
	AUTO(buf) none = BUF_INIT;

	fixture_commit(f, "a");
	odb = open_objects(f);
	id = nest(f, GIT_TREE_DEPTH, "d");
	assert_walk(odb, &id, "");
	id = nest(f, GIT_TREE_DEPTH + 1, "d");
	assert_walk(odb, &id, "TreeTooDeep");
	id = nest(f, 2, long_name);
	assert_walk(odb, &id, "");
	id = nest(f, 2, longer_name);
	assert_walk(odb, &id, "PathTooLong");
	id = fixture_id(f, "HEAD:a");
	id = wide(f, GIT_TREE_FILES, &id, "100644");
	assert_walk(odb, &id, "");
	id = fixture_id(f, "HEAD:a");
	id = wide(f, GIT_TREE_FILES + 1, &id, "100644");
	assert_walk(odb, &id, "TooManyFiles");
	/* 10^12 empty folders out of four objects */
	empty = fixture_write(f, "tree", &none);
	id = wide(f, 1000, &empty, "40000");
	id = wide(f, 1000, &id, "40000");
	id = wide(f, 1000, &id, "40000");
	id = wide(f, 1000, &id, "40000");
	assert_walk(odb, &id, "TooManyFiles");
	odb_free(odb);
}

static void test_diff__says_what_git_says(void **state)
{
	struct fixture *f = *state;
	struct object_id old_tree, new_tree;
	struct odb *odb;
	AUTO(buf) seen = BUF_INIT;
	AUTO_FREE char *wanted = NULL;

	fixture_sh(
		f,
		"mkdir -p d/e g && touch a b d/1 d/e/2 g/3 same && echo x > c && git add . && "
		"git commit -q -m 1");
	old_tree = fixture_id(f, "HEAD^{tree}");
	fixture_sh(f, "git rm -q -r d/e b && echo y > c && chmod +x a && git rm -q -r g && "
		      "echo z > g && "
		      "mkdir b && echo w > b/4 && git add . && git commit -q -m 2");
	new_tree = fixture_id(f, "HEAD^{tree}");
	odb = open_objects(f);
	assert_int_equal(odb_diff(odb, &old_tree, &new_tree, list, &seen, NULL), 0);
	wanted = fixture_out(
		f, "git diff-tree -r --no-renames HEAD~1 HEAD | "
		   "awk '{sub(/^0+/, \"\", $2); print ($2 == \"\" ? 0 : $2), $6}' | sort");
	AUTO_FREE char *sorted = fixture_out(f, "sort <<'EOF'\n%sEOF\n", seen.ptr);
	assert_string_equal(sorted, wanted);
	buf_reset(&seen);
	assert_int_equal(odb_diff(odb, &new_tree, &new_tree, list, &seen, NULL), 0);
	assert_int_equal(odb_diff(odb, NULL, NULL, list, &seen, NULL), 0);
	assert_int_equal(seen.len, 0);
	assert_int_equal(odb_diff(odb, &new_tree, NULL, list, &seen, NULL), 0);
	assert_non_null(strstr(seen.ptr, "0 b/4\n"));
	odb_free(odb);
}

static void test_revision_local__branches_tags_ids(void **state)
{
	struct fixture *f = *state;
	struct object_id commit = fixture_commit(f, "a");
	static const char *const specs[] = {"HEAD",  "main", "v1", "v2", "refs/heads/main",
					    "HEAD^0"};
	struct revision *r = NULL;
	struct error err = ERROR_INIT;
	char hex[OBJECT_ID_HEX];

	fixture_sh(f, "git tag v1 && git tag -s -m t v2 && git tag -s -m t v3 v2 && "
		      "git tag -m t blob HEAD:a");
	for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
		assert_int_equal(revision_local(f->work, specs[i], &r, &err), 0);
		assert_true(object_id_eq(revision_commit(r), &commit));
		assert_int_equal(revision_tag(r) != NULL, strcmp(specs[i], "v2") == 0);
		assert_string_equal(revision_target(r), specs[i]);
		revision_free(r);
	}
	assert_int_equal(revision_local(f->work, "v3", &r, &err), 0);
	assert_true(object_id_eq(revision_commit(r), &commit));
	revision_free(r);
	assert_int_equal(revision_local(f->work, object_id_hex(&commit, hex), &r, &err), 0);
	revision_free(r);
	assert_int_equal(revision_local(f->work, "none", &r, &err), -1);
	assert_string_equal(error_code(&err), "RefMissing");
	assert_int_equal(revision_local(f->work, "blob", &r, &err), -1);
	assert_int_equal(revision_local("/proc", "HEAD", &r, &err), -1);
	assert_string_equal(error_code(&err), "NoRepository");
	fixture_sh(f, "git init -q --object-format=sha256 ../sha256");
	AUTO_FREE char *sha256 = mem_printf("%s/sha256", f->dir);

	assert_int_equal(revision_local(sha256, "HEAD", &r, &err), -1);
	assert_string_equal(error_code(&err), "Sha256Repository");
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, make, clear)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_object_id__forty_lower_case_digits),
		TEST(test_odb__reads_exact_bytes_within_the_cap),
		TEST(test_odb__content_that_does_not_give_its_id_is_refused),
		TEST(test_odb__alternates_of_the_cache_do_not_count),
		cmocka_unit_test(test_raw_tree__strict_grammar),
		TEST(test_walk__lists_as_git_does),
		TEST(test_walk__caps_one_below_and_one_above),
		TEST(test_diff__says_what_git_says),
		TEST(test_revision_local__branches_tags_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
