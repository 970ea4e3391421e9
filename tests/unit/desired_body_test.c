/* desired_body_test.c - bodies and hashes: what is left out, what is put in, the same every
 * time. */
#include "desired_fake.h"

#include "value/json.h"

static const struct {
	const char *name, *object;
	const char *wanted; /* without the annotation */
} rows[] = {
	{"label and namespace",
	 "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {b: x, a: \"1\"}\n",
	 "{\"apiVersion\":\"v1\",\"data\":{\"a\":\"1\",\"b\":\"x\"},\"kind\":\"ConfigMap\","
	 "\"metadata\":{\"labels\":{\"" LABEL_PART_OF "\":\"" PART_OF
	 "\"},\"name\":\"a\",\"namespace\":\"shop\"}}"},
	{"what the server owns goes, and null leaves",
	 "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  uid: x\n  selfLink: y\n"
	 "  resourceVersion: \"1\"\n  generation: 3\n  creationTimestamp: null\n"
	 "  managedFields: []\n  labels: {keep: me, " LABEL_PART_OF ": other}\n"
	 "  annotations: {" ANNOTATION_APPLIED ": stale, k: v, gone: null}\n"
	 "data: null\nstatus: {x: 1}\n",
	 "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"annotations\":{\"k\":"
	 "\"v\"},"
	 "\"labels\":{\"" LABEL_PART_OF "\":\"" PART_OF
	 "\",\"keep\":\"me\"},\"name\":\"a\",\"namespace\":\"shop\"}}"},
	{"stringData becomes data and wins",
	 "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: b2xk, b: Yg==}\n"
	 "stringData: {a: new, c: \"\"}\n",
	 "{\"apiVersion\":\"v1\",\"data\":{\"a\":\"bmV3\",\"b\":\"Yg==\",\"c\":\"\"},"
	 "\"kind\":\"Secret\",\"metadata\":{\"labels\":{\"" LABEL_PART_OF "\":\"" PART_OF
	 "\"},\"name\":\"a\",\"namespace\":\"shop\"}}"},
	{"cluster-scoped: no namespace",
	 "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n",
	 "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"labels\":{"
	 "\"" LABEL_PART_OF "\":\"" PART_OF "\"},\"name\":\"a\"}}"},
	{"numbers to the digit, text that looks like one, block scalars",
	 "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: a}\nspec:\n"
	 "  big: 12345678901234567890123\n  f: 1.10\n  text: \"017\"\n  t: |\n    --- x\n    "
	 "b\n",
	 "{\"apiVersion\":\"example.com/v1\",\"kind\":\"Widget\",\"metadata\":{\"labels\":{"
	 "\"" LABEL_PART_OF "\":\"" PART_OF "\"},\"name\":\"a\"},\"spec\":{"
	 "\"big\":12345678901234567890123,\"f\":1.10,\"t\":\"--- "
	 "x\\nb\\n\",\"text\":\"017\"}}"},
};

static struct desired *make(struct tree *v, const struct desired *previous,
			    const struct kind_source *kinds)
{
	struct desired_spec spec = fake_spec();
	AUTO(problems) problems = {0};
	struct desired *d = NULL;

	if (tree_make(v, &spec, kinds, previous, &d, &problems) < 0) {
		AUTO(buf) text = BUF_INIT;
		put_problems(&problems, &text);
		fail_msg("%s", text.ptr);
	}
	return d;
}

/* The hash as the header promises it, computed here again. */
static void check_hash(const struct desired_object *o, const char *canonical)
{
	AUTO(buf) text = BUF_INIT;
	unsigned char whole[DIGEST_LEN];

	buf_printf(&text, "%s\n%s", o->key, canonical);
	digest_sha256(text.ptr, text.len, whole);
	assert_memory_equal(whole, o->hash, DESIRED_HASH_LEN);
}

static void check_row(const char *name, const char *file, const char *text, size_t at,
		      size_t objects, const char *wanted)
{
	struct tree v = {0};
	AUTO(buf) body = BUF_INIT, canonical = BUF_INIT;
	AUTO_ARENA a = arena_new();
	struct error err = ERROR_INIT;
	unsigned char hash[DESIRED_HASH_LEN];
	const struct desired_object *o = NULL;
	const char *key;
	struct value *tree, *annotations;

	tree_add(&v, file, text);
	struct desired *d = make(&v, NULL, &kind_source_builtin);
	assert_int_equal(desired_count(d), objects);
	for (size_t i = 0; i < objects; i++)
		if (desired_at(d, i)->document == at)
			o = desired_at(d, i);
	if (desired_body(d, o, &body, &err) < 0)
		fail_msg("%s: %s", name, err.text);
	assert_int_equal(
		value_json_parse(a, body.ptr, body.len, &value_limits_manifest, &tree, &err),
		0);
	annotations = value_at(tree, "metadata", "annotations", NULL);
	assert_int_equal(
		applied_parse(value_get_str(annotations, ANNOTATION_APPLIED), hash, &key), 0);
	assert_string_equal(key, o->key);
	assert_memory_equal(hash, o->hash, sizeof hash);
	value_remove(annotations, ANNOTATION_APPLIED);
	if (!value_len(annotations))
		value_remove(value_get(tree, "metadata"), "annotations");
	value_json_write(tree, &canonical);
	assert_row_text(canonical.ptr, wanted, name);
	check_hash(o, canonical.ptr);
	desired_free(d);
	tree_clear(&v);
}

/* Alone, as one of several documents, as an item of a List: the same body each time. */
static void test_body__table(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *object = rows[i].object;
		AUTO_FREE char *docs = mem_printf("# c\n---\napiVersion: v1\nkind: "
						  "ConfigMap\nmetadata: {name: first}\n---\n"
						  "# before\n%s--- # after\napiVersion: "
						  "v1\nkind: ConfigMap\nmetadata: {name: z}\n",
						  object);
		AUTO(buf) list = BUF_INIT;
		const char *p = object;

		check_row(rows[i].name, "a.yaml", object, 0, 1, rows[i].wanted);
		check_row(rows[i].name, "a.yaml", docs, 1, 3, rows[i].wanted);
		buf_puts(&list, "apiVersion: v1\nkind: List\nitems:\n");
		for (bool first = true; *p; first = false) {
			size_t n = strcspn(p, "\n") + 1;
			buf_puts(&list, first ? "- " : "  ");
			buf_add(&list, p, n);
			p += n;
		}
		check_row(rows[i].name, "a.yaml", list.ptr, 0, 1, rows[i].wanted);
	}
}

static void test_body__line_ends_and_markers_do_not_matter(void **state)
{
	static const char *const texts[] = {
		"---\r\napiVersion: v1\r\nkind: ConfigMap\r\nmetadata: {name: a}\r\n---\r\n",
		"--- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n...\n---\n",
		"%YAML 1.1\n---\nmetadata:\n    name: a\nkind: ConfigMap\napiVersion: v1",
		"\n\n  apiVersion: \"v1\"\n  kind: 'ConfigMap'\n  metadata:\n   ? name\n   : "
		"a\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		check_row(texts[i], "a.yaml", texts[i], 0, 1,
			  "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{"
			  "\"labels\":{"
			  "\"" LABEL_PART_OF "\":\"" PART_OF
			  "\"},\"name\":\"a\",\"namespace\":\"shop\"}}");
	check_row(
		"json", "a.json",
		"{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"},\"apiVersion\":\"v1\"}",
		0, 1,
		"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"labels\":{"
		"\"" LABEL_PART_OF "\":\"" PART_OF
		"\"},\"name\":\"a\",\"namespace\":\"shop\"}}");
}

static void test_body__a_file_of_many_objects_is_read_once(void **state)
{
	struct tree v = {0};
	AUTO(buf) text = BUF_INIT, body = BUF_INIT;
	struct error err = ERROR_INIT;

	for (int i = 0; i < 500; i++)
		buf_printf(&text,
			   "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a-%d}\n", i);
	tree_add(&v, "a.yaml", text.ptr);
	struct desired *d = make(&v, NULL, &kind_source_builtin);
	v.reads = 0;
	for (size_t i = 0; i < desired_count(d); i++)
		assert_int_equal(desired_body(d, desired_at(d, i), &body, &err), 0);
	assert_int_equal(v.reads, 1);
	desired_rest(d);
	assert_int_equal(desired_body(d, desired_at(d, 0), &body, &err), 0);
	assert_int_equal(v.reads, 2);
	desired_free(d);
	tree_clear(&v);
}

static void test_body__a_lost_blob_is_an_error_with_its_file(void **state)
{
	struct tree v = {0};
	AUTO(buf) body = BUF_INIT;
	struct error err = ERROR_INIT;

	tree_text(&v, "== a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
	struct desired *d = make(&v, NULL, &kind_source_builtin);
	tree_remove(&v, 0);
	assert_int_equal(desired_body(d, desired_at(d, 0), &body, &err), -1);
	assert_error(&err, ERROR_GONE, "ObjectMissing", "a.yaml: an object is missing");
	assert_int_equal(body.len, 0);
	desired_free(d);
	tree_clear(&v);
}

/* ---- Reuse of the previous result ---- */

static uint32_t seed = 7;

static uint32_t dice(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static void put_object(struct buf *out, int name)
{
	static const char *const heads[] = {
		"apiVersion: v1\nkind: ConfigMap\n", "apiVersion: v1\nkind: Secret\n",
		"apiVersion: apps/v1\nkind: Deployment\n",
		"apiVersion: example.com/v1\nkind: Widget\n",
		"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n"};

	buf_printf(out, "---\n%smetadata:\n  name: n-%d\nx: %u\n", heads[dice(5)], name,
		   dice(3));
}

/* A random file of folder f: objects that no other file has, or nothing of ours. */
static void edit(struct tree *v, int f)
{
	static const char *const folders[] = {"", "a/", "a.b/", "a-/", "b/c/"};
	AUTO_FREE char *path = mem_printf("%sf%d.yaml", folders[f % 5], f);
	AUTO(buf) text = BUF_INIT;
	int n = (int)dice(4);

	if (!n)
		buf_puts(&text, "values: 1\n");
	for (int i = 0; i < n; i++)
		put_object(&text, f * 10 + i);
	tree_add(v, path, text.ptr);
}

static const struct kube_kind *find_more(void *arg, const char *group, const char *version,
					 const char *kind)
{
	static const struct kube_kind widget = {.group = "example.com",
						.version = "v1",
						.kind = "Widget",
						.plural = "widgets",
						.namespaced = true};

	if (*(bool *)arg && !strcmp(kind, "Widget"))
		return &widget;
	return kind_source_builtin.find(NULL, group, version, kind);
}

static void test_reuse__equals_a_fresh_reading(void **state)
{
	bool widgets = false;
	struct kind_source kinds = {.find = find_more, .arg = &widgets, .generation = 1};
	struct tree v = {0};

	for (int f = 0; f < 40; f++)
		edit(&v, f);
	struct desired *last = make(&v, NULL, &kinds);
	for (int round = 0; round < 150; round++) {
		AUTO(buf) reused = BUF_INIT, fresh = BUF_INIT;

		for (uint32_t n = dice(4); n; n--) {
			if (dice(4))
				edit(&v, (int)dice(50));
			else if (v.files.len > 5)
				tree_remove(&v, dice((uint32_t)v.files.len));
		}
		if (!dice(10)) {
			widgets = !widgets;
			kinds.generation++;
		}
		struct desired *next = make(&v, last, &kinds), *again = make(&v, NULL, &kinds);
		put_all(next, &reused);
		put_all(again, &fresh);
		assert_string_equal(reused.ptr, fresh.ptr);
		desired_free(again);
		desired_free(last);
		last = next;
	}
	desired_free(last);
	tree_clear(&v);
}

static void test_reuse__reads_only_what_changed(void **state)
{
	bool widgets = false;
	struct kind_source kinds = {.find = find_more, .arg = &widgets, .generation = 1};
	struct desired_spec spec = fake_spec();
	struct tree v = {0};
	AUTO(problems) problems = {0};
	struct desired *d = NULL, *next = NULL;

	tree_text(&v,
		  "== a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
		  "== b.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"
		  "== c.yaml\nx: 1\n"
		  "== w.yaml\napiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n");
	d = make(&v, NULL, &kinds);
	v.reads = 0;
	desired_free(make(&v, d, &kinds));
	assert_int_equal(v.reads, 0);
	widgets = true;
	kinds.generation++; /* only the file with a kind that is known now */
	next = make(&v, d, &kinds);
	assert_int_equal(v.reads, 1);
	assert_non_null(desired_find(next, "Widget.example.com|shop|w"));
	desired_free(next);
	spec.ns = "other"; /* another destination: all */
	v.reads = 0;
	assert_int_equal(tree_make(&v, &spec, &kinds, d, &next, &problems), 0);
	assert_int_equal(v.reads, 4);
	assert_non_null(desired_find(next, "ConfigMap|other|a"));
	desired_free(next);
	desired_free(d);
	tree_clear(&v);
}

/* A new file that repeats an object of a file that is not read again. */
static void test_reuse__finds_duplicates(void **state)
{
	struct desired_spec spec = fake_spec();
	struct tree v = {0};
	AUTO(problems) problems = {0};
	struct desired *next = NULL;

	tree_text(&v, "== b.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
	struct desired *d = make(&v, NULL, &kind_source_builtin);
	tree_text(&v, "== a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
	assert_int_equal(tree_make(&v, &spec, &kind_source_builtin, d, &next, &problems), -1);
	assert_int_equal(problems.list.len, 1);
	assert_string_equal(problems.list.items[0].file, "b.yaml");
	assert_string_equal(problems.list.items[0].reason, "DuplicateObject");
	desired_free(d);
	tree_clear(&v);
}

/* ---- Keys and the annotation ---- */

static void test_key__parts_and_text(void **state)
{
	static const struct {
		const char *group, *kind, *ns, *name, *key, *text;
	} table[] = {
		{"", "ConfigMap", "shop", "a", "ConfigMap|shop|a", "ConfigMap shop/a"},
		{"apps", "Deployment", "shop", "web", "Deployment.apps|shop|web",
		 "Deployment shop/web"},
		{NULL, "Namespace", NULL, "shop", "Namespace||shop", "Namespace shop"},
		{"rbac.authorization.k8s.io", "ClusterRole", "", "a|b",
		 "ClusterRole.rbac.authorization.k8s.io||a|b", "ClusterRole a|b"},
	};
	struct object_key k;
	char text[200];

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		AUTO(buf) key = BUF_INIT;

		object_key_put(&key, table[i].group, table[i].kind, table[i].ns, table[i].name);
		assert_string_equal(key.ptr, table[i].key);
		assert_string_equal(object_key_text(key.ptr, text, sizeof text), table[i].text);
		assert_int_equal(object_key_parse(key.ptr, &k), 0);
		assert_string_equal(k.group, table[i].group ? table[i].group : "");
		assert_string_equal(k.kind, table[i].kind);
		assert_string_equal(k.ns, table[i].ns ? table[i].ns : "");
		assert_string_equal(k.name, table[i].name);
	}
	assert_int_equal(object_key_parse("nonsense", &k), -1);
	assert_int_equal(object_key_parse("A|b", &k), -1);
	assert_int_equal(object_key_parse("A|b|", &k), -1);
	assert_int_equal(object_key_parse("|b|c", &k), -1);
}

static void test_applied__only_our_form(void **state)
{
	static const char *const bad[] = {"",
					  "x",
					  "0123456789abcdef0123456789abcdef",
					  "0123456789abcdef0123456789abcdef ",
					  "0123456789ABCDEF0123456789abcdef k",
					  "0123456789abcdef0123456789abcde k"};
	unsigned char hash[DESIRED_HASH_LEN] = {1, 2, 0xfe}, back[DESIRED_HASH_LEN];
	AUTO(buf) text = BUF_INIT;
	const char *key = NULL;

	applied_format(hash, "ConfigMap|a|b c", &text);
	assert_string_equal(text.ptr, "0102fe00000000000000000000000000 ConfigMap|a|b c");
	assert_int_equal(applied_parse(text.ptr, back, &key), 0);
	assert_memory_equal(hash, back, sizeof hash);
	assert_string_equal(key, "ConfigMap|a|b c");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_row(applied_parse(bad[i], back, &key) < 0, bad[i]);
}

static void test_kinds__order(void **state)
{
	static const char *const order[][2] = {
		{"", "Namespace"},
		{"apiextensions.k8s.io", "CustomResourceDefinition"},
		{"storage.k8s.io", "StorageClass"},
		{"", "LimitRange"},
		{"", "ConfigMap"},
		{"", "PersistentVolumeClaim"},
		{"rbac.authorization.k8s.io", "Role"},
		{"rbac.authorization.k8s.io", "RoleBinding"},
		{"", "Service"},
		{"apps", "Deployment"},
		{"modelsync.dev", "ModelDeployment"},
		{"apiregistration.k8s.io", "APIService"},
		{"admissionregistration.k8s.io", "ValidatingWebhookConfiguration"},
	};

	for (size_t i = 1; i < ARRAY_LEN(order); i++)
		assert_true(kind_tier(order[i - 1][0], order[i - 1][1]) <
			    kind_tier(order[i][0], order[i][1]));
	assert_int_equal(kind_tier("example.com", "Namespace"), kind_tier("x.y", "Z"));
	assert_null(kind_replacement("apps", "v1", "Deployment"));
	assert_non_null(kind_replacement("apps", "v1beta2", "StatefulSet"));
	assert_non_null(kind_replacement("autoscaling", "v2beta2", "HorizontalPodAutoscaler"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body__table),
		cmocka_unit_test(test_body__line_ends_and_markers_do_not_matter),
		cmocka_unit_test(test_body__a_file_of_many_objects_is_read_once),
		cmocka_unit_test(test_body__a_lost_blob_is_an_error_with_its_file),
		cmocka_unit_test(test_reuse__equals_a_fresh_reading),
		cmocka_unit_test(test_reuse__reads_only_what_changed),
		cmocka_unit_test(test_reuse__finds_duplicates),
		cmocka_unit_test(test_key__parts_and_text),
		cmocka_unit_test(test_applied__only_our_form),
		cmocka_unit_test(test_kinds__order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
